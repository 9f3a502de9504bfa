# One reference to memory, and what is done between two of them: for the loops that play a trace.

from libc.errno cimport errno
from libc.stdint cimport uint8_t, uint64_t

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

cdef inline int flush_and_read(size_t scratch, size_t scratch_bytes, int stat) noexcept nogil:
    # The TLB is flushed and memory.stat is read, unless stat is below 0 -> errno, or 0. Taking a
    # right away from present pages is what the kernel must flush for.
    cdef uint8_t[STAT] text
    if (mprotect(<void *>scratch, scratch_bytes, PROT_READ)
            or mprotect(<void *>scratch, scratch_bytes, PROT_READ | PROT_WRITE)
            or (stat >= 0 and pread(stat, &text[0], STAT, 0) < 0)):
        return errno
    return 0

cdef inline int refused(int error) except -1:
    raise OSError(error, "cannot flush the TLB or read memory.stat between references")
