"""Address spaces: mmap(2), munmap(2), and what fork and exit do to a whole one.

- ``mmap(task, ...)``, ``munmap(mapping, ...)``: the system calls.
- ``new_mm``, ``fork_mm``, ``teardown``: the life of an address space (mm/mmap.c, dup_mmap and
  exit_mmap).
- ``place``, ``new_mapping``, ``release``: the life of a mapping.
- ``count(mapping)``, ``counts(mm)``: pages by state, as the page table shows them.
"""

from __future__ import annotations

import errno

from swapfast import _core
from swapfast.core import mapping_table
from swapfast.errors import system_error
from swapfast.kernel import segments
from swapfast.kernel.overcommit import check_overcommit
from swapfast.kernel.scopes import payer_of_shared
from swapfast.kernel.shared import IpcNamespace, Segment, SharedObject
from swapfast.kernel.state import MOST_PAGES, Kernel, Mapping, Mm, SwapNamespace, Task
from swapfast.units import PAGE_SIZE, parse_size

__all__ = [
    "count",
    "counts",
    "fork_mm",
    "mmap",
    "munmap",
    "new_mapping",
    "new_mm",
    "place",
    "release",
    "teardown",
]


def mmap(
    task: Task,
    length: int | str,
    *,
    shared: bool = False,
    readonly: bool = False,
    name: str = "",
) -> Mapping:
    """Map anonymous memory; see `Task.mmap`."""
    pages = -(-parse_size(length) // PAGE_SIZE)
    if pages == 0:
        raise system_error(errno.EINVAL, "a mapping has at least one byte")
    if pages >= MOST_PAGES:
        raise system_error(errno.ENOMEM, "a mapping has less than 8 TiB; map several")
    check_overcommit(task, pages)
    kernel, mm = task.kernel, task.mm
    one = None
    with kernel.changes.of("mmap"):
        try:
            if shared:
                payer = payer_of_shared(kernel)
                one = segments.get(segments.new_object(kernel, pages, payer, task.group))
            address = place(mm, pages)
            return new_mapping(mm, pages, address, name=name, shared=one, readonly=readonly)
        except MemoryError as error:
            raise system_error(errno.ENOMEM, str(error)) from None
        finally:
            if one is not None:
                segments.put(kernel, one)  # the mapping, if there is one, has a reference too


def munmap(mapping: Mapping, offset: int = 0, length: int | None = None) -> None:
    """Unmap a range, or all of it; see `Mapping.munmap`."""
    kernel = mapping.mm.kernel
    length = mapping.length - offset if length is None else length
    if offset % PAGE_SIZE or length <= 0 or offset < 0 or offset + length > mapping.length:
        raise system_error(
            errno.EINVAL,
            f"munmap of {length} bytes at {offset}: give a multiple of {PAGE_SIZE} inside "
            f"the mapping of {mapping.length} bytes",
        )
    first, end = offset // PAGE_SIZE, -(-(offset + length) // PAGE_SIZE)
    if not mapping.ranges:
        return
    with kernel.changes.of("munmap"):
        mapping_table.drop_pages(kernel.core, mapping.number, first, end - first)
        left = []
        for a, b in mapping.ranges:
            left += [(a, min(b, first))] if a < first else []
            left += [(max(a, end), b)] if b > end else []
        mapping.ranges = tuple(left)
        if not left:
            release(mapping, min(t.pid for t in mapping.mm.users))
            mapping.mm.mappings.pop(mapping.addr, None)
    kernel.check_wiped(mapping.mm.swap_ns)


def count(mapping: Mapping) -> tuple[int, int, int]:
    """(resident, swapped, zero page) pages of a mapping."""
    if not mapping.ranges:
        return 0, 0, 0
    return mapping_table.count(mapping.mm.kernel.core, mapping.number)


def counts(mm: Mm) -> tuple[int, int]:
    """Resident and swapped pages of an address space."""
    states = [count(m) for m in mm.mappings.values()]
    return sum(s[0] for s in states), sum(s[1] for s in states)


# ---------------------------------------------------------------- address spaces


def new_mm(kernel: Kernel, swap_ns: SwapNamespace, group: int) -> Mm:
    """An empty address space."""
    return Mm(kernel, kernel.mm_numbers.take(), swap_ns, group)


def fork_mm(parent: Mm, swap_ns: SwapNamespace) -> Mm:
    """A copy: private pages are shared until written, shared objects are shared."""
    child = new_mm(parent.kernel, swap_ns, parent.group)
    child.next_address = parent.next_address
    try:
        for mapping in parent.mappings.values():
            _copy_to(mapping, child)
    except MemoryError:  # after anything else the kernel is given up: see `Changes`
        teardown(child, 0)
        raise
    return child


def teardown(mm: Mm, pid: int) -> None:
    """exit_mmap: everything is unmapped."""
    for mapping in list(mm.mappings.values()):
        release(mapping, pid)
    mm.mappings.clear()
    mapping_table.forget_mm(mm.kernel.core, mm.number)
    mm.kernel.mm_numbers.give(mm.number)


# ---------------------------------------------------------------- mappings


def place(mm: Mm, pages: int) -> int:
    """An address for so many pages."""
    address = mm.next_address
    mm.next_address += (pages + 1) * PAGE_SIZE  # a guard page between neighbours
    return address


def new_mapping(
    mm: Mm,
    pages: int,
    addr: int,
    *,
    name: str = "",
    shared: SharedObject | None = None,
    readonly: bool = False,
    segment: Segment | None = None,
    ipc: IpcNamespace | None = None,
) -> Mapping:
    """A mapping at an address of an mm.

    Raises
    ------
    MemoryError
        The page indexes are used up.
    """
    kernel = mm.kernel
    base = kernel.page_space.take(pages)
    kind, start = (_core.ANON, 0) if shared is None else (_core.SHM, shared.base)
    try:
        number = mapping_table.add(
            kernel.core,
            kind,
            base,
            pages,
            mm.number,
            mm.swap_ns.scope,
            mm.group,
            start,
            addr // PAGE_SIZE,
        )
    except BaseException:
        kernel.page_space.give(base, pages)
        raise
    mapping = Mapping(mm, addr, pages, base, number, name, readonly, shared, segment, ipc)
    if shared is not None:
        segments.get(shared)
    mm.mappings[addr] = mapping
    return mapping


def _copy_to(mapping: Mapping, child: Mm) -> None:
    copy = new_mapping(
        child,
        mapping.pages,
        mapping.addr,
        name=mapping.name,
        shared=mapping.object,
        readonly=mapping.readonly,
        segment=mapping.segment,
        ipc=mapping.ipc,
    )
    copy.ranges = mapping.ranges
    if mapping.segment is not None:
        mapping.segment.status.nattch += 1
    if mapping.object is None:
        mapping_table.fork(child.kernel.core, mapping.number, copy.number)


def release(mapping: Mapping, pid: int) -> None:
    """Give everything back; the object says no from now on."""
    kernel = mapping.mm.kernel
    mapping_table.remove(kernel.core, mapping.number)
    kernel.page_space.give(mapping.base, mapping.pages)
    mapping.ranges = ()
    if mapping.object is not None:
        segments.put(kernel, mapping.object)
    if mapping.segment is not None and mapping.ipc is not None:
        segments.detached(kernel, mapping.ipc, mapping.segment, pid)
