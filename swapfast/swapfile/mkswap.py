"""mkswap(8) for swapfiles: the same bytes, the same words.

- `mkswap(path)`: format an existing file.
- `mkswap(path, size=...)`: create one, with all its blocks, mode 0600; or leave nothing behind.
- `MkswapResult`: the header written, and what mkswap(8) would have printed.

Source: disk-utils/mkswap.c, util-linux 2.38.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import uuid as uuids
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from swapfast.swapfile.extents import same_inode, unsupported_extent
from swapfast.swapfile.file_system import never_copied, unfit_file_system
from swapfast.swapfile.files import claim, insecure_permissions, named, read_at, refusal
from swapfast.swapfile.header import (
    BOOTBITS_BYTES,
    LABEL_BYTES,
    NATIVE,
    PAGE_SIZES,
    SIGNATURE,
    UINT32_MAX,
    ByteOrder,
    SwapHeader,
    check_page_size,
    max_bad_pages,
    signature_of,
)
from swapfast.units import format_size, parse_size

_UUID = r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
MIN_GOOD_PAGES = 10  # disk-utils/mkswap.c: MIN_GOODPAGES


@dataclass(frozen=True, slots=True)
class MkswapResult:
    """What mkswap did.

    Attributes
    ----------
    path : str
        The swapfile.
    header : SwapHeader
        What was written.
    size : int
        Bytes of swap space as mkswap(8) counts them: all pages but the header and the bad ones.
    lines : tuple of str
        Standard output of mkswap(8).
    warnings : tuple of str
        Its warnings, without the leading "mkswap: ".
    """

    path: str
    header: SwapHeader
    size: int
    lines: tuple[str, ...]
    warnings: tuple[str, ...]


def mkswap(
    path: str | os.PathLike[str],
    *,
    size: int | str | None = None,
    label: str | None = None,
    uuid: uuids.UUID | str | None = None,
    bad_pages: Iterable[int] = (),
    page_size: int = 4096,
    byteorder: ByteOrder | Literal["native"] = "native",
    force: bool = False,
) -> MkswapResult:
    """Make a swap area of a file.

    Parameters
    ----------
    path : path
        The file. With `size` it must not exist, without it must.
    size : int or str, optional
        Bytes of the new file, or a text such as "64MiB". All blocks are allocated, mode is 0600.
    label : str, optional
        Volume label; cut after 15 bytes of UTF-8, with a warning.
    uuid : UUID or str, optional
        A UUID, of text only as 8-4-4-4-12 hexadecimal digits; or "clear", "random", "time". Random
        by default.
    bad_pages : iterable of int
        Pages never to be used. Kernels refuse them in a regular file; they are for images of
        block devices.
    page_size : int
        Bytes a page, a power of two.
    byteorder : {"native", "little", "big"}
        Order of the bytes in the header.
    force : bool
        Erase the first 1024 bytes of an existing file even if a partition table is there.

    Raises
    ------
    ValueError
        An argument is out of range, or the file has fewer than 10 good pages. Nothing is written.
    OSError
        EEXIST: `size` given and the name is taken; ENOSPC, EFBIG, ...: no room, nothing is left;
        EBUSY: the file is a swap area in use; EINVAL, ENOENT, EACCES, ...: see `files.claim`.
    """
    name = os.fspath(path)
    check_page_size(page_size)
    order = NATIVE if byteorder == "native" else byteorder
    new_size = None if size is None else parse_size(size)
    draft = _Draft(name, _label_bytes(label), _uuid_of(uuid), tuple(bad_pages), page_size, order)
    with named(name):
        if new_size is not None:
            return draft.create(new_size)
        with claim(name) as file:
            return draft.format(file.fileno(), force)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A swap area that is to be: everything but its number of pages is known."""

    path: str
    label: tuple[str | None, bool]  # text, and whether it was cut
    uuid: uuids.UUID
    bad_pages: tuple[int, ...]
    page_size: int
    byteorder: ByteOrder

    def header(self, size: int) -> SwapHeader:
        """The header for a file of `size` bytes; ValueError when it cannot be one."""
        pages = min(size // self.page_size, UINT32_MAX)
        if pages < MIN_GOOD_PAGES:
            least = MIN_GOOD_PAGES * self.page_size // 1024
            raise ValueError(
                f"{self.path}: {size} bytes; a swap area needs to be at least {least} KiB"
            )
        most = min(max_bad_pages(self.page_size), pages - MIN_GOOD_PAGES)
        if len(self.bad_pages) > most:
            raise ValueError(
                f"{self.path}: {len(self.bad_pages)} bad pages of {pages}, at most {most} may be"
            )
        return SwapHeader(
            last_page=pages - 1,
            bad_pages=self.bad_pages,
            uuid=self.uuid,
            label=self.label[0] or "",
            byteorder=self.byteorder,
            page_size=self.page_size,
        )

    def create(self, size: int) -> MkswapResult:
        """A new file of `size` bytes with the header, or no file."""
        header = self.header(size)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.open(self.path, flags, 0o600)
        except FileExistsError:
            raise refusal(
                errno.EEXIST, "exists; remove it, or leave size out to format it", self.path
            ) from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody swaps to half a file
            os.fchmod(fd, 0o600)  # whatever the umask
            never_copied(fd)
            self._fill(fd, size, header)
            warnings = self._of_file_system(fd)
        except BaseException:
            self._unlink(fd)
            raise
        finally:
            with contextlib.suppress(OSError):  # what it holds is on the disk by now
                os.close(fd)
        return self._result(header, warnings)

    def _of_file_system(self, fd: int) -> list[str]:
        fault = unfit_file_system(fd, os.path.realpath(self.path))
        return [] if fault is None else [f"{self.path}: warning: swapon refuses it: it {fault}"]

    def _fill(self, fd: int, size: int, header: SwapHeader) -> None:
        try:
            os.posix_fallocate(fd, 0, size)
        except OverflowError:
            raise refusal(
                errno.EFBIG, f"{format_size(size)} is more than a file can have", self.path
            ) from None
        except OSError as error:
            code = error.errno or errno.EIO
            raise refusal(
                code, f"cannot allocate {format_size(size)}: {os.strerror(code)}", self.path
            ) from None
        _write_all(fd, header.pack(), 0)
        os.fsync(fd)
        fault = unsupported_extent(fd, size - size % self.page_size)
        if fault is not None:
            raise refusal(
                errno.EINVAL, f"{fault}: this file system cannot hold a swapfile", self.path
            )

    def _unlink(self, fd: int) -> None:
        """Remove the name if it is still that of `fd`."""
        try:
            if same_inode(os.lstat(self.path), os.fstat(fd)):
                os.unlink(self.path)
        except FileNotFoundError:
            pass

    def format(self, fd: int, force: bool) -> MkswapResult:
        """Write the header to an existing file, and nothing beyond it but old signatures."""
        status = os.fstat(fd)
        header = self.header(status.st_size)
        warnings = []
        if status.st_size // self.page_size > UINT32_MAX:
            kib = UINT32_MAX * self.page_size // 1024
            warnings.append(f"warning: truncating swap area to {kib} KiB")
        if insecure_permissions(status):
            mode = status.st_mode & 0o7777
            warnings.append(
                f"{self.path}: insecure permissions {mode:04o}, "
                f"fix with: chmod {mode & ~0o7077:04o} {self.path}"
            )
        if status.st_uid not in (0, os.geteuid()):
            warnings.append(
                f"{self.path}: insecure file owner {status.st_uid}, fix with: chown 0:0 {self.path}"
            )
        if unsupported_extent(fd, status.st_size - status.st_size % self.page_size) is not None:
            warnings.append(
                f"{self.path} contains holes or other unsupported extents; swapon refuses it"
            )
        warnings += self._of_file_system(fd)
        warnings += self._erase(fd, force)
        _write_all(fd, header.pack()[BOOTBITS_BYTES:], BOOTBITS_BYTES)
        os.fsync(fd)
        return self._result(header, warnings)

    def _erase(self, fd: int, force: bool) -> list[str]:
        """Erase boot bits and old signatures; warnings about what was found."""
        head = read_at(fd, max(self.page_size, PAGE_SIZES[-1]), 0)
        table = _partition_table(head)
        if table is not None and not force:
            return [
                f"{self.path}: warning: don't erase bootbits sectors "
                f"({table} partition table detected). Use force=True."
            ]
        _write_all(fd, bytes(BOOTBITS_BYTES), 0)
        warnings = []
        for size in PAGE_SIZES:
            old = signature_of(head, size)
            if old is None:
                continue
            kind = "swap" if old.startswith(b"SWAP") else "swsuspend"
            warnings.append(f"{self.path}: warning: wiping old {kind} signature.")
            if size > self.page_size:
                _write_all(fd, bytes(len(SIGNATURE)), size - len(SIGNATURE))
        return warnings

    def _result(self, header: SwapHeader, warnings: list[str]) -> MkswapResult:
        text, cut = self.label
        if cut:
            warnings.append("Label was truncated.")
        bad = len(self.bad_pages)
        size = (header.last_page - bad) * self.page_size
        lines = [
            f"Setting up swapspace version 1, size = {format_size(size)} ({size} bytes)",
            f"{'no label' if text is None else f'LABEL={_shown(text)}'}, UUID={self.uuid}",
        ]
        if bad:
            lines.insert(0, f"{bad} bad page{'s' if bad > 1 else ''}")
        return MkswapResult(self.path, header, size, tuple(lines), tuple(warnings))


def _label_bytes(label: str | None) -> tuple[str | None, bool]:
    """The label cut to 15 bytes (the 16th is NUL), and whether it was."""
    if label is None:
        return None, False
    encoded = label.encode("utf-8", "surrogateescape")
    if b"\0" in encoded:
        raise ValueError(f"label: {label!r} contains NUL")
    kept = encoded[: LABEL_BYTES - 1]
    return kept.decode("utf-8", "surrogateescape"), len(kept) < len(encoded)


def _shown(text: str) -> str:
    """`text` fit to print: bytes that are no characters, as of a label cut within one, marked."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _uuid_of(uuid: uuids.UUID | str | None) -> uuids.UUID:
    if isinstance(uuid, uuids.UUID):
        return uuid
    if uuid is None or uuid == "random":
        return uuids.uuid4()
    if uuid == "clear":
        return uuids.UUID(int=0)
    if uuid == "time":
        return uuids.uuid1()
    if not re.fullmatch(_UUID, uuid):  # libuuid reads no other spelling, and Python several
        raise ValueError(
            f"uuid: {uuid!r:.60} is not clear, random, time or a UUID of 8-4-4-4-12 hexadecimal "
            "digits"
        )
    return uuids.UUID(uuid)


def _partition_table(head: bytes) -> str | None:
    """Kind of the partition table at the beginning of a disk image, or None."""
    if head[512:520] == b"EFI PART":
        return "gpt"
    if head[510:512] == b"\x55\xaa":
        return "dos"
    return None


def _write_all(fd: int, content: bytes, at: int) -> None:
    view = memoryview(content)
    while view:
        written = os.pwrite(fd, view, at)
        view, at = view[written:], at + written
