# guard: the process's one handler of SIGBUS, for every extension that copies through a mapping.
#
# - guard_arm(): before a batch of copies, with the GIL
# - guard_copy(to, from, n): False if a page of the mapped file is not there

cdef void guard_arm() noexcept nogil
cdef bint guard_copy(void *to, const void *source, size_t n) noexcept nogil
