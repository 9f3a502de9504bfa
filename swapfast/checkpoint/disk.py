"""Every change that a checkpoint makes to a disk, one method each.

- ``Disk``: ``create``, ``allocate``, ``write``, ``clone``, ``sync``, ``sync_data``, ``rename``,
  ``sync_folder``, ``remove``, ``close``.
- ``opened(path, flags)``: a block with a descriptor of a file that is there.
- ``opened_file(path, flags)``: of a regular file; anything else is not even opened.

Tests put a disk in its place that counts, records, fails or loses what was not synced.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from swapfast.errors import system_error
from swapfast.swapfile.file_system import never_copied
from swapfast.swapfile.files import named

__all__ = ["Disk", "opened", "opened_file"]

_FICLONERANGE = 0x4020940D  # include/uapi/linux/fs.h: _IOW(0x94, 13, struct file_clone_range)
_CLONE = struct.Struct("=qQQQ")  # source, its offset, length, offset in the target
_CANNOT = (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS)


@contextmanager
def opened(path: str, flags: int) -> Iterator[int]:
    """A descriptor, closed at the end of the block whatever interrupts it.

    Raises
    ------
    OSError
        As open(2); nobody is waited for at a FIFO.
    """
    fd = -1
    try:
        fd = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
        yield fd
    finally:
        if fd >= 0:
            os.close(fd)


@contextmanager
def opened_file(path: str, flags: int) -> Iterator[int]:
    """A descriptor of a regular file.

    Raises
    ------
    OSError
        EINVAL: it is something else; ELOOP: a symbolic link; others as open(2) says.
    """
    # Opening a device may already have an effect.
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        raise system_error(errno.ELOOP, "is a symbolic link, not a regular file", path)
    if not stat.S_ISREG(mode):
        raise system_error(errno.EINVAL, "not a regular file", path)
    with opened(path, flags | os.O_NOFOLLOW) as fd:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise system_error(errno.EINVAL, "not a regular file", path)
        yield fd


class Disk:
    """The operating system's calls."""

    def create(self, path: str) -> int:
        """Open a new file, mode 0600, locked; what a killed process left of that name is emptied.

        Raises
        ------
        OSError
            EBUSY: another process is writing it; EINVAL: something else has the name; ENOENT,
            EACCES, ENOSPC, ...: as open(2) says.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        fd = -1
        try:
            fd = os.open(path, flags, 0o600)
            with named(path):
                self._take(fd, path)
            return fd
        except BaseException as error:
            if fd >= 0:
                os.close(fd)
            elif isinstance(error, OSError) and error.errno == errno.ELOOP:
                raise system_error(errno.EINVAL, "is a symbolic link; remove it", path) from None
            raise

    def _take(self, fd: int, path: str) -> None:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            raise system_error(errno.EINVAL, "is not a plain file with one name; remove it", path)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise system_error(errno.EBUSY, "another process is writing it", path) from None
        try:
            now = os.lstat(path)
        except FileNotFoundError:
            now = None
        if now is None or (now.st_dev, now.st_ino) != (status.st_dev, status.st_ino):
            raise system_error(errno.EBUSY, "another process has just written it", path)
        os.fchmod(fd, 0o600)
        os.ftruncate(fd, 0)
        never_copied(fd)  # as the swapfile is: btrfs shares blocks of two such files only

    def write(self, fd: int, data: bytes | memoryview, at: int) -> None:
        """Write all of ``data`` at an offset."""
        view = memoryview(data).cast("B")
        while view:
            done = os.pwrite(fd, view[: 1 << 24], at)
            view, at = view[done:], at + done

    def allocate(self, fd: int, size: int) -> None:
        """Give a file blocks for so many bytes of zeros."""
        os.posix_fallocate(fd, 0, size)

    def clone(self, source: int, start: int, size: int, fd: int, at: int) -> bool:
        """Let a file share blocks of another (reflink); False: these two cannot."""
        try:
            fcntl.ioctl(fd, _FICLONERANGE, _CLONE.pack(source, start, size, at))
        except OSError as error:
            if error.errno in _CANNOT:
                return False
            raise
        return True

    def sync(self, fd: int) -> None:
        """Bytes and size are on the disk afterwards."""
        os.fsync(fd)

    def sync_data(self, fd: int) -> None:
        """Bytes are on the disk afterwards."""
        os.fdatasync(fd)

    def rename(self, source: str, target: str) -> None:
        """Give a file another's name, at once or not at all."""
        os.replace(source, target)

    def sync_folder(self, path: str) -> None:
        """The names in a folder are on the disk afterwards."""
        with opened(path, os.O_RDONLY | os.O_DIRECTORY) as fd:
            os.fsync(fd)

    def remove(self, path: str) -> None:
        """Take a file's name away, if it has one."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)

    def close(self, fd: int) -> None:
        """Let go of a file and its lock."""
        os.close(fd)
