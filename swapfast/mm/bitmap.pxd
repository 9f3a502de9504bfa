# bitmap: which slots of an area are free, as a hierarchy of 64-bit words.
#
# A set bit at level 0 means that the slot is free; a set bit at level k means that the word below
# it at level k-1 is not zero. Finding the next free slot climbs and descends at most six levels,
# so its cost does not depend on how full or how large the area is.
#
# - bitmap_init(b, bits): all taken; bitmap_fill(b): all free; bitmap_free(b)
# - bitmap_set(b, i) frees slot i, bitmap_clear(b, i) takes it
# - bitmap_next(b, i): first free slot >= i, or b.bits when there is none
# - bitmap_next_taken(b, i): first taken slot >= i, or b.bits
# - bitmap_run(b, i, n): start of the first run of n free slots at or after i, or b.bits

from swapfast.mm.types cimport *
from libc.string cimport memset

cdef inline bint bitmap_init(bitmap_t *b, uint64_t bits) noexcept nogil:
    cdef uint64_t words, total = 0
    cdef uint32_t k = 0
    memset(b, 0, sizeof(bitmap_t))
    b.bits = bits
    words = (bits + 63) >> 6
    while True:
        total += words
        k += 1
        if words == 1:
            break
        words = (words + 63) >> 6
    b.levels = k
    b.bytes = total * 8
    b.level[0] = <uint64_t *>lazy_map(b.bytes)
    if b.level[0] == NULL:
        return False
    words = (bits + 63) >> 6
    for k in range(1, b.levels):
        b.level[k] = b.level[k - 1] + words
        words = (words + 63) >> 6
    return True

cdef inline void bitmap_fill(bitmap_t *b) noexcept nogil:
    # Sets every bit, a word at a time.
    cdef uint64_t bits = b.bits, words, i
    cdef uint32_t k
    for k in range(b.levels):
        words = bits >> 6
        for i in range(words):
            b.level[k][i] = ~<uint64_t>0
        if bits & 63:
            b.level[k][words] = (<uint64_t>1 << (bits & 63)) - 1
        bits = (bits + 63) >> 6

cdef inline void bitmap_free(bitmap_t *b) noexcept nogil:
    lazy_unmap(b.level[0], b.bytes)
    memset(b, 0, sizeof(bitmap_t))

cdef inline bint bitmap_test(bitmap_t *b, uint64_t i) noexcept nogil:
    return (b.level[0][i >> 6] >> (i & 63)) & 1

cdef inline void bitmap_set(bitmap_t *b, uint64_t i) noexcept nogil:
    cdef uint32_t k
    cdef uint64_t word
    for k in range(b.levels):
        word = b.level[k][i >> 6]
        b.level[k][i >> 6] = word | (<uint64_t>1 << (i & 63))
        if word != 0:   # the levels above know already
            return
        i >>= 6

cdef inline void bitmap_clear(bitmap_t *b, uint64_t i) noexcept nogil:
    cdef uint32_t k
    cdef uint64_t word
    for k in range(b.levels):
        word = b.level[k][i >> 6] & ~(<uint64_t>1 << (i & 63))
        b.level[k][i >> 6] = word
        if word != 0:
            return
        i >>= 6

cdef inline uint64_t bitmap_next(bitmap_t *b, uint64_t i) noexcept nogil:
    cdef uint64_t word
    cdef uint32_t k
    if i >= b.bits:
        return b.bits
    word = b.level[0][i >> 6] >> (i & 63)
    if word != 0:
        return i + lowest_bit64(word)
    # Climb until a word to the right has a bit, then go down along the lowest bits.
    i >>= 6
    for k in range(1, b.levels):
        i += 1
        if (i >> 6) >= ((b.bits + (<uint64_t>1 << (6 * (k + 1))) - 1) >> (6 * (k + 1))):
            return b.bits
        word = b.level[k][i >> 6] >> (i & 63)
        if word != 0:
            i += lowest_bit64(word)
            while k > 0:
                k -= 1
                i = (i << 6) + lowest_bit64(b.level[k][i])
            return i
        i >>= 6
    return b.bits

cdef inline uint64_t bitmap_next_taken(bitmap_t *b, uint64_t i) noexcept nogil:
    cdef uint64_t word, words = (b.bits + 63) >> 6, w
    if i >= b.bits:
        return b.bits
    w = i >> 6
    word = ~b.level[0][w] & (~<uint64_t>0 << (i & 63))
    while word == 0:
        w += 1
        if w == words:
            return b.bits
        word = ~b.level[0][w]
    i = (w << 6) + lowest_bit64(word)
    return i if i < b.bits else b.bits

cdef inline uint64_t bitmap_run(bitmap_t *b, uint64_t i, uint64_t n) noexcept nogil:
    cdef uint64_t end, word, w, need
    while True:
        i = bitmap_next(b, i)
        if i + n > b.bits:
            return b.bits
        # The first taken slot after i, looked for no further than i + n.
        end = i + n
        w = i >> 6
        word = ~b.level[0][w] & (~<uint64_t>0 << (i & 63))
        need = (end - 1) >> 6
        while word == 0 and w < need:
            w += 1
            word = ~b.level[0][w]
        if word == 0:
            return i
        w = (w << 6) + lowest_bit64(word)
        if w >= end:
            return i
        i = w
