/* threads N CALLS: N threads make CALLS calls each, of those that are answered and of others. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

static long calls;
static long wrong;

static void *work(void *number) {
    unsigned seed = (unsigned)(size_t)number;
    struct sysinfo info;
    char text[4096];
    long i;
    for (i = 0; i < calls; i++) {
        int fd = -1;
        switch (rand_r(&seed) % 5) {
        case 0:
            memset(&info, 0xff, sizeof info);
            if (syscall(SYS_sysinfo, &info) || info.mem_unit != 1 || info.totalram != 64 << 20)
                __atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
            break;
        case 1:
            fd = open("/proc/swaps", O_RDONLY | O_CLOEXEC);
            if (fd < 0 || read(fd, text, sizeof text) < 8 || memcmp(text, "Filename", 8))
                __atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
            break;
        case 2:
            fd = open("/dev/null", O_RDONLY);
            if (fd < 0) __atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
            break;
        case 3:
            if (syscall(SYS_swapoff, "/nowhere") == 0) __atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
            break;
        default:
            fd = open("/nowhere/swaps", O_RDONLY);
            if (fd >= 0) __atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
        }
        if (fd >= 0) close(fd);
    }
    return NULL;
}

int main(int n, char **v) {
    pthread_t made[64];
    int i, threads = n > 1 ? atoi(v[1]) : 8;
    calls = n > 2 ? atol(v[2]) : 1000;
    for (i = 0; i < threads; i++) pthread_create(&made[i], NULL, work, (void *)(size_t)(i + 1));
    for (i = 0; i < threads; i++) pthread_join(made[i], NULL);
    printf("%ld wrong\n", wrong);
    return wrong != 0;
}
