"""What a user starts: a machine with its first shell, or one more shell of a machine that runs.

- ``run(wish)``: boot a machine, run a command in it, return its exit code.
- ``join(name, command, newswap)``: the same in the machine of that name.

`run` has two processes beside the command: this one, which waits and hands the exit code through,
and the machine's (`server`), which is above the command and stays while any process of any of its
shells is left. So a shell that ends gives the prompt back at once, and others go on.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from swapfast.processes import exit_code
from swapfast.shell.child import start
from swapfast.shell.door import knock
from swapfast.shell.host import MOST, Wish, host, note_of

__all__ = ["Ended", "join", "run"]

SYSTEM = 3  # exit code
# The terminal sends these to everybody in the foreground; they are meant for the command.
FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT)
KILLED = "the simulated machine was killed; calls that it answered fail with ENOSYS from now on"
RELAYED = (signal.SIGTERM, signal.SIGHUP)


class Ended(Exception):
    """A machine did not begin, or was killed.

    Attributes
    ----------
    code : int
        Exit code.
    """

    def __init__(self, sentence: str, code: int = SYSTEM) -> None:
        super().__init__(sentence)
        self.code = code


def run(wish: Wish) -> int:
    """Boot a machine and run a command in it.

    Returns
    -------
    int
        The command's exit code, or 128 and the number of the signal that ended it.

    Raises
    ------
    Ended
        The machine did not begin, or was killed while the command ran; exit code 2 or 3.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sys.stdout.flush()
    sys.stderr.flush()
    with _deaf() as ignored:
        pid = os.fork()
        if pid == 0:
            ours.close()
            host(wish, theirs, ignored)
        theirs.close()
        with ours:
            return _wait(ours, pid)


def _wait(wire: socket.socket, pid: int) -> int:
    """Wait for what the machine's process tells; it stays where others are left in it."""
    message, fds, _, _ = socket.recv_fds(wire, MOST, 1)
    told: dict[str, Any] = json.loads(message or b"{}")
    if not fds:
        os.waitpid(pid, 0)
    if "error" in told:
        raise Ended(told["error"], told["code"])
    if not fds:
        raise Ended("the simulated machine was killed before it began")
    if told["note"]:
        _tell(told["note"])
    with _relayed(fds[0]):
        message = wire.recv(MOST)
        told = json.loads(message or b"{}")
        if told.get("over", True):
            os.waitpid(pid, 0)
        if "status" in told:
            return exit_code(told["status"])
        if "error" in told:
            raise Ended(told["error"], told["code"])
        _tell(KILLED)
        select.select(fds, [], [])
    return SYSTEM


def join(name: str, command: Sequence[str], newswap: bool = False) -> int:
    """Run a command in the machine of that name.

    Parameters
    ----------
    name : str
    command : sequence of str
    newswap : bool
        In a swap namespace of its own.

    Returns
    -------
    int
        As `run`.

    Raises
    ------
    Ended
        The machine says no.
    OSError
        ENOENT: no machine of that name; EPERM: it is somebody else's; `filter.Unable`.
    ValueError
        No name.
    """
    with knock(name) as connection, _deaf() as ignored:
        started = start(command, newswap, ignored)
        wish = {"pid": started.pid, "newswap": newswap, "own": started.own, "root": started.root}
        told: dict[str, Any] = {}
        try:
            socket.send_fds(connection, [json.dumps(wish).encode()], [started.listener])
            told = json.loads(connection.recv(MOST) or b"{}")
            if "error" in told:
                raise Ended(told["error"])
            if "joined" not in told:
                raise Ended(f"the machine {name} ended")
        except BaseException:
            started.stop()
            raise
        finally:
            os.close(started.listener)
        if started.root is not None:
            _tell(note_of(started.root))
        with _relayed(os.pidfd_open(started.pid)):
            started.go()
            _, status = os.waitpid(started.pid, 0)
    return exit_code(status)


@contextmanager
def _deaf() -> Iterator[list[int]]:
    """Signals of the terminal are the command's; those that were not ignored before."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in FROM_TERMINAL}
    try:
        yield [int(number) for number, old in before.items() if old != signal.SIG_IGN]
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextmanager
def _relayed(pidfd: int) -> Iterator[None]:
    """What asks this process to end is handed to the command; closes the descriptor."""

    def relay(number: int, frame: object) -> None:
        with suppress(OSError):
            signal.pidfd_send_signal(pidfd, number)

    before = {number: signal.signal(number, relay) for number in RELAYED}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
        os.close(pidfd)


def _tell(line: str) -> None:
    print(f"swapfast: {line}", file=sys.stderr, flush=True)
