"""Text traces, line by line, without a Python object a line.

- ``LackeyParser``: logs of ``valgrind --tool=lackey --trace-mem=yes``.
- ``CsvParser``: columns named in a header line, with any separator of one character.

What they share is in ``_lines``.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memchr, memcmp

from swapfast.traces._lines cimport Lines, decimal, has_base, hex_digit, hexadecimal, trimmed
from swapfast.traces._numbered cimport (
    E_FORM, E_LONG, E_MEMORY, E_OWN, E_SIZE, E_SPACES, OK, PAGE_SHIFT, SIZE_MOST, SKIP,
)
from swapfast.traces.pages cimport more_room

from swapfast.traces._lines import LINE_CAUSES

cdef enum:
    E_ADDRESS = E_OWN
    E_FIELDS
    E_NUMBER
    E_WRITE
    E_OP
    E_RANGE
    E_PIDS
    E_JUMBLED
    E_AGAIN
    E_WHOSE
    E_QUOTES

    COLUMNS_MOST = 16
    SPACE_SHIFT = 52         # an address of 64 bits has pages of 52
    SPACES_MOST = 4095       # the last page of a last space would be NO_PAGE

    # columns of a CSV
    C_IGNORED = 0
    C_PAGE = 1
    C_ADDRESS = 2
    C_WRITE = 3
    C_OP = 4
    C_SIZE = 5

cdef extern from *:
    """
    static const uint64_t NO_PID = ~(uint64_t)0;
    #define FIRST_LINE "Lackey, an example Valgrind tool"
    static const uint64_t TENTH = ~(uint64_t)0 / 10; /* 2**64 - 1 is ten times this and 5 */
    """
    const uint64_t NO_PID
    const char *FIRST_LINE
    const uint64_t TENTH

CAUSES = LINE_CAUSES | {
    E_FORM: "is not 'I  addr,size' or ' L addr,size' with L, S or M",
    E_ADDRESS: "the address is not 1 to 16 hexadecimal digits before a comma",
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


cdef class LackeyParser(Lines):
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
    together : bool
        Keep all of them, each in an address space of its own.
    """

    cdef bint instructions
    cdef bint ours           # references are kept
    cdef bint begun          # the section has the line that begins a log
    cdef bint together       # every section is kept
    cdef uint64_t wanted     # NO_PID: the one that there is
    cdef uint64_t *seen      # processes, in order
    cdef uint64_t seen_count
    cdef uint64_t seen_cap

    def __init__(
        self, bint instructions=False, bint collapse=False, pid=None, bint together=False
    ):
        self.causes = CAUSES
        self.together = together
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
        if self.together:
            if self.seen_count == SPACES_MOST:
                return E_SPACES
            self.space = self.seen_count << SPACE_SHIFT
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
                # What a program began anew is another address space.
                return self.remember(pid) if self.together else E_AGAIN
            self.begun = self.begun or begins
            return SKIP
        if self.seen_count:
            if self.wanted == NO_PID and not self.together:
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
    p = hexadecimal(p, end, value) if has_base(p, end) else decimal(p, end, value)
    return p if p != NULL and (p == end or p[0] == separator) else NULL


cdef inline bint is_blank(uint8_t c, uint8_t separator) noexcept nogil:
    return c <= 32 and (c == 32 or (c == 9 and separator != 9))


cdef class CsvParser(Lines):
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
        self.causes = CAUSES
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
        cdef bint based = has_base(p, end), fits = True
        if based:
            p += 2
        elif p == end:
            return E_NUMBER
        while p < end:
            digit = hex_digit(p[0])
            if digit < 0 or (digit > 9 and not based):
                return E_NUMBER
            if based:
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
