"""The compiled face of the bare replacement policies.

- ``Simulation``: one memory under one policy, fed with batches of references; the GIL is released.
- ``names()``: policies of the table below; adding one is a file with its loop and a line here.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_IsValid
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from swapfast.core.guard cimport guard_arm
from swapfast.core.private cimport OWN_BLOCK, look_over, outside, take_over
from swapfast.replacement.arc cimport *
from swapfast.replacement.clock cimport *
from swapfast.replacement.contract cimport *
from swapfast.replacement.fifo cimport *
from swapfast.replacement.lirs cimport *
from swapfast.replacement.lru cimport *
from swapfast.replacement.opt cimport *
from swapfast.replacement.s3fifo cimport *
from swapfast.replacement.sieve cimport *

cdef enum:
    POLICIES = 9

cdef replacement_t TABLE[POLICIES]

TABLE[0] = replacement_t(b"lru", lru_begin, lru_run, lru_end, False)
TABLE[1] = replacement_t(b"fifo", fifo_begin, fifo_run, fifo_end, False)
TABLE[2] = replacement_t(b"clock", fifo_begin, clock_run, fifo_end, False)
TABLE[3] = replacement_t(b"sieve", sieve_begin, sieve_run, sieve_end, False)
TABLE[4] = replacement_t(b"s3fifo", s3fifo_begin, s3fifo_run, s3fifo_end, False)
TABLE[5] = replacement_t(b"s3fifo-paper", s3fifo_paper_begin, s3fifo_run, s3fifo_end, False)
TABLE[6] = replacement_t(b"arc", arc_begin, arc_run, arc_end, False)
TABLE[7] = replacement_t(b"lirs", lirs_begin, lirs_run, lirs_end, False)
TABLE[8] = replacement_t(b"opt", opt_begin, opt_run, opt_end, True)


def names():
    """Names of the compiled policies, in the order of the table."""
    return tuple((<bytes>row.name).decode() for row in TABLE[:POLICIES])


def needs_whole(str name):
    """Whether a policy must see the whole trace in one call of `Simulation.run`."""
    for row in TABLE[:POLICIES]:
        if (<bytes>row.name).decode() == name:
            return bool(row.whole)
    raise ValueError(f"no policy {name!r}; there are {', '.join(names())}")


cdef class Simulation:
    """One memory under one replacement policy.

    Parameters
    ----------
    policy : str or capsule
        One of ``names()``, or a capsule called "swapfast.replacement" with the address of a
        ``replacement_t`` (see ``contract.pxd``); the capsule is kept alive.
    frames : int
        Size of the memory in pages, 1 to 2**31 - 1.
    pages : int
        Pages of the trace, 1 to 2**31 - 1.
    """

    cdef sim_t s
    cdef const replacement_t *policy
    cdef object held
    cdef readonly str name
    cdef readonly uint64_t refs
    cdef bint busy, begun

    def __cinit__(self, policy, uint64_t frames, uint64_t pages):
        memset(&self.s, 0, sizeof(sim_t))
        self.policy = NULL
        if PyCapsule_IsValid(policy, REPLACEMENT_CAPSULE):
            self.policy = <const replacement_t *>PyCapsule_GetPointer(policy, REPLACEMENT_CAPSULE)
            self.held = policy
        else:
            for i in range(POLICIES):
                if (<bytes>TABLE[i].name).decode() == policy:
                    self.policy = &TABLE[i]
        if self.policy == NULL:
            raise ValueError(f"no policy {policy!r}; there are {', '.join(names())}")
        self.name = (<bytes>self.policy.name).decode()
        if not 1 <= frames <= PAGE_BITS:
            raise ValueError(f"frames is 1 to {PAGE_BITS}, not {frames}")
        if not 1 <= pages <= PAGE_BITS:
            raise ValueError(f"pages is 1 to {PAGE_BITS}, not {pages}")
        self.s.frames = frames
        self.s.pages = <uint32_t>pages
        self.s.flag = <uint8_t *>calloc(pages, 1)
        self.begun = True
        if self.s.flag == NULL or self.policy.begin(&self.s) != 0:
            raise MemoryError(f"no memory to simulate {frames} frames and {pages} pages")

    def __dealloc__(self):
        if self.begun and self.s.flag != NULL:
            self.policy.end(&self.s)
        free(self.s.flag)

    def run(self, const uint32_t[::1] refs not None, *, bint checked=False):
        """Feed references: bit 31 = write, low 31 bits = page.

        They are checked first, and copied piece by piece, so that an array that changes meanwhile
        does no harm. ``checked``: the caller did that, and nobody else can change them.

        Raises
        ------
        ValueError
            A page outside the trace: nothing was done; or the array was changed, or its file cut
            short, meanwhile.
        """
        cdef uint64_t n = refs.shape[0], done = 0
        cdef uint32_t worst = 0
        cdef int failed
        if self.busy:
            raise RuntimeError("this simulation is in use by another thread; give each its own")
        if n == 0:
            return
        if self.policy.whole and (self.refs > 0 or n >= <uint64_t>0xFFFFFFFF):
            raise ValueError(f"{self.name} takes one trace, whole, of less than 2**32 references")
        guard_arm()
        self.busy = True
        with nogil:
            if not checked:
                worst = look_over(&refs[0], n)
            if worst >= self.s.pages:
                failed = 0
            elif checked:
                failed = self.policy.run(&self.s, &refs[0], n)
                done = n
            else:
                failed = self.run_copies(&refs[0], n, &done, &worst)
        self.busy = False
        self.refs += done
        if failed:
            raise MemoryError(f"no memory for {self.name} over {n} references")
        if worst >= self.s.pages:
            raise outside(worst, self.s.pages, "trace", done > 0)

    cdef int run_copies(self, const uint32_t *refs, uint64_t n, uint64_t *done,
                        uint32_t *worst) noexcept nogil:
        # Ends at the first piece with a page outside.
        cdef uint32_t block[OWN_BLOCK]
        cdef uint32_t *own = &block[0]
        cdef uint64_t most = n if self.policy.whole else <uint64_t>OWN_BLOCK, piece
        cdef int failed = 0
        if most > OWN_BLOCK:
            own = <uint32_t *>malloc(n * sizeof(uint32_t))
            if own == NULL:
                return -1
        while done[0] < n and not failed:
            piece = min(most, n - done[0])
            worst[0] = take_over(own, refs + done[0], piece)
            if worst[0] >= self.s.pages:
                break
            failed = self.policy.run(&self.s, own, piece)
            done[0] += piece
        if own != &block[0]:
            free(own)
        return failed

    def counts(self):
        """What happened so far, as a dict of int.

        ``refs``; ``misses``: references that found their page not in memory; ``first``: of these,
        first touches; ``evicted``; ``written``: of these, pages whose copy in swap was old or
        missing; ``scanned``: pages looked at in the search for a victim; ``resident``: now.
        """
        cdef uint64_t seen = 0
        cdef uint32_t i
        with nogil:
            for i in range(self.s.pages):
                seen += (self.s.flag[i] & SEEN) != 0
        return {"refs": self.refs, "misses": self.s.evicted + self.s.resident, "first": seen,
                "evicted": self.s.evicted, "written": self.s.written,
                "scanned": self.s.scanned, "resident": self.s.resident}

    def flags(self):
        """A copy of the flag byte of every page, uint8, shape (pages,)."""
        import numpy as np
        return np.array(<uint8_t[:self.s.pages]>self.s.flag, copy=True)
