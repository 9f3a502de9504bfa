/* check.h: invariants and lazily zeroed memory for the core.
 *
 * - SWAPFAST_CHECK(cond, sentence): always on, O(1); a broken invariant is a bug and ends the process.
 * - lazy_map(bytes), lazy_grow(p, old, new), lazy_unmap(p, bytes): zero pages straight from the
 *   kernel. Memory that is never written costs nothing, and growing moves page tables, not bytes.
 *   Under AddressSanitizer it is from the heap, so that a step beyond its end is seen.
 */
#ifndef SWAPFAST_CHECK_H
#define SWAPFAST_CHECK_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdint.h>
#include <sys/mman.h>

#define SWAPFAST_CHECK(cond, sentence)                                                      \
    do {                                                                                    \
        if (__builtin_expect(!(cond), 0)) {                                                 \
            fprintf(stderr, "swapfast: broken invariant: %s (%s:%d)\n", (sentence), __FILE__, \
                    __LINE__);                                                              \
            abort();                                                                        \
        }                                                                                   \
    } while (0)

/* Below, memory comes from malloc: a mapping costs two system calls, and a process has 65,530. */
#define LAZY_LEAST 32768
/* From here on in huge pages, where the kernel has any: random accesses find them in the TLB. */
#define HUGE_LEAST ((size_t)1 << 21)
#ifdef __SANITIZE_ADDRESS__
#define LAZY_ON_HEAP(bytes) ((bytes) <= (size_t)1 << 26)
#else
#define LAZY_ON_HEAP(bytes) ((bytes) < LAZY_LEAST)
#endif

static inline void *lazy_map(size_t bytes) {
    if (LAZY_ON_HEAP(bytes)) return calloc(1, bytes ? bytes : 1);
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) return NULL;
    if (bytes >= HUGE_LEAST) madvise(p, bytes, MADV_HUGEPAGE);
    return p;
}

static inline void lazy_unmap(void *p, size_t bytes) {
    if (p == NULL) return;
    if (LAZY_ON_HEAP(bytes)) free(p);
    else munmap(p, bytes);
}

static inline void *lazy_grow(void *p, size_t old_bytes, size_t new_bytes) {
    void *q;
    if (p == NULL) return lazy_map(new_bytes);
    if (!LAZY_ON_HEAP(old_bytes) && !LAZY_ON_HEAP(new_bytes)) {
        q = mremap(p, old_bytes, new_bytes, MREMAP_MAYMOVE);
        return q == MAP_FAILED ? NULL : q;
    }
    q = lazy_map(new_bytes);
    if (q == NULL) return NULL;
    memcpy(q, p, old_bytes < new_bytes ? old_bytes : new_bytes);
    lazy_unmap(p, old_bytes);
    return q;
}

/* 1 if the 4096 bytes at p are all zero: the first word decides for most pages. */
static inline int page_is_zero(const uint8_t *p) {
    const uint64_t *w = (const uint64_t *)p;
    if (w[0] | w[511]) return 0;
    return memcmp(p, p + 8, 4096 - 8) == 0;
}

static inline int lowest_bit64(uint64_t w) { return __builtin_ctzll(w); }
static inline int popcount64(uint64_t w) { return __builtin_popcountll(w); }
/* The empty statement is an effect: calls of a function that only prefetches are removed. */
static inline void prefetch_write(const void *p) {
    __builtin_prefetch(p, 1, 3);
    __asm__ volatile("");
}
/* UNLIKELY: gcc may take it for never (setup.py), and keeps what follows small and out of the way.
 * SELDOM: so on most machines, and always on some. */
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define SELDOM(x) (!!(x))
#ifdef __has_builtin
#if __has_builtin(__builtin_expect_with_probability)
#undef SELDOM
#define SELDOM(x) __builtin_expect_with_probability(!!(x), 0, 0.9)
#endif
#endif
#endif
