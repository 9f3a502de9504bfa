"""A swapfile that is on: opened, checked, locked, mapped.

- `SwapBacking.open(path, rules)`: take the file; all or nothing.
- `array`, `pages`, `end`, `header`: its bytes and what the kernel's rules make of them.
- `verify()`, `fault()`: the file is still the one that was opened, whole.
- `sync()`: make it durable. `close()`: let it go; a context manager does so too.

The file stays locked from `open` to `close`, whatever way the process ends. A forked child gets
neither the memory nor the descriptor: its copy of the object is dead. The running kernel's own
swapon(2) does not respect the lock; only root can do that.
"""

from __future__ import annotations

import errno
import os
import weakref
from collections.abc import Callable
from io import FileIO
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from swapfast.swapfile.extents import has_all_blocks, same_inode
from swapfast.swapfile.files import (
    Elsewhere,
    claim,
    insecure_permissions,
    let_go,
    named,
    read_at,
    refusal,
)
from swapfast.swapfile.header import PAGE_SIZE, PAGE_SIZES, SwapHeader, signature_of
from swapfast.swapfile.judge import unfit, without_checkpoint
from swapfast.swapfile.mapping import FileMapping
from swapfast.swapfile.rules import HeaderRules, SwapGeometry
from swapfast.swapfile.stamp import Kept, Stamp, read_stamp

_open_backings: weakref.WeakValueDictionary[tuple[int, int], SwapBacking] = (
    weakref.WeakValueDictionary()
)


class SwapBacking:
    """The file under a swap area; made by `open`.

    Attributes
    ----------
    path : str
        Absolute name, links in the directories resolved: what /proc/swaps shows.
    header : SwapHeader
        The header as it was read.
    pages : int
        Usable pages.
    end : int
        One past the highest usable page; page 0 is the header.
    warnings : tuple of str
        What swapon(8) would have warned of.
    identity : tuple of int
        (st_dev, st_ino).
    stamp : Stamp or None
        The checkpoint that it belongs to.
    last_generation : int
        The newest checkpoint that may have been committed.
    kept, copied : Kept or None
        The last checkpoint in it, and the last one that was copied from it and may be built on.
    """

    def __init__(
        self, path: str, file: FileIO, geometry: SwapGeometry, mapping: FileMapping, size: int
    ) -> None:
        self._file = file
        self._fd = file.fileno()
        status = os.fstat(self._fd)
        self.path = self._name = path
        self.header: SwapHeader = geometry.header
        self.pages = geometry.pages
        self.end = geometry.end
        self.identity = (status.st_dev, status.st_ino)
        self.warnings = _warnings(status, path)
        self._size = size
        self._map = mapping
        self._status = status
        self._gone: str | None = None  # why the file is not ours any more
        self._sync_failed = False
        self.stamp: Stamp | None = None
        self.last_generation = 0
        self.kept: Kept | None = None
        self.copied: Kept | None = None

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        rules: HeaderRules,
        *,
        accept: Callable[[bytes], bytes] | None = None,
    ) -> SwapBacking:
        """Take a swapfile.

        Parameters
        ----------
        path : path
            The file; not a link to it. Of an `Elsewhere` the other name is shown.
        rules : HeaderRules
            The kernel whose reading of the header counts.
        accept : callable, optional
            Gets the beginning of the file, says no by an exception, and returns what is to be
            judged in its place. By default a file that holds a checkpoint is refused.

        Raises
        ------
        OSError
            EBUSY: on already, here, in another process or in the running kernel; EINVAL: not a
            regular file with one name, or with holes, on a file system that can hold none, or its
            header is refused; ENOENT, EACCES, ENOMEM, ...: as the system says. Nothing is held
            then.
        """
        name = os.fspath(path)
        _check_not_open(name)
        file = claim(name)
        try:
            with named(name):
                shown = path.shown if isinstance(path, Elsewhere) else os.path.realpath(name)
                backing = cls._take(shown, file, rules, accept or without_checkpoint)
                if isinstance(path, Elsewhere):
                    backing._name = name
        except BaseException:
            let_go(file)
            raise
        _open_backings[backing.identity] = backing
        return backing

    @classmethod
    def _take(
        cls, path: str, file: FileIO, rules: HeaderRules, accept: Callable[[bytes], bytes]
    ) -> SwapBacking:
        fd = file.fileno()
        raw = read_at(fd, PAGE_SIZE, 0)
        if signature_of(raw, PAGE_SIZE) is None:  # of another page size maybe: the refusal says so
            raw = read_at(fd, PAGE_SIZES[-1], 0)
        try:
            head = accept(raw)
        except OSError as error:
            raise refusal(error.errno or errno.EINVAL, error.strerror or "", path) from None
        size = os.fstat(fd).st_size
        file_pages = size // PAGE_SIZE
        geometry = rules.check(head, file_pages, path=path)
        fault = unfit(fd, file_pages, path, restart=accept is not without_checkpoint)
        if fault is not None:
            raise refusal(errno.EINVAL, fault, path)
        try:
            mapping = FileMapping(fd, geometry.end * PAGE_SIZE)
        except OSError as error:
            if error.errno == errno.ETXTBSY:
                raise refusal(
                    errno.EBUSY, "the running kernel swaps to it; swapoff it first", path
                ) from None
            code = error.errno or errno.EIO
            raise refusal(code, f"cannot be mapped: {os.strerror(code)}", path) from None
        backing = cls(path, file, geometry, mapping, size)
        backing.stamp = read_stamp(raw)
        return backing

    @property
    def last_page(self) -> int:
        """Number of the last page as the header has it."""
        return self.header.last_page

    @property
    def bad_pages(self) -> tuple[int, ...]:
        """Pages never to be used; none in a regular file."""
        return self.header.bad_pages

    @property
    def closed(self) -> bool:
        """The file was let go, or belongs to the process that forked this one."""
        return self._gone is not None

    @property
    def map(self) -> FileMapping:
        """The mapping: pages 0..end-1 of the file."""
        self._check_held()
        return self._map

    @property
    def array(self) -> NDArray[np.uint8]:
        """The mapped bytes, shape (end * 4096,): writing them writes the file.

        Views outlive `close`, but the file is then anybody's: drop them before.
        """
        self._check_held()
        return self._map.array

    def fileno(self) -> int:
        """The locked descriptor."""
        self._check_held()
        return self._fd

    def fault(self) -> OSError | None:
        """What is wrong with the file; None: it is still there and whole.

        Returns
        -------
        OSError or None
            EIO: shorter than when it was opened, or with holes; ESTALE: unlinked, or another file
            has its name.

        Raises
        ------
        OSError
            It could not be looked at, which says nothing about it; EBADF: closed.
        """
        self._check_held()
        with named(self.path):
            now = os.fstat(self._fd)
        if now.st_size < self._size:
            return refusal(
                errno.EIO,
                f"was truncated from {self._size} to {now.st_size} bytes while on; "
                "what was swapped there is lost",
                self.path,
            )
        if not has_all_blocks(now, self._size - self._size % PAGE_SIZE):
            return refusal(
                errno.EIO, "lost blocks while on (hole punched); what they held is lost", self.path
            )
        try:
            with named(self.path):
                present = same_inode(os.lstat(self._name), self._status)
        except FileNotFoundError:
            present = False
        if not present:
            return refusal(
                errno.ESTALE,
                "was removed or replaced while on; the swapped pages have no name any more",
                self.path,
            )
        return None

    def verify(self) -> None:
        """Check that the file is still there and whole; raises what `fault` returns or raises.

        Touching mapped pages of a file that was truncated kills the process (SIGBUS); call this
        before a run of accesses and after anything suspicious.
        """
        fault = self.fault()
        if fault is not None:
            raise fault

    def sync(self, flush: Callable[[int], None] | None = None) -> None:
        """Write all stored pages to the disk and wait (fdatasync, or ``flush``).

        Raises
        ------
        OSError
            EIO, ENOSPC, ...: pages may be lost. Every later call fails with EIO, because the
            system reports lost pages only once and a second success would be a lie.
        """
        self._check_held()
        if self._sync_failed:
            raise refusal(
                errno.EIO,
                "an earlier sync failed, its pages may be lost; use a new file",
                self.path,
            )
        try:
            (flush or os.fdatasync)(self._fd)
        except OSError as error:
            self._sync_failed = True
            code = error.errno or errno.EIO
            raise refusal(code, f"could not be synced: {os.strerror(code)}", self.path) from None

    def close(self) -> None:
        """Let the file go: memory, lock, descriptor. Again is harmless."""
        if self._file.closed:
            return
        self._gone = "is closed"
        _open_backings.pop(self.identity, None)
        self._map.close()
        let_go(self._file)

    def _abandon(self) -> None:
        """In a forked child: the file is the parent's. Closing does not unlock it."""
        self._gone = "belongs to the process that forked this one; open it there"
        self._map.abandon()
        self._file.close()

    def _check_held(self) -> None:
        if self._gone is not None:
            raise refusal(errno.EBADF, self._gone, self.path)

    def __enter__(self) -> SwapBacking:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_map"):
            self.close()

    def __repr__(self) -> str:
        state = f" {self._gone}" if self._gone else ""
        return f"<SwapBacking {self.path} {self.pages} pages{state}>"


def _check_not_open(path: str) -> None:
    """EBUSY for a file that this process has on, under whatever name; the lock is the last word."""
    try:
        status = os.lstat(path)
    except OSError:
        return  # `claim` says it better
    other = _open_backings.get((status.st_dev, status.st_ino))
    if other is not None:
        raise refusal(errno.EBUSY, f"is on already, as {other.path}; swapoff it first", path)


def _warnings(status: os.stat_result, path: str) -> tuple[str, ...]:
    """sys-utils/swapon.c, swapon_checks."""
    warnings = []
    if insecure_permissions(status):
        mode = status.st_mode & 0o7777
        warnings.append(f"{path}: insecure permissions {mode:04o}, 0600 suggested.")
    if status.st_uid not in (0, os.geteuid()):
        warnings.append(f"{path}: insecure file owner {status.st_uid}, 0 (root) suggested.")
    return tuple(warnings)


def _after_fork_in_child() -> None:
    for backing in list(_open_backings.values()):
        backing._abandon()
    _open_backings.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)
