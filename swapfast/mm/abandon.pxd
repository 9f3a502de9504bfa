# abandon: a pass that has stopped gives back what it has isolated, and never finds it again: its
# task dies, its run is given up, or the policy changes under it.
#
# - abandon(core, b): its write goes on, its pages are on their lists again; it goes on with none
# - abandon_all(core)

from libc.stdint cimport uint32_t, uint64_t
from swapfast.mm.plug cimport plug_add, plug_flush
from swapfast.mm.scan cimport isolated_t
from swapfast.mm.types cimport core_t, memcg_t
from swapfast.mm.words cimport NIL

cdef inline void abandon(core_t *core, isolated_t *b) noexcept nogil:
    cdef memcg_t *g = &core.memcgs[b.memcg]
    cdef uint64_t now = core.clock.now
    cdef uint32_t k
    core.may_stop = False
    if b.pending and b.page[b.i] != NIL:
        plug_add(core, b.page[b.i])
        plug_flush(core)
        core.clock.now = now   # it waits for the device, and nobody for it
        core.in_tags = 0
    b.pending = False
    for k in range(b.n):
        if b.page[k] != NIL:
            g.policy.put_back(core, g, b.page[k])
            b.page[k] = NIL

cdef inline void abandon_all(core_t *core) noexcept nogil:
    cdef isolated_t *b = core.stopped
    while b != NULL:
        abandon(core, b)
        b = b.next
