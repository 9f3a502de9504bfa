"""Page tables of real programs, kept as those of the simulated machine are.

A page is *there* only while the simulated page-table entry maps it, and can be written only while
that is dirty and writable. So whatever the simulated machine would not see as a hit is a real
fault, which comes here by a userfaultfd. Bytes are in the program while a page is there, and in the
simulated machine otherwise.

- ``Mirror(core)``: all of them; hears of pages that are evicted, or looked at (away.pxd).
- ``window``: a piece of an address space. ``fault``: a page is wanted.

What munmap, mremap and fork do is in `_moves`.
"""

from libc.errno cimport EEXIST
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

from swapfast._core cimport Core
from swapfast.mm.frames cimport frame_at
from swapfast.mm.rmap cimport home_of
from swapfast.mm.types cimport core_t, lazy_map, lazy_unmap, mapping_t
from swapfast.mm.words cimport PAGE_SHIFT, PAGE_SIZE, PTE_DIRTY, PTE_WRITABLE, PTE_ZERO
from swapfast.shell.memory._faults cimport Faults
from swapfast.shell.memory.away cimport (
    NEWER, PROTECTED, SHIFT, THERE, swapfast_protect, take_away,
)
from swapfast.shell.memory.drop cimport drop_all, space_t, window_t

from array import array

from swapfast import _core

cdef extern from "swapfast/shell/memory/tracee.h" nogil:
    enum: UFFD_PAGEFAULT_FLAG_WRITE, UFFD_PAGEFAULT_FLAG_WP
    int swapfast_give(int uffd, uint64_t at, const void *data, int protect)
    int swapfast_wake(int uffd, uint64_t at)

cdef enum:
    LOOK_EVERY = 256     # faults between two looks at the swapfiles

WINDOW_SHIFT = SHIFT


cdef class Mirror(Faults):
    """Real address spaces beside simulated ones.

    Parameters
    ----------
    core : Core
    scratch : int
        Where each address space has a page for calls that are made in it.
    window : callable
        ``window(mm, number)``: makes a piece of an address space; its mapping.
    shortage : callable
        ``shortage(mm, status)``: no page is to be had; whether to try again.
    look : callable
        Called now and then.
    """

    def __cinit__(self, Core core not None, uint64_t scratch, window, shortage, look):
        self.core, self.make_window, self.shortage, self.look = core, window, shortage, look
        self.reference = array("I", [0])
        self.ref = self.reference
        self.o.scratch = scratch
        self.zeroes = <uint8_t *>calloc(1, PAGE_SIZE)
        if self.zeroes == NULL:
            raise MemoryError("no room for a page")
        self.reserve()
        core.c.hooks.outside = &self.o
        core.c.hooks.take_away = take_away

    def __dealloc__(self):
        if self.core is not None:
            self.core.c.hooks.take_away = NULL
            self.core.c.hooks.outside = NULL
        free(self.zeroes)
        lazy_unmap(self.o.state, self.o.room)

    cdef int reserve(self) except -1:
        # State for all pages that the machine may have; memory is used where it is written.
        cdef uint64_t most = <uint64_t>1 << 31
        if self.o.state == NULL:
            self.o.state = <uint8_t *>lazy_map(most)
            if self.o.state == NULL:
                raise MemoryError("no room for the state of pages")
            self.o.room = most
        return 0

    def counted(self, uint32_t mm):
        """(faults, major ones, ns) of it since the last call."""
        cdef space_t *s = self.space(mm)
        found = s.faults, s.majors, s.ns
        s.faults = s.majors = s.ns = 0
        return found

    def counts(self):
        """Pages dropped, copied out, given, and opened for writes, since it began."""
        return {"dropped": self.o.dropped, "copied": self.o.copied, "given": self.o.given,
                "opened": self.o.opened}

    def window(self, uint32_t mm, uint64_t number, uint32_t mapping):
        """A piece of an address space is these pages."""
        cdef space_t *s = self.space(mm)
        cdef mapping_t *m = self.core.mapping(mapping)
        cdef void *more
        if s.n == s.room:
            more = realloc(s.windows, (s.room + 16) * sizeof(window_t))
            if more == NULL:
                raise MemoryError("no room for one window more")
            s.windows = <window_t *>more
            s.room += 16
        s.windows[s.n].number, s.windows[s.n].base, s.windows[s.n].mapping = number, m.base, mapping
        memset(&self.o.state[m.base], 0, m.pages)
        s.n += 1

    cdef window_t *find(self, space_t *s, uint64_t number) noexcept:
        cdef uint32_t i
        if s.last < s.n and s.windows[s.last].number == number:
            return &s.windows[s.last]
        for i in range(s.n):
            if s.windows[i].number == number:
                s.last = i
                return &s.windows[i]
        return NULL

    cdef window_t *made(self, uint32_t mm, uint64_t number) except NULL:
        cdef space_t *s = self.space(mm)
        cdef window_t *w = self.find(s, number)
        if w == NULL:
            self.window(mm, number, self.make_window(mm, number))
            w = self.find(s, number)
        return w

    cpdef int fault(self, uint32_t mm, uint64_t address, uint64_t flags) except -1:
        """A program waits for a page; see `Faults`."""
        cdef core_t *c = &self.core.c
        cdef space_t *s
        cdef window_t *w
        cdef uint32_t page, offset, mapping
        cdef bint write = flags & (UFFD_PAGEFAULT_FLAG_WRITE | UFFD_PAGEFAULT_FLAG_WP) != 0
        cdef uint64_t number = address >> PAGE_SHIFT, majors, begin
        if mm >= self.o.n or self.o.spaces[mm] == NULL:
            return 0
        w = self.made(mm, number >> SHIFT)
        s = self.o.spaces[mm]
        offset = <uint32_t>(number & ((1 << SHIFT) - 1))
        page, mapping = w.base + offset, w.mapping
        address = number << PAGE_SHIFT
        if self.o.state[page] & THERE and not (write and self.o.state[page] & PROTECTED):
            # Another thread was here before.
            if flags & UFFD_PAGEFAULT_FLAG_WP:
                swapfast_protect(s.uffd, address, PAGE_SIZE, 0)
            else:
                swapfast_wake(s.uffd, address)
            return 0
        self.ref[0] = offset | (<uint32_t>write << 31)
        while True:
            s = self.o.spaces[mm]
            s.faults += 1
            majors, begin = c.count.pgmajfault, c.clock.now
            self.o.quiet = s if s.members == 1 and not self.copying else NULL
            _, status = _core.touch(self.core, mapping, self.reference)
            self.o.quiet = NULL
            with nogil:
                drop_all(&self.o)
            s.majors += c.count.pgmajfault - majors
            s.ns += c.clock.now - begin
            if status == _core.OK:
                break
            if not self.shortage(mm, status):
                return 0
        self.answer(s, page, address, write)
        self.until_look += 1
        if self.until_look == LOOK_EVERY:
            self.until_look = 0
            self.look()
        return 0

    cdef void answer(self, space_t *s, uint32_t page, uint64_t address, bint write) noexcept:
        cdef core_t *c = &self.core.c
        cdef uint32_t bits = c.page[page].pte
        cdef bint opened = bits & (PTE_WRITABLE | PTE_DIRTY | PTE_ZERO) == PTE_WRITABLE | PTE_DIRTY
        cdef int failed
        if self.o.state[page] & THERE:
            if opened:
                swapfast_protect(s.uffd, address, PAGE_SIZE, 0)
                self.o.state[page] = THERE | NEWER
                self.o.opened += 1
            else:
                swapfast_wake(s.uffd, address)
            return
        failed = swapfast_give(
            s.uffd, address,
            self.zeroes if bits & PTE_ZERO else frame_at(c, home_of(c, page)), not opened)
        self.o.given += 1
        if failed == 0:
            self.o.state[page] = THERE | (NEWER if opened else PROTECTED)
        elif failed == EEXIST:   # it could not be dropped, so its bytes are the newer ones
            swapfast_protect(s.uffd, address, PAGE_SIZE, 0)
            swapfast_wake(s.uffd, address)
            self.o.state[page] = THERE | NEWER
        else:
            swapfast_wake(s.uffd, address)
