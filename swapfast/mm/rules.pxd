# rules: where the two kernels differ, a row each. Nothing else in mm/ asks which kernel it is.
#
# - rules_of_kernel(r, modern, contents): the rules of 6.18, or of 2.6.25

from swapfast.mm.types cimport rules_t

cdef inline void rules_of_kernel(rules_t *r, bint modern, bint contents) noexcept nogil:
    r.modern = modern
    r.zero_page = modern
    r.zeromap = modern and contents
    r.swap_token = not modern
    r.window_by_hits = modern
    r.swapin_activates = not modern
    r.swapin_writable = modern
    r.frees_slot_on_write = modern
    r.first_read_dirty = not modern
    r.clustered = modern
    r.waits_for_writeback = True
    r.recursiveprot = True
    r.kswapd_gives_up = modern
    r.polls_unreclaimable = not modern
    r.rotation_batch = 31 if modern else 14
    r.oom_retries = 16 if modern else 5
