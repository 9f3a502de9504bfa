"""Faults of real programs, whoever decides which of their pages are there.

- ``Faults``: address spaces and their userfaultfds. ``serve()``: answer faults until something
  else is to be done. What a fault leads to is said by who is derived from it: `fault`.
- ``add``, ``remove``: an address space, by a number.
- ``copy_begins``, ``copy_ends``: while one of them is copied or changed, faults of its other
  threads wait.
"""

from cpython.exc cimport PyErr_CheckSignals
from libc.errno cimport EINTR, errno
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

from swapfast.shell.memory.drop cimport drop_all, registers_t, space_t

import os

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

cdef enum:
    OTHERS = 1           # tags of what is waited for, beside numbers of spaces
    FIRST_TAG = 16


cdef class Faults:
    """Address spaces whose faults come here.

    Attributes
    ----------
    epoll : int
        What `serve` waits for; ``watch`` adds to it.
    """

    def __cinit__(self):
        self.later, self.written = [], []
        self.o.vectored = 1
        self.epoll = epoll_create1(EPOLL_CLOEXEC)
        if self.epoll < 0:
            raise OSError(errno, os.strerror(errno))

    def __dealloc__(self):
        cdef uint32_t i
        for i in range(self.o.n):
            if self.o.spaces[i] != NULL:
                self.release(i)
        free(self.o.spaces)
        if self.epoll > 0:
            os.close(self.epoll)

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

    cpdef int fault(self, uint32_t mm, uint64_t address, uint64_t flags) except -1:
        """A program waits for a page.

        Parameters
        ----------
        mm : int
        address : int
        flags : int
            UFFD_PAGEFAULT_FLAG_*.
        """
        raise NotImplementedError("nobody decides which pages are there")

    def copy_begins(self, uint32_t mm, uint32_t thread):
        """A thread is about to copy or change its address space: faults of others have to wait."""
        self.copying, self.copier = mm + 1, thread
        self.later, self.written = [], []

    def copy_ends(self):
        """It has, or could not; the addresses that the thread wrote to meanwhile."""
        self.copying = 0
        later, self.later = self.later, []
        for mm, address, flags in later:
            self.fault(mm, address, flags)
        return self.written

    def settle(self):
        """What is to go is taken from the programs."""
        with nogil:
            drop_all(&self.o)
