"""The shell itself: a process whose calls are asked about, before it runs its command.

- ``start(command, newswap)``: fork it, filtered and waiting. ``Started.go()``: let it run.

It is in the process group of who starts it, so that it has the terminal. An ordinary user gets a
user namespace with the own uid as 0, where that is allowed; with ``newswap`` there is a new IPC
namespace, by which swap namespaces are known.
"""

from __future__ import annotations

import array  # noqa: F401 - send_fds imports it, when the filter stops every open
import errno
import json
import os
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from swapfast import flags as f
from swapfast.processes import IGNORED
from swapfast.shell._notify import leave
from swapfast.shell.caller import Rights
from swapfast.shell.filter import Unable, install

__all__ = ["Started", "start"]

MOST = 65536  # bytes of a message
NOT_FOUND, NOT_RUN = 127, 126


@dataclass(eq=False)
class Started:
    """A child that waits for being let go.

    Attributes
    ----------
    pid : int
    listener : int
        Where its calls come from.
    root : int or None
        It has no user namespace of its own: the user who is to be root of the simulated machine.
    own : bool
        It has an IPC namespace of its own.
    """

    pid: int
    listener: int
    root: int | None
    own: bool
    wire: socket.socket

    def go(self) -> None:
        """Run the command."""
        self.wire.send(b"go")
        self.wire.close()

    def stop(self) -> None:
        """It is not to run: it ends."""
        self.wire.close()
        os.waitpid(self.pid, 0)


def start(command: Sequence[str], newswap: bool, ignored: Sequence[int] = ()) -> Started:
    """Fork a child that is filtered and waits.

    Parameters
    ----------
    command : sequence of str
        What it will run.
    newswap : bool
        In an IPC namespace of its own.
    ignored : sequence of int
        Signals that this process ignores for itself, and that do to the child what they usually do.

    Raises
    ------
    Unable
        The filter, or what it needs, is not allowed here.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        ours.close()
        _become(command, newswap, ignored, theirs)
    theirs.close()
    message, fds, _, _ = socket.recv_fds(ours, MOST, 1)
    told: dict[str, Any] = json.loads(message or b'{"error": "the child was killed", "code": 5}')
    if "error" in told:
        ours.close()
        os.waitpid(pid, 0)
        raise Unable(told["code"], told["error"])
    os.set_inheritable(fds[0], False)
    return Started(pid, fds[0], told["root"], told["own"], ours)


def _become(
    command: Sequence[str], newswap: bool, ignored: Sequence[int], wire: socket.socket
) -> NoReturn:
    """In the child: never returns."""
    try:
        try:
            root, own = _namespaces(newswap)
            for number in (*IGNORED, *ignored):
                signal.signal(number, signal.SIG_DFL)
            listener = install()
        except Exception as error:
            sentence = getattr(error, "strerror", None) or repr(error)
            code = getattr(error, "errno", None) or errno.EIO
            wire.send(json.dumps({"error": sentence, "code": code}).encode())
            os._exit(NOT_RUN)
        # From here on nothing may be opened until somebody answers.
        socket.send_fds(wire, [json.dumps({"root": root, "own": own}).encode()], [listener])
        os.close(listener)
        if not wire.recv(2):
            os._exit(NOT_RUN)
        _run(command)
    finally:
        os._exit(NOT_RUN)


def _namespaces(newswap: bool) -> tuple[int | None, bool]:
    """Enter namespaces: who is root of the simulated machine without one of users; IPC of its own.

    Raises
    ------
    Unable
        A new IPC namespace was wanted, and is not allowed.
    """
    wanted = f.CLONE_NEWIPC if newswap else 0
    if Rights.of(os.getpid()).capable(f.CAP_SYS_ADMIN):
        if wanted:
            leave(wanted)
        return None, newswap
    uid, gid = os.geteuid(), os.getegid()
    try:
        leave(f.CLONE_NEWUSER | wanted)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"0 {uid} 1")
        _write("/proc/self/gid_map", f"0 {gid} 1")
    except OSError:
        return uid, _own_ipc()
    return None, newswap


def _own_ipc() -> bool:
    return os.stat("/proc/self/ns/ipc").st_ino != os.stat(f"/proc/{os.getppid()}/ns/ipc").st_ino


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def _run(command: Sequence[str]) -> NoReturn:
    """Become the command, or say why not, as a shell would."""
    try:
        os.execvp(command[0], list(command))
    except OSError as error:
        found = error.errno not in (errno.ENOENT, errno.ENOTDIR)
        line = f"swapfast: {command[0]}: {error.strerror}\n"
        os.write(2, line.encode(sys.getfilesystemencoding(), "surrogateescape"))
        os._exit(NOT_RUN if found else NOT_FOUND)
