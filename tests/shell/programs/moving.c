/* moving A B: one thread exchanges the path while another turns it on and off. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static char path[4096];
static volatile int done;

static void *move(void *names) {
    char **v = names;
    while (!done) {
        strcpy(path, v[1]);
        strcpy(path, v[2]);
    }
    return NULL;
}

int main(int n, char **v) {
    pthread_t mover;
    int i, strange = 0, on = 0;
    if (n < 3) return 2;
    strcpy(path, v[1]);
    pthread_create(&mover, NULL, move, v);
    for (i = 0; i < 100; i++) {
        if (syscall(SYS_swapon, path, 0) == 0) on++;
        else if (errno != EBUSY && errno != ENOENT) strange++;
        if (syscall(SYS_swapoff, v[1]) && errno != EINVAL) strange++;
        if (syscall(SYS_swapoff, v[2]) && errno != EINVAL) strange++;
    }
    done = 1;
    pthread_join(mover, NULL);
    printf("on %d strange %d\n", on > 0, strange);
    return strange != 0;
}
