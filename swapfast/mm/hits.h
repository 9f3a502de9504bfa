/* hits.h: the references that hit, and nothing else.
 *
 * hit_run(pte, refs, i, n) -> the first reference from i on that is a fault, or n; those before it
 * have left PTE_ACCESSED in their page's byte, and PTE_DIRTY if they wrote.
 *
 * In C because of restrict: page-table bytes may alias anything else.
 */
#ifndef SWAPFAST_HITS_H
#define SWAPFAST_HITS_H
#include <stddef.h>
#include <stdint.h>

/* A read hits where bit 0 (PTE_PRESENT) is set, a write where bit 1 (PTE_WRITABLE) is: no page is
 * writable that is not present. PTE_ACCESSED is bit 2, PTE_DIRTY bit 3. */
static inline uint64_t hit_run(void *restrict pages, const uint32_t *restrict refs, uint64_t i,
                               uint64_t n) {
    uint8_t *restrict pte = pages;   /* every second byte */
    while (i < n) {
        uint64_t end = n - i < 8 ? n : i + 8;
        /* Eight references to one page in the same way are one: programs do that most of the time. */
        if (end == i + 8 && refs[i] == refs[i + 7] && refs[i] == refs[i + 3]) {
            uint32_t ref = refs[i], differ = 0, write = ref >> 31;
            for (int k = 1; k < 7; k++) differ |= refs[i + k] ^ ref;
            if (differ == 0) {
                uint8_t *p = pte + 2 * (size_t)(ref & 0x7fffffffu);
                if (!(*p >> write & 1)) return i;
                *p |= 4 | write << 3;
                i = end;
                continue;
            }
        }
        for (; i < end; i++) {
            uint32_t ref = refs[i], write = ref >> 31;
            uint8_t *p = pte + 2 * (size_t)(ref & 0x7fffffffu), bits = *p;
            if (__builtin_expect(!(bits >> write & 1), 0)) return i;
            *p = bits | 4 | (uint8_t)(write << 3);
        }
    }
    return n;
}
#endif
