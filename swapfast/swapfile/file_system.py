"""File systems on which no swap area may be.

- `unfit_file_system(fd, path)`: a phrase about the file system of a file; None: it may be there.
- `own_folder(path)`: a block in which the files of a folder are known to be this process's alone.
- `stacked(fd)`: the name of such a file system.
- `ALLOWED`: with this variable set to 1 the user answers for it that no file has a second name.
- `never_copied(fd)`: a new file on btrfs is overwritten in place.

A stacked file system shows the files of another one. Its file and the one beneath are two inodes
with one storage: a lock on one says nothing about the other, so both could be on, and each would
overwrite the other's pages. Linux refuses a swap area on all of them, because they cannot say which
blocks of a disk a file has (mm/page_io.c, generic_swapfile_activate: no bmap), and on a file that
btrfs copies on write (fs/btrfs/inode.c, btrfs_swap_activate). It also refuses tmpfs, whose files
have one name and one storage; simulated machines take them.
"""

from __future__ import annotations

import errno
import fcntl
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# include/uapi/linux/magic.h, fs/smb/common/smbglob.h, fs/vboxsf/super.c
_STACKED = {
    0x794C7630: "overlayfs",
    0xF15F: "eCryptfs",
    0x61756673: "aufs",
    0x65735546: "FUSE or virtiofs",
    0x01021997: "9p",
    0x786F4256: "vboxsf",
    0xBACBACBC: "vmhgfs",
    0xFF534D42: "CIFS",
    0xFE534D42: "SMB",
    0x00C36400: "Ceph",
}
_BTRFS = 0x9123683E
_GET_FLAGS, _SET_FLAGS = 0x80086601, 0x40086602  # include/uapi/linux/fs.h: FS_IOC_[GS]ETFLAGS
_NOCOW = 0x00800000  # FS_NOCOW_FL
ALLOWED = "SWAPFAST_STACKED"

_own: set[tuple[int, int]] = set()


@contextmanager
def own_folder(path: str | os.PathLike[str]) -> Iterator[None]:
    """Take swapfiles below a folder on any file system, because this process makes them.

    Nobody else knows of them, so nobody turns them on by another name.
    """
    status = os.stat(path)
    key = (status.st_dev, status.st_ino)
    _own.add(key)
    try:
        yield
    finally:
        _own.discard(key)


def unfit_file_system(fd: int, path: str, *, restart: bool = False) -> str | None:
    """Say why the file system of a file cannot hold a swap area.

    Parameters
    ----------
    fd : int
        The file, open.
    path : str
        Its name; links in it are resolved.
    restart : bool
        It holds a checkpoint, and may be a copy that somebody made: a simulated machine can go on
        with it where btrfs copies on write, and it cannot be made anew.

    Returns
    -------
    str or None
        A phrase to follow the name of the file, with what to do.
    """
    if not restart and _magic(fd) == _BTRFS and not _flags(fd) & _NOCOW:
        return (
            "is copied on write by btrfs; make it anew with mkswap and a size, which turns that "
            "off (chattr +C)"
        )
    name = stacked(fd)
    if name is None or os.environ.get(ALLOWED) == "1" or _is_own(path):
        return None
    return (
        f"is on {name}, where one storage can have two names and be on twice (Linux refuses it "
        "too); put it on another file system, such as /dev/shm or a volume"
    )


def stacked(fd: int) -> str | None:
    """Name of the stacked file system that a file or folder is on, if it is on one."""
    return _STACKED.get(_magic(fd))


def never_copied(fd: int) -> None:
    """Turn copy-on-write off for an empty file, where there is such a thing."""
    if _magic(fd) == _BTRFS:
        with suppress(OSError):  # then swapon refuses the file, and says why
            flags = (_flags(fd) | _NOCOW).to_bytes(8, "little")
            fcntl.ioctl(fd, _SET_FLAGS, flags)


def _is_own(path: str) -> bool:
    """Whether one of the folders on the way to a file is this process's own."""
    folder = os.path.dirname(os.path.abspath(path))
    while _own:
        with suppress(OSError):
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in _own:
                return True
        if folder == os.path.dirname(folder):
            return False
        folder = os.path.dirname(folder)
    return False


def _flags(fd: int) -> int:
    try:
        return int.from_bytes(fcntl.ioctl(fd, _GET_FLAGS, bytes(8))[:4], "little")
    except OSError:
        return 0


def _magic(fd: int) -> int:
    """statfs(2), f_type; Python has no name for it."""
    import ctypes  # here, for a quick import of the package

    raw = ctypes.create_string_buffer(256)
    if ctypes.CDLL(None, use_errno=True).fstatfs(fd, raw):
        code = ctypes.get_errno()
        if code in (errno.ENOSYS, errno.EINVAL):
            return 0
        raise OSError(code, os.strerror(code))
    word = ctypes.c_uint if platform.machine() == "s390x" else ctypes.c_ulong
    return word.from_buffer(raw).value & 0xFFFFFFFF
