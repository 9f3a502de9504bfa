"""The loop that plays a trace to the kernel: each reference one load or store, and nothing else.

- ``walk(refs, area, scratch, scratch_bytes, stat, every)``
"""

from libc.errno cimport errno
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef extern from "<sys/mman.h>" nogil:
    int mprotect(void *address, size_t length, int protection)
    int PROT_READ, PROT_WRITE

cdef extern from "<unistd.h>" nogil:
    ssize_t pread(int fd, void *buffer, size_t size, long offset)

cdef extern from *:
    """
    /* The compiler may neither leave an access out nor move it. */
    #define swapfast_load(p) ((void)*(volatile const unsigned char *)(p))
    #define swapfast_store(p, v) (*(volatile unsigned long long *)(p) = (v))
    """
    void swapfast_load(void *p) nogil
    void swapfast_store(void *p, uint64_t value) nogil

cdef enum:
    PAGE = 4096
    STAT = 8192  # more than a memory.stat has


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
    cdef uint8_t[STAT] text
    cdef int error = 0
    with nogil:
        for i in range(n):
            if i == until:
                until += every
                # Taking a right away from present pages is what the kernel must flush for.
                if (mprotect(<void *>scratch, scratch_bytes, PROT_READ)
                        or mprotect(<void *>scratch, scratch_bytes, PROT_READ | PROT_WRITE)
                        or (stat >= 0 and pread(stat, &text[0], STAT, 0) < 0)):
                    error = errno
                    break
            ref = refs[i]
            page = <char *>area + <size_t>(ref & 0x7FFFFFFF) * PAGE
            if ref >> 31:
                swapfast_store(page, i + 1)
            else:
                swapfast_load(page)
    if error:
        raise OSError(error, "cannot flush the TLB or read memory.stat between references")
