"""Text cut into lines, without a Python object a line.

- ``Lines``: takes chunks of bytes wherever they are cut, and stops at the first line that is none;
  a parser is a subclass of it.
- ``BrokenLine``: that line's number, its text and the cause.
- ``LINE_CAUSES``: causes that any parser may have.
"""

from libc.stdint cimport uint8_t
from libc.string cimport memchr, memcpy

from swapfast.traces._numbered cimport E_FORM, E_LONG, E_MEMORY, OK, SKIP, Numbered

from swapfast.traces._numbered import COMMON

cdef enum:
    TEXT_MOST = 80       # bytes of a line in an error

LINE_CAUSES = COMMON | {E_LONG: f"the line has more than {LINE_MOST} bytes"}


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


cdef class Lines(Numbered):
    """Cuts chunks into lines and keeps what all parsers share; a subclass parses one line."""

    def __cinit__(self, *args, **kwargs):
        self.causes = LINE_CAUSES

    cdef int parse(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
        return E_FORM

    cdef int overlong(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
        # A line of which only the first LINE_MOST bytes are known.
        return E_LONG

    cdef int one(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
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

    cdef int chunk(self, const uint8_t *p, const uint8_t *end) noexcept nogil:
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
        raise BrokenLine(self.line, self.causes[status], text)
