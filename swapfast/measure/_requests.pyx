"""One thread's requests to a device: each one read or write of 4 KiB, and how long it took.

- ``requests(fd, offsets, buffer, write, took)``
"""

from libc.errno cimport EIO, errno
from libc.stdint cimport int64_t, uint64_t

cdef extern from "<unistd.h>" nogil:
    ssize_t pread(int fd, void *buffer, size_t size, long offset)
    ssize_t pwrite(int fd, const void *buffer, size_t size, long offset)

cdef extern from *:
    """
    #include <time.h>
    static inline unsigned long long swapfast_now(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec * 1000000000ull + now.tv_nsec;
    }
    """
    uint64_t swapfast_now() nogil


def requests(
    int fd,
    const int64_t[::1] offsets not None,
    size_t buffer,
    size_t size,
    bint write,
    uint64_t[::1] took not None,
):
    """Send requests one after another, each when the one before it is done. Needs no GIL.

    Parameters
    ----------
    fd : int
        Opened with O_DIRECT.
    offsets : int64 array
        Where in the file.
    buffer : int
        Address of ``size`` bytes, as O_DIRECT wants it: at the beginning of a page.
    size : int
        Bytes of a request.
    write : bool
    took : uint64 array
        ns of each request, written here.

    Raises
    ------
    OSError
        A request was refused, or served in part.
    ValueError
        The arrays are not equally long.
    """
    cdef uint64_t i, n = offsets.shape[0], before, after
    cdef ssize_t done
    cdef int error = 0
    if took.shape[0] != offsets.shape[0]:
        raise ValueError(f"took: {offsets.shape[0]} times, not {took.shape[0]}")
    with nogil:
        before = swapfast_now()
        for i in range(n):
            if write:
                done = pwrite(fd, <void *>buffer, size, offsets[i])
            else:
                done = pread(fd, <void *>buffer, size, offsets[i])
            if done != <ssize_t>size:
                error = errno if done < 0 else EIO
                break
            after = swapfast_now()
            took[i] = after - before
            before = after
    if error:
        raise OSError(error, "a request was refused")
