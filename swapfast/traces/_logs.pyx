"""What recorders of accesses write as text.

- ``EventParser``: events of perf script, and of the kernel's own trace (ftrace).
- ``PinParser``: pinatrace.out of Intel Pin.
- ``ViewParser``: what DynamoRIO's view tool prints of a drmemtrace.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memchr

from swapfast.traces._lines cimport (
    Lines, begins, decimal, hexadecimal, past_blanks, past_word, trimmed,
)
from swapfast.traces._numbered cimport E_FORM, E_MEMORY, E_OWN, E_SPACES, OK, SIZE_MOST, SKIP
from swapfast.traces.pages cimport PAGES_OK, pages_find, pages_free, pages_t

from swapfast.traces._lines import LINE_CAUSES, BrokenLine

cdef enum:
    E_EVENT = E_OWN
    E_ADDRESS
    E_PIDS
    E_BEFORE
    E_OP
    E_NUMBER

    SPACE_SHIFT = 52         # an address of 64 bits has pages of 52
    SPACES_MOST = 4095
    HEX_LEAST = 5            # digits of an address beside an event
    WRITES = 2               # bit of a page fault's error code

cdef extern from *:
    """
    static const uint64_t NO_PID = ~(uint64_t)0;
    """
    const uint64_t NO_PID

EVENT_CAUSES = LINE_CAUSES | {
    E_FORM: "is not 'COMMAND PID [CPU] TIME: EVENT: ...'",
    E_EVENT: "no event and its colon after the time",
    E_ADDRESS: "no address with the event",
    E_BEFORE: "no address with the event before this line",
    E_PIDS: "a line of another process",
}
OTHER_PROCESS = EVENT_CAUSES[E_PIDS]
NO_ADDRESS = EVENT_CAUSES[E_ADDRESS], EVENT_CAUSES[E_BEFORE]
PIN_CAUSES = LINE_CAUSES | {
    E_FORM: "is not 'IP: R ADDRESS' or 'IP: W ADDRESS'",
    E_OP: "the operation is not R or W",
}
VIEW_CAUSES = LINE_CAUSES | {
    E_FORM: "is not 'RECORD INSTRUCTION: THREAD ...'",
    E_NUMBER: "is not 'SIZE byte(s) @ ADDRESS' after the operation",
}


cdef inline bint is_time(const uint8_t *p, const uint8_t *end) noexcept nogil:
    # "123.456789:"
    cdef bint dot = False
    if end - p < 3 or (end - 1)[0] != 58:
        return False
    end -= 1
    while p < end:
        if p[0] == 46 and not dot:
            dot = True
        elif p[0] < 48 or p[0] > 57:
            return False
        p += 1
    return dot


cdef inline bint has(const uint8_t *p, const uint8_t *end, const char *text,
                     size_t n) noexcept nogil:
    while p < end:
        p = <const uint8_t *>memchr(p, text[0], end - p)
        if p == NULL:
            return False
        if begins(p, end, text, n):
            return True
        p += 1
    return False


cdef inline bint is_address(const uint8_t *p, const uint8_t *end) noexcept nogil:
    # A word that is a hexadecimal number, and a long one.
    cdef uint64_t ignored = 0
    cdef const uint8_t *stop = hexadecimal(p, end, &ignored)
    return stop != NULL and stop - p >= HEX_LEAST and (stop == end or stop[0] <= 32)


cdef class EventParser(Lines):
    """Parse events with an address.

    Parameters
    ----------
    ftrace : bool
        Lines of the kernel's own trace: "COMMAND-PID"; events that are no page faults are passed
        over.
    collapse : bool
    pid : int, optional
        Keep what is of this process.
    together : bool
        Keep all, each process in an address space of its own.

    Attributes
    ----------
    sampled : bool
        There was an event that is not each page fault.
    """

    cdef bint ftrace
    cdef bint together
    cdef readonly bint sampled
    cdef uint64_t wanted     # NO_PID: the one that there is
    cdef uint64_t only
    cdef pages_t seen        # processes, numbered as they come
    cdef uint64_t pending    # an address, if a call chain follows; else it is an instruction's
    cdef bint pending_write

    def __init__(
        self, bint ftrace=False, bint collapse=False, pid=None, bint together=False
    ):
        self.causes = EVENT_CAUSES
        self.ftrace = ftrace
        self.collapse = collapse
        self.together = together
        self.wanted = NO_PID if pid is None else <uint64_t>pid
        self.only = NO_PID

    def __dealloc__(self):
        pages_free(&self.seen)

    @property
    def pids(self):
        """Processes whose lines were read, in their order."""
        return [self.seen.pages[i] for i in range(self.seen.count)]

    def finish(self):
        """The file has ended."""
        Lines.finish(self)
        if self.pending:
            raise BrokenLine(self.line, EVENT_CAUSES[E_ADDRESS], "")

    cdef int whose(self, uint64_t pid) noexcept nogil:
        # OK, SKIP, or a cause.
        cdef uint32_t number = 0
        if pid == self.only:
            return OK
        if pages_find(&self.seen, pid, &number) != PAGES_OK:
            return E_MEMORY
        if self.together:
            if number >= SPACES_MOST:
                return E_SPACES
            self.space = <uint64_t>number << SPACE_SHIFT
        elif self.wanted != NO_PID:
            if pid != self.wanted:
                return SKIP
        elif number > 0:
            return E_PIDS
        self.only = pid
        return OK

    cdef const uint8_t *head(self, const uint8_t *p, const uint8_t *end,
                             uint64_t *pid) noexcept nogil:
        # Past the time; NULL if there is none, or no process before it. A command may have blanks,
        # so the last number before the time counts.
        cdef const uint8_t *stop
        cdef const uint8_t *at
        cdef uint64_t number = 0
        cdef bint found = False
        p = past_blanks(p, end)
        while p < end:
            stop = past_word(p, end)
            if is_time(p, stop):
                return stop if found else NULL
            at = p
            if self.ftrace:
                if at[0] == 40:                         # "(1234)" is the process, "-1235" a thread
                    at = past_blanks(at + 1, end)
                    at = decimal(at, end, &number)
                    if at != NULL and at < end and at[0] == 41:
                        pid[0] = number
                    stop = past_word(p if at == NULL else at, end)
                else:
                    at = stop
                    while at > p and 48 <= (at - 1)[0] <= 57:
                        at -= 1
                    if p < at < stop and (at - 1)[0] == 45 and decimal(at, stop, &number) == stop:
                        pid[0] = number
                        found = True
            else:
                at = decimal(at, stop, &number)
                if at != NULL and (at == stop or at[0] == 47):
                    pid[0] = number
                    found = True
            p = past_blanks(stop, end)
        return NULL

    cdef int fault(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
        # "address=... ip=... error_code=...", what the kernel's tracepoints say.
        cdef const uint8_t *stop
        cdef uint64_t address = 0, code = 0
        cdef bint found = False
        p = past_blanks(p, end)
        while p < end:
            stop = past_word(p, end)
            if begins(p, stop, b"address=", 8):
                found = True
                if hexadecimal(p + 8, stop, &address) != stop:
                    return SKIP                         # a name: memory of the kernel
            elif begins(p, stop, b"error_code=", 11):
                if hexadecimal(p + 11, stop, &code) != stop:
                    return E_FORM
            p = past_blanks(stop, end)
        return self.touch(address, 1, code & WRITES != 0) if found else E_ADDRESS

    cdef int event(self, const uint8_t *p, const uint8_t *stop, const uint8_t *end,
                   uint64_t period) noexcept nogil:
        # perf: an event's name, and then its address, or that of an instruction.
        cdef const uint8_t *word = past_blanks(stop, end)
        cdef const uint8_t *last = past_word(word, end)
        cdef const uint8_t *rest
        cdef uint64_t address = 0
        cdef bint write = has(p, stop, b"store", 5)
        if not is_address(word, last):
            # Without padding: "0" is a sample without an address.
            return SKIP if word < end and word[0] == 48 and last == word + 1 else E_ADDRESS
        hexadecimal(word, last, &address)
        rest = past_blanks(last, end)
        if rest < end and not is_address(rest, past_word(rest, end)):
            # A symbol: only with a second address behind its object is the first the datum's.
            while rest < end:
                rest = <const uint8_t *>memchr(rest, 41, end - rest)
                if rest == NULL:
                    rest = end
                    break
                rest = past_blanks(rest + 1, end)
                if rest < end and is_address(rest, past_word(rest, end)):
                    break
            if rest == end:
                self.pending = address
        if has(last, end, b"|OP ", 4):
            write = has(last, end, b"|OP STORE", 9)
        if period != 1 or not has(p, stop, b"fault", 5):
            self.sampled = True
        self.pending_write = write
        return self.touch(address, 1, write) if address and not self.pending else SKIP

    cdef int parse(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
        cdef const uint8_t *stop
        cdef uint64_t pid = 0, period = 1
        cdef int status
        end = trimmed(p, end)
        if p < end and p[0] == 9 and not self.ftrace:   # a tab: a frame of a call chain
            status = self.touch(self.pending, 1, self.pending_write) if self.pending else SKIP
            self.pending = 0
            return status
        if self.pending:
            return E_BEFORE
        if p == end or p[0] == 35:
            return SKIP
        if self.ftrace and begins(p, end, b"CPU:", 4):
            return SKIP                                 # events that the kernel has lost
        p = self.head(p, end, &pid)
        if p == NULL:
            return E_FORM
        p = past_blanks(p, end)
        stop = past_word(p, end)
        if decimal(p, stop, &period) == stop and stop > p:
            p = past_blanks(stop, end)
            stop = past_word(p, end)
        if stop == p or (stop - 1)[0] != 58:
            return SKIP if self.ftrace else E_EVENT
        if has(p, stop, b"page_fault_user", 15) or has(p, stop, b"page_fault_kernel", 17):
            status = self.whose(pid)
            return self.fault(stop, end) if status == OK else status
        if self.ftrace:
            return SKIP
        status = self.whose(pid)
        return self.event(p, stop, end, period) if status == OK else status


cdef class PinParser(Lines):
    """Parse pinatrace.out: "IP: R ADDRESS", and perhaps a size."""

    def __init__(self, bint collapse=False):
        self.causes = PIN_CAUSES
        self.collapse = collapse

    cdef int parse(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
        cdef const uint8_t *stop
        cdef uint64_t address = 0, size = 1
        cdef uint8_t op
        end = trimmed(p, end)
        if p == end or p[0] == 35:
            return SKIP
        p = hexadecimal(past_blanks(p, end), end, &address)
        if p == NULL or p == end or p[0] != 58:
            return E_FORM
        p = past_blanks(p + 1, end)
        if end - p < 3 or p[1] > 32:
            return E_FORM
        op = p[0]
        if op != 82 and op != 87:
            return E_OP
        p = past_blanks(p + 1, end)
        stop = hexadecimal(p, end, &address)
        if stop == NULL or (stop < end and stop[0] > 32):
            return E_FORM
        p = past_blanks(stop, end)
        stop = decimal(p, end, &size)
        if stop == NULL or (stop < end and stop[0] > 32) or size == 0 or size > SIZE_MOST:
            size = 1                                    # it is a value, not a size
        return self.touch(address, size, op == 87)


cdef class ViewParser(Lines):
    """Parse what DynamoRIO's view tool prints; all threads are of one process."""

    cdef bint instructions
    cdef bint over           # below the records: what the tools have counted

    def __init__(self, bint instructions=False, bint collapse=False):
        self.causes = VIEW_CAUSES
        self.instructions = instructions
        self.collapse = collapse

    cdef int parse(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
        cdef const uint8_t *stop
        cdef uint64_t number = 0
        end = trimmed(p, end)
        self.over = self.over or begins(p, end, b"View tool results", 17)
        p = past_blanks(p, end)
        if self.over or p == end or p[0] == 45 or p[0] == 60 or p[0] == 61:
            return SKIP                                 # a rule, a heading, a marker
        if begins(p, end, b"Output format", 13):
            return SKIP
        p = decimal(p, end, &number)
        if p != NULL:
            p = decimal(past_blanks(p, end), end, &number)
        if p == NULL or p == end or p[0] != 58:
            return E_FORM
        p = past_blanks(p + 1, end)
        stop = past_word(p, end)                        # the thread
        if stop == p:
            return E_FORM
        return self.record(past_blanks(stop, end), end)

    cdef int record(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
        cdef const uint8_t *stop = past_word(p, end)
        cdef uint64_t address = 0, size = 0
        cdef bint write = begins(p, stop, b"write", 5)
        if not write and not begins(p, stop, b"read", 4):
            if not (self.instructions and begins(p, stop, b"ifetch", 6)):
                return SKIP                             # hints, more bytes of a fetch
        p = decimal(past_blanks(stop, end), end, &size)
        if p == NULL:
            return E_NUMBER
        p = past_blanks(p, end)
        if not begins(p, end, b"byte(s) @ ", 10):
            return E_NUMBER
        stop = hexadecimal(p + 10, end, &address)
        if stop == NULL or (stop < end and stop[0] > 32):
            return E_NUMBER
        return self.touch(address, size, write) if size else SKIP
