/* guard.h: copies to and from a mapped swapfile that survive the loss of the file.
 *
 * A file that is truncated, or cannot allocate a block, answers an access through its mapping with
 * SIGBUS, which ends the process. Here the access ends instead, and says so.
 *
 * - sigbus_arm(): before a batch of copies; our handler is on top, the one before it comes next
 * - sigbus_copy(to, from, n) -> 1, or 0: a page of the file is not there
 * - sigbus_read(work, what): the same around work(what), which only reads
 *
 * A SIGBUS anywhere else goes to the handler that was there before. The state is the process's, so
 * this file is compiled once, into swapfast.core.guard: two handlers of ours, each taking the other
 * for the one before it, would pass a foreign SIGBUS to and fro for ever.
 */
#ifndef SWAPFAST_GUARD_H
#define SWAPFAST_GUARD_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <setjmp.h>
#include <signal.h>
#include <string.h>

static __thread sigjmp_buf sigbus_return;
static __thread volatile sig_atomic_t sigbus_expected;
static struct sigaction sigbus_before;

static void sigbus_handler(int number, siginfo_t *info, void *context) {
    if (sigbus_expected) {
        sigbus_expected = 0;
        siglongjmp(sigbus_return, 1);
    }
    if (sigbus_before.sa_flags & SA_SIGINFO)
        sigbus_before.sa_sigaction(number, info, context);
    else if (sigbus_before.sa_handler != SIG_DFL && sigbus_before.sa_handler != SIG_IGN)
        sigbus_before.sa_handler(number);
    else if (sigbus_before.sa_handler == SIG_DFL || info->si_code > 0) {
        signal(number, SIG_DFL); /* the access is repeated, and ends the process */
        if (info->si_code <= 0) raise(number); /* sent by somebody: nothing is repeated */
    }
}

/* One system call; the caller holds the GIL. */
static void sigbus_arm(void) {
    struct sigaction now, ours;
    if (sigaction(SIGBUS, NULL, &now) != 0) return;
    if (now.sa_flags & SA_SIGINFO && now.sa_sigaction == sigbus_handler) return;
    sigbus_before = now;
    memset(&ours, 0, sizeof(ours));
    ours.sa_sigaction = sigbus_handler;
    /* siglongjmp does not restore the mask, so the signal is not blocked to begin with. */
    ours.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
    sigemptyset(&ours.sa_mask);
    sigaction(SIGBUS, &ours, NULL);
}

static int sigbus_copy(void *to, const void *from, size_t n) {
    if (sigsetjmp(sigbus_return, 0)) return 0;
    sigbus_expected = 1;
    __asm__ volatile("" ::: "memory");
    memcpy(to, from, n);
    __asm__ volatile("" ::: "memory");
    sigbus_expected = 0;
    return 1;
}

static int sigbus_read(void (*work)(void *), void *what) {
    if (sigsetjmp(sigbus_return, 0)) return 0;
    sigbus_expected = 1;
    __asm__ volatile("" ::: "memory");
    work(what);
    __asm__ volatile("" ::: "memory");
    sigbus_expected = 0;
    return 1;
}
#endif
