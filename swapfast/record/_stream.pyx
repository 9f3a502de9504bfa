"""References on their way into a trace, compiled: read, numbered, merged, reduced, in one pass.

- ``Stream(window)``: takes entries, gives references.
- ``Arena(memory)``: the memory of a recorded process (arena.h), as entries for a stream.

An entry is the number of a page in an address space, shifted left by one; bit 0: it was written to.
"""

from libc.stdint cimport int32_t, uint32_t, uint64_t
from libc.string cimport memcmp

from swapfast.record.reduction cimport (
    WRITES, put_out, reduction_begin, reduction_end, reduction_free, reduction_page,
    reduction_put, reduction_t,
)
from swapfast.traces._numbered cimport copied
from swapfast.traces.pages cimport PAGES_OK, PAGES_TOO_MANY, pages_find, pages_free, pages_t

import numpy as np

cdef extern from "arena.h" nogil:
    enum:
        ARENA_BUFFERS
        ARENA_COMMAND
        ARENA_REFS
    const char *ARENA_MAGIC
    struct buffer:
        uint32_t n
        uint32_t filling
        uint64_t began
        uint64_t seen
        uint64_t open
        uint64_t *refs
    struct arena:
        char[8] magic
        int32_t pid
        int32_t parent
        uint64_t queued
        uint32_t fresh
        uint32_t lost_threads
        uint32_t lost_children
        uint32_t executing
        uint32_t closed
        uint64_t taken
        uint64_t freed
        uint32_t command_bytes
        char[ARENA_COMMAND] command
        uint32_t *queue
        uint32_t *free
        buffer *buffer
    void round_end(buffer *b)
    uint32_t load_32 "arena_load"(uint32_t *field)
    uint64_t load_64 "arena_load"(uint64_t *field)
    void store_32 "arena_store"(uint32_t *field, uint32_t value)
    void store_64 "arena_store"(uint64_t *field, uint64_t value)

cdef enum:
    FRONT = 1024         # pages that are found at once
    OK = 0
    NO_MEMORY = 1
    TOO_MANY = 2
    BROKEN = 3

cdef struct front_t:
    uint64_t page        # + 1
    uint64_t dense


cdef class Stream:
    """Entries in, references of a trace out.

    Parameters
    ----------
    window : int
        Leave out what no LRU memory of so many pages or more would miss; 0: nothing.
    first_writes : bool
        The first reference to each page writes.
    merge : bool
        Consecutive references to one page are one. Not for what was reduced already: references
        that are consecutive now were not, and policies that count on a second one would miss it.

    Attributes
    ----------
    seen : int
        References that the entries stand for, without those that say nothing new: to the page of
        the one before, and writing no more.
    """

    cdef pages_t table
    cdef reduction_t reduction
    cdef front_t[FRONT] front
    cdef bint first_writes
    cdef bint merge
    cdef uint32_t last       # reference that may still be merged with the next one
    cdef bint pending        # there is one
    cdef uint64_t changes    # of page, or from reading to writing
    cdef readonly uint64_t seen

    def __cinit__(self, uint64_t window=0, bint first_writes=False, bint merge=True):
        if window >= <uint64_t>1 << 31:
            raise ValueError(f"a window has less than 2**31 pages, not {window}")
        reduction_begin(&self.reduction, window)
        self.first_writes = first_writes
        self.merge = merge

    def __dealloc__(self):
        pages_free(&self.table)
        reduction_free(&self.reduction)

    @property
    def pages(self):
        """Different pages so far."""
        return self.table.count

    cdef inline int number(self, uint64_t page, uint32_t *dense, uint32_t *write) noexcept nogil:
        cdef front_t *front = &self.front[page & (FRONT - 1)]
        cdef uint64_t before = self.table.count
        cdef int status
        if front.page == page + 1:
            dense[0] = <uint32_t>front.dense
            return OK
        status = pages_find(&self.table, page, dense)
        if status != PAGES_OK:
            return TOO_MANY if status == PAGES_TOO_MANY else NO_MEMORY
        if self.table.count != before:
            if self.first_writes:
                write[0] = WRITES
            if self.reduction.window and not reduction_page(&self.reduction):
                return NO_MEMORY
        front.page = page + 1
        front.dense = dense[0]
        return OK

    cdef inline bint pass_on(self) noexcept nogil:
        # The reference that was kept back.
        if self.reduction.window:
            return reduction_put(&self.reduction, self.last & ~<uint32_t>WRITES,
                                 self.last & WRITES)
        return put_out(&self.reduction, self.last)

    cdef int take_in(self, const uint64_t *entries, uint64_t n) noexcept nogil:
        cdef uint64_t i, entry
        cdef uint32_t dense = 0, write
        cdef int status
        for i in range(n):
            entry = entries[i]
            write = WRITES if entry & 1 else 0
            status = self.number(entry >> 1, &dense, &write)
            if status != OK:
                return status
            if self.pending and self.merge and (self.last ^ dense) & ~<uint32_t>WRITES == 0:
                self.changes += write != 0 and not self.last & WRITES
                self.last |= write
                continue
            self.changes += 1
            if self.pending and not self.pass_on():
                return NO_MEMORY
            self.last = dense | write
            self.pending = True
        return OK

    def feed(self, const uint64_t[::1] entries not None):
        """Take entries.

        Raises
        ------
        MemoryError
        ValueError
            More than 2**31 - 1 different pages.
        """
        cdef int status = OK
        cdef uint64_t n = entries.shape[0], before = self.changes
        if n:
            with nogil:
                status = self.take_in(&entries[0], n)
        _check(status)
        self.seen += self.changes - before

    def finish(self):
        """All was taken: what was kept back is put out."""
        cdef bint done = True
        with nogil:
            if self.pending:
                done = self.pass_on()
            if done and self.reduction.window:
                done = reduction_end(&self.reduction)
        self.pending = False
        _check(OK if done else NO_MEMORY)

    def take(self):
        """References since the last call: a uint32 array."""
        result = copied(self.reduction.out, self.reduction.n, np.uint32)
        self.reduction.n = 0
        return result

    def addresses(self):
        """Page number in the address space of each page: a uint64 array."""
        return copied(self.table.pages, self.table.count, np.uint64)


cdef int _check(int status) except -1:
    if status == NO_MEMORY:
        raise MemoryError("no memory for the references of the trace")
    if status == TOO_MANY:
        raise ValueError("more than 2**31 - 1 different pages")
    if status == BROKEN:
        raise ValueError("the recorded process has written over its record")
    return 0


cdef class Arena:
    """The memory that a recorded process fills.

    Parameters
    ----------
    memory : buffer
        All of it, writable; held until `release`.

    Raises
    ------
    ValueError
        It is none, or of another version.
    """

    cdef object view
    cdef arena *a

    def __cinit__(self, memory not None):
        cdef unsigned char[::1] view = memory
        if view.shape[0] != sizeof(arena) or memcmp(&view[0], ARENA_MAGIC, 8) != 0:
            raise ValueError("not the record of a process")
        self.view = view
        self.a = <arena *>&view[0]

    @property
    def pid(self):
        """Number of the process, as it sees it."""
        return self.a.pid

    @property
    def command(self):
        """The program and its arguments, or the first of them: bytes."""
        size = min(self.a.command_bytes, ARENA_COMMAND)
        return (<const char *>self.a.command)[:size].removesuffix(b"\0").split(b"\0")

    @property
    def executing(self):
        """It is in an execve(2): if it is not there any more, another program is."""
        return bool(load_32(&self.a.executing))

    @property
    def lost(self):
        """Threads and children of it that could not be recorded."""
        return load_32(&self.a.lost_threads) + load_32(&self.a.lost_children)

    cdef int one(self, Stream stream, uint32_t number) noexcept nogil:
        cdef buffer *b
        cdef int status
        cdef uint64_t freed = self.a.freed
        if number >= ARENA_BUFFERS or self.a.buffer[number].n > ARENA_REFS:
            return BROKEN
        b = &self.a.buffer[number]
        status = stream.take_in(b.refs, b.n)
        stream.seen += b.seen
        b.n = 0
        b.seen = 0
        b.filling = 0
        self.a.free[freed % ARENA_BUFFERS] = number
        store_64(&self.a.freed, freed + 1)
        return status

    cdef int handed_over(self, Stream stream, uint64_t *read) noexcept nogil:
        cdef uint64_t taken = self.a.taken, queued = load_64(&self.a.queued)
        cdef int status = OK
        if queued - taken > ARENA_BUFFERS:
            return BROKEN
        while taken < queued and status == OK:
            status = self.one(stream, self.a.queue[taken % ARENA_BUFFERS])
            taken += 1
            read[0] += 1
        store_64(&self.a.taken, taken)
        return status

    def drain(self, Stream stream not None):
        """Give a stream what was handed over; how many buffers that were."""
        cdef uint64_t read = 0
        cdef int status
        with nogil:
            status = self.handed_over(stream, &read)
        _check(status)
        return read

    def drain_all(self, Stream stream not None):
        """The process is gone: also what its threads had not handed over, oldest buffers first."""
        cdef uint32_t number, fresh = load_32(&self.a.fresh)
        self.drain(stream)
        if fresh > ARENA_BUFFERS:
            _check(BROKEN)
        left = sorted((self.a.buffer[number].began, number) for number in range(fresh)
                      if self.a.buffer[number].filling)
        for _, number in left:
            round_end(&self.a.buffer[number])
            _check(self.one(stream, number))

    def close(self):
        """Nobody reads any more: the process goes on without being recorded."""
        store_32(&self.a.closed, 1)

    def release(self):
        """The memory may be unmapped: it is not used any more."""
        self.view = None
        self.a = NULL
