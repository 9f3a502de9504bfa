"""The machine's process, from its beginning to its end.

- ``Wish``: a machine, and what is to run in it first.
- ``host(wish, wire, ignored)``: boot it, start its first shell, answer until nobody is left.

It tells who forked it, over the wire: an error; or that the command runs, with a descriptor of
it; then the command's status. When nobody else is left, everything has been put away before that.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

from swapfast.errors import said
from swapfast.machine import Machine
from swapfast.shell.child import start
from swapfast.shell.console import Console
from swapfast.shell.door import Door
from swapfast.shell.server import Server

__all__ = ["MOST", "Wish", "host", "note_of"]

MOST = 65536  # bytes of a message
INPUT, SYSTEM = 2, 3  # exit codes
# It stays in the background, whatever happens at the terminal.
DEAF_TO = (
    *(signal.SIGINT, signal.SIGQUIT, signal.SIGHUP),
    *(signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGPIPE),
)


def small_machine() -> Machine:
    """Where nothing else is wished."""
    return Machine("64MiB")


@dataclass(frozen=True)
class Wish:
    """A machine, and what is to run in it.

    Attributes
    ----------
    command : sequence of str
    boot : callable
        Makes the machine.
    newswap : bool
        In a swap namespace of its own.
    swaps : sequence of path
        Swapfiles that are turned on in it before.
    name : str, optional
        By which others join.
    console : path, optional
        Where the machine's lines go, in place of stderr.
    trace : bool
        A line for each call.
    own_memory : bool
        The memory of programs is the machine's.
    """

    command: Sequence[str]
    boot: Callable[[], Machine] = small_machine
    newswap: bool = False
    swaps: Sequence[str | os.PathLike[str]] = ()
    name: str | None = None
    console: str | os.PathLike[str] | None = None
    trace: bool = False
    own_memory: bool = False


class Stopped(BaseException):
    """SIGTERM."""


def host(wish: Wish, wire: socket.socket, ignored: Sequence[int]) -> NoReturn:
    """Be the machine of a wish; ends the process.

    Parameters
    ----------
    wish : Wish
    wire : socket
        To who waits for the command.
    ignored : sequence of int
        Signals that are ignored here and not by the command.
    """
    code = SYSTEM
    try:
        _host(wish, wire, ignored)
        code = 0
    except ValueError as error:
        _refuse(wire, str(error), INPUT)
    except OSError as error:
        _refuse(wire, said(error), SYSTEM)
    except Stopped:
        code = 128 + signal.SIGTERM
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _refuse(wire: socket.socket, sentence: str, code: int) -> None:
    with suppress(OSError):
        wire.send(json.dumps({"error": sentence, "code": code}).encode())


def _host(wish: Wish, wire: socket.socket, ignored: Sequence[int]) -> None:
    inherited = _open_now()
    if not wish.command:
        raise ValueError("no command")
    machine = wish.boot()
    door = None if wish.name is None else Door.open(wish.name)
    signal.signal(signal.SIGTERM, _stop)
    console = Console(_console(wish), wish.trace)
    server = Server(machine, console, door, wish.own_memory)
    try:
        _first(server, wish, wire, ignored, inherited)
    finally:
        server.close()


def _first(
    server: Server,
    wish: Wish,
    wire: socket.socket,
    ignored: Sequence[int],
    inherited: Sequence[int],
) -> None:
    started = start(wish.command, wish.newswap, [*ignored, signal.SIGTERM])
    try:
        session = server.admit(
            started.pid, started.listener, wish.newswap, started.own, started.root
        )
        for path in wish.swaps:
            session.task.swapon(path)
    except BaseException:
        started.stop()
        raise
    _retire([fd for fd in inherited if fd != wire.fileno()])
    pidfd = os.pidfd_open(started.pid)
    note = "" if started.root is None else note_of(started.root)
    socket.send_fds(wire, [json.dumps({"note": note}).encode()], [pidfd])
    started.go()
    server.serve(pidfd)
    status = server.status(started.pid)
    os.close(pidfd)
    over = server.emptied()
    if over:
        server.close()
    with suppress(OSError):
        wire.send(json.dumps({"status": status, "over": over}).encode())
    wire.close()
    server.serve()


def _open_now() -> list[int]:
    """Descriptors of this process."""
    listed = [int(fd) for fd in os.listdir("/proc/self/fd")]  # among them that of the list
    return [fd for fd in listed if os.path.exists(f"/proc/self/fd/{fd}")]


def _retire(inherited: Sequence[int]) -> None:
    """Only stderr is shared with others from now on."""
    for number in DEAF_TO:
        signal.signal(number, signal.SIG_IGN)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):
        os.dup2(nowhere, fd)
    os.close(nowhere)
    for fd in inherited:
        if fd > 2:
            with suppress(OSError):
                os.close(fd)


def _stop(number: int, frame: object) -> None:
    raise Stopped


def _console(wish: Wish) -> int:
    if wish.console is None:
        return 2
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOCTTY | os.O_CLOEXEC
    return os.open(wish.console, flags, 0o644)


def note_of(uid: int) -> str:
    """What is said where there is no user namespace."""
    return (
        f"user namespaces are not allowed here: programs see uid {uid}, which is root of the "
        "simulated machine all the same"
    )
