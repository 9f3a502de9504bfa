"""Windows of pages: of each address space only the last few that it asked for are there.

- ``Window(pages, batch)``: a page that is wanted comes in, and the oldest ones go, ``batch`` at a
  time: first in, first out, so that a page that is in use all the time is asked for again and
  again. Each page that comes in is a reference.
- ``take``: the references of an address space.

Bytes of pages that are out are kept here (kept.pxd). They stay here while the page is there as
well, and when it goes they are compared: if they differ, the reference that brought it in was to be
a write.
"""

from libc.errno cimport EEXIST
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcmp, memcpy, memset

from swapfast.record.fifo cimport (
    LEAF_SHIFT, OUT, UNKNOWN, entry_t, fifo_begin, fifo_enter, fifo_entry, fifo_free, fifo_leave,
    fifo_look, fifo_reference, fifo_t,
)
from swapfast.record.kept cimport (
    KEPT_PAGE, kept_at, kept_free, kept_leave, kept_share, kept_slot, kept_t,
)
from swapfast.shell.memory._faults cimport Faults
from swapfast.shell.memory.drop cimport drop_all, leaves, space_t
from swapfast.traces._numbered cimport copied

import numpy as np

cdef extern from "swapfast/shell/memory/tracee.h" nogil:
    ctypedef struct piece_t "struct iovec":
        void *iov_base
        size_t iov_len
    enum: UFFD_PAGEFAULT_FLAG_WRITE, UFFD_PAGEFAULT_FLAG_WP
    ssize_t process_vm_readv(int pid, const piece_t *here, unsigned long n, const piece_t *there,
                             unsigned long m, unsigned long flags)
    int swapfast_give(int uffd, uint64_t at, const void *data, int protect)
    int swapfast_protect(int uffd, uint64_t at, uint64_t size, int on)
    int swapfast_read_page(int pid, int memory, uint64_t at, void *into)
    int swapfast_wake(int uffd, uint64_t at)

cdef enum:
    PAGE_SHIFT = 12
    MOST = 64            # pages that go at once


cdef class Window(Faults):
    """Address spaces of which few pages are there.

    Parameters
    ----------
    pages : int
        Of each, at most.
    batch : int
        How many go when one more is wanted, 1 to 64.
    scratch : int
        Where each address space has a page for calls that are made in it.

    Attributes
    ----------
    seen : int
        References so far, of all.
    """

    cdef fifo_t **queues     # by number of the address space
    cdef uint32_t n
    cdef kept_t kept
    cdef uint8_t *zeroes
    cdef uint8_t *bytes
    cdef uint32_t pages
    cdef uint32_t batch
    cdef bint closed
    cdef readonly uint64_t seen

    def __cinit__(self, uint32_t pages, uint32_t batch, uint64_t scratch):
        if not 1 <= batch <= MOST or pages < batch:
            raise ValueError(f"{batch} pages of a window of {pages} cannot go at once")
        self.pages, self.batch, self.o.scratch = pages, batch, scratch
        self.zeroes = <uint8_t *>calloc(1, KEPT_PAGE)
        self.bytes = <uint8_t *>calloc(MOST, KEPT_PAGE)
        if self.zeroes == NULL or self.bytes == NULL:
            raise MemoryError("no room for a page")

    def __dealloc__(self):
        cdef uint32_t i
        for i in range(self.n):
            if self.queues[i] != NULL:
                fifo_free(self.queues[i])
        free(self.queues)
        free(self.zeroes)
        free(self.bytes)
        kept_free(&self.kept)

    # address spaces

    def begin(self, uint32_t mm):
        """An address space of which nothing is there."""
        cdef void *more
        if mm >= self.n:
            more = realloc(self.queues, (mm + 64) * sizeof(fifo_t *))
            if more == NULL:
                raise MemoryError("no room for one address space more")
            self.queues = <fifo_t **>more
            memset(&self.queues[self.n], 0, (mm + 64 - self.n) * sizeof(fifo_t *))
            self.n = mm + 64
        self.queues[mm] = fifo_begin(self.pages)
        if self.queues[mm] == NULL:
            raise MemoryError("no room for one address space more")

    def copy(self, uint32_t parent, uint32_t child):
        """fork(2): the child has what is kept of its parent, and what is there is in both."""
        cdef fifo_t *p = self.queues[parent]
        cdef entry_t *e
        cdef entry_t *f
        cdef uint64_t i, k, page
        for i in range(p.made_n):
            for k in range(1 << LEAF_SHIFT):
                e = &p.leaves[p.made[i]][k]
                if e.slot == 0 and e.frame == OUT:
                    continue
                page = p.made[i] << LEAF_SHIFT | k
                f = fifo_entry(self.queues[child], page)
                if f == NULL:
                    raise MemoryError("no room for the pages of a copy")
                f.slot = e.slot
                if e.slot:
                    kept_share(&self.kept, e.slot)
                if e.frame != OUT:
                    fifo_enter(self.queues[child], f, page, UNKNOWN)

    def end(self, uint32_t mm):
        """An address space is no more."""
        cdef fifo_t *q = self.queues[mm]
        cdef uint64_t i, k
        for i in range(q.made_n):
            for k in range(1 << LEAF_SHIFT):
                if q.leaves[q.made[i]][k].slot:
                    kept_leave(&self.kept, q.leaves[q.made[i]][k].slot)
        fifo_free(q)
        self.queues[mm] = NULL

    def take(self, uint32_t mm):
        """Its references since the last call, for `swapfast.record._stream.Stream`."""
        cdef fifo_t *q = self.queues[mm]
        cdef uint32_t at = q.frames[0].newer
        result = copied(q.refs, q.refs_n, np.uint64)
        q.refs_n = 0
        while at:
            q.frames[at].ref = UNKNOWN
            at = q.frames[at].newer
        return result

    def close(self):
        """From now on pages come in and stay, and nothing is recorded."""
        self.closed = True

    # faults

    cpdef int fault(self, uint32_t mm, uint64_t address, uint64_t flags) except -1:
        """A program wants a page; see `Faults`."""
        cdef space_t *s
        cdef fifo_t *q
        cdef entry_t *e
        cdef uint64_t page = address >> PAGE_SHIFT
        cdef bint write = flags & (UFFD_PAGEFAULT_FLAG_WRITE | UFFD_PAGEFAULT_FLAG_WP) != 0
        cdef int failed
        if mm >= self.o.n or self.o.spaces[mm] == NULL:
            return 0
        s, q, address = self.o.spaces[mm], self.queues[mm], page << PAGE_SHIFT
        e = fifo_entry(q, page)
        if e == NULL:
            raise MemoryError("no room for what is known of pages")
        if e.frame != OUT or (self.closed and flags & UFFD_PAGEFAULT_FLAG_WP):
            if flags & UFFD_PAGEFAULT_FLAG_WP:
                swapfast_protect(s.uffd, address, KEPT_PAGE, 0)
            else:   # another thread was here before
                swapfast_wake(s.uffd, address)
            return 0
        if q.n >= self.pages and not self.closed:
            self.oldest_go(s, q, self.batch)
        failed = swapfast_give(s.uffd, address,
                               kept_at(&self.kept, e.slot) if e.slot else self.zeroes, 0)
        if failed:
            swapfast_wake(s.uffd, address)
        if self.closed or (failed and failed != EEXIST):
            return 0
        if not fifo_reference(q, page, write):
            raise MemoryError("no memory for the references of the trace")
        fifo_enter(q, e, page, q.refs_n - 1)
        self.seen += 1
        return 0

    cdef int oldest_go(self, space_t *s, fifo_t *q, uint32_t count) except -1:
        cdef piece_t there[64]
        cdef piece_t here
        cdef uint32_t i, at = q.frames[0].newer
        cdef bint quiet = s.members == 1 and not self.copying
        cdef bint fetched
        if s.lost:
            return 0
        count = min(count, q.n)
        if count == 0:
            return 0
        for i in range(count):
            there[i].iov_base = <void *>(q.frames[at].page << PAGE_SHIFT)
            there[i].iov_len = KEPT_PAGE
            if not quiet:   # nobody writes until it is gone
                swapfast_protect(s.uffd, <uint64_t>there[i].iov_base, KEPT_PAGE, 1)
            at = q.frames[at].newer
        here.iov_base, here.iov_len = self.bytes, <size_t>count * KEPT_PAGE
        fetched = process_vm_readv(s.twin, &here, 1, there, count, 0) == <ssize_t>here.iov_len
        for i in range(count):
            at = q.frames[0].newer
            if fetched or swapfast_read_page(s.twin, s.memory, <uint64_t>there[i].iov_base,
                                             &self.bytes[i * KEPT_PAGE]) == 0:
                self.keep(q, at, &self.bytes[i * KEPT_PAGE])
            fifo_leave(q, fifo_look(q, q.frames[at].page))
            leaves(&self.o, s, <uint64_t>there[i].iov_base)
        drop_all(&self.o)
        return 0

    cdef int keep(self, fifo_t *q, uint32_t at, const uint8_t *data) except -1:
        # Its bytes as they are now, if that is not how they came.
        cdef entry_t *e = fifo_look(q, q.frames[at].page)
        cdef uint32_t slot
        if memcmp(data, kept_at(&self.kept, e.slot) if e.slot else self.zeroes, KEPT_PAGE) == 0:
            return 0
        if q.frames[at].ref != UNKNOWN:
            q.refs[q.frames[at].ref] |= 1
        if e.slot == 0 or self.kept.owners[e.slot] > 1:
            slot = kept_slot(&self.kept)
            if slot == 0:
                raise MemoryError("no memory for pages that are out of the window")
            if e.slot:
                kept_leave(&self.kept, e.slot)
            e.slot = slot
        memcpy(kept_at(&self.kept, e.slot), data, KEPT_PAGE)
        return 0

    # what changes address spaces

    def empty(self, uint32_t mm):
        """All of its pages go."""
        cdef fifo_t *q = self.queues[mm]
        while q.n and not self.space(mm).lost:
            self.oldest_go(self.space(mm), q, MOST)

    def is_there(self, uint32_t mm, uint64_t address):
        """Whether a page is in the window."""
        cdef entry_t *e = fifo_look(self.queues[mm], address >> PAGE_SHIFT)
        return e != NULL and e.frame != OUT

    def forget(self, uint32_t mm, uint64_t address, uint64_t size):
        """A range is unmapped, or empty again."""
        cdef fifo_t *q = self.queues[mm]
        cdef uint64_t page = address >> PAGE_SHIFT, end = (address + size) >> PAGE_SHIFT
        cdef entry_t *e
        while page < end:
            e = fifo_look(q, page)
            if e == NULL:
                page = ((page >> LEAF_SHIFT) + 1) << LEAF_SHIFT
                continue
            if e.frame != OUT:
                fifo_leave(q, e)
            if e.slot:
                kept_leave(&self.kept, e.slot)
                e.slot = 0
            page += 1

    def move(self, uint32_t mm, uint64_t address, uint64_t to, uint64_t size):
        """mremap(2): pages of a range have another address; where they go there is nothing."""
        cdef fifo_t *q = self.queues[mm]
        cdef uint64_t k, page = address >> PAGE_SHIFT, target = to >> PAGE_SHIFT
        cdef entry_t *e
        cdef entry_t *f
        for k in range(size >> PAGE_SHIFT):
            e = fifo_look(q, page + k)
            if e == NULL or (e.slot == 0 and e.frame == OUT):
                continue
            f = fifo_entry(q, target + k)
            if f == NULL:
                raise MemoryError("no room for what is known of pages")
            f[0] = e[0]
            e.slot, e.frame = 0, OUT
            if f.frame != OUT:
                q.frames[f.frame].page = target + k
