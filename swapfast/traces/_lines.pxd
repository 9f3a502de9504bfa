# Lines: chunks cut into lines. A subclass parses one line.
#
# - hex_digit(c), trimmed(p, end): of one byte, of one line
# - past_blanks(p, end), past_word(p, end), begins(p, end, text, n)
# - has_base(p, end): the number begins with 0x
# - decimal(p, end, value), hexadecimal(p, end, value) -> past the number; NULL: there is none

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcmp

from swapfast.traces._numbered cimport Numbered

cdef enum:
    LINE_MOST = 4096     # bytes of a line

cdef extern from *:
    """
    #ifndef SWAPFAST_TRACES_LINES
    #define SWAPFAST_TRACES_LINES
    /* One more than the value of a hexadecimal digit; 0 = is none. */
    static const unsigned char SWAPFAST_HEX[256] = {
        ['0'] = 1, ['1'] = 2, ['2'] = 3, ['3'] = 4, ['4'] = 5, ['5'] = 6, ['6'] = 7, ['7'] = 8,
        ['8'] = 9, ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15,
        ['f'] = 16, ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
    };
    #endif
    """
    const uint8_t SWAPFAST_HEX[256]


cdef inline int hex_digit(uint8_t c) noexcept nogil:
    # Its value; -1 = is none.
    return <int>SWAPFAST_HEX[c] - 1


cdef inline const uint8_t *trimmed(const uint8_t *p, const uint8_t *end) noexcept nogil:
    # Without the carriage return of a line that ends as DOS lines do.
    return end - 1 if end > p and (end - 1)[0] == 13 else end


cdef inline const uint8_t *past_blanks(const uint8_t *p, const uint8_t *end) noexcept nogil:
    # What does not belong to a word, so that one of both always goes on.
    while p < end and p[0] <= 32:
        p += 1
    return p


cdef inline const uint8_t *past_word(const uint8_t *p, const uint8_t *end) noexcept nogil:
    while p < end and p[0] > 32:
        p += 1
    return p


cdef inline bint begins(const uint8_t *p, const uint8_t *end, const char *text,
                        size_t n) noexcept nogil:
    return <size_t>(end - p) >= n and memcmp(p, text, n) == 0


cdef inline bint has_base(const uint8_t *p, const uint8_t *end) noexcept nogil:
    # It begins as hexadecimal numbers do: 0x.
    return end - p > 2 and p[0] == 48 and (p[1] | 32) == 120


cdef inline const uint8_t *decimal(const uint8_t *p, const uint8_t *end,
                                   uint64_t *value) noexcept nogil:
    # Up to 19 digits, which always fit.
    cdef const uint8_t *begin = p
    cdef uint64_t x = 0
    while p < end and 48 <= p[0] <= 57:
        x = x * 10 + (p[0] - 48)
        p += 1
    if p == begin or p - begin > 19:
        return NULL
    value[0] = x
    return p


cdef inline const uint8_t *hexadecimal(const uint8_t *p, const uint8_t *end,
                                       uint64_t *value) noexcept nogil:
    # Up to 16 digits, with or without 0x.
    cdef const uint8_t *begin
    cdef uint64_t x = 0
    cdef int digit
    if has_base(p, end):
        p += 2
    begin = p
    while p < end:
        digit = hex_digit(p[0])
        if digit < 0:
            break
        x = x << 4 | <uint64_t>digit
        p += 1
    if p == begin or p - begin > 16:
        return NULL
    value[0] = x
    return p


cdef class Lines(Numbered):
    cdef uint8_t carry[LINE_MOST + 1]  # the line that the last chunk began
    cdef size_t carried
    cdef bint skipping       # inside a banner longer than the carry; it is counted already
    cdef const uint8_t *bad  # the broken line
    cdef const uint8_t *bad_end
    cdef readonly uint64_t line

    cdef int parse(self, const uint8_t *p, const uint8_t *end) noexcept nogil
    cdef int overlong(self, const uint8_t *p, const uint8_t *end) noexcept nogil
    cdef int one(self, const uint8_t *p, const uint8_t *end) noexcept nogil
    cdef int keep(self, const uint8_t *p, const uint8_t *end) noexcept nogil
