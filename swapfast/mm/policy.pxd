# policy: the table of replacement policies. A policy is one file and one line here.
#
# The contract is policy_t in types.pxd: enter, leave, rehome, prepare, finish, shrink, touch for
# those that need every reference, and rotate for those that have lists of their own. Policies see
# pages and lists, never areas.
#
# - policy_fill(table): one row for each policy
# - policy_find(table, name) -> its row, or NULL

from libc.stdint cimport uint32_t
from swapfast.mm.lru cimport lru_leave, lru_rehome
from swapfast.mm.policy_clock cimport shrink_clock
from swapfast.mm.policy_fifo cimport enter_fifo, shrink_fifo
from swapfast.mm.policy_linux25 cimport enter_25, shrink_25
from swapfast.mm.policy_linux618 cimport (
    enter_618, finish_618, prepare_618, put_back_618, shrink_618,
)
from swapfast.mm.policy_lru cimport touch_lru
from swapfast.mm.policy_mglru cimport (
    enter_mglru, leave_mglru, put_back_mglru, rehome_mglru, rotate_mglru, shrink_mglru,
)
from swapfast.mm.types cimport policy_t
from swapfast.mm.words cimport POLICY_25, POLICY_618, POLICY_MGLRU, POLICY_PLAIN
from libc.string cimport strcmp

cdef enum:
    POLICIES = 6

cdef inline void policy_fill(policy_t *table) noexcept nogil:
    table[0] = policy_t(b"linux-2.6.25", POLICY_25, enter_25, lru_leave, lru_rehome,
                        NULL, NULL, shrink_25, NULL, NULL, NULL)
    table[1] = policy_t(b"linux-6.18", POLICY_618, enter_618, lru_leave, lru_rehome,
                        prepare_618, finish_618, shrink_618, NULL, NULL, put_back_618)
    table[2] = policy_t(b"linux-6.18-mglru", POLICY_MGLRU, enter_mglru, leave_mglru,
                        rehome_mglru, NULL, NULL, shrink_mglru, NULL, rotate_mglru,
                        put_back_mglru)
    table[3] = policy_t(b"lru", POLICY_PLAIN, enter_fifo, lru_leave, lru_rehome,
                        NULL, NULL, shrink_fifo, touch_lru, NULL, NULL)
    table[4] = policy_t(b"fifo", POLICY_PLAIN, enter_fifo, lru_leave, lru_rehome,
                        NULL, NULL, shrink_fifo, NULL, NULL, NULL)
    table[5] = policy_t(b"clock", POLICY_PLAIN, enter_fifo, lru_leave, lru_rehome,
                        NULL, NULL, shrink_clock, NULL, NULL, NULL)

cdef inline const policy_t *policy_find(const policy_t *table, const char *name) noexcept nogil:
    cdef uint32_t i
    for i in range(POLICIES):
        if strcmp(table[i].name, name) == 0:
            return &table[i]
    return NULL
