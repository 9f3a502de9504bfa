/* shim.c: the system's calls, one of which fails. Loaded before libc (LD_PRELOAD).
 *
 * - shim_arm(nth, code): from now on calls are counted; the nth (from 0) fails with errno `code`,
 *   or, if code is 0 and it moves bytes, does only a part of them; SHIM_KILL: it is kill -9 of this
 *   process instead. nth -1: only count
 * - shim_pause(), shim_resume(): calls in between are not counted
 * - shim_disarm(), shim_so_far() -> how many calls there were
 * - shim_name() -> what the one that failed was, or ""; shim_call(i) -> what call i was
 *
 * Counted are calls of whoever goes through libc: Python and the compiled modules.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SHIM_KILL = -1, REMEMBERED = 4096 };
static int armed, count, target, code;
static const char *name = "", *calls[REMEMBERED];

void shim_arm(int nth, int errno_code) {
    armed = 1, count = 0, target = nth, code = errno_code, name = "";
}
int shim_disarm(void) {
    armed = 0;
    return count;
}
void shim_pause(void) { armed = 0; }
void shim_resume(void) { armed = 1; }
int shim_so_far(void) { return count; }
const char *shim_name(void) { return name; }
const char *shim_call(int i) { return i >= 0 && i < count && i < REMEMBERED ? calls[i] : ""; }

/* 0: go on; 1: fail with errno; 2: do a part */
static int meets(const char *what, int moves) {
    if (!armed) return 0;
    if (count < REMEMBERED) calls[count] = what;
    if (count++ != target) return 0;
    if (code == SHIM_KILL) kill(getpid(), SIGKILL);
    if (code == 0 && !moves) return 0;
    name = what;
    errno = code;
    return code == 0 ? 2 : 1;
}

#define REAL(f) ((__typeof__(&f))dlsym(RTLD_NEXT, #f))
#define PLAIN(type, f, fails, parameters, ...)            \
    type f parameters {                                   \
        if (meets(#f, 0)) return fails;                   \
        return REAL(f)(__VA_ARGS__);                      \
    }
#define MOVES(f, parameters, n, whole, part)              \
    ssize_t f parameters {                                \
        int m = meets(#f, 1);                             \
        if (m == 1) return -1;                            \
        if (m == 2 && n > 1) return REAL(f) part;         \
        return REAL(f) whole;                             \
    }

MOVES(pread64, (int fd, void *p, size_t n, off64_t at), n, (fd, p, n, at), (fd, p, n / 2, at))
MOVES(pread, (int fd, void *p, size_t n, off_t at), n, (fd, p, n, at), (fd, p, n / 2, at))
MOVES(pwrite64, (int fd, const void *p, size_t n, off64_t at), n, (fd, p, n, at),
      (fd, p, n / 2, at))
MOVES(pwrite, (int fd, const void *p, size_t n, off_t at), n, (fd, p, n, at), (fd, p, n / 2, at))
MOVES(pwritev, (int fd, const struct iovec *v, int n, off_t at), v->iov_len, (fd, v, n, at),
      (fd, &(struct iovec){v->iov_base, v->iov_len / 2}, 1, at))
MOVES(preadv64, (int fd, const struct iovec *v, int n, off64_t at), v->iov_len, (fd, v, n, at),
      (fd, &(struct iovec){v->iov_base, v->iov_len / 2}, 1, at))
PLAIN(int, fsync, -1, (int fd), fd)
PLAIN(int, fdatasync, -1, (int fd), fd)
PLAIN(int, posix_fallocate64, code, (int fd, off64_t a, off64_t b), fd, a, b)
PLAIN(int, posix_fallocate, code, (int fd, off_t a, off_t b), fd, a, b)
PLAIN(int, ftruncate64, -1, (int fd, off64_t n), fd, n)
PLAIN(int, flock, -1, (int fd, int how), fd, how)
PLAIN(int, fchmod, -1, (int fd, mode_t mode), fd, mode)
PLAIN(int, fstat64, -1, (int fd, struct stat64 *s), fd, s)
PLAIN(int, lstat64, -1, (const char *path, struct stat64 *s), path, s)
PLAIN(int, fstat, -1, (int fd, struct stat *s), fd, s)
PLAIN(int, madvise, -1, (void *p, size_t n, int advice), p, n, advice)
PLAIN(int, rename, -1, (const char *a, const char *b), a, b)

void *mmap(void *p, size_t n, int protection, int flags, int fd, off_t at) {
    if (fd >= 0 && meets("mmap", 0)) return (void *)-1;
    return REAL(mmap)(p, n, protection, flags, fd, at);
}

static int opened(const char *what, const char *path, int flags, mode_t mode) {
    static int (*real)(const char *, int, ...);
    if (real == NULL) real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open64");
    if (meets(what, 0)) return -1;
    return real(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = va_arg(more, mode_t);
    va_end(more);
    return opened("open", path, flags, mode);
}
int open(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = va_arg(more, mode_t);
    va_end(more);
    return opened("open", path, flags, mode);
}
int close(int fd) {
    int fails = meets("close", 0); /* the descriptor is gone all the same, as Linux has it */
    int wrong = errno, done = REAL(close)(fd);
    if (fails) errno = wrong;
    return fails ? -1 : done;
}
int ioctl(int fd, unsigned long request, ...) {
    va_list more;
    va_start(more, request);
    void *argument = va_arg(more, void *);
    va_end(more);
    static int (*real)(int, unsigned long, ...);
    if (real == NULL) real = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    if (meets("ioctl", 0)) return -1;
    return real(fd, request, argument);
}
