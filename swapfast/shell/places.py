"""What a caller means by a path, found with its own rights.

- ``Place.of(pid, dirfd, path)``: what there is to know before it is looked up; a context manager.
- ``acting_as(rights)``: a block in which files are opened with the rights of a caller.

A path is looked up below the caller's root directory, from its working directory or from one that
it has open, and links stay within that root (openat2(2), RESOLVE_IN_ROOT).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from swapfast.errors import system_error
from swapfast.shell import _notify
from swapfast.shell.caller import Rights
from swapfast.swapfile.files import Elsewhere

__all__ = ["AT_FDCWD", "Place", "acting_as"]

AT_FDCWD = -100
CAP_DAC_OVERRIDE = 1


@contextmanager
def acting_as(rights: Rights) -> Iterator[None]:
    """Open files with the rights of a caller: nobody gets at a file by way of this process.

    Where this process is not root, its callers are of the same user and have the same rights.
    """
    uid, gid = os.geteuid(), os.getegid()
    if uid != 0:
        yield
        return
    groups = os.getgroups()
    here = rights.users == os.stat("/proc/self/ns/user").st_ino
    try:
        os.setgroups(rights.groups)
        _notify.act_as(rights.fsuid, rights.fsgid, here and rights.capable(CAP_DAC_OVERRIDE))
        yield
    finally:
        _notify.act_as(uid, gid, True)
        os.setgroups(groups)


class Place:
    """A path as a process says it; made by `of`.

    Parameters
    ----------
    root : int
        A descriptor of its root directory, which is closed with it.
    root_name : bytes
        How this process calls that directory.
    path : bytes
        Absolute, below that root.
    same : bool
        The process sees the mounts that this one sees.
    """

    def __init__(self, root: int, root_name: bytes, path: bytes, same: bool) -> None:
        self._root, self._root_name, self._path, self._same = root, root_name, path, same
        self._open: list[int] = [root]

    @classmethod
    def of(cls, pid: int, path: bytes, dirfd: int = AT_FDCWD) -> Place:
        """What a process means by a path that begins at one of its directories.

        Raises
        ------
        OSError
            ENOENT: an empty path; EBADF, ENOTDIR: no such directory; ESRCH: no such process.
        """
        if not path:
            raise system_error(errno.ENOENT, "an empty path")
        root_name = os.readlink(b"/proc/%d/root" % pid)
        if not path.startswith(b"/"):
            path = _below(root_name, _beginning(pid, dirfd)) + b"/" + path
        same = os.stat(f"/proc/{pid}/ns/mnt").st_ino == os.stat("/proc/self/ns/mnt").st_ino
        root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        return cls(root, root_name, path, same)

    def open(self) -> int:
        """A descriptor (O_PATH), open until the place is closed.

        Raises
        ------
        OSError
            As open(2) would: ENOENT, ENOTDIR, ELOOP, EACCES, ...
        """
        return self._open_beneath(self._path, os.O_PATH | os.O_CLOEXEC)

    def name(self, fd: int) -> str | Elsewhere:
        """By which name this process reaches what `open` has opened.

        Of another mount namespace it leads through a directory that is open as long as the place:
        see `keep`.
        """
        canonical = os.readlink(f"/proc/self/fd/{fd}")
        if self._same:
            return canonical
        folder, base = os.path.split(canonical)
        flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
        at = self._open_beneath(_below(self._root_name, os.fsencode(folder)), flags)
        return Elsewhere(f"/proc/self/fd/{at}/{base}", canonical)

    def inside(self, fd: int) -> str:
        """The name of what is opened, as the process itself would say it."""
        canonical = os.readlink(b"/proc/self/fd/%d" % fd)
        return os.fsdecode(_below(self._root_name, canonical))

    def keep(self) -> int | None:
        """Take over the directory of `name`; None: nothing has to be kept."""
        return None if self._same else self._open.pop()

    def close(self) -> None:
        """Close what is open."""
        while self._open:
            os.close(self._open.pop())

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_beneath(self, path: bytes, flags: int) -> int:
        fd = _notify.open_beneath(self._root, path, flags)
        self._open.append(fd)
        return fd


def _beginning(pid: int, dirfd: int) -> bytes:
    link = b"/proc/%d/cwd" % pid if dirfd == AT_FDCWD else b"/proc/%d/fd/%d" % (pid, dirfd)
    try:
        base = os.readlink(link)
    except FileNotFoundError:
        raise system_error(errno.EBADF, f"descriptor {dirfd} is not open") from None
    if not base.startswith(b"/"):  # a pipe, a socket
        raise system_error(errno.ENOTDIR, f"descriptor {dirfd} is not a directory")
    return base


def _below(root: bytes, path: bytes) -> bytes:
    """A name of this machine as it is said below another root directory."""
    if root != b"/" and (path + b"/").startswith(root + b"/"):
        return path[len(root) :] or b"/"
    return path
