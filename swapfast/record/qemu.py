"""Run a program in qemu-user and read what its plugin says.

- ``run_qemu(program, qemu, plugin, ...)``: a ``Recording``.
- ``find_qemu()``: the emulator for programs of this machine.

The program and each process that it forks has an arena of its own (arena.h). They come here over a
socket that is open for that moment alone, and are emptied in turn.
"""

from __future__ import annotations

import errno
import mmap
import os
import platform
import secrets
import select
import shutil
import signal
import socket
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from swapfast.errors import system_error
from swapfast.processes import IGNORED, exit_code
from swapfast.record._stream import Arena
from swapfast.record.program import MACHINES, Program
from swapfast.record.recording import Child, Recording, References
from swapfast.record.signals import Signals

__all__ = ["find_qemu", "run_qemu"]

Progress = Callable[[int, float], None]

CREDENTIALS = struct.Struct("3i")  # process, user, group
BACKLOG = 128  # processes that begin at once
PATIENCE_S = 5.0  # for one that has connected to say what it has to
ROUNDS_FROM = 3  # windows with which the plugin leaves out references itself
NAP_MS = 1, 8  # between two looks at processes that have nothing to say, at least and at most
SHOWN_S = 0.2  # between two calls of a progress


def find_qemu() -> str | None:
    """Path of the emulator; None: there is none on ``PATH``."""
    machine = platform.machine()
    return shutil.which(f"qemu-{machine}") if machine in MACHINES else None


class _Process:
    """One that is recorded."""

    def __init__(self, pid: int, fd: int, window: int, first_writes: bool) -> None:
        self.pid = pid
        self.command: tuple[str, ...] = ()
        self.references = References(window, first_writes, merge=window < ROUNDS_FROM)
        self._memory = mmap.mmap(fd, 0)
        self._arena = Arena(self._memory)
        self.command = tuple(map(os.fsdecode, self._arena.command))
        self.executing = False
        self.lost = 0
        self.watch: int | None = None  # a pidfd; readable: the process is gone
        with suppress(ProcessLookupError):
            self.watch = os.pidfd_open(pid)

    def read(self) -> int:
        """Take what is handed over; how much that was."""
        count = self._arena.drain(self.references.stream)
        if count:
            self.references.gather()
        return count

    def end(self, gone: bool) -> None:
        """Take the rest, and let the process go if it is still there."""
        if self.watch is not None:
            os.close(self.watch)
            self.watch = None
        if gone:
            self._arena.drain_all(self.references.stream)
        else:
            self._arena.close()
            self._arena.drain(self.references.stream)
        self.references.end()
        self.executing = self._arena.executing
        self.lost = self._arena.lost
        self._arena.release()
        self._memory.close()


class _Session:
    """A program and its children, from start to end."""

    def __init__(self, window: int, first_writes: bool, progress: Progress | None) -> None:
        self._window = window
        self._first_writes = first_writes
        self._progress = progress
        self._began = self._shown = time.monotonic()
        self._running: dict[int, _Process] = {}  # by pidfd
        self.ended: list[_Process] = []
        self.address = f"swapfast-record-{secrets.token_hex(16)}"
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._door.bind(b"\0" + self.address.encode())  # in no folder
        self._door.listen(BACKLOG)
        self._door.setblocking(False)

    def follow(self, pid: int) -> int:
        """Read until the program has ended; its status."""
        nap = NAP_MS[0]
        while True:
            done, status = os.waitpid(pid, os.WNOHANG)
            busy = self._welcome()
            busy += sum(process.read() for process in self._running.values())
            if done:
                self._end_all()
                return status
            nap = NAP_MS[0] if busy else min(nap * 2, NAP_MS[1])
            self._wait(0 if busy else nap)
            self._show()

    def _welcome(self) -> int:
        """Processes that have begun."""
        count = 0
        while True:
            try:
                connection, _ = self._door.accept()
            except BlockingIOError:
                return count
            with connection:
                credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
                pid, user, _ = CREDENTIALS.unpack(credentials)
                if user != os.geteuid():
                    continue  # somebody else found the address
                connection.settimeout(PATIENCE_S)
                with suppress(OSError):
                    _, fds, _, _ = socket.recv_fds(connection, 1, 1)
                    for fd in fds:
                        try:
                            self._add(_Process(pid, fd, self._window, self._first_writes))
                        finally:
                            os.close(fd)
                        count += 1

    def _add(self, process: _Process) -> None:
        for watch, before in list(self._running.items()):
            if before.pid == process.pid:  # the same process goes on as another program
                del self._running[watch]
                before.end(gone=True)
        if process.watch is None:  # gone already
            process.end(gone=True)
            self.ended.append(process)
        else:
            self._running[process.watch] = process

    def _wait(self, milliseconds: int) -> None:
        """For a process to end; those that have are read to their end."""
        poll = select.poll()
        for watch in self._running:
            poll.register(watch, select.POLLIN)
        for watch, _ in poll.poll(milliseconds):
            process = self._running.pop(watch)
            process.end(gone=True)
            self.ended.append(process)

    def _end_all(self) -> None:
        self._wait(0)
        for process in self._running.values():
            process.end(gone=False)
            self.ended.append(process)
        self._running.clear()

    def _show(self) -> None:
        now = time.monotonic()
        if self._progress is not None and now - self._shown >= SHOWN_S:
            self._shown = now
            seen = sum(one.references.seen for one in [*self._running.values(), *self.ended])
            self._progress(seen, now - self._began)

    def close(self) -> None:
        """Let go of what is still held."""
        self._end_all()
        self._door.close()


def run_qemu(
    program: Program,
    qemu: str,
    plugin: Path,
    origin: Callable[[Sequence[str]], str],
    *,
    window: int = 0,
    first_writes: bool = True,
    instructions: bool = False,
    progress: Progress | None = None,
) -> Recording:
    """Run a program to its end.

    Parameters
    ----------
    program : Program
    qemu, plugin : path
    origin : callable
        Of a trace, given the program and its arguments.
    window, first_writes
        See `References`.
    instructions : bool
        Instruction fetches too.
    progress : callable, optional
        Told references and seconds, a few times a second.

    Raises
    ------
    OSError
        ENOEXEC: qemu ended before the program began.
    """
    session = _Session(window, first_writes, progress)
    pid, status = None, 0
    try:
        with Signals() as signals:
            option = f"{str(plugin).replace(',', ',,')},to={session.address}"
            option += f",recorder={os.getpid()}"
            option += f",window={window},instructions={int(instructions)}"
            names = ("-0", program.arguments[0])
            command = [qemu, "-plugin", option, *names, program.file, *program.arguments[1:]]
            pid = os.posix_spawn(qemu, command, os.environ, setsigdef=IGNORED)
            signals.program(pid)
            main, status = pid, session.follow(pid)
            pid = None
            signals.program(None)
    finally:
        if pid is not None:  # an error here: nobody would ever read
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        session.close()
    return _result(session.ended, main, exit_code(status), origin)


def _last_of_each(processes: list[_Process]) -> list[_Process]:
    """Without programs that became another one, which is recorded too: the same process."""
    last: list[_Process] = []
    for process in processes:
        last = [one for one in last if one.pid != process.pid or not one.executing]
        last.append(process)
    return last


def _result(
    processes: list[_Process], main: int, status: int, origin: Callable[[Sequence[str]], str]
) -> Recording:
    programs = _last_of_each(processes)
    own = next((process for process in programs if process.pid == main), None)
    if own is None:
        sentence = f"qemu-user ended with status {status} and did not say what the program touched"
        raise system_error(errno.ENOEXEC, sentence)
    trace = own.references.trace(origin(own.command))
    found = Recording(trace, status, own.references.seen)
    found.replaced = own.executing
    for process in programs:
        found.lost += process.lost
        found.unrecorded += process.executing
        if process is own or process.executing:
            continue
        trace = process.references.trace(f"{origin(process.command)}; process {process.pid}")
        if trace is not None:
            seen = process.references.seen
            found.children.append(Child(process.pid, process.command, trace, seen))
    return found
