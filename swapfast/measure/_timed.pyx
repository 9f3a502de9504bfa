"""The loop of one program among others: plays a trace, thinks, and takes the time of references.

- ``play(refs, area, scratch, scratch_bytes, stat, every, think, slow, stop, counts)``
"""

from libc.stdint cimport uint32_t, uint64_t

from swapfast.measure._reference cimport (
    PAGE, flush_and_read, refused, swapfast_load, swapfast_store,
)
from swapfast.mm.histogram cimport HISTOGRAM_BUCKETS, histogram_bucket

cdef extern from *:
    """
    #include <time.h>
    static inline unsigned long long swapfast_ns(clockid_t clock) {
        struct timespec now;
        clock_gettime(clock, &now);
        return now.tv_sec * 1000000000ull + now.tv_nsec;
    }
    /* Time of the processor, not of the clock: thinking of two programs does not overlap on one. */
    static inline void swapfast_think(unsigned long long ns) {
        unsigned long long end = swapfast_ns(CLOCK_THREAD_CPUTIME_ID) + ns;
        while (swapfast_ns(CLOCK_THREAD_CPUTIME_ID) < end) {}
    }
    """
    uint64_t swapfast_ns(int clock) nogil
    int CLOCK_MONOTONIC
    void swapfast_think(uint64_t ns) nogil

cdef enum:
    CHUNK = 32   # references that are thought about at once


def play(
    const uint32_t[::1] refs not None,
    size_t area,
    size_t scratch,
    size_t scratch_bytes,
    int stat,
    uint64_t every,
    uint64_t think,
    uint64_t slow,
    uint64_t stop,
    uint64_t[::1] counts not None,
):
    """Play ``refs`` to the pages at address ``area``, as `walk` does.

    Parameters
    ----------
    refs, area, scratch, scratch_bytes, stat
        As for `walk`.
    every : int
        References between two flushes of the TLB and readings of the statistics; 0: never.
    think : int
        Time of the processor for a reference, ns, spent before each 32 of them.
    slow : int
        References that took longer, ns, are counted.
    stop : int
        ns after which it ends, the trace being repeated until then; 0: one pass.
    counts : uint64 array
        One counter a bucket of `swapfast.latency`; added to.

    Returns
    -------
    tuple of int
        References, times noted, their sum and the longest, and when it began and ended on the
        monotonic clock, all in ns.

    Raises
    ------
    OSError
        The kernel refused a flush or a read.
    ValueError
        Not so many counters.
    """
    cdef uint64_t i, n = refs.shape[0], done = 0, flush = 0
    cdef uint64_t began, before, now, took, noted = 0, total = 0, longest = 0
    cdef uint32_t ref
    cdef char *page
    cdef int error = 0, through = n == 0
    if counts.shape[0] != HISTOGRAM_BUCKETS:
        raise ValueError(f"counts: {HISTOGRAM_BUCKETS} of them, not {counts.shape[0]}")
    with nogil:
        began = before = now = swapfast_ns(CLOCK_MONOTONIC)
        while not through:
            for i in range(n):
                if every and done == flush:
                    flush += every
                    error = flush_and_read(scratch, scratch_bytes, stat)
                    if error:
                        break
                if done % CHUNK == 0:
                    swapfast_think(think * CHUNK)
                    before = swapfast_ns(CLOCK_MONOTONIC)
                    if stop and before - began >= stop:
                        break
                ref = refs[i]
                page = <char *>area + <size_t>(ref & 0x7FFFFFFF) * PAGE
                done += 1
                if ref >> 31:
                    swapfast_store(page, done)
                else:
                    swapfast_load(page)
                now = swapfast_ns(CLOCK_MONOTONIC)
                took = now - before
                before = now
                if took > slow:
                    counts[histogram_bucket(took)] += 1
                    noted += 1
                    total += took
                    longest = took if took > longest else longest
            through = error != 0 or stop == 0 or before - began >= stop
    if error:
        refused(error)
    return done, noted, total, longest, began, before
