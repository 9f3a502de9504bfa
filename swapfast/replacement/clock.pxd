# clock: FIFO with a second chance. A hand goes round; a page that was used since it last came by is
# spared once.
#
# What Linux's inactive list began as. Source: F. J. Corbato, "A paging experiment with the Multics
# system", MIT Project MAC, 1968.
#
# Frames are a ring. The victim's frame takes the new page, whose use bit begins clear: a page that
# was touched once and never again goes in the next round.

from swapfast.replacement.contract cimport *
from swapfast.replacement.fifo cimport FRAMES_AHEAD, fifo_t

cdef enum:
    USED = 8

cdef inline int clock_run(sim_t *s, const uint32_t *refs, uint64_t n) noexcept nogil:
    cdef fifo_t *f = <fifo_t *>s.state
    cdef uint32_t *frame = f.frame
    cdef uint8_t *flag = s.flag
    cdef uint64_t hand = f.oldest, frames = s.frames, i = 0, scanned = 0
    while True:
        i = hits(s, refs, i, n, USED)
        if i == n:
            break
        if s.resident == frames:
            while flag[frame[hand]] & USED:
                prefetch(&flag[frame[hand + FRAMES_AHEAD]])
                flag[frame[hand]] &= ~USED
                scanned += 1
                hand = 0 if hand + 1 == frames else hand + 1
            scanned += 1
            prefetch(&flag[frame[hand + FRAMES_AHEAD]])
            leave(s, frame[hand], 0)
        else:
            s.resident += 1
        enter(s, refs[i], 0)
        frame[hand] = refs[i] & PAGE_BITS
        hand = 0 if hand + 1 == frames else hand + 1
        i += 1
    f.oldest = hand
    s.scanned += scanned
    return 0
