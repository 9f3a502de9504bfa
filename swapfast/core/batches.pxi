# batches: whatever may fault or evict, for many pages in one call without the GIL. Part of
# swapfast._core by inclusion: what the compiler inlines into these loops decides their speed.

cdef int take_refs(Core core, const uint32_t *refs, uint64_t n, uint32_t pages) except -1:
    # Somebody else may write in these references, or cut the file off that they are in: they
    # are copied, and the copy is checked and played.
    cdef uint32_t worst
    if core.block == NULL:
        core.block = <uint32_t *>lazy_map(REFS_BLOCK * 4)
        if core.block == NULL:
            raise MemoryError("no room for a block of references")
    guard_arm()
    with nogil:
        worst = take_over(core.block, refs, n)
    if worst >= pages:
        raise outside(worst, pages, "mapping")
    return 0


cdef uint64_t play(Core core, mapping_t *m, const uint32_t *refs, uint64_t n, bint stop_on_major,
                   batch_t *batch) noexcept:
    cdef memcg_t *g = &core.c.memcgs[m.memcg]
    cdef uint32_t base = m.base
    cdef uint64_t done
    core.busy = True
    with nogil:
        if core.c.tlb.entry != NULL:
            done = touch_every(&core.c, g, base, refs, n, stop_on_major, True, batch)
        elif g.policy.touch != NULL or (batch.tag != NULL and core.c.ram.frames != NULL):
            done = touch_every(&core.c, g, base, refs, n, stop_on_major, False, batch)
        else:
            done = touch_hits(&core.c, base, refs, n, stop_on_major, batch)
    core.busy = False
    return done


cdef tuple copy(Core core, uint32_t number, uint64_t offset, uint8_t *data, uint64_t n, bint write):
    cdef mapping_t *m = core.mapping(number)
    cdef core_t *c = &core.c
    cdef uint64_t done = 0, at, span
    cdef uint32_t page, bits, need = PTE_PRESENT | (PTE_WRITABLE if write else 0)
    cdef int status = ST_OK
    cdef uint8_t *frame
    cdef memcg_t *g = &c.memcgs[m.memcg]
    core.idle()
    if offset > <uint64_t>m.pages * PAGE_SIZE or n > <uint64_t>m.pages * PAGE_SIZE - offset:
        raise ValueError("bytes outside the mapping")
    if c.ram.frames == NULL:
        raise ValueError("a machine without contents has no bytes")
    c.current_mm = m.mm
    c.cpu = 0
    guard_arm()
    core.busy = True
    with nogil:
        while done < n:
            at = offset + done
            page = m.base + <uint32_t>(at >> PAGE_SHIFT)
            bits = c.page[page].pte
            if (bits & need) != need:
                status = fault(c, page, write)
                if status != ST_OK:
                    break
                if c.tlb.entry != NULL:
                    tlb_drop(c, page)
                bits = c.page[page].pte
            if g.policy.touch != NULL:
                g.policy.touch(c, g, page)
            if c.tlb.entry != NULL:
                tlb_access(c, page, write)
            else:
                c.page[page].pte = <uint8_t>(bits | PTE_ACCESSED | (PTE_DIRTY if write else 0))
            at &= PAGE_SIZE - 1
            span = PAGE_SIZE - at
            if span > n - done:
                span = n - done
            if bits & PTE_ZERO:
                memset(data + done, 0, span)
            else:
                frame = frame_at(c, home_of(c, page)) + at
                if write:
                    memcpy(frame, data + done, span)
                else:
                    memcpy(data + done, frame, span)
            done += span
            charge_time(c, 1)
    core.busy = False
    core.wipe()
    return done, status


def touch(Core core, uint32_t number, const uint32_t[::1] refs not None, *, uint64_t start=0,
          bint stop_on_major=False, tag=None, uint64_t first_number=0, bint checked=False):
    """Replay references (bit 31 = write, low 31 bits = page of the mapping) from ``start``.

    Returns ``(done, status)``: how many of ``refs`` are finished, and ``OK``, ``OOM``,
    ``OOM_GROUP``, ``IO`` (see `bad_slot`) or ``STALL`` (a major fault, if ``stop_on_major``).
    With ``tag`` (16 bytes) and contents each write stamps its page. ``checked`` skips the range
    check of a caller that did it.
    """
    cdef mapping_t *m = core.mapping(number)
    cdef batch_t batch
    cdef uint64_t n = refs.shape[0], at = start, size, done
    cdef bytes held = None
    core.idle()
    if start >= n:
        return n, ST_OK
    memset(&batch, 0, sizeof(batch))
    if tag is not None:
        held = tag
        if len(held) != TAG_TEXT:
            raise ValueError(f"a tag is {TAG_TEXT} bytes")
        batch.tag = held
    if not checked and n - start > REFS_BLOCK:   # nothing is done before all is looked at
        while at < n:
            size = min(n - at, <uint64_t>REFS_BLOCK)
            take_refs(core, &refs[at], size, m.pages)
            at += size
        at = start
    core.c.current_mm = m.mm
    core.c.cpu = 0
    guard_arm()
    while at < n:
        batch.base_number = first_number + at
        size = n - at
        if checked:
            done = play(core, m, &refs[at], size, stop_on_major, &batch)
        else:
            size = min(size, <uint64_t>REFS_BLOCK)
            take_refs(core, &refs[at], size, m.pages)
            done = play(core, m, core.block, size, stop_on_major, &batch)
        at += done
        if batch.status != ST_OK:
            break
    core.wipe()
    return at, batch.status


def copy_in(Core core, uint32_t number, uint64_t offset, const uint8_t[::1] data not None):
    """Write bytes at a byte offset; returns ``(bytes done, status)``."""
    return copy(core, number, offset, <uint8_t *>&data[0] if data.shape[0] else NULL,
                data.shape[0], True)


def copy_out(Core core, uint32_t number, uint64_t offset, uint8_t[::1] data not None):
    """Read bytes at a byte offset into ``data``; returns ``(bytes done, status)``."""
    return copy(core, number, offset, &data[0] if data.shape[0] else NULL, data.shape[0], False)


def unuse(Core core, uint32_t number, uint64_t first=1):
    """Read back every slot in use from ``first`` on; returns ``(next slot, status)``."""
    cdef area_t *a = core.area(number)
    cdef uint64_t slot = first
    cdef int status = ST_OK
    core.idle()
    guard_arm()
    core.busy = True
    tlb_flush(&core.c)
    with nogil:
        wait_all(&core.c)
        while a.inuse > 0 and slot < a.slots:
            if core.c.slot_page[a.base + slot] != NIL:
                status = swapoff_slot(&core.c, <uint32_t>(a.base + slot))
                if status != ST_OK:
                    break
            slot += 1
    core.busy = False
    core.wipe()
    return slot, status


def reclaim(Core core, uint32_t number, uint64_t pages, *, bint asked=True):
    """Free pages of a memcg and of all below it; returns how many.

    ``asked``: as a write to memory.reclaim does (user_proactive_reclaim), else as one to memory.max
    (memory_max_write). Ends when ``pages`` are freed, or when 16 tries in a row freed nothing.
    """
    cdef memcg_t *g = core.memcg(number)
    cdef uint64_t freed = 0, got, want
    cdef uint32_t tries = 0
    cdef scan_control_t sc
    core.idle()
    core.c.cpu = 0
    guard_arm()
    core.busy = True
    with nogil:
        while freed < pages and tries < core.c.rules.oom_retries:
            want = (pages - freed) // 4 if asked else pages - freed
            want = max(want, <uint64_t>SCAN_BATCH)
            try_begin(&core.c, &sc, g, RECLAIM_ASKED if asked else RECLAIM_LIMIT, want)
            while try_pass(&core.c, &sc):
                pass
            got = sc.freed
            freed += got
            if got == 0:
                tries += 1
    core.busy = False
    core.wipe()
    return freed


def settle(Core core):
    """Wait until no page is on its way to a device."""
    core.idle()
    wait_all(&core.c)


def push(Core core, numbers, uint32_t area, int fd=-1):
    """Push every page of these mappings out to an area.

    Parameters
    ----------
    numbers : sequence of int
    area : int
    fd : int
        Of the area's file; -1: the area has none.

    Returns
    -------
    status : int
    written : uint32 array
        Slots in use for pages that were in memory.
    """
    cdef area_t *a = core.area(area)
    cdef mapping_t *m
    cdef uint32_t page
    cdef uint64_t n = 0
    cdef int status = ST_OK
    cdef push_t *p
    core.idle()
    forget_young(&core.c)
    written = np.empty(a.pages + 1, dtype=np.uint32)
    cdef uint32_t[::1] v = written
    p = <push_t *>malloc(sizeof(push_t))
    if p == NULL:
        raise MemoryError("no room for a batch of pages")
    p.area = a
    p.fd = fd if a.file != NULL else -1
    p.n = p.writes = 0
    guard_arm()
    core.busy = True
    for number in numbers:
        m = core.mapping(number)
        with nogil:
            for page in range(m.base, m.base + m.pages):
                status = push_page(&core.c, page, p)
                if status == ST_AGAIN:
                    v[n] = core.c.home[page].entry - a.base
                    n += 1
                elif status != ST_OK:
                    break
        if status != ST_OK and status != ST_AGAIN:
            break
    if status == ST_OK or status == ST_AGAIN:
        status = push_flush(&core.c, p)
    wait_all(&core.c)
    core.busy = False
    core.wipe()
    free(p)
    return status, written[:n]


def pull(Core core, uint32_t area, const uint32_t[::1] slots not None):
    """Read pages back and free their slots: what may not be on the disk is in memory again.

    Pages that cannot be read, or do not fit, stay where they are.
    """
    cdef area_t *a = core.area(area)
    cdef uint64_t i
    core.idle()
    guard_arm()
    core.busy = True
    with nogil:
        for i in range(<uint64_t>slots.shape[0]):
            if core.c.slot_page[a.base + slots[i]] != NIL:
                swapoff_slot(&core.c, a.base + slots[i])
    core.busy = False
    core.wipe()
