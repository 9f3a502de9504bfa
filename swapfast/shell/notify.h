/* System calls that the C library has no function for, or not for one thread alone.
 *
 * - swapfast_install(code, size, listen): a filter; the descriptor of its notifications, or -1
 * - swapfast_copy(pid, there, here, size, out): into somebody's memory, or out of it
 * - swapfast_open_beneath(dir, path, flags): openat2(2) that stays below a directory
 * - swapfast_act_as(uid, gid, keep): the rights of this thread at files
 * - swapfast_leave(flags): unshare(2)
 *
 * Structures and numbers are those of include/uapi/linux/seccomp.h, written out, so that headers older
 * than the kernel do for the build.
 */
#ifndef SWAPFAST_NOTIFY_H
#define SWAPFAST_NOTIFY_H

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#if defined(__x86_64__)
#define SWAPFAST_ARCH 0xC000003Eu
#elif defined(__aarch64__)
#define SWAPFAST_ARCH 0xC00000B7u
#else
#define SWAPFAST_ARCH 0u
#endif
#ifdef SYS_open
#define SWAPFAST_OPEN SYS_open
#else
#define SWAPFAST_OPEN -1
#endif
#ifdef SYS_openat2
#define SWAPFAST_OPENAT2 SYS_openat2
#else
#define SWAPFAST_OPENAT2 437
#endif
#ifdef SYS_clone3
#define SWAPFAST_CLONE3 SYS_clone3
#else
#define SWAPFAST_CLONE3 435
#endif

typedef struct {
    uint64_t id; uint32_t pid, flags; int32_t nr; uint32_t arch; uint64_t ip, args[6];
} notice_t;
typedef struct { uint64_t id; int64_t val; int32_t error; uint32_t flags; } reply_t;
typedef struct { uint64_t id; uint32_t flags, source, target, target_flags; } gift_t;
typedef struct { unsigned short len; const void *filter; } program_t;
typedef struct { uint64_t flags, mode, resolve; } how_t;

#define SWAPFAST_RECV _IOWR('!', 0, notice_t)
#define SWAPFAST_SEND _IOWR('!', 1, reply_t)
#define SWAPFAST_VALID _IOW('!', 2, uint64_t)
#define SWAPFAST_SET_FLAGS _IOW('!', 4, uint64_t)
#define SWAPFAST_GIVE _IOW('!', 3, gift_t)

static long swapfast_install(const void *code, size_t size, int listen) {
    program_t program = { (unsigned short)(size / 8), code };
    long fd;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return -1;
    if (!listen) return syscall(SYS_seccomp, 1, 0, &program);
    fd = syscall(SYS_seccomp, 1, 8 | 32, &program);    /* NEW_LISTENER, WAIT_KILLABLE_RECV */
    if (fd < 0 && errno == EINVAL)
        fd = syscall(SYS_seccomp, 1, 8, &program);     /* before 5.19 */
    if (fd >= 0 && ioctl((int)fd, SWAPFAST_SET_FLAGS, 1ul) < 0)
        errno = 0;                                     /* SYNC_WAKE_UP: before 6.6 without */
    return fd;
}
static ssize_t swapfast_copy(int pid, uint64_t there, void *here, size_t size, int out) {
    struct iovec a = { here, size }, b = { (void *)(uintptr_t)there, size };
    return out ? process_vm_writev(pid, &a, 1, &b, 1, 0) : process_vm_readv(pid, &a, 1, &b, 1, 0);
}
static long swapfast_open_beneath(int dir, const char *path, uint64_t flags) {
    how_t how = { flags, 0, 0x10 };                    /* RESOLVE_IN_ROOT */
    return syscall(SWAPFAST_OPENAT2, dir, path, &how, sizeof how);
}
static long swapfast_leave(uint64_t flags) { return syscall(SYS_unshare, flags); }
static int swapfast_act_as(unsigned uid, unsigned gid, int keep) {
    struct { uint32_t version; int pid; } head = { 0x20080522, 0 };
    struct { uint32_t effective, permitted, inheritable; } caps[2];
    syscall(SYS_setfsgid, gid);
    syscall(SYS_setfsuid, uid);                        /* takes and gives the rights of a root */
    if ((unsigned)syscall(SYS_setfsuid, -1) != uid) return -1;
    if (syscall(SYS_capget, &head, caps)) return -1;
    if (keep) caps[0].effective |= caps[0].permitted & 6; /* CAP_DAC_OVERRIDE, _READ_SEARCH */
    else caps[0].effective &= ~6u;
    return (int)syscall(SYS_capset, &head, caps);
}

#endif
