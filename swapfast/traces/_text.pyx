"""Text traces, line by line, without a Python object a line.

- ``LackeyParser``: logs of ``valgrind --tool=lackey --trace-mem=yes``, of one process.
- ``CsvParser``: columns named in a header line, with any separator of one character.

Both take chunks of bytes wherever they are cut, number pages in the order of their first touch, and
stop at the first line that is none: ``BrokenLine`` has its number, its text and the cause.
"""

from libc.stdint cimport int8_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memchr, memcmp, memcpy, memset

from swapfast.traces.pages cimport (
    PAGES_OK, PAGES_TOO_MANY, more_room, pages_find, pages_free, pages_t,
)

import numpy as np

cdef enum:
    OK = 0
    SKIP = 1             # not a reference: a banner, an empty line
    E_FORM = 2
    E_ADDRESS = 3
    E_SIZE = 4
    E_PAGES = 5
    E_LONG = 6
    E_MEMORY = 7
    E_FIELDS = 8
    E_NUMBER = 9
    E_WRITE = 10
    E_OP = 11
    E_RANGE = 12
    E_PIDS = 13
    E_JUMBLED = 14
    E_AGAIN = 15
    E_WHOSE = 16
    E_QUOTES = 17

    LINE_MOST = 4096     # bytes of a line
    TEXT_MOST = 80       # bytes of it in an error
    SIZE_MOST = 1 << 20  # bytes of an access
    PAGE_SHIFT = 12
    COLUMNS_MOST = 16

    # columns of a CSV
    C_IGNORED = 0
    C_PAGE = 1
    C_ADDRESS = 2
    C_WRITE = 3
    C_OP = 4
    C_SIZE = 5

cdef extern from *:
    """
    static const uint32_t WRITE_BIT = 0x80000000u;
    static const uint32_t NO_REF = 0xffffffffu; /* 2**31 - 1 is no page: there are not as many */
    static const uint64_t NO_PAGE = ~(uint64_t)0;
    static const uint64_t NO_PID = ~(uint64_t)0;
    #define FIRST_LINE "Lackey, an example Valgrind tool"
    static const uint64_t TENTH = ~(uint64_t)0 / 10; /* 2**64 - 1 is ten times this and 5 */
    """
    const uint32_t WRITE_BIT
    const uint32_t NO_REF
    const uint64_t NO_PAGE
    const uint64_t NO_PID
    const char *FIRST_LINE
    const uint64_t TENTH

CAUSES = {
    E_FORM: "is not 'I  addr,size' or ' L addr,size' with L, S or M",
    E_ADDRESS: "the address is not 1 to 16 hexadecimal digits before a comma",
    E_SIZE: f"the size is not 1 to {SIZE_MOST} bytes inside the address space",
    E_PAGES: "more than 2**31 - 1 different pages",
    E_LONG: f"the line has more than {LINE_MOST} bytes",
    E_MEMORY: "out of memory",
    E_FIELDS: "has not as many fields as the header",
    E_NUMBER: "a page, address or size is not a number (decimal, or 0x and hexadecimal)",
    E_WRITE: "write is not 0 or 1",
    E_OP: "op is not one of R, W, L, S, M, I",
    E_RANGE: "a number is too large: pages are below 2**52, all others below 2**64",
    E_PIDS: "a line of another process",
    E_JUMBLED: "a line of another process among those of one",
    E_AGAIN: "the log of another program begins here, under the same process number",
    E_WHOSE: "a reference before the first line that names its process",
    E_QUOTES: "a quoted field does not end where the field does",
}
NO_FORM = CAUSES[E_FORM], CAUSES[E_ADDRESS]
OTHER_PROCESS = CAUSES[E_PIDS], CAUSES[E_JUMBLED]


class BrokenLine(ValueError):
    """A line that cannot be read.

    Attributes
    ----------
    line : int
        From 1.
    cause, text : str
    """

    def __init__(self, line, cause, text):
        super().__init__(f"line {line}: {cause}: {text!r}")
        self.line = line
        self.cause = cause
        self.text = text


cdef struct out_t:
    uint32_t *refs
    uint64_t n
    uint64_t cap
    uint32_t last        # reference before the next one, also of a chunk that was taken


cdef inline int emit(out_t *o, uint32_t ref, bint collapse) noexcept nogil:
    if collapse and (o.last ^ ref) & ~WRITE_BIT == 0 and (o.last & WRITE_BIT or ref == o.last):
        return OK
    if o.n == o.cap and not more_room(<void **>&o.refs, &o.cap, 65536, 4):
        return E_MEMORY
    o.refs[o.n] = ref
    o.n += 1
    o.last = ref
    return OK


cdef inline const uint8_t *trimmed(const uint8_t *p, const uint8_t *end) noexcept nogil:
    # Without the carriage return of a line that ends as DOS lines do.
    return end - 1 if end > p and (end - 1)[0] == 13 else end


cdef class _Lines:
    """Cuts chunks into lines and keeps what both parsers share; a subclass parses one line."""

    cdef pages_t table
    cdef out_t out
    cdef uint8_t carry[LINE_MOST + 1]  # the line that the last chunk began
    cdef size_t carried
    cdef bint skipping       # inside a banner longer than the carry; it is counted already
    cdef const uint8_t *bad  # the broken line
    cdef const uint8_t *bad_end
    cdef bint collapse
    cdef readonly uint64_t line
    cdef uint64_t last_page
    cdef uint32_t last_dense

    def __cinit__(self, *args, **kwargs):
        self.last_page = NO_PAGE
        self.out.last = NO_REF

    def __dealloc__(self):
        pages_free(&self.table)
        free(self.out.refs)

    @property
    def pages(self):
        """Different pages so far."""
        return self.table.count

    cdef int parse(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
        return E_FORM

    cdef inline int touch(self, uint64_t address, uint64_t size, bint write) noexcept nogil:
        cdef uint64_t page = address >> PAGE_SHIFT, last
        cdef int status
        if size == 0 or size > SIZE_MOST or address + (size - 1) < address:
            return E_SIZE
        last = (address + size - 1) >> PAGE_SHIFT
        while page <= last:
            if page != self.last_page:
                status = pages_find(&self.table, page, &self.last_dense)
                if status != PAGES_OK:
                    return E_PAGES if status == PAGES_TOO_MANY else E_MEMORY
                self.last_page = page
            status = emit(&self.out, self.last_dense | (WRITE_BIT if write else 0), self.collapse)
            if status != OK:
                return status
            page += 1
        return OK

    cdef int overlong(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
        # A line of which only the first LINE_MOST bytes are known.
        return E_LONG

    cdef inline int one(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
        # A line, whole unless it is too long anyway.
        cdef int status
        self.line += 1
        if end - p > LINE_MOST:
            status = self.overlong(p, p + LINE_MOST + 1)
        else:
            status = self.parse(p, end)
        if status > SKIP:
            self.bad = p
            self.bad_end = end
        return status

    cdef int keep(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
        # Part of a line. One byte more than a line may have is enough to refuse or to skip it.
        cdef size_t rest = min(<size_t>(end - p), LINE_MOST + 1 - self.carried)
        cdef int status
        memcpy(&self.carry[0] + self.carried, p, rest)
        self.carried += rest
        if self.carried <= LINE_MOST:
            return OK
        status = self.one(&self.carry[0], &self.carry[0] + self.carried)
        self.carried = 0
        self.skipping = status == SKIP
        return status

    cdef int lines(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
        cdef const uint8_t *stop
        cdef int status
        while p < end:
            stop = <const uint8_t *>memchr(p, 10, end - p)
            if stop == NULL:
                return OK if self.skipping else self.keep(p, end)
            if not self.carried and not self.skipping:
                status = self.one(p, stop)
            else:
                status = OK if self.skipping else self.keep(p, stop)
                if self.carried and status <= SKIP:
                    status = self.one(&self.carry[0], &self.carry[0] + self.carried)
                self.carried = 0
                self.skipping = False
            if status > SKIP:
                return status
            p = stop + 1
        return OK

    def feed(self, const uint8_t[::1] chunk not None):
        """Parse the next bytes of the file.

        Raises
        ------
        BrokenLine
        """
        cdef const uint8_t *p
        cdef int status
        if chunk.shape[0] == 0:
            return
        p = &chunk[0]
        with nogil:
            status = self.lines(p, p + chunk.shape[0])
        if status > SKIP:
            self.fail(status)

    def finish(self):
        """The file has ended; its last line may lack a newline."""
        cdef int status = OK
        if self.carried:
            status = self.one(&self.carry[0], &self.carry[0] + self.carried)
        self.carried = 0
        self.skipping = False
        if status > SKIP:
            self.fail(status)

    cdef fail(self, int status):
        if status == E_MEMORY:
            raise MemoryError(f"line {self.line}: no memory for {self.out.n} references")
        text = (<const char *>self.bad)[:min(self.bad_end - self.bad, TEXT_MOST)].decode("latin-1")
        raise BrokenLine(self.line, CAUSES[status], text)

    def take(self):
        """References since the last call: a uint32 array."""
        result = np.empty(self.out.n, dtype=np.uint32)
        cdef uint32_t[::1] view = result
        if self.out.n:
            memcpy(&view[0], self.out.refs, self.out.n * 4)
        self.out.n = 0
        return result

    def addresses(self):
        """Virtual page number of each page: a uint64 array."""
        result = np.empty(self.table.count, dtype=np.uint64)
        cdef uint64_t[::1] view = result
        if self.table.count:
            memcpy(&view[0], self.table.pages, self.table.count * 8)
        return result


cdef int8_t[256] VALUES  # of a hexadecimal digit; -1 = is none
memset(&VALUES[0], -1, sizeof(VALUES))
cdef int _digit
for _digit in range(10):
    VALUES[48 + _digit] = _digit
for _digit in range(10, 16):
    VALUES[55 + _digit] = VALUES[87 + _digit] = _digit  # A and a are 65 and 97


cdef inline int hex_digit(uint8_t c) noexcept nogil:
    return VALUES[c]


cdef inline bint is_banner(const uint8_t *p, const uint8_t *end) noexcept nogil:
    # "==PID==", "--PID--" and "**PID**" are valgrind's own lines.
    return end - p >= 2 and (p[0] == 61 or p[0] == 45 or p[0] == 42) and p[1] == p[0]


cdef inline const uint8_t *banner_pid(const uint8_t *p, const uint8_t *end,
                                      uint64_t *pid) noexcept nogil:
    # What comes after "==PID==", or "==TIME PID==" with --time-stamp=yes; NULL if it is none.
    cdef uint8_t sign = p[0]
    cdef uint64_t number = 0
    cdef int digits = 0
    p += 2
    while p < end and p[0] != sign:
        if p[0] == 32 or p[0] == 58 or p[0] == 46:   # blank : .
            number = 0
            digits = 0
        elif 48 <= p[0] <= 57 and digits < 10:
            number = number * 10 + (p[0] - 48)
            digits += 1
        else:
            return NULL
        p += 1
    if digits == 0 or end - p < 2 or p[1] != sign:
        return NULL
    pid[0] = number
    return p + 2


cdef class LackeyParser(_Lines):
    """Parse a lackey log.

    Parameters
    ----------
    instructions : bool
        Keep instruction fetches ('I' lines).
    collapse : bool
        Merge a reference into the one before if it is to the same page and writes no more.
    pid : int, optional
        Keep what is of this process. The log must be several ones, one after the other: lines with
        references do not say whose they are.
    """

    cdef bint instructions
    cdef bint ours           # references are kept
    cdef bint begun          # the section has the line that begins a log
    cdef uint64_t wanted     # NO_PID: the one that there is
    cdef uint64_t *seen      # processes, in order
    cdef uint64_t seen_count
    cdef uint64_t seen_cap

    def __init__(self, bint instructions=False, bint collapse=False, pid=None):
        self.instructions = instructions
        self.collapse = collapse
        self.wanted = NO_PID if pid is None else <uint64_t>pid
        self.ours = pid is None

    def __dealloc__(self):
        free(self.seen)

    @property
    def pids(self):
        """Processes whose lines were read, in their order."""
        return [self.seen[i] for i in range(self.seen_count)]

    cdef int remember(self, uint64_t pid) noexcept nogil:
        if self.seen_count == self.seen_cap:
            if not more_room(<void **>&self.seen, &self.seen_cap, 16, 8):
                return E_MEMORY
        self.seen[self.seen_count] = pid
        self.seen_count += 1
        return SKIP

    cdef int section(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
        # One of valgrind's own lines: of the process that goes on, or of another.
        cdef uint64_t pid = 0
        cdef size_t i
        cdef bint begins
        p = banner_pid(p, end, &pid)
        while p != NULL and p < end and p[0] == 32:
            p += 1
        if p == NULL or p == end:
            return SKIP  # it says nothing
        begins = end - p >= 6 and memcmp(p, <const char *>b"Lackey", 6) == 0
        if self.seen_count and self.seen[self.seen_count - 1] == pid:
            # Only in valgrind's own words: what people make up for a log may repeat.
            if self.begun and begins and end - p >= 32 and memcmp(p, FIRST_LINE, 32) == 0:
                return E_AGAIN
            self.begun = self.begun or begins
            return SKIP
        if self.seen_count:
            if self.wanted == NO_PID:
                self.remember(pid)
                return E_PIDS
            if not begins:
                return E_JUMBLED
            for i in range(self.seen_count):
                if self.seen[i] == pid:
                    return E_JUMBLED
        self.begun = begins
        self.ours = self.wanted == NO_PID or self.wanted == pid
        return self.remember(pid)

    cdef int overlong(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
        return self.section(p, end) if is_banner(p, end) else E_LONG

    cdef int other(self, const uint8_t *p, const uint8_t *end, size_t *before) noexcept nogil:
        # SKIP, or OK for a fetch with so many bytes before its address.
        cdef const uint8_t *digit = p + 3
        if end == p:
            return SKIP
        if is_banner(p, end):
            return self.section(p, end)
        if end - p < 4:
            return E_FORM
        if p[0] == 83 and p[1] == 66 and p[2] == 32:
            # "SB ADDRESS" of --trace-superblocks=yes.
            while digit < end and digit - p < 19 and hex_digit(digit[0]) >= 0:
                digit += 1
            return SKIP if digit == end else E_FORM
        # Those who teach with such logs write "I address,size", with one blank.
        if p[0] == 73 and p[1] == 32 and end - p >= 5:
            before[0] = 2
            return OK
        if p[0] == 32 and p[1] == 73 and p[2] == 32 and end - p >= 6:
            before[0] = 3
            return OK
        return E_FORM

    cdef int parse(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
        cdef uint64_t address = 0, size = 0
        cdef size_t before = 3
        cdef int digit, digits = 0, status
        cdef uint8_t op = 0
        cdef bint fetch = False
        end = trimmed(p, end)
        if end - p >= 6 and p[0] == 32 and p[2] == 32 and (p[1] == 76 or p[1] == 83 or p[1] == 77):
            op = p[1]
        elif end - p >= 6 and p[0] == 73 and p[1] == 32 and p[2] == 32:
            fetch = True
        else:
            status = self.other(p, end, &before)
            if status != OK:
                return status
            fetch = True
        p += before
        while p < end and p[0] != 44:
            digit = hex_digit(p[0])
            digits += 1
            if digit < 0 or digits > 16:
                return E_ADDRESS
            address = (address << 4) | <uint64_t>digit
            p += 1
        if p >= end or digits == 0:
            return E_ADDRESS
        p += 1
        if p >= end or end - p > 7:
            return E_SIZE
        while p < end:
            if p[0] < 48 or p[0] > 57:
                return E_SIZE
            size = size * 10 + (p[0] - 48)
            p += 1
        if not self.ours and self.seen_count == 0:
            return E_WHOSE
        if not self.ours or (fetch and not self.instructions):
            return SKIP if 0 < size <= SIZE_MOST else E_SIZE
        return self.touch(address, size, op == 83 or op == 77)


cdef inline const uint8_t *plain(const uint8_t *p, const uint8_t *end, uint8_t separator,
                                 uint64_t *value) noexcept nogil:
    # A number that fills its field: where the field ends. NULL: it has to be looked at closely.
    cdef const uint8_t *begin = p
    cdef uint64_t x = 0
    cdef int digit
    while p < end and 48 <= p[0] <= 57:
        x = x * 10 + (p[0] - 48)
        p += 1
    if p == begin + 1 and x == 0 and p < end and (p[0] | 32) == 120:
        p += 1
        begin = p
        while p < end:
            digit = hex_digit(p[0])
            if digit < 0:
                break
            x = x << 4 | <uint64_t>digit
            p += 1
        if p > begin + 16:
            return NULL
    elif p > begin + 19:
        return NULL
    if p == begin or (p < end and p[0] != separator):
        return NULL
    value[0] = x
    return p


cdef inline bint is_blank(uint8_t c, uint8_t separator) noexcept nogil:
    return c <= 32 and (c == 32 or (c == 9 and separator != 9))


cdef class CsvParser(_Lines):
    """Parse separated references.

    Parameters
    ----------
    columns : sequence of str
        The header: 'page' or 'address'; 'write' (0 or 1) or 'op' (R W L S M I); 'size' in bytes.
        Others are ignored.
    collapse : bool
    separator : str
        One character; a blank stands for any number of them.

    Blanks around a field do not belong to it, nor do quotes around it. Lines that are empty or
    begin with '#' are passed over.
    """

    cdef uint32_t kinds[COLUMNS_MOST]
    cdef uint32_t columns
    cdef uint8_t separator
    cdef bint by_page

    def __init__(self, columns, bint collapse=False, str separator=","):
        known = {"page": C_PAGE, "address": C_ADDRESS, "write": C_WRITE, "op": C_OP, "size": C_SIZE}
        if len(columns) > COLUMNS_MOST:
            raise ValueError(f"more than {COLUMNS_MOST} columns")
        self.columns = len(columns)
        for i, name in enumerate(columns):
            self.kinds[i] = known.get(name, C_IGNORED)
        self.by_page = "page" in columns
        self.collapse = collapse
        self.separator = ord(separator)

    cdef int overlong(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
        return SKIP if p[0] == 35 else E_LONG

    cdef const uint8_t *quoted(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
        # Past the closing quote of a field that begins with one; NULL if there is none. Two quotes
        # stand for one.
        p += 1
        while p < end:
            p = <const uint8_t *>memchr(p, 34, end - p)
            if p == NULL:
                return NULL
            p += 1
            if p == end or p[0] != 34:
                return p
            p += 1
        return NULL

    cdef int number(self, const uint8_t *p, const uint8_t *end, uint64_t *value) noexcept nogil:
        cdef uint64_t x = 0
        cdef int digit
        cdef bint hexadecimal = end - p > 2 and p[0] == 48 and (p[1] | 32) == 120, fits = True
        if hexadecimal:
            p += 2
        elif p == end:
            return E_NUMBER
        while p < end:
            digit = hex_digit(p[0])
            if digit < 0 or (digit > 9 and not hexadecimal):
                return E_NUMBER
            if hexadecimal:
                fits &= x >> 60 == 0
                x = x << 4 | <uint64_t>digit
            else:
                fits &= x < TENTH or (x == TENTH and digit <= 5)
                x = x * 10 + <uint64_t>digit
            p += 1
        value[0] = x
        return OK if fits else E_RANGE

    cdef int parse(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
        cdef const uint8_t *stop
        cdef const uint8_t *last
        cdef uint64_t where = 0, size = 1, flag = 0
        cdef uint32_t i, kind
        cdef uint8_t op, separator = self.separator
        cdef int status = OK
        cdef bint write = False
        end = trimmed(p, end)
        while end > p and is_blank((end - 1)[0], separator):
            end -= 1
        if end == p or p[0] == 35:
            return SKIP
        for i in range(self.columns):
            kind = self.kinds[i]
            if kind == C_PAGE or kind == C_ADDRESS or kind == C_SIZE:
                stop = plain(p, end, separator, &flag)
                if stop != NULL:
                    if (stop == end) != (i + 1 == self.columns):
                        return E_FIELDS
                    if kind == C_SIZE:
                        size = flag
                    else:
                        where = flag
                    p = stop + 1
                    continue
            while p < end and is_blank(p[0], separator):
                p += 1
            last = NULL
            if p < end and p[0] == 34:
                last = stop = self.quoted(p, end)
                if stop == NULL:
                    return E_QUOTES
                while stop < end and is_blank(stop[0], separator) and stop[0] != separator:
                    stop += 1
                if stop == end:
                    stop = NULL
                elif stop[0] != separator:
                    return E_QUOTES
                p += 1
                last -= 1
            else:
                stop = <const uint8_t *>memchr(p, separator, end - p) if p < end else NULL
            if (stop == NULL) != (i + 1 == self.columns):
                return E_FIELDS
            if stop == NULL:
                stop = end
            if last == NULL:
                last = stop
            while last > p and is_blank((last - 1)[0], separator):
                last -= 1
            if kind == C_PAGE or kind == C_ADDRESS:
                status = self.number(p, last, &where)
            elif kind == C_SIZE:
                status = self.number(p, last, &size)
            elif kind == C_WRITE:
                if self.number(p, last, &flag) != OK or flag > 1:
                    return E_WRITE
                write = flag == 1
            elif kind == C_OP:
                op = p[0] & ~32 if last == p + 1 else 0
                if op == 87 or op == 83 or op == 77:
                    write = True
                elif op == 82 or op == 76 or op == 73:
                    write = False
                else:
                    return E_OP
            if status != OK:
                return status
            p = stop + 1
        if self.by_page:
            if where >> (64 - PAGE_SHIFT):
                return E_RANGE
            where <<= PAGE_SHIFT
        return self.touch(where, size, write)
