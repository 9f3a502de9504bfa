"""What programs do with their mappings, in the page tables of both sides.

- ``forget``: munmap(2) and what is like it. ``move``: mremap(2).
- ``protect``, ``copy``: fork(2). ``detach``: a page of which the kernel has made a copy on the way.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from swapfast.mm.frames cimport frame_at
from swapfast.mm.rmap cimport home_of
from swapfast.mm.types cimport core_t
from swapfast.mm.unmap cimport fork_page, zap
from swapfast.mm.words cimport PAGE_SHIFT, PAGE_SIZE, PTE_MEMBER, PTE_ZERO
from swapfast.shell.memory._mirror cimport Mirror
from swapfast.shell.memory.away cimport NEWER, PROTECTED, SHIFT, THERE, swapfast_read_page
from swapfast.shell.memory.drop cimport drop_all, space_t, window_t

from swapfast import _core
from swapfast.core import mapping_table


def forget(Mirror mirror, uint32_t mm, uint64_t address, uint64_t size):
    """A range is unmapped, or empty again."""
    cdef space_t *s = mirror.space(mm)
    cdef uint64_t first = address >> PAGE_SHIFT, end = (address + size) >> PAGE_SHIFT
    cdef uint64_t a, b, begin
    cdef uint32_t i
    drop_all(&mirror.o)
    for i in range(s.n):
        begin = s.windows[i].number << SHIFT
        a, b = max(first, begin), min(end, begin + (1 << SHIFT))
        if a < b:
            mapping_table.drop_pages(mirror.core, s.windows[i].mapping, a - begin, b - a)
            memset(&mirror.o.state[s.windows[i].base + (a - begin)], 0, b - a)


def move(Mirror mirror, uint32_t mm, uint64_t address, uint64_t to, uint64_t size):
    """mremap(2): pages of a range have another address, where they are protected from now on."""
    cdef space_t *s = mirror.space(mm)
    cdef core_t *c = &mirror.core.c
    cdef uint64_t k, number = address >> PAGE_SHIFT, target = to >> PAGE_SHIFT
    cdef window_t *w
    cdef uint32_t a, b, bits
    drop_all(&mirror.o)
    mirror.core.idle()
    for k in range(size >> PAGE_SHIFT):
        w = mirror.find(s, (number + k) >> SHIFT)
        if w == NULL:
            continue
        a = w.base + <uint32_t>((number + k) & ((1 << SHIFT) - 1))
        bits = c.page[a].pte
        if bits == 0:
            continue
        w = mirror.made(mm, (target + k) >> SHIFT)
        b = w.base + <uint32_t>((target + k) & ((1 << SHIFT) - 1))
        if bits & PTE_ZERO:
            c.page[b].pte, c.page[a].pte = <uint8_t>bits, 0
        else:
            fork_page(c, a, b)
            zap(c, a)
            c.page[b].pte = <uint8_t>(c.page[b].pte & PTE_MEMBER | bits & ~PTE_MEMBER)
        mirror.o.state[b] = mirror.o.state[a] | (PROTECTED if mirror.o.state[a] else 0)
        mirror.o.state[a] = 0


def is_there(Mirror mirror, uint32_t mm, uint64_t address, bint write):
    """Whether a page can be read, or written, without a fault."""
    cdef uint64_t number = address >> PAGE_SHIFT
    cdef window_t *w = mirror.made(mm, number >> SHIFT)
    cdef uint32_t state = mirror.o.state[w.base + <uint32_t>(number & ((1 << SHIFT) - 1))]
    return state & THERE != 0 and not (write and state & PROTECTED)


def protect(Mirror mirror, uint32_t mm):
    """Every page of it was protected from writes."""
    cdef space_t *s = mirror.space(mm)
    cdef uint32_t i, page
    for i in range(s.n):
        for page in range(s.windows[i].base, s.windows[i].base + (1 << SHIFT)):
            if mirror.o.state[page]:
                mirror.o.state[page] |= PROTECTED


def copy(Mirror mirror, uint32_t parent, uint32_t child):
    """fork(2): the child has the parent's pages, both protected; its windows are there."""
    cdef space_t *p = mirror.space(parent)
    cdef space_t *q = mirror.space(child)
    cdef window_t *w
    cdef uint32_t i, k, state
    for i in range(p.n):
        w = mirror.find(q, p.windows[i].number)
        if w == NULL:
            continue
        for k in range(1 << SHIFT):
            state = mirror.o.state[p.windows[i].base + k]
            if state:
                state |= PROTECTED
                mirror.o.state[p.windows[i].base + k] = <uint8_t>state
                mirror.o.state[w.base + k] = <uint8_t>state


def detach(Mirror mirror, uint32_t mm, uint64_t address):
    """A page that the kernel has copied already for who wrote to it is its own here as well.

    Returns
    -------
    bool
        False: the program was killed for it.
    """
    cdef window_t *w = mirror.made(mm, address >> PAGE_SHIFT >> SHIFT)
    cdef uint32_t offset = <uint32_t>(address >> PAGE_SHIFT & ((1 << SHIFT) - 1))
    cdef uint32_t page = w.base + offset, mapping = w.mapping
    cdef space_t *s = mirror.space(mm)
    cdef uint8_t own[4096]
    if not mirror.o.state[page]:
        return True
    if swapfast_read_page(s.twin, s.memory, address & ~<uint64_t>(PAGE_SIZE - 1), own):
        return True
    mirror.ref[0] = offset | <uint32_t>1 << 31
    while True:
        _, status = _core.touch(mirror.core, mapping, mirror.reference)
        if status == _core.OK:
            break
        if not mirror.shortage(mm, status):
            return False
    if mirror.o.state[page]:
        mirror.o.state[page] |= NEWER
    else:   # evicted on the way, maybe with the bytes of who has it no more
        memcpy(frame_at(&mirror.core.c, home_of(&mirror.core.c, page)), own, PAGE_SIZE)
    drop_all(&mirror.o)
    return True
