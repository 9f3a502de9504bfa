/* fill PAGES COUNTER: touch pages one after the other, and count them in a file. At the end, say how
 * much less memory and swap is free than before. With 0, as many pages as are said to be free. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

static long left(void) {
    struct sysinfo s;
    if (sysinfo(&s)) exit(1);
    return (long)((s.freeram + s.freeswap) * s.mem_unit / 4096);
}
int main(int argc, char **argv) {
    long pages = atol(argv[1]), k, before;
    int fd = argc > 2 ? open(argv[2], O_RDWR) : -1;
    volatile long *counter = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (pages == 0) pages = left();
    volatile char *p = mmap(NULL, (size_t)pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (counter == (void *)MAP_FAILED || p == (void *)MAP_FAILED) return perror("mmap"), 1;
    before = left();
    for (k = 0; k < pages; k++) p[k * 4096] = 1, *counter = k + 1;
    printf("%ld\n", before - left());
    return 0;
}
