# draw: how long a device takes, drawn from the distribution that describes it.
#
# A distribution is a struct of plain numbers in nanoseconds; a draw turns 64 random bits into whole
# nanoseconds. All arithmetic between is in doubles, and the result is rounded once, so that nothing
# else in the core has to be anything but an integer.
#
#   kind          at        sigma            table
#   CONSTANT      the time  -                -
#   LOGNORMAL     median    of the logarithm -
#   EXPONENTIAL   mean      -                -
#   EMPIRICAL     -         -                n times and their cumulative weights
#
# A median m and a 99th percentile p say all about a lognormal distribution: sigma is
# ln(p / m) / 2.3263..., the 99th percentile of the standard normal one.
#
# An empirical table has n >= 1 times, and upto[i] is the weight of times 0 to i together; each
# weight is above 0. The table belongs to somebody else. What is drawn is one of its times, never
# something between two.
#
# A disk is no distribution of its own: the arm moves from where it was, a + b * sqrt(share of the
# disk), and then waits for the platter, anything up to a turn. The slot after the last one served
# comes by without either.
#
# - is_random(d): whether a draw depends on the random bits; those of CONSTANT are not looked at
# - whole(ns): rounded half up; at most DRAW_MOST, which only the wildest lognormal comes to
# - find_time(d, share): the first time of a table whose cumulative weight is above share, by halves
# - draw(d, r) -> ns
# - seek(a_ns, b_ns, turn_ns, distance_slots, size_slots, r) -> ns; 0 for no distance

from libc.math cimport exp, log, sqrt
from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.random cimport normal, unit_open

cdef extern from "check.h" nogil:
    void SWAPFAST_CHECK(bint cond, const char *sentence)

cdef extern from *:
    """
    /* 104 days: up to here doubles hold every whole ns, and 2000 of them fit in 64 bits. */
    static const uint64_t DRAW_MOST = (uint64_t)1 << 53;
    """
    const uint64_t DRAW_MOST

cdef enum:
    CONSTANT = 0
    LOGNORMAL = 1
    EXPONENTIAL = 2
    EMPIRICAL = 3

cdef struct draw_t:
    uint32_t kind            # CONSTANT, LOGNORMAL, EXPONENTIAL, EMPIRICAL
    uint32_t n               # entries of the table
    double at                # ns
    double sigma             # of ln(ns)
    const double *time       # ns
    const double *upto       # cumulative weights, rising

cdef inline bint is_random(const draw_t *d) noexcept nogil:
    return d.kind != CONSTANT

cdef inline uint64_t whole(double ns) noexcept nogil:
    if ns >= <double>DRAW_MOST:
        return DRAW_MOST
    return <uint64_t>(ns + 0.5)

cdef inline double find_time(const draw_t *d, double share) noexcept nogil:
    # Invariant: what is looked for is one of `left` entries from `first` on, or they are the end
    # of the table. Nobody can predict where it is: 16 ns for 1000 entries, and 57 with a jump.
    cdef uint32_t first = 0, left = d.n, half
    while left > 1:
        half = left >> 1
        first += half & (0 - <uint32_t>(d.upto[first + half - 1] <= share))
        left -= half
    return d.time[first]

cdef inline uint64_t draw(const draw_t *d, uint64_t r) noexcept nogil:
    if d.kind == CONSTANT:
        return whole(d.at)
    if d.kind == LOGNORMAL:
        return whole(d.at * exp(d.sigma * normal(unit_open(r))))
    if d.kind == EXPONENTIAL:
        return whole(-d.at * log(unit_open(r)))
    SWAPFAST_CHECK(d.n > 0, b"an empirical distribution has times")
    return whole(find_time(d, unit_open(r) * d.upto[d.n - 1]))

cdef inline uint64_t seek(double a_ns, double b_ns, double turn_ns, uint64_t distance_slots,
                          uint64_t size_slots, uint64_t r) noexcept nogil:
    if distance_slots == 0:
        return 0
    SWAPFAST_CHECK(distance_slots <= size_slots, b"the arm moves within its disk")
    return whole(a_ns + b_ns * sqrt(<double>distance_slots / <double>size_slots)
                 + turn_ns * unit_open(r))
