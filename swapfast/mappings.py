"""Address spaces and what is mapped in them.

- ``Mm``: one address space, shared by threads and clone(CLONE_VM) children.
- ``Mapping``: a run of pages of an mm: real bytes, and the hot path for arrays of pages.

A mapping is private anonymous memory, or a window on a ``SharedObject``.
"""

from __future__ import annotations

import errno
from bisect import bisect_right
from typing import TYPE_CHECKING, Literal

import numpy as np

from swapfast.core import mapping_table
from swapfast.errors import system_error
from swapfast.units import PAGE_SIZE

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from swapfast.ipc import IpcNamespace, Segment, SharedObject
    from swapfast.machine import Machine
    from swapfast.namespaces import SwapNamespace
    from swapfast.tasks import Task

__all__ = ["Mapping", "Mm"]

FIRST_ADDRESS = 0x7F00_0000_0000
REFERENCE_WRITE = np.uint32(0x80000000)
MOST_PAGES = 1 << 31  # a reference has 31 bits for the page


class Mm:
    """One address space.

    Attributes
    ----------
    number : int
        Its number in the core, for the swap token.
    swap_ns : SwapNamespace
        Where its private pages may go.
    group : int
        Memory group that new mappings are charged to.
    users : set of Task
        Tasks that run in it.
    mappings : dict
        Address to Mapping, in order of creation.
    """

    def __init__(self, machine: Machine, swap_ns: SwapNamespace, group: int) -> None:
        self.machine = machine
        self.number = machine.take_mm_number()
        self.swap_ns = swap_ns
        self.group = group
        self.users: set[Task] = set()
        self.mappings: dict[int, Mapping] = {}
        self._next_address = FIRST_ADDRESS

    @property
    def total_vm(self) -> int:
        """Virtual pages."""
        return sum(m.mapped_pages for m in self.mappings.values())

    def place(self, pages: int) -> int:
        """An address for so many pages."""
        address = self._next_address
        self._next_address += (pages + 1) * PAGE_SIZE  # a guard page between neighbours
        return address

    def counts(self) -> tuple[int, int]:
        """Resident and swapped pages of all its mappings."""
        states = [m.count() for m in self.mappings.values()]
        return sum(s[0] for s in states), sum(s[1] for s in states)

    def fork(self, swap_ns: SwapNamespace) -> Mm:
        """A copy: private pages are shared until written, shared objects are shared."""
        child = Mm(self.machine, swap_ns, self.group)
        child._next_address = self._next_address
        try:
            for mapping in self.mappings.values():
                mapping._copy_to(child)
        except MemoryError:  # after anything else the machine is given up: see swapfast.changes
            child.teardown(0)
            raise
        return child

    def teardown(self, pid: int) -> None:
        """exit_mmap: everything is unmapped."""
        for mapping in list(self.mappings.values()):
            mapping._release(pid)
        self.mappings.clear()
        self.machine.give_mm_number(self.number)


class Mapping:
    """A run of pages of one address space.

    Attributes
    ----------
    addr : int
        First address.
    pages : int
        Length in pages, as mapped.
    shared : bool
        A window on a shared object.
    readonly : bool
        Writes are refused.
    name : str
    """

    def __init__(
        self,
        mm: Mm,
        pages: int,
        addr: int,
        *,
        name: str = "",
        shared: SharedObject | None = None,
        readonly: bool = False,
        segment: Segment | None = None,
        ipc: IpcNamespace | None = None,
    ) -> None:
        machine = mm.machine
        self.mm = mm
        self.pages = pages
        self.addr = addr
        self.name = name
        self.readonly = readonly
        self.object = shared
        self.segment = segment
        self._ipc = ipc
        self._mapped: list[tuple[int, int]] = [(0, pages)]  # page ranges still mapped, sorted
        self.base = machine.page_space.take(pages)
        kind, start = (machine.ANON, 0) if shared is None else (machine.SHM, shared.base)
        try:
            self.number = mapping_table.add(
                machine.core,
                kind,
                self.base,
                pages,
                mm.number,
                mm.swap_ns.owner,
                mm.group,
                start,
                addr // PAGE_SIZE,
            )
        except BaseException:
            machine.page_space.give(self.base, pages)
            raise
        if shared is not None:
            shared.get()
        mm.mappings[addr] = self

    # what it is

    @property
    def shared(self) -> bool:
        """Whether writes are seen by everybody who maps the object."""
        return self.object is not None

    @property
    def length(self) -> int:
        """Bytes, as mapped."""
        return self.pages * PAGE_SIZE

    @property
    def mapped_pages(self) -> int:
        """Pages not unmapped since."""
        return sum(end - first for first, end in self._mapped)

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """Runs of pages that are still mapped, (first, one past the last), ascending."""
        return tuple(self._mapped)

    @property
    def alive(self) -> bool:
        """Whether anything of it is mapped."""
        return bool(self._mapped)

    def count(self) -> tuple[int, int, int]:
        """(resident, swapped, zero page) pages, as the page table shows them."""
        self.mm.machine.check_usable()
        return mapping_table.count(self.mm.machine.core, self.number) if self._mapped else (0, 0, 0)

    def inherited_by(self, child: Task) -> Mapping:
        """The same range in a task that was forked or cloned from this one."""
        return child.mapping_at(self.addr)

    # use

    def _range(self, offset: int, length: int) -> None:
        if length < 0 or offset < 0:
            raise ValueError("offset and length are not negative")
        first, end = offset // PAGE_SIZE, -(-(offset + length) // PAGE_SIZE)
        at = bisect_right(self._mapped, (first, MOST_PAGES)) - 1
        if at < 0 or end > self._mapped[at][1]:
            raise system_error(
                errno.EFAULT,
                f"bytes {offset}..{offset + length} are not mapped at {self.addr:#x}",
            )

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Store bytes, faulting pages in as needed.

        Parameters
        ----------
        offset : int
            Bytes from the start of the mapping.
        data : bytes-like

        Raises
        ------
        OSError
            EFAULT: not mapped, or read only; EINVAL: the machine has no contents; EIO: a swapfile
            is gone; ESRCH: the task is dead.
        TaskKilled
            The OOM killer chose this task. Bytes before the fault are written.
        """
        self.mm.machine.check_usable()
        view = memoryview(data).cast("B")
        self._range(offset, view.nbytes)
        if self.readonly:
            raise system_error(errno.EFAULT, f"the mapping at {self.addr:#x} is read only")
        self.mm.machine.copy(self, offset, view, write=True)

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of a range, faulting pages in as needed.

        Raises
        ------
        OSError, TaskKilled
            As `write`.
        """
        self.mm.machine.check_usable()
        self._range(offset, length)
        data = bytearray(length)
        self.mm.machine.copy(self, offset, memoryview(data), write=False)
        return bytes(data)

    def touch(
        self,
        pages: ArrayLike | slice | None = None,
        write: bool | ArrayLike = False,
        *,
        tag: str | None = None,
    ) -> None:
        """Reference pages in order: the hot path.

        Parameters
        ----------
        pages : array of int, slice or None
            Page numbers of this mapping; None: all of them, ascending.
        write : bool or array of bool
            One for all, or one for each reference.
        tag : str, optional
            With contents: each write stamps its page with this text, the page and the number of
            the reference.

        Raises
        ------
        ValueError
            A page outside the mapping.
        OSError, TaskKilled
            As `write`.
        """
        self.mm.machine.check_usable()
        refs = self._references(pages, write)
        self.mm.machine.run(self, refs, tag=tag, checked=True)

    def _references(
        self, pages: ArrayLike | slice | None, write: bool | ArrayLike
    ) -> NDArray[np.uint32]:
        if pages is None:
            pages = slice(None)
        if isinstance(pages, slice):
            numbers = np.arange(*pages.indices(self.pages), dtype=np.int64)
        else:
            numbers = np.asarray(pages)
            if numbers.size and numbers.dtype.kind not in "iu":
                raise ValueError(f"page numbers are integers, not {numbers.dtype}")
            numbers = numbers.ravel()
        if numbers.size:
            low, high = int(numbers.min()), int(numbers.max())
            if low < 0 or high >= self.pages:
                worst = low if low < 0 else high
                raise ValueError(f"page {worst} of a mapping of {self.pages} pages")
            if len(self._mapped) != 1 or self._mapped[0] != (0, self.pages):
                self._check_holes(numbers)
        refs = numbers.astype(np.uint32)
        writes = np.asarray(write, dtype=bool)
        if writes.ndim and writes.size != refs.size:
            raise ValueError(f"{writes.size} write flags for {refs.size} references")
        if self.readonly and writes.any():
            raise system_error(errno.EFAULT, f"the mapping at {self.addr:#x} is read only")
        if writes.ndim:
            refs[writes.ravel()] |= REFERENCE_WRITE
        elif writes:
            refs |= REFERENCE_WRITE
        return refs

    def _check_holes(self, numbers: NDArray[np.integer]) -> None:
        mapped = np.zeros(self.pages, dtype=bool)
        for first, end in self._mapped:
            mapped[first:end] = True
        lost = numbers[~mapped[numbers]]
        if lost.size:
            raise system_error(errno.EFAULT, f"page {int(lost[0])} was unmapped")

    def munmap(self, offset: int = 0, length: int | None = None) -> None:
        """Unmap a range, or all of it; pages and slots nobody else refers to are freed.

        Raises
        ------
        OSError
            EINVAL: the offset is not a multiple of the page size, or the length is 0 or outside;
            EIO, ENOSPC, ...: it is unmapped, but a slot could not be wiped.
        """
        self.mm.machine.check_usable()
        length = self.length - offset if length is None else length
        if offset % PAGE_SIZE or length <= 0 or offset < 0 or offset + length > self.length:
            raise system_error(
                errno.EINVAL,
                f"munmap of {length} bytes at {offset}: give a multiple of {PAGE_SIZE} inside "
                f"the mapping of {self.length} bytes",
            )
        first, end = offset // PAGE_SIZE, -(-(offset + length) // PAGE_SIZE)
        if not self._mapped:
            return
        with self.mm.machine.changes.of("munmap"):
            mapping_table.drop_pages(self.mm.machine.core, self.number, first, end - first)
            left = []
            for a, b in self._mapped:
                left += [(a, min(b, first))] if a < first else []
                left += [(max(a, end), b)] if b > end else []
            self._mapped = left
            if not left:
                self._release(min(t.pid for t in self.mm.users))
                self.mm.mappings.pop(self.addr, None)
        self.mm.machine.check_wiped(self.mm.swap_ns)

    # life

    def _copy_to(self, child: Mm) -> Mapping:
        copy = Mapping(
            child,
            self.pages,
            self.addr,
            name=self.name,
            shared=self.object,
            readonly=self.readonly,
            segment=self.segment,
            ipc=self._ipc,
        )
        copy._mapped = list(self._mapped)
        if self.segment is not None:
            self.segment.status.nattch += 1
        if self.object is None:
            mapping_table.fork(self.mm.machine.core, self.number, copy.number)
        return copy

    def _release(self, pid: int) -> None:
        """Give everything back; the object says no from now on."""
        machine = self.mm.machine
        mapping_table.remove(machine.core, self.number)
        machine.page_space.give(self.base, self.pages)
        self._mapped = []
        if self.object is not None:
            self.object.put()
        if self.segment is not None and self._ipc is not None:
            self._ipc.detached(self.segment, pid)

    def __repr__(self) -> str:
        kind: Literal["shared", "private"] = "shared" if self.shared else "private"
        return f"<Mapping {self.addr:#x} {kind} {self.pages} pages>"
