# random: numbers that are computed from where they stand, not from those before them.
#
# A random number is a function of three: the seed of the run, a stream (one device, one program),
# and a counter that its stream counts up. Nothing is remembered, so whoever draws from one stream
# moves no other, and a program more in a scenario changes the draws of nobody else.
#
# The bits are those of splitmix64 (Steele, Lea and Flood, OOPSLA 2014): a stream begins at a state
# of its own, takes a step of 2^64 divided by the golden ratio a number, and each state is mixed by
# two multiplications. Seed and stream go through the same mixer, one after the other, before the
# counter is looked at: neighbours in any of the three have nothing in common. Within a stream no
# number of 64 bits comes twice.
#
# The normal distribution is inverted, not sampled: one number in, one number out, in the same
# order. The method is AS 241, PPND16 (Wichura, Applied Statistics 37, 1988), a quotient of two
# polynomials of degree 7 for the middle and one for each half of the tail. Its error is 1e-15 of
# the result.
#
# - mixed(z): each bit of z reaches all 64 bits
# - splitmix(seed, stream, counter): 64 random bits
# - unit_open(r): those bits as a number strictly between 0 and 1
# - normal(u): where the standard normal distribution has reached u, 0 < u < 1
# - normal_tail(r): the same for the far ends, r = sqrt(-log(distance to the end))

from libc.math cimport fabs, log, sqrt
from libc.stdint cimport uint64_t

cdef extern from *:
    """
    static const uint64_t GOLDEN_GAMMA = 0x9e3779b97f4a7c15ull; /* 2^64 / golden ratio, odd */
    static const uint64_t MIX_FIRST = 0xbf58476d1ce4e5b9ull;    /* Stafford's variant 13 */
    static const uint64_t MIX_SECOND = 0x94d049bb133111ebull;
    """
    const uint64_t GOLDEN_GAMMA
    const uint64_t MIX_FIRST
    const uint64_t MIX_SECOND

cdef inline uint64_t mixed(uint64_t z) noexcept nogil:
    z = (z ^ (z >> 30)) * MIX_FIRST
    z = (z ^ (z >> 27)) * MIX_SECOND
    return z ^ (z >> 31)

cdef inline uint64_t splitmix(uint64_t seed, uint64_t stream, uint64_t counter) noexcept nogil:
    # Golden steps before each mix: 0 is a fixed point of the mixer.
    cdef uint64_t state = mixed(mixed(seed + GOLDEN_GAMMA) + (stream + 1) * GOLDEN_GAMMA)
    return mixed(state + (counter + 1) * GOLDEN_GAMMA)

cdef inline double unit_open(uint64_t r) noexcept nogil:
    # 52 bits and a half: from 2^-53 to 1 - 2^-53, each of them exact.
    return (<double>(r >> 12) + 0.5) * (1.0 / <double>(<uint64_t>1 << 52))

cdef inline double normal_tail(double r) noexcept nogil:
    if r <= 5.0:                    # to within 1.4e-11 of the end
        r -= 1.6
        return (((((((7.7454501427834140764e-4 * r + 2.27238449892691845833e-2) * r
                     + 2.4178072517745061177e-1) * r + 1.27045825245236838258e0) * r
                   + 3.64784832476320460504e0) * r + 5.7694972214606914055e0) * r
                 + 4.6303378461565452959e0) * r + 1.42343711074968357734e0) \
            / (((((((1.05075007164441684324e-9 * r + 5.475938084995344946e-4) * r
                    + 1.51986665636164571966e-2) * r + 1.4810397642748007459e-1) * r
                  + 6.8976733498510000455e-1) * r + 1.6763848301838038494e0) * r
                + 2.05319162663775882187e0) * r + 1.0)
    r -= 5.0
    return (((((((2.01033439929228813265e-7 * r + 2.71155556874348757815e-5) * r
                 + 1.2426609473880784386e-3) * r + 2.6532189526576123093e-2) * r
               + 2.9656057182850489123e-1) * r + 1.7848265399172913358e0) * r
             + 5.4637849111641143699e0) * r + 6.6579046435011037772e0) \
        / (((((((2.04426310338993978564e-15 * r + 1.4215117583164458887e-7) * r
                + 1.8463183175100546818e-5) * r + 7.868691311456132591e-4) * r
              + 1.48753612908506148525e-2) * r + 1.3692988092273580531e-1) * r
            + 5.9983220655588793769e-1) * r + 1.0)

cdef inline double normal(double u) noexcept nogil:
    cdef double q = u - 0.5, r, z
    if fabs(q) <= 0.425:
        r = 0.180625 - q * q
        return q * (((((((2.5090809287301226727e3 * r + 3.3430575583588128105e4) * r
                         + 6.7265770927008700853e4) * r + 4.5921953931549871457e4) * r
                       + 1.3731693765509461125e4) * r + 1.9715909503065514427e3) * r
                     + 1.3314166789178437745e2) * r + 3.387132872796366608e0) \
            / (((((((5.226495278852854561e3 * r + 2.8729085735721942674e4) * r
                    + 3.9307895800092710610e4) * r + 2.1213794301586595867e4) * r
                  + 5.3941960214247511077e3) * r + 6.8718700749205790830e2) * r
                + 4.2313330701600911252e1) * r + 1.0)
    z = normal_tail(sqrt(-log(u if q < 0.0 else 1.0 - u)))
    return -z if q < 0.0 else z
