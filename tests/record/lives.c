/* Touches 200 pages, and ends in the way that it is told. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void *thread(void *to) {
    for (int i = 0; i < 100; i++)
        ((volatile char *)to)[i << 12] = 1;
    return to;
}

int main(int count, char **given) {
    char *heap = malloc(1 << 20);
    const char *what = given[1];
    for (int i = 0; i < 200; i++)
        heap[i << 12] = 1;
    if (!strcmp(what, "crash"))
        *(volatile int *)8 = 1;
    if (!strcmp(what, "kill"))
        raise(SIGKILL);
    if (!strcmp(what, "wait")) {
        write(1, "waiting\n", 8);
        pause();
    }
    if (!strcmp(what, "fork") && fork() == 0) {
        thread(malloc(1 << 20));
        exit(0);
    }
    if (!strcmp(what, "threads")) {
        pthread_t all[4];
        for (int i = 0; i < 4; i++)
            pthread_create(&all[i], NULL, thread, malloc(1 << 20));
        for (int i = 0; i < 4; i++)
            pthread_join(all[i], NULL);
    }
    if (!strcmp(what, "spawn"))
        system("true");
    wait(NULL);
    return 5;
}
