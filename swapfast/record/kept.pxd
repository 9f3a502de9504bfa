# kept: bytes of pages that are out of a window, in slots that several processes may share.
#
# - kept_slot(k) -> a slot of one's own, 0: no memory
# - kept_at(k, slot) -> its 4096 bytes
# - kept_share(k, slot): one more has it
# - kept_leave(k, slot): one less
# - kept_free(k)

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

from swapfast.traces.pages cimport more_room

cdef enum:
    CHUNK_SHIFT = 12     # pages that are allocated at once: 16 MiB, in use where it was written
    KEPT_PAGE = 4096     # bytes

cdef struct kept_t:
    uint8_t **chunks
    uint64_t chunks_n
    uint64_t chunks_cap
    uint32_t *owners     # of a slot; of one that is free: the next one
    uint64_t owners_cap
    uint32_t fresh       # slots that were in use at some time; 0 is none
    uint32_t spare


cdef inline uint8_t *kept_at(kept_t *k, uint32_t slot) noexcept nogil:
    return k.chunks[slot >> CHUNK_SHIFT] + (
        <uint64_t>(slot & ((1 << CHUNK_SHIFT) - 1)) * KEPT_PAGE)


cdef inline uint32_t kept_slot(kept_t *k) noexcept nogil:
    cdef uint32_t slot = k.spare
    cdef uint8_t *chunk
    if slot:
        k.spare = k.owners[slot]
        k.owners[slot] = 1
        return slot
    slot = k.fresh + 1
    if slot == 0 or (slot >= k.owners_cap and not more_room(
            <void **>&k.owners, &k.owners_cap, 4096, sizeof(uint32_t))):
        return 0
    if slot >> CHUNK_SHIFT >= k.chunks_n:
        if k.chunks_n == k.chunks_cap and not more_room(
                <void **>&k.chunks, &k.chunks_cap, 64, sizeof(uint8_t *)):
            return 0
        chunk = <uint8_t *>malloc(<size_t>KEPT_PAGE << CHUNK_SHIFT)
        if chunk == NULL:
            return 0
        k.chunks[k.chunks_n] = chunk
        k.chunks_n += 1
    k.fresh = slot
    k.owners[slot] = 1
    return slot


cdef inline void kept_share(kept_t *k, uint32_t slot) noexcept nogil:
    k.owners[slot] += 1


cdef inline void kept_leave(kept_t *k, uint32_t slot) noexcept nogil:
    k.owners[slot] -= 1
    if k.owners[slot] == 0:
        k.owners[slot] = k.spare
        k.spare = slot


cdef inline void kept_free(kept_t *k) noexcept nogil:
    cdef uint64_t i
    for i in range(k.chunks_n):
        free(k.chunks[i])
    free(k.chunks)
    free(k.owners)
