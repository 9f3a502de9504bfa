"""Traces of binary records, without a Python object a record.

- ``Records``: takes chunks of bytes wherever they are cut; a reader is a subclass of it.
- ``Instructions``: ChampSim's. ``Objects``: libCacheSim's. ``Requests``: vscsi's. ``Entries``:
  DynamoRIO's.
- ``BrokenRecord``: number, place and cause.
"""

cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from swapfast.traces._numbered cimport (
    E_MEMORY, E_OWN, E_SIZE, NO_PAGE, OK, PAGE_SHIFT, SKIP, Numbered,
)

from swapfast.traces.pages cimport pages_hint

from swapfast.traces._numbered import COMMON

cdef enum:
    E_CUT = E_OWN
    E_BRANCH
    E_OBJECT
    E_SECTOR
    E_REQUEST
    E_VERSION
    E_PROCESS
    E_ENTRY

    RECORD_MOST = 128        # bytes
    AHEAD = 16               # records whose pages are looked up beforehand: the table is large
    SECTOR_SHIFT = 9
    SECTORS_MOST = 1 << 17   # of a request, 64 MiB

    # what an operation on an object is: a read if nothing else
    O_WRITES = 1
    O_REMOVES = 2

    # types of DynamoRIO's entries
    D_READ = 0
    D_WRITE = 1
    D_FETCH = 10             # to 16; 30, 31, 48 and 49 are fetches too
    D_FETCH_LAST = 16
    D_PID = 24
    D_MARKER = 28
    D_LAST = 49
    D_FILETYPE = 9           # of a marker
    D_FILTERED = 0x181       # bits of a file's type

CAUSES = COMMON | {
    E_SIZE: "an access goes beyond the address space",
    E_ENTRY: f"an entry of a type above {D_LAST}",
    E_CUT: "the file ends inside a record",
    E_BRANCH: "is_branch and branch_taken are 0 or 1, and only a branch is taken",
    E_OBJECT: "an object has the number 2**64 - 1",
    E_SECTOR: "the block number is beyond the address space",
    E_REQUEST: f"the request has more than {SECTORS_MOST >> 11} MiB",
    E_PROCESS: "another process, which has an address space of its own",
    E_VERSION: "the version is not that of the records before",
}


class BrokenRecord(ValueError):
    """A record that cannot be read.

    Attributes
    ----------
    record, byte : int
        From 0.
    cause : str
    """

    def __init__(self, record, byte, cause):
        super().__init__(f"record {record}: {cause}")
        self.record = record
        self.byte = byte
        self.cause = cause


cdef class Records(Numbered):
    """Cuts chunks into records of one size; a subclass takes one."""

    cdef uint8_t carry[RECORD_MOST]
    cdef size_t carried
    cdef size_t size         # bytes of a record
    cdef readonly uint64_t record

    def __cinit__(self, *args, **kwargs):
        self.causes = CAUSES

    cdef int whole(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
        # Some whole records; `record` is the one that it stopped at.
        return OK

    cdef int chunk(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
        cdef size_t more, rest
        cdef int status = OK
        if self.carried:
            more = min(<size_t>(end - p), self.size - self.carried)
            memcpy(&self.carry[0] + self.carried, p, more)
            self.carried += more
            p += more
            if self.carried < self.size:
                return OK
            self.carried = 0
            status = self.whole(&self.carry[0], &self.carry[0] + self.size)
        if status <= SKIP:
            rest = <size_t>(end - p) % self.size
            status = self.whole(p, end - rest)
            memcpy(&self.carry[0], end - rest, rest)
            self.carried = rest
        return status

    def finish(self):
        """The file has ended."""
        if self.carried:
            self.fail(E_CUT)

    cdef fail(self, int status):
        if status == E_MEMORY:
            raise MemoryError(f"record {self.record}: no memory for {self.out.n} references")
        cause = self.causes[status]
        raise BrokenRecord(self.record, self.record * self.size, cause)


cdef inline uint16_t at16(const uint8_t *p) noexcept nogil:
    cdef uint16_t x
    memcpy(&x, p, 2)
    return x


cdef inline uint32_t at32(const uint8_t *p) noexcept nogil:
    cdef uint32_t x
    memcpy(&x, p, 4)
    return x


cdef inline uint64_t at64(const uint8_t *p) noexcept nogil:
    cdef uint64_t x
    memcpy(&x, p, 8)
    return x


@cython.final
cdef class Instructions(Records):
    """ChampSim's x86 trace: 64 bytes an instruction.

    ip, is_branch, branch_taken, 2 + 4 registers, the addresses of 2 destinations and of 4 sources
    in memory; 0 is none. An instruction reads before it writes.

    Parameters
    ----------
    instructions : bool
        The fetch of each, too.
    collapse : bool
    """

    cdef bint instructions

    def __init__(self, bint instructions=False, bint collapse=False):
        self.size = 64
        self.instructions = instructions
        self.collapse = collapse

    cdef inline int operands(self, const uint8_t *p, int n, bint write) noexcept nogil:
        cdef uint64_t address
        cdef int i, status
        for i in range(n):
            address = at64(p + 8 * i)
            if address:
                status = self.span(address >> PAGE_SHIFT, 1, write)
                if status != OK:
                    return status
        return OK

    cdef int whole(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
        cdef uint64_t address
        cdef int status
        while p < end:
            if end - p > 64 * AHEAD:
                address = at64(p + 64 * AHEAD + 32)
                if address:
                    pages_hint(&self.table, address >> PAGE_SHIFT)
            if p[8] > 1 or p[9] > p[8]:
                return E_BRANCH
            if self.instructions:
                status = self.span(at64(p) >> PAGE_SHIFT, 1, False)
                if status != OK:
                    return status
            status = self.operands(p + 32, 4, False)
            if status == OK:
                status = self.operands(p + 16, 2, True)
            if status != OK:
                return status
            self.record += 1
            p += 64
        return OK


cdef class Objects(Records):
    """libCacheSim's records: an object is a page, whatever its size.

    Parameters
    ----------
    size : int
        Bytes of a record, with the number of the object from byte 4 on.
    op : int
        Byte of its operation; 0: there is none. Deletions are passed over.
    collapse : bool
    """

    cdef size_t op
    cdef uint8_t kinds[256]

    def __init__(self, size_t size, size_t op=0, bint collapse=False):
        if not 16 <= size <= RECORD_MOST or op >= size:
            raise ValueError(f"16 to {RECORD_MOST} bytes, not {size}")
        self.size = size
        self.op = op
        self.collapse = collapse
        # set add cas replace append prepend incr decr write update; delete
        for i in (3, 4, 5, 6, 7, 8, 10, 11, 13, 14):
            self.kinds[i] = O_WRITES
        self.kinds[9] = O_REMOVES

    cdef int whole(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
        cdef uint64_t number
        cdef uint8_t kind = 0
        cdef int status
        while p < end:
            if <size_t>(end - p) > AHEAD * self.size:
                pages_hint(&self.table, at64(p + AHEAD * self.size + 4))
            number = at64(p + 4)
            if self.op:
                kind = self.kinds[p[self.op]]
            if number == NO_PAGE:
                return E_OBJECT
            if kind != O_REMOVES:
                status = self.span(number, 1, kind == O_WRITES)
                if status != OK:
                    return status
            self.record += 1
            p += self.size
        return OK


cdef class Requests(Records):
    """vscsi's records of version 1 (32 bytes) or 2 (40): SCSI commands of a virtual disk.

    Commands that neither read nor write are passed over.
    """

    cdef uint8_t version

    def __init__(self, int version, bint collapse=False):
        if version not in (1, 2):
            raise ValueError(f"version 1 or 2, not {version}")
        self.version = version
        self.size = 32 if version == 1 else 40
        self.collapse = collapse

    cdef int whole(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
        # 1: sn len nSG cmd ver lbn time; 2: cmd ver sn len nSG lbn time response
        cdef size_t command = 12 if self.version == 1 else 0
        cdef size_t length = 4 if self.version == 1 else 8
        cdef uint64_t block, sectors, page
        cdef uint8_t op
        cdef int status
        while p < end:
            if <size_t>(end - p) > AHEAD * self.size:
                block = at64(p + AHEAD * self.size + 16)
                pages_hint(&self.table, block >> (PAGE_SHIFT - SECTOR_SHIFT))
            if at16(p + command + 2) >> 8 != self.version:
                return E_VERSION
            op = p[command]
            # READ and WRITE of 6, 10, 12 or 16 bytes: 08 28 a8 88, 0a 2a aa 8a
            if op & 0x5d == 0x08:
                block = at64(p + 16)
                sectors = (<uint64_t>at32(p + length) + 511) >> SECTOR_SHIFT
                if sectors > SECTORS_MOST:
                    return E_REQUEST
                if block >> (64 - SECTOR_SHIFT):
                    return E_SECTOR
                if sectors:
                    page = block >> (PAGE_SHIFT - SECTOR_SHIFT)
                    sectors = ((block + sectors - 1) >> (PAGE_SHIFT - SECTOR_SHIFT)) - page + 1
                    status = self.span(page, sectors, op & 0x02 != 0)
                    if status != OK:
                        return status
            self.record += 1
            p += self.size
        return OK


cdef class Entries(Records):
    """DynamoRIO's trace_entry_t of 64-bit programs: type, size and address in 12 bytes.

    Parameters
    ----------
    instructions : bool
        Fetches, too.
    collapse : bool

    Attributes
    ----------
    filtered : bool
        A marker said that accesses were filtered by a cache.
    """

    cdef bint instructions
    cdef readonly bint filtered
    cdef bint named
    cdef uint64_t pid

    def __init__(self, bint instructions=False, bint collapse=False):
        self.size = 12
        self.instructions = instructions
        self.collapse = collapse

    cdef inline int other(self, uint16_t kind, uint16_t part, uint64_t value) noexcept nogil:
        if kind > D_LAST:
            return E_ENTRY
        if kind == D_PID:
            if self.named and value != self.pid:
                return E_PROCESS
            self.named = True
            self.pid = value
        elif kind == D_MARKER and part == D_FILETYPE and value & D_FILTERED:
            self.filtered = True
        return OK

    cdef int whole(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
        cdef uint16_t kind, size
        cdef int status
        cdef bint fetch
        while p < end:
            kind = at16(p)
            size = at16(p + 2)
            fetch = D_FETCH <= kind <= D_FETCH_LAST or kind == 30 or kind == 31 or 48 <= kind <= 49
            if kind <= D_WRITE or (fetch and self.instructions):
                status = self.touch(at64(p + 4), size, kind == D_WRITE) if size else OK
            else:
                status = self.other(kind, size, at64(p + 4))
            if status != OK:
                return status
            self.record += 1
            p += 12
        return OK
