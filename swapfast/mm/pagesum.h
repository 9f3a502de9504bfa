/* pagesum.h: the checksum of a page. XXH64 (Y. Collet) of 4096 bytes, its halves folded into 32 bits.
 *
 * - page_sum(p) -> checksum of the 4096 bytes at p
 *
 * Four lanes that do not wait for each other: a third of a microsecond. Each lane is a bijection of
 * every word it takes in, so what is lost by folding is the only way for a changed word to hide.
 */
#ifndef SWAPFAST_PAGESUM_H
#define SWAPFAST_PAGESUM_H
#include <stdint.h>
#include <string.h>

#define PAGESUM_P1 0x9E3779B185EBCA87ull
#define PAGESUM_P2 0xC2B2AE3D27D4EB4Full
#define PAGESUM_P3 0x165667B19E3779F9ull
#define PAGESUM_P4 0x85EBCA77C2B2AE63ull

static inline uint64_t pagesum_rotate(uint64_t x, int by) { return x << by | x >> (64 - by); }

static inline uint64_t pagesum_round(uint64_t lane, uint64_t word) {
    return pagesum_rotate(lane + word * PAGESUM_P2, 31) * PAGESUM_P1;
}

static inline uint64_t pagesum_word(const uint8_t *p) {
    uint64_t w;
    memcpy(&w, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    w = __builtin_bswap64(w);
#endif
    return w;
}

static inline uint64_t page_sum64(const uint8_t *p) {
    uint64_t a = PAGESUM_P1 + PAGESUM_P2, b = PAGESUM_P2, c = 0, d = 0 - PAGESUM_P1, h;
    for (const uint8_t *end = p + 4096; p < end; p += 32) {
        a = pagesum_round(a, pagesum_word(p));
        b = pagesum_round(b, pagesum_word(p + 8));
        c = pagesum_round(c, pagesum_word(p + 16));
        d = pagesum_round(d, pagesum_word(p + 24));
    }
    h = pagesum_rotate(a, 1) + pagesum_rotate(b, 7) + pagesum_rotate(c, 12) + pagesum_rotate(d, 18);
    h = (h ^ pagesum_round(0, a)) * PAGESUM_P1 + PAGESUM_P4;
    h = (h ^ pagesum_round(0, b)) * PAGESUM_P1 + PAGESUM_P4;
    h = (h ^ pagesum_round(0, c)) * PAGESUM_P1 + PAGESUM_P4;
    h = (h ^ pagesum_round(0, d)) * PAGESUM_P1 + PAGESUM_P4;
    h += 4096;
    h = (h ^ (h >> 33)) * PAGESUM_P2;
    h = (h ^ (h >> 29)) * PAGESUM_P3;
    return h ^ (h >> 32);
}

static inline uint32_t page_sum(const uint8_t *p) {
    uint64_t h = page_sum64(p);
    return (uint32_t)(h ^ (h >> 32));
}
#endif
