/* hits.h: the references that hit, and nothing else.
 *
 * hit_run(pages, refs, i, n) -> the first reference from i on that is a fault, or n; those before it
 * have left PTE_ACCESSED in their page's byte, and PTE_DIRTY if they wrote.
 *
 * In C because of restrict: page-table bytes may alias anything else. Four references a round: a hit
 * is 11 instructions, and the loop around it would be 3 more.
 */
#ifndef SWAPFAST_HITS_H
#define SWAPFAST_HITS_H
#include <stdint.h>

/* A read hits where bit 0 (PTE_PRESENT) is set, a write where bit 1 (PTE_WRITABLE) is: no page is
 * writable that is not present. PTE_ACCESSED is bit 2, PTE_DIRTY bit 3. The empty statement keeps
 * gcc from adding up an address in 32 bits, which it widens afterwards. */
#define SWAPFAST_HIT(k)                                                                     \
    do {                                                                                    \
        uint64_t at = r[k] & 0x7fffffffu, write = r[k] >> 31;                               \
        __asm__("" : "+r"(at));                                                             \
        uint8_t *p = pte + 2 * at;   /* every second byte: page_t */                        \
        uint32_t bits = *p;                                                                 \
        if (!(bits >> write & 1)) return (uint64_t)(r + k - refs);                          \
        *p = (uint8_t)(bits | (4 + 8 * write));                                             \
    } while (0)

static inline uint64_t hit_run(void *restrict pages, const uint32_t *restrict refs, uint64_t i,
                               uint64_t n) {
    uint8_t *restrict pte = pages;
    const uint32_t *r = refs + i, *end = refs + n;
    for (; end - r >= 4; r += 4) {
        SWAPFAST_HIT(0);
        SWAPFAST_HIT(1);
        SWAPFAST_HIT(2);
        SWAPFAST_HIT(3);
    }
    for (; r < end; r++) SWAPFAST_HIT(0);
    return n;
}
#undef SWAPFAST_HIT
#endif
