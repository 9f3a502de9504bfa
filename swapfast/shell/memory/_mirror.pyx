"""Page tables of real programs, kept as those of the simulated machine are.

A page is *there* only while the simulated page-table entry maps it, and can be written only while
that is dirty and writable. So whatever the simulated machine would not see as a hit is a real
fault, which comes here by a userfaultfd. Bytes are in the program while a page is there, and in the
simulated machine otherwise.

- ``Mirror(core)``: all of them; hears of pages that are evicted, or looked at (away.pxd).
- ``add``, ``remove``: an address space by the number of its simulated mm; ``window``: a piece of
  it.
- ``serve()``: answer faults until something else is to be done. ``fault``: one of them.

What munmap, mremap and fork do is in `_moves`.
"""

from cpython.exc cimport PyErr_CheckSignals
from libc.errno cimport EEXIST, EINTR, errno
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

from swapfast._core cimport Core
from swapfast.mm.frames cimport frame_at
from swapfast.mm.rmap cimport home_of
from swapfast.mm.types cimport core_t, lazy_map, lazy_unmap, mapping_t
from swapfast.mm.words cimport PAGE_SHIFT, PAGE_SIZE, PTE_DIRTY, PTE_WRITABLE, PTE_ZERO
from swapfast.shell.memory.away cimport (
    NEWER, PROTECTED, SHIFT, THERE, drop_all, registers_t, space_t, swapfast_protect, take_away,
    window_t,
)

import os
from array import array

from swapfast import _core

cdef extern from "swapfast/shell/memory/tracee.h" nogil:
    ctypedef struct pagefault_t "struct uffd_msg":
        uint8_t event
        uint64_t flags "arg.pagefault.flags"
        uint64_t address "arg.pagefault.address"
        uint32_t thread "arg.pagefault.feat.ptid"
    ctypedef union tag_t "epoll_data_t":
        uint64_t u64
    ctypedef struct ready_t "struct epoll_event":
        uint32_t events
        tag_t data
    enum: UFFD_EVENT_PAGEFAULT, UFFD_PAGEFAULT_FLAG_WRITE, UFFD_PAGEFAULT_FLAG_WP
    enum: EPOLLIN, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CLOEXEC
    int epoll_create1(int flags)
    int epoll_ctl(int ep, int op, int fd, ready_t *event)
    int epoll_wait(int ep, ready_t *events, int n, int milliseconds)
    ssize_t c_read "read"(int fd, void *into, size_t size)
    int swapfast_registers(int pid, registers_t *r)
    int swapfast_give(int uffd, uint64_t at, const void *data, int protect)
    int swapfast_wake(int uffd, uint64_t at)

cdef enum:
    OTHERS = 1           # tags of what is waited for, beside numbers of spaces
    FIRST_TAG = 16
    LOOK_EVERY = 256     # faults between two looks at the swapfiles

WINDOW_SHIFT = SHIFT


cdef class Mirror:
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

    Attributes
    ----------
    epoll : int
        What `serve` waits for; ``watch`` adds to it.
    """

    def __cinit__(self, Core core not None, uint64_t scratch, window, shortage, look):
        self.core, self.make_window, self.shortage, self.look = core, window, shortage, look
        self.reference = array("I", [0])
        self.ref = self.reference
        self.later, self.written = [], []
        self.o.scratch, self.o.vectored = scratch, 1
        self.epoll = epoll_create1(EPOLL_CLOEXEC)
        self.zeroes = <uint8_t *>calloc(1, PAGE_SIZE)
        if self.epoll < 0 or self.zeroes == NULL:
            raise OSError(errno, os.strerror(errno))
        self.reserve()
        core.c.hooks.outside = &self.o
        core.c.hooks.take_away = take_away

    def __dealloc__(self):
        cdef uint32_t i
        if self.core is not None:
            self.core.c.hooks.take_away = NULL
            self.core.c.hooks.outside = NULL
        for i in range(self.o.n):
            if self.o.spaces[i] != NULL:
                self.release(i)
        free(self.o.spaces)
        free(self.zeroes)
        lazy_unmap(self.o.state, self.o.room)
        if self.epoll > 0:
            os.close(self.epoll)

    cdef int reserve(self) except -1:
        # State for all pages that the machine may have; memory is used where it is written.
        cdef uint64_t most = <uint64_t>1 << 31
        if self.o.state == NULL:
            self.o.state = <uint8_t *>lazy_map(most)
            if self.o.state == NULL:
                raise MemoryError("no room for the state of pages")
            self.o.room = most
        return 0

    cdef space_t *space(self, uint32_t mm) except NULL:
        if mm >= self.o.n or self.o.spaces[mm] == NULL:
            raise KeyError(mm)
        return self.o.spaces[mm]

    cdef void release(self, uint32_t mm):
        cdef space_t *s = self.o.spaces[mm]
        cdef space_t **at = &self.o.waiting
        while at[0] != NULL and at[0] != s:
            at = &at[0].waits
        if at[0] == s:
            at[0] = s.waits
        if self.o.quiet == s:
            self.o.quiet = NULL
        free(s.windows)
        free(s)
        self.o.spaces[mm] = NULL

    # address spaces

    def watch(self, int fd):
        """Let `serve` return where this descriptor is ready."""
        cdef ready_t event
        event.events, event.data.u64 = EPOLLIN, OTHERS
        if epoll_ctl(self.epoll, EPOLL_CTL_ADD, fd, &event):
            raise OSError(errno, os.strerror(errno))

    def add(self, uint32_t mm, int uffd, int memory, int pid, int twin):
        """A new address space, without windows yet.

        Parameters
        ----------
        mm : int
            The number of its simulated one.
        uffd, memory : int
            Its userfaultfd and /proc/PID/mem; they stay the caller's.
        pid, twin : int
            The process, and the one that makes calls in its memory.
        """
        cdef space_t *s
        cdef ready_t event
        cdef void *more
        if mm >= self.o.n:
            more = realloc(self.o.spaces, (mm + 64) * sizeof(space_t *))
            if more == NULL:
                raise MemoryError("no room for one address space more")
            self.o.spaces = <space_t **>more
            memset(&self.o.spaces[self.o.n], 0, (mm + 64 - self.o.n) * sizeof(space_t *))
            self.o.n = mm + 64
        if self.o.spaces[mm] != NULL:
            raise ValueError(f"mm {mm} is somebody's")
        s = <space_t *>calloc(1, sizeof(space_t))
        if s == NULL:
            raise MemoryError("no room for one address space more")
        s.mm, s.uffd, s.memory, s.pid, s.twin, s.members = mm, uffd, memory, pid, twin, 1
        event.events, event.data.u64 = EPOLLIN, FIRST_TAG + mm
        if swapfast_registers(twin, &s.registers) or epoll_ctl(self.epoll, EPOLL_CTL_ADD, uffd,
                                                               &event):
            free(s)
            raise OSError(errno, os.strerror(errno))
        self.o.spaces[mm] = s

    def remove(self, uint32_t mm):
        """It is no more; harmless where that is so already."""
        cdef ready_t event
        if mm < self.o.n and self.o.spaces[mm] != NULL:
            epoll_ctl(self.epoll, EPOLL_CTL_DEL, self.o.spaces[mm].uffd, &event)
            self.release(mm)

    def members(self, uint32_t mm, uint32_t n):
        """How many threads it has."""
        self.space(mm).members = n

    def lose(self, uint32_t mm):
        """Its twin is gone: nothing can be taken from it any more."""
        self.space(mm).lost = True

    def is_lost(self, uint32_t mm):
        """Whether its twin is gone."""
        return bool(self.space(mm).lost)

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

    # faults

    def serve(self, int milliseconds=-1):
        """Answer faults until a descriptor of `watch` is ready; True then, False: time is over."""
        cdef ready_t events[16]
        cdef int n, i
        cdef bint other = False
        drop_all(&self.o)
        while True:
            with nogil:
                n = epoll_wait(self.epoll, events, 16, milliseconds)
            if n < 0:
                if errno != EINTR:
                    raise OSError(errno, os.strerror(errno), "epoll")
                PyErr_CheckSignals()
                continue
            for i in range(n):
                if events[i].data.u64 == OTHERS:
                    other = True
                else:
                    self.messages(<uint32_t>(events[i].data.u64 - FIRST_TAG))
            if other or n == 0:
                return other

    def serve_only(self, uint32_t mm):
        """Answer what faults of one address space are there."""
        self.messages(mm)

    cdef int messages(self, uint32_t mm) except -1:
        cdef pagefault_t said[16]
        cdef ssize_t got
        cdef int i, n
        if mm >= self.o.n or self.o.spaces[mm] == NULL:
            return 0
        got = c_read(self.o.spaces[mm].uffd, said, sizeof(said))
        n = <int>(got // <ssize_t>sizeof(pagefault_t)) if got > 0 else 0
        for i in range(n):
            if said[i].event != UFFD_EVENT_PAGEFAULT:
                continue
            if self.copying and self.copying == mm + 1:
                if self.copier and said[i].thread != self.copier:
                    self.later.append((mm, said[i].address, said[i].flags))
                    continue
                if said[i].flags & (UFFD_PAGEFAULT_FLAG_WP | UFFD_PAGEFAULT_FLAG_WRITE):
                    self.written.append(said[i].address)
            self.fault(mm, said[i].address, said[i].flags)
        return 0

    def fault(self, uint32_t mm, uint64_t address, uint64_t flags):
        """A program waits for a page.

        Parameters
        ----------
        mm : int
        address : int
        flags : int
            UFFD_PAGEFAULT_FLAG_*.
        """
        cdef core_t *c = &self.core.c
        cdef space_t *s
        cdef window_t *w
        cdef uint32_t page, offset, mapping
        cdef bint write = flags & (UFFD_PAGEFAULT_FLAG_WRITE | UFFD_PAGEFAULT_FLAG_WP) != 0
        cdef uint64_t number = address >> PAGE_SHIFT, majors, begin
        if mm >= self.o.n or self.o.spaces[mm] == NULL:
            return
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
            return
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
                return
        self.answer(s, page, address, write)
        self.until_look += 1
        if self.until_look == LOOK_EVERY:
            self.until_look = 0
            self.look()

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

    def settle(self):
        """What was evicted is taken from the programs."""
        with nogil:
            drop_all(&self.o)
