"""Mappings: runs of page indexes, who pays for them, what is in their page tables."""

from libc.stdint cimport int64_t, uint32_t, uint64_t, uint8_t

from swapfast._core cimport Core
from swapfast.mm.arrays cimport arrays_reserve_mms, arrays_reserve_pages
from swapfast.mm.mglru_age cimport forget_tables
from swapfast.mm.mglru_lists cimport lru_drain
from swapfast.mm.rmap cimport home_of
from swapfast.mm.table cimport table_give, table_take
from swapfast.mm.tlb cimport tlb_flush
from swapfast.mm.token cimport put_token
from swapfast.mm.types cimport core_t, mapping_t, memcg_t
from swapfast.mm.unmap cimport fork_page, zap, zap_object
from swapfast.mm.words cimport (
    BLOCK_SHIFT, F_RESIDENT, F_SWAPCACHE, MAP_ANON, MAP_FREE, MAP_OBJECT, NIL, PTE_PRESENT,
    PTE_SWAP, PTE_ZERO, RA_FIRST_HITS, SCOPE_NOWHERE, SCOPE_UNSET,
)

import numpy as np


cdef int inside(mapping_t *m, uint64_t first, uint64_t count) except -1:
    if first > m.pages or count > m.pages - first:
        raise ValueError(f"pages {first}..{first + count - 1} of a mapping of {m.pages}")
    return 0


cdef void goes_to(core_t *c, mapping_t *m, uint32_t scope) noexcept:
    # Its memcg notes whether all its pages go by one scope.
    cdef memcg_t *g = &c.memcgs[m.memcg]
    m.scope = scope
    if scope >= SCOPE_NOWHERE or g.namespace == scope:
        return
    g.namespace = scope if g.namespace == SCOPE_UNSET else SCOPE_NOWHERE


def add(Core core, uint32_t kind, uint64_t base, uint64_t pages, uint32_t mm,
        uint32_t scope, uint32_t memcg, uint64_t object=0, uint64_t first=0):
    """Enter a run of page indexes, at virtual page ``first``; returns its number."""
    cdef core_t *c = &core.c
    cdef mapping_t *m
    cdef int64_t number
    cdef uint64_t block
    core.idle()
    if base == 0 or base % (1 << BLOCK_SHIFT) or pages == 0:
        raise ValueError("a mapping begins on a block and has pages")
    if memcg >= c.memcg_numbers.top or not c.memcgs[memcg].used:
        raise ValueError(f"no memory group {memcg}")
    if scope >= c.scope_numbers.top and scope != SCOPE_UNSET:
        raise ValueError(f"no scope {scope}")
    if not arrays_reserve_pages(c, base + pages) or not arrays_reserve_mms(c, <uint64_t>mm + 1):
        raise MemoryError(f"no room for page indexes below {base + pages}")
    number = table_take(&c.mapping_numbers, <void **>&c.mappings, &c.mappings_max,
                        sizeof(mapping_t))
    if number < 0:
        raise MemoryError("no room for one mapping more")
    m = &c.mappings[number]
    m.kind = kind
    m.base = <uint32_t>base
    m.pages = <uint32_t>pages
    m.mm = mm
    m.memcg = memcg
    goes_to(c, m, scope)
    m.object = <uint32_t>object
    m.first = first
    m.ra_hits = RA_FIRST_HITS
    c.memcgs[memcg].mappings += 1
    for block in range(base >> BLOCK_SHIFT,
                       (base + pages + (1 << BLOCK_SHIFT) - 1) >> BLOCK_SHIFT):
        c.block_mapping[block] = number
        if c.moves.n > 0:
            c.moves.marked[block] = 0   # of those that had these numbers before
    forget_tables(c, m)
    return number


def drop_pages(Core core, uint32_t number, uint64_t first, uint64_t count):
    """Drop a range of pages, their memory and their slots; they are untouched afterwards."""
    cdef mapping_t *m = core.mapping(number)
    cdef uint64_t i
    cdef uint32_t base = m.base
    core.idle()
    inside(m, first, count)
    tlb_flush(&core.c)
    with nogil:
        if m.kind == MAP_OBJECT:
            for i in range(first, first + count):
                zap_object(&core.c, <uint32_t>(base + i))
        else:
            for i in range(first, first + count):
                zap(&core.c, <uint32_t>(base + i))
    core.wipe()


def remove(Core core, uint32_t number):
    """Drop all pages and the number itself."""
    cdef mapping_t *m = core.mapping(number)
    drop_pages(core, number, 0, m.pages)
    if core.c.mglru.groups > 0:
        lru_drain(&core.c)   # a page that is out may still be in a batch; its index is free now
    m.kind = MAP_FREE
    core.c.memcgs[m.memcg].mappings -= 1
    if core.c.memcgs[m.memcg].mappings == 0:
        core.c.memcgs[m.memcg].namespace = SCOPE_UNSET
    table_give(&core.c.mapping_numbers, number)


def fork(Core core, uint32_t parent, uint32_t child):
    """Copy the page-table entries of one private mapping to another of the same size."""
    cdef mapping_t *p = core.mapping(parent)
    cdef mapping_t *q = core.mapping(child)
    cdef uint32_t i
    core.idle()
    if p.kind != MAP_ANON or q.kind != MAP_ANON or p.pages != q.pages:
        raise ValueError("fork copies private mappings of the same size")
    tlb_flush(&core.c)
    q.ra_at = p.ra_at
    q.ra_window = p.ra_window
    q.ra_hits = p.ra_hits
    with nogil:
        for i in range(p.pages):
            if core.c.page[p.base + i].pte != 0:
                fork_page(&core.c, p.base + i, q.base + i)


def set_scope(Core core, uint32_t number, uint32_t scope):
    """Say which namespace pays from now on (``UNSET``: the next to touch it)."""
    cdef mapping_t *m = core.mapping(number)
    if scope >= core.c.scope_numbers.top and scope < SCOPE_NOWHERE:
        raise ValueError(f"no scope {scope}")
    goes_to(&core.c, m, scope)


def scope(Core core, uint32_t number):
    """The scope's number, ``UNSET`` or ``NOWHERE``."""
    return core.mapping(number).scope


def memcg(Core core, uint32_t number):
    """The memory group that it is charged to."""
    return core.mapping(number).memcg


def count(Core core, uint32_t number):
    """(resident, swapped, zero): pages of this mapping by state, as its page table has them."""
    cdef mapping_t *m = core.mapping(number)
    cdef uint64_t resident = 0, swapped = 0, zero = 0
    cdef uint32_t i, bits
    with nogil:
        for i in range(m.base, m.base + m.pages):
            bits = core.c.page[i].pte
            if m.kind == MAP_OBJECT:
                resident += core.c.page[i].folio & F_RESIDENT
                swapped += (bits & PTE_SWAP) != 0 and (core.c.page[i].folio & F_RESIDENT) == 0
            elif bits & PTE_ZERO:
                zero += 1
            elif bits & PTE_PRESENT:
                resident += 1
            elif bits & PTE_SWAP:
                swapped += 1
    return resident, swapped, zero


def state(Core core, uint32_t number, uint64_t first, uint64_t count):
    """State of a range of pages.

    Returns
    -------
    pte : uint8 array, shape (count,)
        Page-table bytes.
    entry : uint32 array
        Swap entry of its data, 0 for none.
    mapped, swapped : uint32 arrays
        Page-table entries that map the same data, and that hold the same swap entry.
    """
    cdef mapping_t *m = core.mapping(number)
    cdef core_t *c = &core.c
    cdef uint64_t i
    cdef uint32_t page, home, p
    inside(m, first, count)
    pte = np.zeros(count, dtype=np.uint8)
    entry = np.zeros(count, dtype=np.uint32)
    mapped = np.zeros(count, dtype=np.uint32)
    swapped = np.zeros(count, dtype=np.uint32)
    cdef uint8_t[::1] v = pte
    cdef uint32_t[::1] e = entry
    cdef uint32_t[::1] present = mapped
    cdef uint32_t[::1] out = swapped
    with nogil:
        for i in range(count):
            page = <uint32_t>(m.base + first + i)
            v[i] = c.page[page].pte
            if v[i] & (PTE_PRESENT | PTE_SWAP) == 0 or v[i] & PTE_ZERO:
                continue
            home = home_of(c, page)
            if c.page[home].folio & (F_RESIDENT | F_SWAPCACHE) != F_RESIDENT:
                e[i] = c.home[home].entry
            p = home
            while True:
                present[i] += (c.page[p].pte & PTE_PRESENT) != 0
                out[i] += (c.page[p].pte & PTE_SWAP) != 0
                p = c.next[p]
                if p == NIL or p == home:
                    break
    return pte, entry, mapped, swapped


def swapped(Core core, uint32_t number):
    """Page numbers whose entry is a swap entry, as a uint32 array."""
    cdef mapping_t *m = core.mapping(number)
    state = np.asarray(<uint8_t[:2 * m.pages]><uint8_t *>&core.c.page[m.base])[::2]
    return np.flatnonzero(state & PTE_SWAP).astype(np.uint32)


def forget_mm(Core core, uint32_t mm):
    """An address space is gone: it gives up the swap token (put_swap_token)."""
    core.idle()
    if mm < core.c.token.mms:
        put_token(&core.c.token, mm)
        core.c.mglru.mm[mm] = 0
