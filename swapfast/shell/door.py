"""The name under which other terminals find a simulated machine: a socket in the file system.

- ``Door.open(name)``: take a name. ``knock(name)``: a connection to who has it.
- ``check_peer(connection)``: only the same user may come in.

The socket is in $XDG_RUNTIME_DIR, or else in /tmp, with mode 0600. One that a killed machine left
behind is taken over.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import socket
import stat
import struct
import tempfile
import time
from contextlib import suppress

from swapfast.errors import system_error

__all__ = ["Door", "check_peer", "knock"]

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,31}")
PEER = struct.Struct("=3i")  # struct ucred: pid, uid, gid
PATIENCE = 2.0  # seconds for somebody else who takes over the same name


def place(name: str) -> str:
    """The path of a machine's socket.

    Raises
    ------
    ValueError
        No name.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"--name {name}: a name has letters, digits, '.', '_', '-', 32 at most")
    folder = os.environ.get("XDG_RUNTIME_DIR", "")
    if not os.path.isdir(folder) or os.stat(folder).st_uid != os.geteuid():
        folder = tempfile.gettempdir()
    return os.path.join(folder, f"swapfast-{os.geteuid()}-{name}")


def check_peer(connection: socket.socket) -> None:
    """Only processes of this user.

    Raises
    ------
    OSError
        EPERM.
    """
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size)
    uid = PEER.unpack(told)[1]
    if uid != os.geteuid():
        raise system_error(errno.EPERM, f"the machine of that name is uid {uid}'s")


def knock(name: str) -> socket.socket:
    """A connection to the machine of that name.

    Raises
    ------
    OSError
        ENOENT, ECONNREFUSED: there is none; EPERM: it is somebody else's.
    ValueError
        No name.
    """
    path = place(name)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.connect(path)
        check_peer(connection)
    except OSError as error:
        connection.close()
        if error.errno in (errno.ENOENT, errno.ECONNREFUSED):
            raise system_error(
                errno.ENOENT,
                f"no machine of the name {name} runs; start it with swapfast shell --name {name}",
            ) from None
        raise
    return connection


class Door:
    """A name that is taken; made by `open`."""

    def __init__(self, listening: socket.socket, path: str) -> None:
        self._socket, self._path = listening, path
        self._inode = os.stat(path).st_ino

    @classmethod
    def open(cls, name: str) -> Door:
        """Take a name.

        Raises
        ------
        OSError
            EADDRINUSE: a machine of that name runs; EPERM, EACCES, ...: the place is not ours.
        ValueError
            No name.
        """
        path = place(name)
        made = f"{path}.{os.getpid()}"
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        before = os.umask(0o177)
        try:
            listening.bind(made)
        except BaseException:
            listening.close()
            raise
        finally:
            os.umask(before)
        try:
            listening.listen()
            listening.setblocking(False)
            _publish(made, path, name)
            return cls(listening, path)
        except BaseException:
            listening.close()
            raise
        finally:
            os.unlink(made)

    def fileno(self) -> int:
        """Ready when somebody knocks."""
        return self._socket.fileno()

    def answer(self) -> socket.socket | None:
        """Who knocks; None: gone again, or not of this user."""
        try:
            connection, _ = self._socket.accept()
        except OSError:
            return None
        try:
            check_peer(connection)
            return connection
        except OSError:
            connection.close()
            return None

    def close(self) -> None:
        """Give the name back."""
        self._socket.close()
        with suppress(OSError):
            if os.lstat(self._path).st_ino == self._inode:
                os.unlink(self._path)


def _publish(made: str, path: str, name: str) -> None:
    """Give a socket its name, unless a machine of that name runs."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            os.link(made, path)
            return
        except FileExistsError:
            pass
        with suppress(FileNotFoundError):
            status = os.lstat(path)
            if not stat.S_ISSOCK(status.st_mode) or status.st_uid != os.geteuid():
                raise system_error(errno.EPERM, "is in the way, and not ours", path)
        if _alive(name) or time.monotonic() > end:
            raise system_error(
                errno.EADDRINUSE, f"a machine of the name {name} runs; use --join {name}"
            )
        _clear(path, name)


def _alive(name: str) -> bool:
    try:
        knock(name).close()
    except OSError as error:
        return error.errno != errno.ENOENT
    return True


def _clear(path: str, name: str) -> None:
    """Take away what a killed machine left; one at a time, so that no new one is taken away."""
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _alive(name):
            with suppress(FileNotFoundError):
                os.unlink(path)
    except BlockingIOError:
        time.sleep(0.01)
    finally:
        os.close(folder)
