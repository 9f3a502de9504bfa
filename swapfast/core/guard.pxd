# guard: the process's one handler of SIGBUS, for every extension that copies through a mapping.
#
# - guard_arm(): before a batch of copies, with the GIL
# - guard_copy(to, from, n): False if a page of the mapped file is not there
# - guard_read(work, what): the same around work(what), which only reads and calls nobody

cdef void guard_arm() noexcept nogil
cdef bint guard_copy(void *to, const void *source, size_t n) noexcept nogil
cdef bint guard_read(void (*work)(void *) noexcept nogil, void *what) noexcept nogil
