/* young.h: a run of page-table entries is looked at for accessed bits.
 *
 * see_run(pages, labels, youngest, n, twice) -> how many were accessed. Each of them loses the bit
 * and is seen: the first time it is referenced, afterwards it belongs to the working set. twice[] is
 * where those of the latter are that do not carry the youngest label; its last entry says how many.
 *
 * In C, and without a branch: a compiler makes vector instructions of it, eight entries at a time
 * with SSE2. One at a time is four times slower, since nobody can guess which are accessed.
 */
#ifndef SWAPFAST_YOUNG_H
#define SWAPFAST_YOUNG_H
#include <stdint.h>
#define SEE_MOST 512   /* entries of a page table */

/* page_t as one word: the page-table byte lies in front. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define PTE_BIT(n) ((n) + 8)
#define FOLIO_BIT(n) (n)
#else
#define PTE_BIT(n) (n)
#define FOLIO_BIT(n) ((n) + 8)
#endif
typedef uint16_t __attribute__((may_alias)) page_word_t;

/* PTE_PRESENT 0, PTE_ACCESSED 2, PTE_ZERO 5; F_REFERENCED 2, F_WORKINGSET 3, F_ISOLATED 7. */
static inline uint32_t see_run(void *restrict pages, const uint8_t *restrict labels,
                               uint32_t youngest, uint32_t n, uint16_t *restrict twice) {
    page_word_t *restrict page = pages;
    uint16_t seen[SEE_MOST], all = 0;
    uint32_t k = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint16_t p = page[i];
        uint16_t young = (uint16_t)(p >> PTE_BIT(0) & p >> PTE_BIT(2) & ~(p >> PTE_BIT(5))
                                    & ~(p >> FOLIO_BIT(7)) & 1);
        uint16_t again = (uint16_t)(young & (p >> FOLIO_BIT(2) | p >> FOLIO_BIT(3)));
        uint16_t first = (uint16_t)(young & ~again);
        p &= (uint16_t)~(young << PTE_BIT(2) | again << FOLIO_BIT(2));
        page[i] = (uint16_t)(p | first << FOLIO_BIT(2) | again << FOLIO_BIT(3));
        seen[i] = again;
        all += young;
    }
    for (uint32_t i = 0; i < n; i++) {
        twice[k] = (uint16_t)i;
        k += seen[i] & ((labels[i] & 3) != youngest);
    }
    twice[SEE_MOST] = (uint16_t)k;
    return all;
}
#undef PTE_BIT
#undef FOLIO_BIT
#endif
