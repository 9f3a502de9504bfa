/* What a recorded process and the recorder have in common: shared memory of one process.
 *
 * The plugin makes it (pages.c), the recorder maps it and reads (_stream.pyx). It is memory and no
 * pipe for two reasons. What is in it outlives the process: a program that is killed loses no
 * reference. And nothing of ours is written to a file number, which belong to the program: it may
 * close any of them, and open a file of its own under that number.
 *
 * A buffer belongs to one thread until it is full; then its number goes into `queue`, and comes back
 * in `free` when it was read. Both are rings. What the two sides count only grows, and each count is
 * written by one side.
 *
 * An entry is a page number, shifted left by one; bit 0: something was written.
 *
 * With a window most entries are left out before they are entries. A round lasts while fewer than
 * `window` pages are touched. Of all references to a page in it only the first and the last become
 * entries, when the round ends; the last one writes if one after the first did. What is left out is
 * a "safely allowed drop" as in reduction.pxd, which does the rest for large windows.
 *
 * - round_page(b, page) -> slot of a page, or the free one where it would be
 * - round_add(b, slot, page, write): the first reference to a page in this round
 * - round_end(b): entries for the pages of the round; there is room for 2 * ARENA_WINDOW
 */
#ifndef SWAPFAST_ARENA
#define SWAPFAST_ARENA

#include <stddef.h>
#include <stdint.h>

#define ARENA_MAGIC "swapfst1"
#define ARENA_NOWHERE (~(uint64_t)0)

enum {
    ARENA_COMMAND = 1024,
    ARENA_BUFFERS = 512,   /* 32 MiB, of which only is there what was used */
    ARENA_REFS = 7152,     /* entries of a buffer */
    ARENA_WINDOW = 32,     /* the largest */
    ARENA_SLOTS = 256,     /* for the pages of a round: so many that they are nearly always alone */
};

struct slot {
    uint64_t page;         /* + 1; 0: free */
    uint64_t first, last;  /* which of the references of this buffer */
    uint32_t first_writes, rest_writes;
};

struct buffer {
    uint32_t n;            /* entries; the recorder makes it 0 when it gives the buffer back */
    uint32_t filling;      /* a thread has it, or had it when the process ended */
    uint64_t began;        /* which one it is of all buffers that were begun */
    uint64_t seen;         /* references, without those that repeat the one before */
    uint64_t here;         /* the last one, as an entry; ARENA_NOWHERE */
    uint64_t look_round;   /* at so many seen the thread looks what it should do */
    uint64_t open;         /* pages of the round */
    uint64_t unused[2];
    uint16_t order[ARENA_WINDOW]; /* their slots, in order of first touch */
    struct slot slot[ARENA_SLOTS];
    uint64_t refs[ARENA_REFS];
};

struct arena {
    char magic[8];
    int32_t pid, parent;   /* as the process sees them */

    /* Written by the process. */
    uint64_t queued;       /* buffers handed over */
    uint64_t reused;       /* buffers taken out of `free` */
    uint64_t began;        /* buffers that were begun */
    uint32_t fresh;        /* buffers that were in use at some time: those with a lower number */
    uint32_t threads;      /* that are recorded now */
    uint32_t lost_threads, lost_children; /* that are not recorded */
    uint32_t executing;    /* in an execve(2) that has not failed */

    /* Written by the recorder. */
    uint32_t closed;       /* nobody reads any more */
    uint64_t taken;        /* buffers read that were handed over */
    uint64_t freed;        /* buffers given back */

    /* Written by the process when it begins. */
    uint32_t command_bytes;
    char command[ARENA_COMMAND]; /* the program and its arguments, a 0 after each; or some of it */

    _Alignas(4096) uint32_t queue[ARENA_BUFFERS];
    uint32_t free[ARENA_BUFFERS];
    _Alignas(4096) struct buffer buffer[ARENA_BUFFERS];
};

_Static_assert(sizeof(struct buffer) == 1 << 16, "a buffer has 64 KiB");

#define arena_load(field) __atomic_load_n(field, __ATOMIC_ACQUIRE)
#define arena_store(field, value) __atomic_store_n(field, value, __ATOMIC_RELEASE)
#define arena_add(field, value) __atomic_fetch_add(field, value, __ATOMIC_RELAXED)

static inline struct slot *round_page(struct buffer *b, uint64_t page) {
    uint64_t at = page;
    while (b->slot[at % ARENA_SLOTS].page != page + 1 && b->slot[at % ARENA_SLOTS].page != 0)
        at++;
    return &b->slot[at % ARENA_SLOTS];
}

static inline void round_add(struct buffer *b, struct slot *s, uint64_t page, uint32_t write) {
    s->page = page + 1;
    s->first = s->last = b->seen;
    s->first_writes = write;
    s->rest_writes = 0;
    b->order[b->open++ % ARENA_WINDOW] = (uint16_t)(s - b->slot);
}

static inline void round_end(struct buffer *b) {
    uint16_t lasts[ARENA_WINDOW];
    uint32_t count = 0, i, at, n = b->n, open = (uint32_t)b->open;
    if (open > ARENA_WINDOW || n > ARENA_REFS - 2 * ARENA_WINDOW)
        return;            /* the program wrote here */
    for (i = 0; i < open; i++) {
        const struct slot *s = &b->slot[b->order[i] % ARENA_SLOTS];
        if (s->last == s->first)
            continue;
        for (at = count++; at > 0 && b->slot[lasts[at - 1]].last > s->last; at--)
            lasts[at] = lasts[at - 1];
        lasts[at] = b->order[i] % ARENA_SLOTS;
    }
    for (i = at = 0; i < open || at < count;) {
        struct slot *first = i < open ? &b->slot[b->order[i] % ARENA_SLOTS] : NULL;
        struct slot *last = at < count ? &b->slot[lasts[at]] : NULL;
        if (first != NULL && (last == NULL || first->first < last->last)) {
            b->refs[n++] = (first->page - 1) << 1 | first->first_writes;
            i++;
        } else {
            b->refs[n++] = (last->page - 1) << 1 | last->rest_writes;
            at++;
        }
    }
    for (i = 0; i < open; i++)
        b->slot[b->order[i] % ARENA_SLOTS].page = 0;
    b->n = n;
    b->open = 0;
}

#endif
