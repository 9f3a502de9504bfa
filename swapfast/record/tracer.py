"""The process that keeps the pages of a recorded program.

- ``start(program, window, first_writes, bound)``: fork it; its process, and a connection to it.

It is a process of its own, because it becomes the parent of orphans, waits for all of its children,
and blocks SIGCHLD. It tells over the connection ("runs", pid), then ("seen", references) for each
thing that it is sent, and at the end ("done", status, processes, whether it is over) or ("failed",
errno, sentence, file). Programs that are left then run on, without being recorded, and it stays
with them: a traced process cannot be let go, for its filter asks for a tracer.

It and the program are bound to one processor, unless that is not wanted: at each fault one of them
sleeps and the other wakes, which costs several times as much if another processor has to be woken.
"""

from __future__ import annotations

import errno
import os
import signal
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from typing import NoReturn

from swapfast.processes import IGNORED
from swapfast.record.program import Program
from swapfast.record.signals import PASSED_ON
from swapfast.record.windows import Windows
from swapfast.shell.memory import _tracee
from swapfast.shell.memory.follow import Follower
from swapfast.shell.memory.signals import ChildSignals

__all__ = ["start"]

# It stays in the background, whatever happens at the terminal.
DEAF_TO = (*PASSED_ON, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGPIPE)
NOT_RUN = 126


def start(program: Program, window: int, first_writes: bool, bound: bool) -> tuple[int, Connection]:
    """Fork the process that keeps the pages of a program, which it runs."""
    ours, theirs = Pipe()
    pid = os.fork()
    if pid == 0:
        ours.close()
        _be(program, window, first_writes, bound, theirs)
    theirs.close()
    return pid, ours


def _be(
    program: Program, window: int, first_writes: bool, bound: bool, wire: Connection
) -> NoReturn:
    """In the child: never returns."""
    code = 1
    try:
        processors = os.sched_getaffinity(0)
        if bound:
            os.sched_setaffinity(0, {_processor()})
        _trace(program, window, first_writes, processors, wire)
        code = 0
    except OSError as error:
        sentence = error.strerror or str(error)
        with suppress(OSError):
            wire.send(("failed", error.errno or errno.EIO, sentence, error.filename))
    except MemoryError as error:
        with suppress(OSError):
            wire.send(("failed", errno.ENOMEM, str(error) or "no memory", program.file))
    except EOFError:
        pass  # who wanted to know is gone, and the program ends with this process
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _trace(
    program: Program, window: int, first_writes: bool, processors: set[int], wire: Connection
) -> None:
    pid, gate, refused = _begin(program)
    for number in DEAF_TO:
        signal.signal(number, signal.SIG_IGN)
    keeper = Windows(window, first_writes, _say)
    follower = Follower(keeper, _say)
    signals = ChildSignals()  # not before: the program would block them as well
    _tracee.adopt_orphans()
    keeper.faults.watch(signals.fileno())
    keeper.faults.watch(wire.fileno())
    follower.follow(pid)
    os.write(gate, b"!")
    os.close(gate)
    wire.send(("runs", pid))
    while _goes_on(follower, keeper, signals, pid):
        if wire.poll():
            wire.recv()
            wire.send(("seen", keeper.seen))
        keeper.faults.serve()
    if cause := os.read(refused, 16):
        raise OSError(int(cause), os.strerror(int(cause)), program.file)
    keeper.close()
    wire.send(("done", follower.ended[pid], keeper.ended, not follower.busy))
    wire.close()
    keeper.ended.clear()
    if follower.busy:
        _let_go_of_files()
        _unbind(keeper, processors)
    while follower.busy:
        keeper.faults.serve(1000)
        _goes_on(follower, keeper, signals, pid)


def _goes_on(follower: Follower, keeper: Windows, signals: ChildSignals, pid: int) -> bool:
    """Look after all who have stopped; whether the program still runs."""
    signals.read()
    follower.stops()
    keeper.reap()
    return pid not in follower.ended


def _begin(program: Program) -> tuple[int, int, int]:
    """Fork the program: its process, what it waits for, and what says that it cannot be run."""
    waits, gate = os.pipe()
    refused, refuses = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(gate)
            for number in (*IGNORED, *PASSED_ON):
                if number in IGNORED or signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                    signal.signal(number, signal.SIG_DFL)
            _tracee.keep_rights()
            if os.read(waits, 1):
                os.execv(program.file, program.arguments)
        except OSError as error:
            os.write(refuses, str(error.errno or errno.EIO).encode())
        finally:
            os._exit(NOT_RUN)
    os.close(waits)
    os.close(refuses)
    return pid, gate, refused


def _processor() -> int:
    """Where this process runs."""
    with open("/proc/self/stat", encoding="utf-8") as file:
        return int(file.read().rpartition(")")[2].split()[36])


def _unbind(keeper: Windows, processors: set[int]) -> None:
    for tid in {0, *(tid for space in keeper.spaces.values() for tid in space.members)}:
        with suppress(OSError):
            os.sched_setaffinity(tid, processors)


def _let_go_of_files() -> None:
    """Who waits for the end of what the program wrote must not wait for this process."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nowhere, fd)
    os.close(nowhere)


def _say(line: str) -> None:
    with suppress(OSError):
        os.write(2, f"swapfast: {line}\n".encode(errors="backslashreplace"))
