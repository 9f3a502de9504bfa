/* loops.c: what a good C programmer writes in an hour, and nothing else in it. The bounds that the
 * benchmarks measure against, built and called in the same run.
 *
 * References: uint32, bit 31 = write, low 31 bits = page. Each policy returns its misses.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAGE(r) ((r) & 0x7fffffffu)
#define NONE 0xffffffffu

/* R1: one flag byte OR-ed per reference; everything is in memory. */
uint64_t touch_bound(const uint32_t *refs, uint64_t n, uint8_t *flag) {
    for (uint64_t i = 0; i < n; i++) flag[PAGE(refs[i])] |= 1;
    return n;
}

/* R2 */
uint64_t clock_loop(const uint32_t *refs, uint64_t n, uint32_t pages, uint32_t frames) {
    uint8_t *flag = calloc(pages, 1);
    uint32_t *frame = malloc(4ull * frames);
    uint64_t misses = 0, used = 0, hand = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint32_t p = PAGE(refs[i]);
        if (flag[p]) { flag[p] = 3; continue; }
        misses++;
        if (used < frames) {
            frame[used++] = p;
        } else {
            while (flag[frame[hand]] & 2) {
                flag[frame[hand]] = 1;
                if (++hand == frames) hand = 0;
            }
            flag[frame[hand]] = 0;
            frame[hand] = p;
            if (++hand == frames) hand = 0;
        }
        flag[p] = 1;
    }
    free(flag);
    free(frame);
    return misses;
}

/* R3 */
uint64_t fifo_loop(const uint32_t *refs, uint64_t n, uint32_t pages, uint32_t frames) {
    uint8_t *flag = calloc(pages, 1);
    uint32_t *frame = malloc(4ull * frames);
    uint64_t misses = 0, used = 0, hand = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint32_t p = PAGE(refs[i]);
        if (flag[p]) continue;
        misses++;
        if (used < frames) used++;
        else flag[frame[hand]] = 0;
        frame[hand] = p;
        if (++hand == frames) hand = 0;
        flag[p] = 1;
    }
    free(flag);
    free(frame);
    return misses;
}

/* R4: a doubly linked list over arrays, the links of references to come prefetched. */
uint64_t lru_loop(const uint32_t *refs, uint64_t n, uint32_t pages, uint32_t frames) {
    struct node { uint32_t next, prev; } *node = malloc(8ull * (pages + 1));
    uint8_t *in = calloc(pages, 1);
    uint32_t head = pages;
    uint64_t misses = 0, used = 0;
    node[head].next = node[head].prev = head;
    for (uint64_t i = 0; i < n; i++) {
        uint32_t p = PAGE(refs[i]);
        if (i + 16 < n) __builtin_prefetch(&node[PAGE(refs[i + 16])], 1);
        if (i + 8 < n) {
            uint32_t q = PAGE(refs[i + 8]);
            if (in[q]) {
                __builtin_prefetch(&node[node[q].next], 1);
                __builtin_prefetch(&node[node[q].prev], 1);
            }
        }
        if (in[p]) {
            uint32_t a = node[p].next, b = node[p].prev;
            node[b].next = a;
            node[a].prev = b;
        } else {
            misses++;
            if (used < frames) {
                used++;
            } else {
                uint32_t last = node[head].prev, b = node[last].prev;
                node[b].next = head;
                node[head].prev = b;
                in[last] = 0;
            }
            in[p] = 1;
        }
        uint32_t first = node[head].next;
        node[p].next = first;
        node[p].prev = head;
        node[first].prev = p;
        node[head].next = p;
    }
    free(node);
    free(in);
    return misses;
}

/* R10: runs of references to one page, over a stream. */
uint64_t run_compression(const uint32_t *refs, uint64_t n) {
    uint64_t runs = 1;
    for (uint64_t i = 1; i < n; i++) runs += PAGE(refs[i]) != PAGE(refs[i - 1]);
    return runs;
}

/* M1: LRU stack distances with a Fenwick tree over time; faults at every size to hist[1..pages]. */
uint64_t fenwick_mrc(const uint32_t *refs, uint64_t n, uint32_t pages, uint64_t *hist) {
    uint32_t *tree = calloc(n + 1, 4);
    uint64_t *last = calloc(pages, 8);
    uint64_t cold = 0;
    for (uint64_t t = 1; t <= n; t++) {
        uint32_t p = PAGE(refs[t - 1]);
        if (last[p]) {
            int64_t d = 0;
            for (uint64_t k = t - 1; k; k -= k & -k) d += (int32_t)tree[k];
            for (uint64_t k = last[p] - 1; k; k -= k & -k) d -= (int32_t)tree[k];
            hist[d]++;
            for (uint64_t k = last[p]; k <= n; k += k & -k) tree[k]--;
        } else {
            cold++;
        }
        for (uint64_t k = t; k <= n; k += k & -k) tree[k]++;
        last[p] = t;
    }
    free(tree);
    free(last);
    return cold;
}

/* M2: the filter of SHARDS and nothing behind it: references whose page's hash is below a bound. */
uint64_t shards_filter(const uint32_t *refs, uint64_t n, uint32_t bound, uint32_t *out) {
    uint64_t kept = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint32_t p = PAGE(refs[i]), h = p * 0x9e3779b1u;
        h ^= h >> 15;
        if (h * 0x85ebca77u < bound) out[kept++] = p;
    }
    return kept;
}

/* C1: pages of 4096 bytes copied to places in another buffer. */
uint64_t copy_pages(uint8_t *to, const uint8_t *from, const uint32_t *slot, uint64_t n,
                    uint64_t run) {
    for (uint64_t i = 0; i < n; i += run)
        memcpy(to + 4096ull * slot[i], from + 4096ull * i, 4096 * run);
    return n;
}

/* S1: next-fit over a bitmap with summaries, from the lowest free slot again every 256 slots. Each is
 * given back when `held` more were taken. free_map has a bit for each free slot; it is used up. The
 * time it takes, without that for the summaries, goes to ns. */
#define LEVELS 6
static uint64_t next_free(uint64_t **level, const uint64_t *words, int levels, uint64_t i) {
    for (int k = 0; k < levels; k++) {
        if ((i >> 6) >= words[k]) return ~0ull;
        uint64_t w = level[k][i >> 6] >> (i & 63);
        if (w) {
            i += (uint64_t)__builtin_ctzll(w);
            while (k-- > 0) i = (i << 6) + (uint64_t)__builtin_ctzll(level[k][i]);
            return i;
        }
        i = (i >> 6) + 1;
    }
    return ~0ull;
}

uint64_t slot_loop(uint64_t *free_map, uint64_t slots, uint64_t count, uint64_t held,
                   uint64_t *ns) {
    struct timespec begin, end;
    uint64_t *level[LEVELS], words[LEVELS], total = 0, at = 0, next = 1;
    uint32_t *ring = calloc(held, 4);
    int levels = 0;
    for (uint64_t n = slots; levels == 0 || n > 1; levels++) {
        words[levels] = n = (n + 63) >> 6;
        level[levels] = levels ? calloc(n, 8) : free_map;
        for (uint64_t i = 0; levels && i < words[levels - 1]; i++)
            if (level[levels - 1][i]) level[levels][i >> 6] |= 1ull << (i & 63);
    }
    free_map[0] &= ~1ull;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t s = ring[at];
        if (s) {
            for (int k = 0; k < levels; k++, s >>= 6) {
                uint64_t was = level[k][s >> 6];
                level[k][s >> 6] = was | 1ull << (s & 63);
                if (was) break;
            }
        }
        s = next_free(level, words, levels, i % 256 ? next : 1);
        if (s == ~0ull) s = next_free(level, words, levels, 1);
        next = s + 1;
        total += s;
        ring[at] = (uint32_t)s;
        if (++at == held) at = 0;
        for (int k = 0; k < levels; k++, s >>= 6)
            if (level[k][s >> 6] &= ~(1ull << (s & 63))) break;
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    *ns = (uint64_t)((end.tv_sec - begin.tv_sec) * 1000000000ll + end.tv_nsec - begin.tv_nsec);
    for (int k = 1; k < levels; k++) free(level[k]);
    free(ring);
    return total;
}

/* C2: pages that are all zeroes. */
uint64_t zero_loop(const uint8_t *pages, uint64_t n, uint64_t times) {
    uint64_t found = 0;
    for (uint64_t i = 0; i < n * times; i++) {
        const uint64_t *w = (const uint64_t *)(pages + 4096 * (i % n));
        uint64_t any = 0;
        int k = 0;
        while (k < 512 && !any) { /* eight words at a time, in vectors */
            for (int j = 0; j < 8; j++) any |= w[k + j];
            k += 8;
        }
        found += !any;
    }
    return found;
}
