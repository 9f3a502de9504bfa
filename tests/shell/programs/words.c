/* words PAGES ROUNDS [TEXT]: write and check every word of so many pages; every 100th page has TEXT
 * and its number. The kernel writes into a page that may be out, too. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { WORDS = 512 };

static uint64_t word(long round, long page, long at) {
    return (uint64_t)(round + 1) * 0x9E3779B97F4A7C15u ^ (uint64_t)(page * WORDS + at);
}
int main(int argc, char **argv) {
    long pages = atol(argv[1]), rounds = atol(argv[2]), round, page, at;
    const char *text = argc > 3 ? argv[3] : NULL;
    uint64_t *p = mmap(NULL, (size_t)pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fd;
    if (p == MAP_FAILED) return perror("mmap"), 1;
    for (round = 0; round < rounds; round++)
        for (page = 0; page < pages; page++) {
            uint64_t *q = p + page * WORDS;
            int told = text && page % 100 == 0;
            for (at = told ? 8 : 0; at < WORDS; at++) {
                if (round && q[at] != word(round - 1, page, at))
                    return printf("WRONG round %ld page %ld word %ld\n", round, page, at), 1;
                if (!round && q[at]) return printf("WRONG page %ld is not zero\n", page), 1;
                q[at] = word(round, page, at);
            }
            if (told) snprintf((char *)q, 64, "%s%ld", text, page);
        }
    if ((fd = open("/dev/zero", O_RDONLY)) < 0 || read(fd, p, 3 * 4096) != 3 * 4096) return puts("WRONG read"), 1;
    for (at = 0; at < 3 * WORDS; at++)
        if (p[at]) return puts("WRONG bytes read"), 1;
    puts("right");
    return 0;
}
