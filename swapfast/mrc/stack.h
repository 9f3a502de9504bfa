/* stack.h: LRU stack distances of a stream of references, exactly, in one pass.
 *
 * Each reference gets the next position on a time axis; a bit is set where some page was used last.
 * The distance of a reference is the number of bits from its page's last position on: how many
 * distinct pages were used since, itself included. A memory of that many frames or more would hit.
 *
 * Bits are counted at three levels (512, 2^15 and 2^21 positions), so a distance is a sum over a few
 * short stretches of memory, which the compiler vectorises; an update touches one counter a level.
 * When the axis is full, the positions in use are packed to its beginning.
 *
 * Source: R. L. Mattson et al., "Evaluation techniques for storage hierarchies", IBM Systems Journal
 * 9(2), 1970; counting bits over time: B. T. Bennett, V. J. Kruskal, IBM J. Res. Dev. 19(4), 1975.
 */
#ifndef SWAPFAST_STACK_H
#define SWAPFAST_STACK_H
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define SWAPFAST_CLONES __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define SWAPFAST_CLONES
#endif

enum { WORDS = 8, BLOCKS = 64, SUPERS = 64, BLOCK_BITS = 9, SUPER_BITS = 15, HYPER_BITS = 21 };

typedef struct {
    uint32_t *last;      /* page -> its last position; UNSEEN. May be shared by stacks over
                            disjoint sets of pages */
    uint32_t *page_at;   /* position -> page */
    uint64_t *word;      /* one bit a position */
    uint16_t *block;     /* bits in 512 positions */
    uint32_t *super;     /* bits in 2^15 positions */
    uint32_t *hyper;     /* bits in 2^21 positions */
    uint64_t *hist;      /* distance -> references, 1 to pages */
    uint64_t room;       /* positions, a multiple of 2^21 */
    uint64_t head;       /* next position */
    uint64_t pages;      /* most bits set at once */
    uint64_t cold;       /* first touches */
    uint64_t refs;
} stack_t_;

#define UNSEEN 0xffffffffu
#define PAGE_OF(ref) ((ref) & 0x7fffffffu)

static inline void stack_free(stack_t_ *s) {
    free(s->page_at);
    free(s->word);
    free(s->block);
    free(s->super);
    free(s->hyper);
    free(s->hist);
    memset(s, 0, sizeof *s);
}

/* 0, or -1: no memory. The caller owns last. */
static inline int stack_init(stack_t_ *s, uint64_t pages, uint32_t *last) {
    memset(s, 0, sizeof *s);
    s->last = last;
    s->pages = pages;
    s->room = ((4 * pages + (1u << HYPER_BITS) - 1) >> HYPER_BITS) << HYPER_BITS;
    if (s->room > 0xffe00000u) s->room = 0xffe00000u;
    s->page_at = malloc(s->room * 4);
    s->word = calloc(s->room >> 6, 8);
    s->block = calloc(s->room >> BLOCK_BITS, 2);
    s->super = calloc(s->room >> SUPER_BITS, 4);
    s->hyper = calloc(s->room >> HYPER_BITS, 4);
    s->hist = calloc(pages + 1, 8);
    if (s->page_at && s->word && s->block && s->super && s->hyper && s->hist) return 0;
    stack_free(s);
    return -1;
}

static inline void stack_mark(stack_t_ *s, uint64_t at) {
    s->word[at >> 6] |= 1ull << (at & 63);
    s->block[at >> BLOCK_BITS]++;
    s->super[at >> SUPER_BITS]++;
    s->hyper[at >> HYPER_BITS]++;
}

static inline void stack_clear(stack_t_ *s, uint64_t at) {
    s->word[at >> 6] &= ~(1ull << (at & 63));
    s->block[at >> BLOCK_BITS]--;
    s->super[at >> SUPER_BITS]--;
    s->hyper[at >> HYPER_BITS]--;
}

/* Bits set at positions >= at. */
static inline uint64_t stack_count(const stack_t_ *s, uint64_t at) {
    uint64_t n = __builtin_popcountll(s->word[at >> 6] >> (at & 63));
    uint64_t w = at >> 6, b = at >> BLOCK_BITS, u = at >> SUPER_BITS, h = at >> HYPER_BITS;
    uint64_t last = (s->head - 1) >> HYPER_BITS;
    uint32_t blocks = 0, supers = 0, hypers = 0;
    for (uint64_t i = w + 1; i < (b + 1) * WORDS; i++) n += __builtin_popcountll(s->word[i]);
    for (uint64_t i = b + 1; i < (u + 1) * BLOCKS; i++) blocks += s->block[i];
    for (uint64_t i = u + 1; i < (h + 1) * SUPERS; i++) supers += s->super[i];
    for (uint64_t i = h + 1; i <= last; i++) hypers += s->hyper[i];
    return n + blocks + supers + hypers;
}

static inline void stack_pack(stack_t_ *s) {
    uint64_t to = 0, words = s->room >> 6;
    for (uint64_t w = 0; w < words; w++) {
        uint64_t bits = s->word[w];
        while (bits) {
            uint32_t page = s->page_at[w * 64 + (uint64_t)__builtin_ctzll(bits)];
            bits &= bits - 1;
            s->page_at[to] = page;
            s->last[page] = (uint32_t)to++;
        }
    }
    memset(s->word, 0, (s->room >> 6) * 8);
    memset(s->block, 0, (s->room >> BLOCK_BITS) * 2);
    memset(s->super, 0, (s->room >> SUPER_BITS) * 4);
    memset(s->hyper, 0, (s->room >> HYPER_BITS) * 4);
    for (uint64_t at = 0; at < to; at++) stack_mark(s, at);
    s->head = to;
}

static inline void stack_touch(stack_t_ *s, uint32_t page) {
    uint32_t at = s->last[page];
    if (at == UNSEEN) {
        s->cold++;
    } else if (at + 1 == s->head) {
        s->hist[1]++;
        return;
    } else {
        s->hist[stack_count(s, at)]++;
        stack_clear(s, at);
    }
    if (s->head == s->room) stack_pack(s);
    s->page_at[s->head] = page;
    s->last[page] = (uint32_t)s->head;
    stack_mark(s, s->head++);
}

SWAPFAST_CLONES
static void stack_run(stack_t_ *s, const uint32_t *refs, uint64_t n) {
    for (uint64_t i = 0; i < n; i++) {
        if (i + 24 < n) {
            uint32_t soon = s->last[PAGE_OF(refs[i + 12])];
            __builtin_prefetch(&s->last[PAGE_OF(refs[i + 24])], 1);
            if (soon != UNSEEN) {
                __builtin_prefetch(&s->word[soon >> 6], 1);
                __builtin_prefetch(&s->block[soon >> BLOCK_BITS], 1);
            }
        }
        stack_touch(s, PAGE_OF(refs[i]));
    }
    s->refs += n;
}

/* SHARDS (C. A. Waldspurger et al., "Efficient MRC construction with SHARDS", FAST 2015): only the
 * pages whose hash is below a bound are looked at. Every page's hash also says to which of `parts`
 * disjoint samples it belongs, each with a stack of its own. */
static inline uint32_t shards_hash(uint32_t page) {
    uint32_t h = page * 0x9e3779b1u;
    h ^= h >> 15;
    return h * 0x85ebca77u;
}

static inline void shards_sizes(uint64_t pages, uint32_t bound, uint32_t parts, uint64_t *sizes) {
    for (uint64_t p = 0; p < pages; p++) {
        uint32_t h = shards_hash((uint32_t)p);
        if (h < bound) sizes[(uint64_t)h * parts / bound]++;
    }
}

SWAPFAST_CLONES
static uint64_t shards_filter(const uint32_t *refs, uint64_t n, uint32_t bound, uint32_t *out) {
    /* Sixteen at a time: most blocks hold no page of the sample. */
    uint64_t kept = 0, i = 0;
    for (; i + 16 <= n; i += 16) {
        uint32_t any = 0;
        for (int k = 0; k < 16; k++) any |= shards_hash(PAGE_OF(refs[i + k])) < bound;
        if (any)
            for (int k = 0; k < 16; k++) {
                uint32_t p = PAGE_OF(refs[i + k]);
                out[kept] = p;
                kept += shards_hash(p) < bound;
            }
    }
    for (; i < n; i++) {
        uint32_t p = PAGE_OF(refs[i]);
        if (shards_hash(p) < bound) out[kept++] = p;
    }
    return kept;
}

static inline void shards_run(stack_t_ *parts, uint32_t count, uint32_t bound,
                              const uint32_t *kept, uint64_t n) {
    for (uint64_t i = 0; i < n; i++) {
        stack_t_ *s = &parts[(uint64_t)shards_hash(kept[i]) * count / bound];
        stack_touch(s, kept[i]);
        s->refs++;
    }
}
#endif
