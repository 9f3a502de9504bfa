/* hits.h: the references that hit, and nothing else.
 *
 * hit_run(pages, refs, i, n) -> the first reference from i on that is a fault, or n; those before it
 * have left PTE_ACCESSED in their page's byte, and PTE_DIRTY if they wrote.
 *
 * In C because of restrict: page-table bytes may alias anything else.
 */
#ifndef SWAPFAST_HITS_H
#define SWAPFAST_HITS_H
#include <stdint.h>

/* A read hits where bit 0 (PTE_PRESENT) is set, a write where bit 1 (PTE_WRITABLE) is: no page is
 * writable that is not present. PTE_ACCESSED is bit 2, PTE_DIRTY bit 3. */
static inline uint64_t hit_run(void *restrict pages, const uint32_t *restrict refs, uint64_t i,
                               uint64_t n) {
    uint8_t *restrict pte = pages;   /* every second byte: page_t */
    for (; i < n; i++) {
        uint32_t ref = refs[i], write = ref >> 31;
        uint8_t *p = pte + (uint32_t)(ref << 1), bits = *p;   /* bit 31 falls off */
        if (__builtin_expect(!(bits >> write & 1), 0)) return i;
        *p = bits | (uint8_t)(4 + 8 * write);
    }
    return n;
}
#endif
