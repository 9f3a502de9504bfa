"""What requests are sent to: a file that is made for it, or something that is only read.

- ``open_target(path, size, host)``: a ``Target``, to be closed.
- ``Facts``: what the kernel knows of the device below it.

Nothing of anybody else is ever written: what was there before is opened for reading alone. A file
that is made has no name, so nothing is left of it however the measurement ends.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from swapfast.errors import system_error
from swapfast.measure.checks import SPARE_DISK
from swapfast.measure.host import Host
from swapfast.units import format_size

__all__ = ["Facts", "Target", "facts_of", "open_target"]

# Memory, another machine, or the kernel itself.
NO_DEVICE = {"tmpfs", "ramfs", "devtmpfs", "9p", "virtiofs", "nfs", "nfs4", "cifs"}
NO_DEVICE |= {"proc", "sysfs", "cgroup", "cgroup2"}
LEAST = 1 << 20  # bytes: less is in no need of a device
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Facts:
    """What the kernel knows of a device.

    Attributes
    ----------
    name : str
        As in /dev; "" where nobody knows.
    rotational : bool
    tags : int or None
        Requests that its queue holds.
    """

    name: str
    rotational: bool
    tags: int | None


@dataclass(slots=True)
class Target:
    """Something open. As a context manager: closed on the way out.

    Attributes
    ----------
    path : Path
        As it was given.
    fd : int
        Opened with O_DIRECT.
    size : int
        Bytes that requests go to.
    own : bool
        Whether the file was made for this, and may be written.
    facts : Facts
    """

    path: Path
    fd: int
    size: int
    own: bool
    facts: Facts

    def __enter__(self) -> Target:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self.fd)


def open_target(
    path: str | os.PathLike[str], size: int = 1 << 30, host: Host | None = None
) -> Target:
    """Open what is measured.

    Parameters
    ----------
    path : path
        A folder: a file of ``size`` bytes is made there, without a name, for reads and writes.
        A file or a block device: it is only read.
    size : int
    host : Host, optional
        Where devices are looked up.

    Raises
    ------
    OSError
        No such file, no right, no room (ENOSPC); ENODEV: no device below it; EINVAL: a file system
        that knows no O_DIRECT.
    ValueError
        Neither a folder, a file nor a block device; too small; a file with holes.
    """
    host, path = host or Host(), Path(path)
    kind = os.stat(path).st_mode
    if stat.S_ISDIR(kind):
        return _made(path, size, host)
    if not (stat.S_ISREG(kind) or stat.S_ISBLK(kind)):
        raise ValueError(f"{path}: neither a folder, a file nor a block device")
    _on_a_device(path if stat.S_ISBLK(kind) else path.parent, host)
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
    try:
        there = os.lseek(fd, 0, os.SEEK_END)
        if there < LEAST:
            raise ValueError(
                f"{path}: {format_size(there)}; at least {format_size(LEAST)} are read"
            )
        if stat.S_ISREG(kind) and os.lseek(fd, 0, os.SEEK_HOLE) < there:
            raise ValueError(f"{path}: has holes, which no device is asked for")
        return Target(path, fd, there, False, facts_of(fd, host))
    except BaseException:
        os.close(fd)
        raise


def _made(folder: Path, size: int, host: Host) -> Target:
    if size < LEAST:
        raise ValueError(f"size {format_size(size)}: at least {format_size(LEAST)} are needed")
    _on_a_device(folder, host)
    free = host.free_disk(folder)
    if free < size + SPARE_DISK:
        raise system_error(
            errno.ENOSPC,
            f"{format_size(free)} free, {format_size(size + SPARE_DISK)} are needed",
            folder,
        )
    fd = _nameless(folder)
    try:
        os.posix_fallocate(fd, 0, size)
        return Target(folder, fd, size - size % CHUNK, True, facts_of(fd, host))
    except BaseException:
        os.close(fd)
        raise


def _nameless(folder: Path) -> int:
    """A new file without a name, or whose name is gone at once."""
    flags = os.O_RDWR | os.O_DIRECT | os.O_CLOEXEC
    try:
        return os.open(folder, flags | os.O_TMPFILE, 0o600)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT):
            raise
    name = folder / f".swapfast-device-{secrets.token_hex(8)}"
    fd = os.open(name, flags | os.O_CREAT | os.O_EXCL, 0o600)
    os.unlink(name)
    return fd


def _on_a_device(path: Path, host: Host) -> None:
    kind = host.file_system(path)
    if kind in NO_DEVICE and not stat.S_ISBLK(os.stat(path).st_mode):
        raise system_error(
            errno.ENODEV,
            f"is on {kind}, and no device is below it; choose a folder on a disk",
            path,
        )


def facts_of(fd: int, host: Host) -> Facts:
    """What /sys says of the device below an open file."""
    told = os.fstat(fd)
    number = told.st_rdev if stat.S_ISBLK(told.st_mode) else told.st_dev
    folder = f"sys/dev/block/{os.major(number)}:{os.minor(number)}"
    lines = (host.text(f"{folder}/uevent") or "").splitlines()
    name = next((line.removeprefix("DEVNAME=") for line in lines if "DEVNAME=" in line), "")

    def queue(what: str) -> str | None:
        # A partition has the queue of its disk.
        return host.text(f"{folder}/queue/{what}") or host.text(f"{folder}/../queue/{what}")

    tags = queue("nr_requests") or ""
    return Facts(name, queue("rotational") == "1", int(tags) if tags.isdigit() else None)
