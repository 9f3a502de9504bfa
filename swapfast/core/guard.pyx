"""The one handler of SIGBUS in this process; other extensions cimport it."""

cdef extern from "guard.h" nogil:
    void sigbus_arm()
    bint sigbus_copy(void *to, const void *source, size_t n)
    bint sigbus_read(void (*work)(void *) noexcept nogil, void *what)


cdef void guard_arm() noexcept nogil:
    sigbus_arm()


cdef bint guard_copy(void *to, const void *source, size_t n) noexcept nogil:
    return sigbus_copy(to, source, n)


cdef bint guard_read(void (*work)(void *) noexcept nogil, void *what) noexcept nogil:
    return sigbus_read(work, what)
