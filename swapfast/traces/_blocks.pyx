"""Requests to disks, as tables without a header.

- ``BlockParser``: which column is what is fixed by the name of the preset.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memchr

from swapfast.traces._lines cimport Lines, begins, decimal, past_blanks, trimmed
from swapfast.traces._numbered cimport E_FORM, E_MEMORY, E_OWN, E_SPACES, PAGE_SHIFT, SKIP
from swapfast.traces.pages cimport PAGES_OK, pages_find, pages_free, pages_t

from swapfast.traces._lines import LINE_CAUSES

cdef enum:
    E_NUMBER = E_OWN
    E_OP
    E_RANGE
    E_REQUEST

    SPACE_SHIFT = 40         # pages of a volume: 4 PiB of them
    SPACES_MOST = 1 << 24
    COLUMNS_MOST = 8
    REQUEST_MOST = 1 << 26   # bytes of a request

    # columns
    B_IGNORED = 0
    B_VOLUME = 1             # a text; several of them together name it
    B_OP = 2                 # R or W, Read or Write
    B_WRITE = 3              # 0 or 1
    B_OFFSET = 4
    B_SIZE = 5

CAUSES = LINE_CAUSES | {
    E_FORM: "has not the columns of this format",
    E_NUMBER: "an offset or a size is no number",
    E_OP: "the operation is no read and no write",
    E_RANGE: "the offset is beyond 4 PiB",
    E_REQUEST: f"the request has more than {REQUEST_MOST} bytes",
    E_SPACES: "more than 2**24 volumes",
}
KINDS = {
    "volume": B_VOLUME, "op": B_OP, "write": B_WRITE, "offset": B_OFFSET, "size": B_SIZE,
}


cdef class BlockParser(Lines):
    """Parse requests.

    Parameters
    ----------
    columns : sequence of str
        "volume", "op", "write", "offset", "size", or another name for what does not matter.
    unit : int
        Bytes of one in an offset or a size.
    collapse : bool

    Each volume has pages of its own. A first line whose offset is no number is a header.
    """

    cdef uint32_t kinds[COLUMNS_MOST]
    cdef uint32_t columns
    cdef uint64_t unit
    cdef pages_t volumes     # by the hash of their names
    cdef uint64_t volume

    def __init__(self, columns, uint64_t unit=1, bint collapse=False):
        self.causes = CAUSES
        self.columns = len(columns)
        if not 0 < self.columns <= COLUMNS_MOST:
            raise ValueError(f"1 to {COLUMNS_MOST} columns, not {len(columns)}")
        for i, name in enumerate(columns):
            self.kinds[i] = KINDS.get(name, B_IGNORED)
        self.unit = unit
        self.collapse = collapse

    def __dealloc__(self):
        pages_free(&self.volumes)

    cdef int request(self, uint64_t volume, uint64_t offset, uint64_t size,
                     bint write) noexcept nogil:
        cdef uint32_t number = 0
        cdef uint64_t page
        if size > REQUEST_MOST // self.unit:
            return E_REQUEST
        if offset >= (<uint64_t>1 << (SPACE_SHIFT + PAGE_SHIFT)) // self.unit:
            return E_RANGE
        if volume != self.volume or self.volumes.count == 0:
            if pages_find(&self.volumes, volume, &number) != PAGES_OK:
                return E_MEMORY
            if number >= SPACES_MOST:
                return E_SPACES
            self.volume = volume
            self.space = <uint64_t>number << SPACE_SHIFT
        if size == 0:
            return SKIP
        offset *= self.unit
        page = offset >> PAGE_SHIFT
        offset += size * self.unit - 1
        return self.span(page, (offset >> PAGE_SHIFT) - page + 1, write)

    cdef int parse(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
        cdef const uint8_t *stop
        cdef const uint8_t *past
        cdef uint64_t offset = 0, size = 0, flag = 0, volume = 0xcbf29ce484222325
        cdef uint32_t i, kind
        cdef bint write = False
        end = trimmed(p, end)
        if past_blanks(p, end) == end:
            return SKIP
        for i in range(self.columns):
            stop = <const uint8_t *>memchr(p, 44, end - p) if p < end else NULL
            if (stop == NULL) != (i + 1 == self.columns):
                return E_FORM
            if stop == NULL:
                stop = end
            kind = self.kinds[i]
            if kind == B_VOLUME:
                while p <= stop:                        # FNV-1a, with the comma or end as 0
                    flag = p[0] if p < stop else 0
                    volume = (volume ^ flag) * <uint64_t>0x100000001b3
                    p += 1
                volume -= volume == ~<uint64_t>0
            elif kind == B_OP:
                flag = p[0] | 32 if p < stop else 0
                write = flag == 119
                if flag != 114 and not write:
                    return SKIP if self.line == 1 else E_OP
                if stop - p > 1 and not (
                    begins(p + 1, stop, b"rite", 4) if write else begins(p + 1, stop, b"ead", 3)
                ):
                    return E_OP
            elif kind != B_IGNORED:
                past = decimal(p, stop, &flag)
                if past != stop:
                    return SKIP if self.line == 1 else E_NUMBER
                if kind == B_OFFSET:
                    offset = flag
                elif kind == B_SIZE:
                    size = flag
                elif flag > 1:
                    return E_OP
                else:
                    write = flag == 1
            p = stop + 1
        return self.request(volume, offset, size, write)
