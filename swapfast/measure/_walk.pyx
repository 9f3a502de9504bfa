"""The loop that plays a trace to the kernel: each reference one load or store, and nothing else.

- ``walk(refs, area, scratch, scratch_bytes, stat, every)``
"""

from libc.stdint cimport uint32_t, uint64_t

from swapfast.measure._reference cimport (
    PAGE, flush_and_read, refused, swapfast_load, swapfast_store,
)


def walk(
    const uint32_t[::1] refs not None,
    size_t area,
    size_t scratch,
    size_t scratch_bytes,
    int stat,
    uint64_t every,
):
    """Play ``refs`` to the pages at address ``area``.

    A store writes the number of the reference, from 1: no page is ever of zeroes, which a kernel
    would not write out.

    Before each ``every`` references the whole TLB is flushed, so that each reference to a page
    whose accessed bit a scan has cleared sets it again, and ``memory.stat`` is read, so that the
    kernel decides by current numbers.

    Parameters
    ----------
    refs : uint32 array
        Bit 31: write; low 31 bits: page.
    area : int
        Address of the pages. Whoever calls has checked that all pages are in it.
    scratch : int
        Address of ``scratch_bytes`` bytes of private writable memory, present and locked; more
        pages than the kernel flushes one by one (33).
    stat : int
        File descriptor of memory.stat; negative: read nothing.
    every : int
        References between two flushes, at least 1.

    Raises
    ------
    OSError
        The kernel refused a flush or a read.
    """
    cdef uint64_t i, n = refs.shape[0], until = 0
    cdef uint32_t ref
    cdef char *page
    cdef int error = 0
    with nogil:
        for i in range(n):
            if i == until:
                until += every
                error = flush_and_read(scratch, scratch_bytes, stat)
                if error:
                    break
            ref = refs[i]
            page = <char *>area + <size_t>(ref & 0x7FFFFFFF) * PAGE
            if ref >> 31:
                swapfast_store(page, i + 1)
            else:
                swapfast_load(page)
    if error:
        refused(error)
