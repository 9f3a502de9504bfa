/* What is asked of another process: ptrace(2), userfaultfd(2), and its memory.
 *
 * - swapfast_inject(pid, at, as, nr, args, result, status): run one system call in a stopped process, by
 *   the instruction at `at`; 0, -1: errno, -2: it died, and `status` says how
 * - swapfast_next_stop(pid, status): wait for it; the same answers
 * - swapfast_registers(pid, r), swapfast_set_registers(pid, r)
 * - swapfast_mask(pid, set, old): its blocked signals
 * - swapfast_signals(signal): a descriptor that tells it
 * - swapfast_api(uffd), swapfast_register(uffd, at, size), swapfast_protect(uffd, at, size, on),
 *   swapfast_give(uffd, at, bytes, protect), swapfast_wake(uffd, at): 0, or an errno
 * - swapfast_read_page(pid, memory, at, into): 0, or an errno
 * - swapfast_drop(pid, scratch, as, addresses, n, vectored): these pages are given back, by its own madvise(2)
 *
 * Only x86-64: on other processors everything fails with ENOSYS.
 */
#ifndef SWAPFAST_TRACEE_H
#define SWAPFAST_TRACEE_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SWAPFAST_BATCH = 128, SWAPFAST_TABLE = 1024 }; /* pages a drop; where its table lies in the scratch page */
enum { SWAPFAST_DONTNEED = 4, SWAPFAST_PROCESS_MADVISE = 440, SWAPFAST_SELF = -10000, SWAPFAST_PAGE = 4096 };
enum { SWAPFAST_GETSIGMASK = 0x420a, SWAPFAST_SETSIGMASK = 0x420b };

typedef struct user_regs_struct registers_t;

static long swapfast_ptrace(int request, int pid, uint64_t address, uint64_t data) {
    return ptrace((enum __ptrace_request)request, pid, (void *)(uintptr_t)address, (void *)(uintptr_t)data);
}
static int swapfast_registers(int pid, registers_t *r) {
    return (int)swapfast_ptrace(PTRACE_GETREGS, pid, 0, (uint64_t)(uintptr_t)r);
}
static int swapfast_set_registers(int pid, const registers_t *r) {
    return (int)swapfast_ptrace(PTRACE_SETREGS, pid, 0, (uint64_t)(uintptr_t)r);
}
static int swapfast_mask(int pid, const uint64_t *set, uint64_t *old) {
    if (old && swapfast_ptrace(SWAPFAST_GETSIGMASK, pid, 8, (uint64_t)(uintptr_t)old)) return -1;
    return (int)swapfast_ptrace(SWAPFAST_SETSIGMASK, pid, 8, (uint64_t)(uintptr_t)set);
}
static int swapfast_next_stop(int pid, int *status) {
    while (waitpid(pid, status, __WALL) < 0)
        if (errno != EINTR) return -1;
    return WIFSTOPPED(*status) ? 0 : -2;
}
#if defined(__x86_64__)
enum { SWAPFAST_TRACES = 1 };
static int swapfast_inject(int pid, uint64_t at, const registers_t *as, long nr, const uint64_t *args,
                           long *result, int *status) {
    registers_t r = *as;
    int got;
    r.rax = (uint64_t)nr, r.orig_rax = (uint64_t)-1, r.rip = at; /* no call that would begin again */
    r.rdi = args[0], r.rsi = args[1], r.rdx = args[2], r.r10 = args[3], r.r8 = args[4], r.r9 = args[5];
    if (swapfast_set_registers(pid, &r)) return -1;
    do { /* what the filter, a new process or a signal tells is not its end */
        if (ptrace(PTRACE_SINGLESTEP, pid, 0, 0)) return -1;
        if ((got = swapfast_next_stop(pid, status))) return got;
    } while (*status >> 8 != SIGTRAP);
    errno = 0;
    *result = ptrace(PTRACE_PEEKUSER, pid, (void *)offsetof(struct user, regs.rax), 0);
    return errno ? -1 : 0;
}
static void swapfast_call(const registers_t *r, uint64_t *out) {
    out[0] = r->orig_rax, out[1] = r->rax, out[2] = r->rdi, out[3] = r->rsi, out[4] = r->rdx;
    out[5] = r->r10, out[6] = r->r8, out[7] = r->r9, out[8] = r->rip, out[9] = r->cs;
}
static void swapfast_set_call(registers_t *r, const uint64_t *in) {
    r->orig_rax = in[0], r->rax = in[1], r->rdi = in[2], r->rsi = in[3], r->rdx = in[4];
    r->r10 = in[5], r->r8 = in[6], r->r9 = in[7];
}
#else
enum { SWAPFAST_TRACES = 0 };
static int swapfast_inject(int pid, uint64_t at, const registers_t *as, long nr, const uint64_t *args,
                           long *result, int *status) {
    (void)pid, (void)at, (void)as, (void)nr, (void)args, (void)result, (void)status;
    return errno = ENOSYS, -1;
}
static void swapfast_call(const registers_t *r, uint64_t *out) { (void)r, memset(out, 0, 80); }
static void swapfast_set_call(registers_t *r, const uint64_t *in) { (void)r, (void)in; }
#endif

static int swapfast_signals(int signal) {
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, signal);
    return signalfd(-1, &one, SFD_CLOEXEC | SFD_NONBLOCK);
}
static int swapfast_api(int uffd) {
    /* Without EVENT_REMAP a move would take the userfaultfd from the new neighbours as well, with
     * which the kernel has joined what was moved. */
    struct uffdio_api api = { UFFD_API, UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_THREAD_ID
                              | UFFD_FEATURE_EVENT_REMAP, 0 };
    return ioctl(uffd, UFFDIO_API, &api) ? errno : 0;
}
static int swapfast_register(int uffd, uint64_t at, uint64_t size) {
    struct uffdio_register r = { { at, size }, UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP, 0 };
    return ioctl(uffd, UFFDIO_REGISTER, &r) ? errno : 0;
}
static int swapfast_protect(int uffd, uint64_t at, uint64_t size, int on) {
    struct uffdio_writeprotect w = { { at, size }, on ? UFFDIO_WRITEPROTECT_MODE_WP : 0 };
    int tries = 1000; /* EAGAIN: its mappings change just now */
    while (ioctl(uffd, UFFDIO_WRITEPROTECT, &w))
        if (errno != EAGAIN || --tries == 0) return errno;
    return 0;
}
static int swapfast_give(int uffd, uint64_t at, const void *bytes, int protect) {
    struct uffdio_copy c = { at, (uint64_t)(uintptr_t)bytes, SWAPFAST_PAGE,
                             protect ? UFFDIO_COPY_MODE_WP : 0, 0 };
    int tries = 1000;
    while (ioctl(uffd, UFFDIO_COPY, &c))
        if (errno != EAGAIN || --tries == 0) return errno;
    return 0;
}
static int swapfast_wake(int uffd, uint64_t at) {
    struct uffdio_range r = { at, SWAPFAST_PAGE };
    return ioctl(uffd, UFFDIO_WAKE, &r) ? errno : 0;
}
static int swapfast_read_page(int pid, int memory, uint64_t at, void *into) {
    struct iovec here = { into, SWAPFAST_PAGE }, there = { (void *)(uintptr_t)at, SWAPFAST_PAGE };
    if (process_vm_readv(pid, &here, 1, &there, 1, 0) == SWAPFAST_PAGE) return 0;
    return pread(memory, into, SWAPFAST_PAGE, (off_t)at) == SWAPFAST_PAGE ? 0 : EFAULT; /* it may not read */
}
/* Neighbours go together. `vectored`: whether this kernel does all with one call; found out here. */
static int swapfast_drop(int pid, uint64_t scratch, const registers_t *as, const uint64_t *addresses,
                         uint32_t n, int *vectored, int *status) {
    struct iovec v[SWAPFAST_BATCH], here = { v, 0 }, there = { (void *)(uintptr_t)(scratch + SWAPFAST_TABLE), 0 };
    uint64_t args[6] = { 0 };
    size_t k = 0, bytes = (size_t)n * SWAPFAST_PAGE;
    long result = -1;
    int got;
    for (uint32_t i = 0; i < n; i++) {
        if (k && (uint64_t)(uintptr_t)v[k - 1].iov_base + v[k - 1].iov_len == addresses[i])
            v[k - 1].iov_len += SWAPFAST_PAGE;
        else
            v[k++] = (struct iovec){ (void *)(uintptr_t)addresses[i], SWAPFAST_PAGE };
    }
    if (k > 1 && *vectored) {
        here.iov_len = there.iov_len = k * sizeof *v;
        if (process_vm_writev(pid, &here, 1, &there, 1, 0) != (ssize_t)here.iov_len) return -1;
        args[0] = (uint64_t)(int64_t)SWAPFAST_SELF, args[1] = scratch + SWAPFAST_TABLE, args[2] = k;
        args[3] = SWAPFAST_DONTNEED;
        if ((got = swapfast_inject(pid, scratch, as, SWAPFAST_PROCESS_MADVISE, args, &result, status))) return got;
        if (result == (long)bytes) return 0;
        if (result == -EBADF || result == -EINVAL || result == -ENOSYS) *vectored = 0; /* before 6.13 */
    }
    memset(args, 0, sizeof args);
    for (size_t i = 0; i < k; i++) {
        args[0] = (uint64_t)(uintptr_t)v[i].iov_base, args[1] = v[i].iov_len, args[2] = SWAPFAST_DONTNEED;
        if ((got = swapfast_inject(pid, scratch, as, SYS_madvise, args, &result, status))) return got;
    }
    return 0;
}

#endif
