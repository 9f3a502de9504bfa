/* System calls by their names, one after the other: calls VERB ARG... , VERB ARG... ,
 *
 * Each prints its name and 0, or its errno. "fork", "clone3 FLAGS" and "orphan" go on in a child;
 * the parent waits for it and ends.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

struct how { uint64_t flags, mode, resolve; };
struct clone_args_ {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};

static int is(const char *word, const char *name) { return strcmp(word, name) == 0; }

static void told(const char *name, long result) {
    printf("%s %d\n", name, result < 0 ? errno : 0);
    fflush(stdout);
}

static void show(int fd) {
    char text[8192];
    ssize_t n;
    if (fd < 0) {
        printf("open %d\n", errno);
        return;
    }
    while ((n = read(fd, text, sizeof text)) > 0) fwrite(text, 1, n, stdout);
    fflush(stdout);
    close(fd);
}

static void finish(pid_t child) {
    int status = 0;
    fflush(stdout);
    waitpid(child, &status, 0);
    exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static long clone3_(struct clone_args_ *args, size_t size) {
    return syscall(SYS_clone3, args, size);
}

int main(int n, char **v) {
    static const struct clone_args_ fixed = { .flags = 0x108000000ull, .exit_signal = SIGCHLD };
    struct clone_args_ args;
    struct how how = { 0, 0, 0 };
    struct sysinfo info;
    struct stat *nothing = NULL;
    char *page;
    long result;
    int i, at = AT_FDCWD;
    (void)nothing;
    for (i = 1; i < n; i++) {
        char *verb = v[i], *one = i + 1 < n ? v[i + 1] : "";
        if (is(verb, ",")) continue;
        if (is(verb, "swapon")) told(verb, syscall(SYS_swapon, one, strtol(v[i + 2], NULL, 0)));
        else if (is(verb, "swapoff")) told(verb, syscall(SYS_swapoff, one));
        else if (is(verb, "unshare")) told(verb, syscall(SYS_unshare, strtoull(one, NULL, 0)));
        else if (is(verb, "seteuid")) told(verb, syscall(SYS_setresuid, -1, atoi(one), -1));
        else if (is(verb, "chdir")) told(verb, chdir(one));
        else if (is(verb, "setns")) told(verb, setns(open(one, O_RDONLY), CLONE_NEWIPC));
        else if (is(verb, "procs")) {
            syscall(SYS_sysinfo, &info);
            printf("procs %d\n", info.procs);
        } else if (is(verb, "pid")) printf("%d\n", getpid()), fflush(stdout);
        else if (is(verb, "chroot")) told(verb, chroot(one));
        else if (is(verb, "sleep")) usleep(atoi(one) * 1000);
        else if (is(verb, "exit")) exit(atoi(one));
        else if (is(verb, "sysinfo")) {
            told(verb, syscall(SYS_sysinfo, &info));
            printf("%lu %lu %lu %lu %u\n", info.totalram, info.freeram, info.totalswap,
                   info.freeswap, info.mem_unit);
        } else if (is(verb, "open")) show(syscall(SYS_open, one, O_RDONLY));
        else if (is(verb, "openat")) show(openat(at, one, O_RDONLY));
        else if (is(verb, "openat2")) show(syscall(SYS_openat2, at, one, &how, sizeof how));
        else if (is(verb, "write")) told(verb, syscall(SYS_openat, at, one, O_RDWR));
        else if (is(verb, "dirfd")) at = open(one, O_RDONLY | O_DIRECTORY);
        else if (is(verb, "bad")) { /* pointers that lead nowhere, or across the end of what is there */
            told("swapon", syscall(SYS_swapon, 8, 0));
            told("swapoff", syscall(SYS_swapoff, 8));
            told("sysinfo", syscall(SYS_sysinfo, 8));
            told("sysinfo", syscall(SYS_sysinfo, main));
            told("openat", syscall(SYS_openat, at, 8, 0));
            told("openat2", syscall(SYS_openat2, at, "/proc/swaps", 8, sizeof how));
            told("clone3", syscall(SYS_clone3, 8, sizeof args));
            told("clone3", syscall(SYS_clone3, &fixed, 8));
            page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            munmap(page + 4096, 4096);
            memset(page, 'x', 4096);
            told("swapon", syscall(SYS_swapon, page + 4000, 0)); /* no end before the hole */
            told("swapon", syscall(SYS_swapon, "", 0));
            page = malloc(8192);
            memset(page, 'x', 8191);
            page[8191] = 0;
            told("swapon", syscall(SYS_swapon, page, 0)); /* too long */
            continue;
        } else if (is(verb, "fork")) {
            fflush(stdout);
            if ((result = fork()) > 0) finish(result);
            continue;
        } else if (is(verb, "orphan")) {
            fflush(stdout);
            if ((result = fork()) > 0) finish(result);
            if (fork() > 0) _exit(0);
            while (getppid() != 1) usleep(1000);
            continue;
        } else if (is(verb, "fixed")) { /* clone3 whose arguments cannot be written */
            fflush(stdout);
            result = clone3_((struct clone_args_ *)&fixed, sizeof fixed);
            if (result < 0) told(verb, result);
            if (result > 0) finish(result);
            continue;
        } else if (is(verb, "clone3")) {
            memset(&args, 0, sizeof args);
            args.flags = strtoull(one, NULL, 0);
            args.exit_signal = SIGCHLD;
            fflush(stdout);
            result = clone3_(&args, sizeof args);
            if (result < 0) told(verb, result);
            if (result > 0) { /* a call more, after which the flags are as they were */
                syscall(SYS_sysinfo, &info);
                printf("flags=%llx\n", (unsigned long long)args.flags);
                finish(result);
            }
        } else {
            fprintf(stderr, "no verb %s\n", verb);
            return 2;
        }
        while (i + 1 < n && !is(v[i + 1], ",")) i++;
    }
    return 0;
}
