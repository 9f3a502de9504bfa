# links: doubly linked lists of pages, for the policies that move pages within a list at each hit.
#
# All lists of one simulation share the arrays: entry `page` for a page, entry `pages + k` for the
# head of list k. A page is on one list at most.
#
# - links_init(l, pages, lists); links_free(l)
# - links_front(l, k, page); links_remove(l, k, page); links_oldest(l, k)
# - l.count[k]: pages on list k

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, malloc

cdef enum:
    MOST_LISTS = 4

cdef struct links_t:
    uint32_t *next           # towards the oldest
    uint32_t *prev
    uint32_t pages
    uint64_t count[4]        # MOST_LISTS

cdef inline bint links_init(links_t *l, uint32_t pages, uint32_t lists) noexcept nogil:
    cdef uint32_t k
    cdef uint64_t bytes = (<uint64_t>pages + lists) * sizeof(uint32_t)
    l.next = <uint32_t *>malloc(bytes)
    l.prev = <uint32_t *>malloc(bytes)
    l.pages = pages
    if l.next == NULL or l.prev == NULL:
        return False
    for k in range(lists):
        l.next[pages + k] = l.prev[pages + k] = pages + k
        l.count[k] = 0
    return True

cdef inline void links_free(links_t *l) noexcept nogil:
    free(l.next)
    free(l.prev)

cdef inline void links_front(links_t *l, uint32_t k, uint32_t page) noexcept nogil:
    cdef uint32_t head = l.pages + k, first = l.next[head]
    l.next[page] = first
    l.prev[page] = head
    l.prev[first] = page
    l.next[head] = page
    l.count[k] += 1

cdef inline void links_remove(links_t *l, uint32_t k, uint32_t page) noexcept nogil:
    cdef uint32_t n = l.next[page], p = l.prev[page]
    l.next[p] = n
    l.prev[n] = p
    l.count[k] -= 1

cdef inline uint32_t links_oldest(links_t *l, uint32_t k) noexcept nogil:
    # The head itself, a number above all pages, if the list is empty.
    return l.prev[l.pages + k]
