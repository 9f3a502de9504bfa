"""Taking hold of a file that is, or will be, a swap area.

- `claim(path)`: open, check and lock; the open file, or an `OSError` and nothing held.
- `Elsewhere(name, shown)`: a file of another mount namespace, or of another root directory.
- `let_go(file)`: unlock and close what was claimed.
- `kernel_areas()`: files that the running kernel swaps to.
- `refusal(code, sentence, path)`: the exception of every refusal here.
- `read_at(fd, size, at)`: bytes of a file, fewer at its end only.
- `named(path)`: a block in which errors of calls on a descriptor get the name of its file.
- `insecure_permissions(status)`: the mode bits that a swapfile had better not have.

The lock is flock(2): it belongs to the open file, so a second open of the same file is refused in
this process as well as in another, and a killed process leaves nothing behind. POSIX locks would
be granted twice in one process, and lost when any descriptor of the file is closed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO

from swapfast.inputs import SPECIAL_KINDS
from swapfast.swapfile.extents import same_inode

_KINDS = {
    **SPECIAL_KINDS,
    stat.S_IFLNK: "a symbolic link; name the file itself",
    stat.S_IFDIR: "a directory",
    stat.S_IFBLK: "a block device; only swapfiles are simulated",
}
_OPEN_ERRORS = {
    errno.ENOENT: "no such file; make it with mkswap and a size",
    errno.EACCES: "may not be read and written by this user; check the owner and the mode",
    errno.EMFILE: "this process has no file descriptor left, and a swapfile that is on holds one; "
    "raise the limit (ulimit -n)",
    errno.EROFS: "is on a read-only file system; copy it to a writable one",
}
_PROC_SWAPS = "/proc/swaps"


class Elsewhere(os.PathLike[str]):
    """A file that others know by another name.

    Parameters
    ----------
    name : str
        By which it is opened and looked at here; valid as long as it is on.
    shown : str
        What /proc/swaps shows.
    """

    def __init__(self, name: str, shown: str) -> None:
        self.name, self.shown = name, shown

    def __fspath__(self) -> str:
        """The name here."""
        return self.name


def refusal(code: int, sentence: str, path: str) -> OSError:
    """`OSError` (or its subclass for `code`) that says what is wrong with `path`."""
    return OSError(code, sentence, path)


@contextmanager
def named(path: str) -> Iterator[None]:
    """Errors that leave the block name a file: `path` if no other."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        code = error.errno or errno.EIO
        raise refusal(code, error.strerror or os.strerror(code), path) from error


def read_at(fd: int, size: int, at: int) -> bytes:
    """pread(2) until all is there or the file ends: it may return less for reasons of its own."""
    data = os.pread(fd, size, at)
    if len(data) == size or not data:
        return data
    parts = [data]
    while data and (missing := size - sum(map(len, parts))):
        data = os.pread(fd, missing, at + size - missing)
        parts.append(data)
    return b"".join(parts)


def insecure_permissions(status: os.stat_result) -> int:
    """Mode bits beyond those of the owner, of which swapon(8) and mkswap(8) warn; 0 if none."""
    return stat.S_IMODE(status.st_mode) & 0o7077


def kernel_areas() -> dict[tuple[int, int], str]:
    """Files which the running kernel swaps to: (device, inode) to name, from /proc/swaps."""
    try:
        with open(_PROC_SWAPS, encoding="utf-8", errors="surrogateescape") as lines:
            names = [line.split()[0] for line in lines if line.strip()][1:]
    except OSError:
        return {}
    areas = {}
    for name in names:
        plain = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), name)
        try:
            status = os.stat(plain)
        except OSError:
            continue
        areas[status.st_dev, status.st_ino] = plain
    return areas


def claim(path: str) -> FileIO:
    """Open `path` for reading and writing, as a regular file that is ours alone.

    Returns
    -------
    FileIO
        Locked, and closed on exec. An object and not a bare descriptor, so that an interrupt
        before the caller has it leaves nothing open.

    Raises
    ------
    OSError
        ENOENT, EACCES, EROFS, ... of open(2); EINVAL: a link, directory, FIFO, socket or device,
        or a file with several names; EBUSY: locked, or swapped to by the running kernel; ESTALE:
        replaced in the meantime.
    """
    try:
        _check_regular(os.lstat(path), path)  # opening a device may already have an effect
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        file = FileIO(path, "r+", opener=lambda name, _: os.open(name, flags))
    except OSError as error:
        raise _open_refusal(error, path) from None
    try:
        with named(path):
            _check_claimed(file.fileno(), path)
    except BaseException:
        let_go(file)
        raise
    return file


def let_go(file: FileIO) -> None:
    """Unlock a claimed file and close it; after an interrupt it can be called again.

    A child between fork and exec, or a mapping, may keep the open file: closing alone does not
    unlock it. If one of the two fails, the other does it.
    """
    if file.closed:
        return
    with suppress(OSError):
        fcntl.flock(file.fileno(), fcntl.LOCK_UN)
    with suppress(OSError):
        file.close()


def _check_claimed(fd: int, path: str) -> None:
    status = os.fstat(fd)
    _check_regular(status, path)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise refusal(
            errno.EBUSY, "is locked: it is a swap area in use, here or in another process", path
        ) from None
    # Only now is the name sure: a file renamed over it would have left us with a lock on nothing.
    try:
        renamed = not same_inode(os.lstat(path), status)
    except FileNotFoundError:
        renamed = True
    if renamed:
        raise refusal(errno.ESTALE, "was replaced while it was opened; try again", path)
    if (status.st_dev, status.st_ino) in kernel_areas():
        raise refusal(errno.EBUSY, "the running kernel swaps to it; swapoff it first", path)
    if os.fstat(fd).st_nlink > 1:
        raise refusal(
            errno.EINVAL, "has several names (hard links); a swapfile must have one, copy it", path
        )


def _check_regular(status: os.stat_result, path: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "a special file")
        raise refusal(errno.EINVAL, f"not a regular file but {kind}", path)


def _open_refusal(error: OSError, path: str) -> OSError:
    """The same error with a sentence; a name that became a link or special file is EINVAL."""
    code = error.errno or errno.EIO
    if code in (errno.EINVAL, errno.ENAMETOOLONG):
        return error
    if code in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
        return refusal(errno.EINVAL, "not a regular file", path)
    if code == errno.ETXTBSY:
        return refusal(errno.EBUSY, "the running kernel swaps to it or executes it", path)
    return refusal(code, _OPEN_ERRORS.get(code, os.strerror(code)), path)
