/* heapsort PAGES: sorts records of 64 bytes in place, in one mapping whose address it says. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

struct record {
    unsigned long key;
    char rest[56];
};

static void sift(volatile struct record *all, long at, long n) {
    for (long child; (child = 2 * at + 1) < n; at = child) {
        child += child + 1 < n && all[child].key < all[child + 1].key;
        if (all[at].key >= all[child].key)
            return;
        unsigned long key = all[at].key;
        all[at].key = all[child].key;
        all[child].key = key;
    }
}

int main(int count, char **given) {
    long pages = atol(given[1]), n = pages << 6;
    volatile struct record *all =
        mmap(0, pages << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned long state = 1;
    for (long i = 0; i < n; i++)
        all[i].key = state = state * 6364136223846793005UL + 1442695040888963407UL;
    for (long i = n / 2; i-- > 0;)
        sift(all, i, n);
    for (long i = n; i-- > 1;) {
        unsigned long key = all[0].key;
        all[0].key = all[i].key;
        all[i].key = key;
        sift(all, 0, i);
    }
    for (long i = 1; i < n; i++)
        if (all[i - 1].key > all[i].key)
            return 1;
    printf("%ld\n", (long)all);
    return 0;
}
