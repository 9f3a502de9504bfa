"""Small files that a user names, opened without waiting for anybody.

- ``open_input(path)``: a regular file, open for reading, or why it is none.

open(2) of a FIFO waits until somebody writes to it, and /dev/zero never ends: a command that looks
at files of unknown kind would not come back.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import stat

from swapfast.errors import system_error

__all__ = ["SPECIAL_KINDS", "open_input"]

SPECIAL_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}
"""What a name that is neither file, folder nor link is called, by ``S_IFMT`` of its mode."""

_KINDS = {**SPECIAL_KINDS, stat.S_IFDIR: "a folder"}


def open_input(
    path: str | os.PathLike[str], *, pipes: bool = False, disks: bool = False
) -> io.BufferedReader:
    """Open a file for reading.

    Parameters
    ----------
    path : path
        The file, or a link to it.
    pipes : bool
        A pipe that came with the process is taken too (``/dev/stdin``, ``<(command)`` of a shell);
        a FIFO in a folder is not.
    disks : bool
        A block device is taken too.

    Raises
    ------
    OSError
        EINVAL: something else; EISDIR: a folder; ENOENT, EACCES, ...: as the system says.
    """
    name = os.fspath(path)
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket
            raise system_error(errno.EINVAL, "not a regular file but a socket", name) from None
        raise
    try:
        kind = stat.S_IFMT(os.fstat(fd).st_mode)
        if not (
            kind == stat.S_IFREG
            or (kind == stat.S_IFBLK and disks)
            or (kind == stat.S_IFIFO and pipes and os.path.realpath(name).startswith("/proc/"))
        ):
            what = _KINDS.get(kind, "a special file")
            code = errno.EISDIR if kind == stat.S_IFDIR else errno.EINVAL
            raise system_error(code, f"not a regular file but {what}", name)
        if kind == stat.S_IFIFO:  # files such as /proc/kmsg are to make nobody wait either
            fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_NONBLOCK)
        return open(fd, "rb")
    except BaseException:
        os.close(fd)
        raise
