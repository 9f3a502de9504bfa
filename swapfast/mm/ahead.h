/* ahead.h: what the next references need, fetched while a fault takes its time.
 *
 * fetch_ahead(pages, homes, refs, k, end, more): for each reference from k to before end the page's
 * home_t, if its byte says that it is a fault; and the byte of the one that is `more` further on.
 *
 * In C for the sake of addresses: 10 instructions a reference. The empty statement is an effect:
 * calls of a function that only prefetches are removed.
 */
#ifndef SWAPFAST_AHEAD_H
#define SWAPFAST_AHEAD_H
#include <stdint.h>

static inline void fetch_ahead(const void *pages, const void *homes, const uint32_t *refs,
                               uint64_t k, uint64_t end, uint64_t more) {
    const char *pte = pages, *home = homes;   /* page_t and home_t: 2 and 8 bytes */
    for (; k < end; k++) {
        uint64_t next = refs[k + more] & 0x7fffffffu, at = refs[k] & 0x7fffffffu;
        __builtin_prefetch(pte + 2 * next, 1, 3);
        if (!(pte[2 * at] & 1)) __builtin_prefetch(home + 8 * at, 1, 3);   /* PTE_PRESENT */
    }
    __asm__ volatile("");
}
#endif
