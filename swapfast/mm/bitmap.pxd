# bitmap: which slots of an area are free, as a hierarchy of 64-bit words.
#
# A set bit at level 0 means that the slot is free; a set bit at level k means that the word below
# it at level k-1 is not zero. Finding the next free slot climbs and descends at most six levels,
# so its cost does not depend on how full or how large the area is.
#
# - bitmap_init(b, bits): all taken; bitmap_fill(b): all free; bitmap_free(b)
# - bitmap_sum_up(b): the levels above, after level 0 was written as a whole
# - bitmap_set(b, i) frees slot i, bitmap_clear(b, i) takes it; bitmap_set_if(b, i, bit)
# - bitmap_next(b, i): first free slot >= i, or b.bits when there is none
# - bitmap_run(b, i, n, end): start of the first run of n free slots that begins from i to end - 1,
#   or b.bits
# - bitmap_find_block(b, i, words, order): first free block of 2^order slots, aligned to its size,
#   in so many words from slot i on, or b.bits
# - longest_block(words, n, least): order of the longest aligned block in n words, at most 8; 0 if
#   it is none, or shorter than least (7 and more: what is in the words need not be looked at)
# - bitmap_set_block(b, i, order), bitmap_clear_block(b, i, order): free it, take it

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.types cimport LIKELY, UNLIKELY, bitmap_t, lazy_map, lazy_unmap, lowest_bit64
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

cdef inline void bitmap_sum_up(bitmap_t *b) noexcept nogil:
    cdef uint64_t words = (b.bits + 63) >> 6, i
    cdef uint32_t k
    for k in range(1, b.levels):
        memset(b.level[k], 0, ((words + 63) >> 6) * 8)
        for i in range(words):
            if b.level[k - 1][i] != 0:
                b.level[k][i >> 6] |= <uint64_t>1 << (i & 63)
        words = (words + 63) >> 6

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

cdef inline void bitmap_clear_above(bitmap_t *b, uint64_t w) noexcept nogil:
    # Word w of level 0 is zero now.
    cdef uint32_t k
    for k in range(1, b.levels):
        b.level[k][w >> 6] &= ~(<uint64_t>1 << (w & 63))
        if b.level[k][w >> 6] != 0:
            return
        w >>= 6

cdef inline void bitmap_set_above(bitmap_t *b, uint64_t w) noexcept nogil:
    # Word w of level 0 is not zero any more.
    cdef uint32_t k
    cdef uint64_t word
    for k in range(1, b.levels):
        word = b.level[k][w >> 6]
        b.level[k][w >> 6] = word | (<uint64_t>1 << (w & 63))
        if word != 0:
            return
        w >>= 6

cdef inline void bitmap_set(bitmap_t *b, uint64_t i) noexcept nogil:
    cdef uint64_t *word = b.level[0] + (i >> 6)
    cdef uint64_t before = word[0]
    word[0] = before | (<uint64_t>1 << (i & 63))
    if UNLIKELY(before == 0):   # else the levels above know already
        bitmap_set_above(b, i >> 6)

cdef inline void bitmap_set_if(bitmap_t *b, uint64_t i, uint64_t bit) noexcept nogil:
    # Without a jump on bit, 0 or 1, which nobody can predict.
    cdef uint64_t *word = b.level[0] + (i >> 6)
    cdef uint64_t before = word[0]
    word[0] = before | (bit << (i & 63))
    if UNLIKELY(before == 0 and word[0] != 0):
        bitmap_set_above(b, i >> 6)

cdef inline void bitmap_clear(bitmap_t *b, uint64_t i) noexcept nogil:
    cdef uint64_t *word = b.level[0] + (i >> 6)
    word[0] &= ~(<uint64_t>1 << (i & 63))
    if UNLIKELY(word[0] == 0):
        bitmap_clear_above(b, i >> 6)

cdef inline uint64_t bitmap_next_above(bitmap_t *b, uint64_t i) noexcept nogil:
    # From word i of level 0 on: climb until a word has a bit, then go down along the lowest bits.
    cdef uint64_t word
    cdef uint32_t k
    for k in range(1, b.levels):
        if (i >> 6) >= ((b.bits + (<uint64_t>1 << (6 * (k + 1))) - 1) >> (6 * (k + 1))):
            return b.bits
        word = b.level[k][i >> 6] >> (i & 63)
        if word != 0:
            i += lowest_bit64(word)
            while k > 0:
                k -= 1
                i = (i << 6) + lowest_bit64(b.level[k][i])
            return i
        i = (i >> 6) + 1
    return b.bits

cdef inline uint64_t bitmap_next(bitmap_t *b, uint64_t i) noexcept nogil:
    cdef uint64_t word
    if UNLIKELY(i >= b.bits):
        return b.bits
    word = b.level[0][i >> 6] >> (i & 63)
    if LIKELY(word != 0):
        return i + lowest_bit64(word)
    return bitmap_next_above(b, (i >> 6) + 1)

cdef inline uint64_t bitmap_run(bitmap_t *b, uint64_t i, uint64_t n, uint64_t end) noexcept nogil:
    cdef uint64_t word, w, need, last
    while True:
        i = bitmap_next(b, i)
        last = i + n
        if last > b.bits or i >= end:
            return b.bits
        # The first taken slot after i, looked for no further than i + n.
        w = i >> 6
        word = ~b.level[0][w] & (~<uint64_t>0 << (i & 63))
        need = (last - 1) >> 6
        while word == 0 and w < need:
            w += 1
            word = ~b.level[0][w]
        if word == 0:
            return i
        w = (w << 6) + lowest_bit64(word)
        if w >= last:
            return i
        i = w

# ---------------------------------------------------------------- aligned blocks

cdef extern from *:
    """
    /* Bits at which a block of 2^order bits may begin, order 0 to 6. */
    static const uint64_t BLOCK_STARTS[7] = {
        ~0ull, 0x5555555555555555ull, 0x1111111111111111ull, 0x0101010101010101ull,
        0x0001000100010001ull, 0x0000000100000001ull, 1ull};

    static inline uint32_t longest_block(const uint64_t *words, uint32_t n, uint32_t least) {
        uint64_t w[8] = {0};
        uint32_t order = 0;
        for (uint32_t i = 0; i < n; i++) w[i] = words[i];
        if (least > 6) {
            for (int i = 0; i < 8; i += 2) w[i] = (w[i] & w[i + 1]) == ~0ull;
            if (!(w[0] | w[2] | w[4] | w[6])) return 0;
            order = 7;
            if (!((w[0] & w[2]) | (w[4] & w[6]))) return order;
            return order + 1 + (int)(w[0] & w[2] & w[4] & w[6]);
        }
        for (; order < 6; order++) { /* bit i stays if a block of twice the size begins there */
            uint64_t any = 0;
            for (int i = 0; i < 8; i++) {
                w[i] &= (w[i] >> (1 << order)) & BLOCK_STARTS[order + 1];
                any |= w[i];
            }
            if (!any) return order;
        }
        for (; order < 9; order++) {
            int step = 1 << (order - 6), any = 0;
            for (int i = 0; i < 8; i += 2 * step) any |= w[i] &= w[i + step];
            if (!any) return order;
        }
        return order;
    }
    """
    const uint64_t BLOCK_STARTS[7]
    uint32_t longest_block(const uint64_t *words, uint32_t n, uint32_t least) nogil

cdef inline uint64_t block_mask(uint64_t i, uint32_t order) noexcept nogil:
    # Bits of the block within its word, order 0 to 6.
    return (~<uint64_t>0 >> (64 - (1 << order))) << (i & 63)

cdef inline uint64_t bitmap_find_block(bitmap_t *b, uint64_t i, uint64_t words,
                                       uint32_t order) noexcept nogil:
    cdef uint64_t w = i >> 6, end = w + words, word, step = 1, left
    cdef uint32_t k
    if end > (b.bits + 63) >> 6:
        end = (b.bits + 63) >> 6
    if order > 6:
        step = 1 << (order - 6)
        while w + step <= end:
            word = ~<uint64_t>0
            for left in range(step):
                word &= b.level[0][w + left]
            if word == ~<uint64_t>0:
                return w << 6
            w += step
        return b.bits
    while w < end:
        word = b.level[0][w]
        if word == 0:
            w += 1
            continue
        for k in range(order):   # bit i stays if 2^(k+1) bits from it on are set
            word &= word >> (1 << k)
        word &= BLOCK_STARTS[order]
        if word != 0:
            return (w << 6) + lowest_bit64(word)
        w += 1
    return b.bits

cdef inline void bitmap_clear_block(bitmap_t *b, uint64_t i, uint32_t order) noexcept nogil:
    cdef uint64_t w = i >> 6, end
    if order <= 6:
        b.level[0][w] &= ~block_mask(i, order)
        if b.level[0][w] == 0:
            bitmap_clear_above(b, w)
        return
    end = w + (1 << (order - 6))
    while w < end:
        b.level[0][w] = 0
        bitmap_clear_above(b, w)
        w += 1

cdef inline void bitmap_set_block(bitmap_t *b, uint64_t i, uint32_t order) noexcept nogil:
    cdef uint64_t w = i >> 6, end, word
    if order <= 6:
        word = b.level[0][w]
        b.level[0][w] = word | block_mask(i, order)
        if word == 0:
            bitmap_set_above(b, w)
        return
    end = w + (1 << (order - 6))
    while w < end:
        b.level[0][w] = ~<uint64_t>0
        bitmap_set_above(b, w)
        w += 1
