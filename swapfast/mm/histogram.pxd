# histogram: how often something took how long, in 4.8 KiB however long it goes on.
#
# Buckets are log-linear, in the manner of HdrHistogram: each power of two is cut into 32 of equal
# width, so that a time is known to one part in 32, about 3 %. Below 64 ns a bucket is one
# nanosecond wide.
#
#   ns                    buckets         width
#   0 to 63               0 to 63         1
#   64 to 127             64 to 95        2
#   2^k to 2^(k+1) - 1    32 a power      2^(k-5)         5 <= k <= 41
#   2^42 (73 minutes)     1215 as well: what is longer falls into the last one
#
# That is 32 buckets for what is below 32, and 37 powers of two from 2^5 to 2^41 with 32 each:
# 1216. The number of a bucket is (k - 5) * 32 plus the leading six bits of the time, and below 32
# the same formula with k = 5 gives the time itself: no jump anywhere.
#
# A counter is 32 bits wide, for the sake of the cache. It is good for 4.3e9 equal times; beyond
# that it wraps, and `total`, which does not, tells. The largest time is kept as it is, and so is
# the sum.
#
# - highest_bit64(w): its number; w is not 0
# - histogram_bucket(ns): where a time belongs
# - histogram_add(h, ns)
# - histogram_upper(bucket): the largest time that belongs there; in the last one, but for longer
#   ones

from libc.stdint cimport uint32_t, uint64_t

cdef extern from *:
    """
    static inline int highest_bit64(uint64_t w) { return 63 - __builtin_clzll(w); }
    static const uint64_t HISTOGRAM_TOP = ((uint64_t)1 << 42) - 1; /* of the last bucket, ns */
    """
    int highest_bit64(uint64_t w) noexcept nogil
    const uint64_t HISTOGRAM_TOP

cdef enum:
    HISTOGRAM_SHIFT = 5          # 2^5 buckets a power of two
    HISTOGRAM_BUCKETS = 1216     # 32 + (42 - 5) * 32

cdef struct histogram_t:
    uint64_t total               # times added
    uint64_t sum                 # of them, ns
    uint64_t max                 # the longest, ns
    uint32_t count[HISTOGRAM_BUCKETS]

cdef inline uint32_t histogram_bucket(uint64_t ns) noexcept nogil:
    cdef uint64_t t = ns if ns < HISTOGRAM_TOP else HISTOGRAM_TOP
    cdef uint32_t shift = <uint32_t>highest_bit64(t | 32) - HISTOGRAM_SHIFT
    return (shift << HISTOGRAM_SHIFT) + <uint32_t>(t >> shift)

cdef inline void histogram_add(histogram_t *h, uint64_t ns) noexcept nogil:
    h.total += 1
    h.sum += ns
    h.max = ns if ns > h.max else h.max
    h.count[histogram_bucket(ns)] += 1

cdef inline uint64_t histogram_upper(uint32_t bucket) noexcept nogil:
    cdef uint32_t shift = (bucket >> HISTOGRAM_SHIFT) - 1
    if bucket < 32:
        return bucket
    return ((<uint64_t>(bucket & 31) + 33) << shift) - 1
