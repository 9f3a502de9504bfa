"""An address space becomes one whose memory is simulated.

- ``at_exec(pid, fenced)``: a program has just been started.
- ``at_fork(pid, brk)``: a process has just been born, as a copy.

The process is stopped and made to call what is needed. It gets a userfaultfd, which only this
process keeps, and a *twin*: a process that shares its memory, is always stopped, and has no
descriptors. A call of the twin can drop pages, which from outside the kernel forbids. Nobody who
waits for children of the program sees it, for it ends with no signal.
"""

from __future__ import annotations

import errno
import os
import struct
from contextlib import suppress
from dataclasses import dataclass

from swapfast.shell import _notify
from swapfast.shell.memory import _tracee
from swapfast.shell.memory.fence import BRK, CLONE, MMAP, SCRATCH, program

__all__ = ["Made", "at_exec", "at_fork", "end_twin"]

INSTRUCTION = b"\x0f\x05"  # syscall
TEXT, FILTER, CODE = SCRATCH + 48, SCRATCH + 64, SCRATCH + 128
# Numbers of x86-64.
CLOSE, WAIT4, PRCTL, CHDIR, SETPGID, SECCOMP = 3, 61, 157, 80, 109, 317
USERFAULTFD, CLOSE_RANGE = 323, 436
ALL_ACCESS, PRIVATE_AT = 7, 0x100022  # PROT_*; MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE
NO_HUGE_PAGES = 41  # PR_SET_THP_DISABLE: a page is 4096 bytes here
CLONE_VM, WALL = 0x100, 0x40000000
SET_FILTER = 1
LAST = 0xFFFFFFFF  # descriptor
PROGRAM = struct.Struct("=H6xQ")  # struct sock_fprog


@dataclass(frozen=True)
class Made:
    """What belongs to an address space.

    Attributes
    ----------
    uffd, memory, twin, brk : int
        As `swapfast.shell.memory.space.Space`.
    """

    uffd: int
    memory: int
    twin: int
    brk: int


def at_exec(pid: int, fenced: bool, old_twin: int | None = None) -> Made:
    """A program has just been started; it stands at the event of ptrace that says so.

    Parameters
    ----------
    pid : int
    fenced : bool
        It has the filter.
    old_twin : int, optional
        That of what it was before, which has ended.

    Raises
    ------
    OSError
        The kernel refuses something of it.
    _tracee.Died
    """
    _tracee.step_out(pid)
    _tracee.next_stop(pid)  # at the end of execve
    pause = _tracee.Pause(pid)
    _check(pause.call_here(MMAP, SCRATCH, 4096, ALL_ACCESS, PRIVATE_AT, -1, 0), "scratch page")
    _notify.poke(pid, SCRATCH, INSTRUCTION)
    if not fenced:
        _fence(pause)
    _check(pause.call(SCRATCH, PRCTL, NO_HUGE_PAGES, 1, 0, 0, 0), "prctl")
    if old_twin is not None:
        pause.call(SCRATCH, WAIT4, old_twin, 0, WALL, 0)
    brk = _check(pause.call(SCRATCH, BRK, 0), "brk")
    made = _equip(pause, brk)
    pause.end()
    return made


def at_fork(pid: int, brk: int) -> Made:
    """A process has just been born, and has not run yet.

    Raises
    ------
    OSError, _tracee.Died
        As `at_exec`.
    """
    pause = _tracee.Pause(pid)
    made = _equip(pause, brk)
    pause.end()
    return made


def end_twin(twin: int) -> None:
    """Kill a twin, and wait until it is gone."""
    with suppress(ProcessLookupError):
        os.kill(twin, 9)
    with suppress(OSError, _tracee.Died):
        while True:
            _tracee.next_stop(twin)


def _fence(pause: _tracee.Pause) -> None:
    code = program()
    _notify.poke(pause.pid, CODE, code)
    _notify.poke(pause.pid, FILTER, PROGRAM.pack(len(code) // 8, CODE))
    _check(pause.call(SCRATCH, SECCOMP, SET_FILTER, 0, FILTER), "seccomp")


def _equip(pause: _tracee.Pause, brk: int) -> Made:
    uffd, memory = _user_faults(pause), -1
    try:
        memory = os.open(f"/proc/{pause.pid}/mem", os.O_RDWR | os.O_CLOEXEC)
        return Made(uffd, memory, _twin(pause), brk)
    except BaseException:
        os.close(uffd)
        if memory >= 0:
            os.close(memory)
        raise


def _user_faults(pause: _tracee.Pause) -> int:
    """The process's own userfaultfd, which it does not keep."""
    theirs = pause.call(SCRATCH, USERFAULTFD, os.O_CLOEXEC | os.O_NONBLOCK)
    _check(theirs, "userfaultfd")
    process = os.pidfd_open(pause.pid)
    try:
        ours = _tracee.descriptor_of(process, theirs)
    finally:
        os.close(process)
    pause.call(SCRATCH, CLOSE, theirs)
    try:
        _tracee.open_faults(ours)
    except BaseException:
        os.close(ours)
        raise
    return ours


def _twin(pause: _tracee.Pause) -> int:
    twin = _check(pause.call(SCRATCH, CLONE, CLONE_VM, 0, 0, 0, 0), "clone")
    try:
        _tracee.next_stop(twin)
        quiet = _tracee.Pause(twin)  # it hears no signal from now on
        _notify.poke(pause.pid, TEXT, b"/\0")
        for call in ((CLOSE_RANGE, 0, LAST, 0), (CHDIR, TEXT), (SETPGID, 0, 0)):
            quiet.call(SCRATCH, *call)
    except _tracee.Died as died:
        raise OSError(errno.ESRCH, "its helper was killed") from died
    except BaseException:
        end_twin(twin)
        raise
    return twin


def _check(result: int, what: str) -> int:
    if -4096 < result < 0:
        raise OSError(-result, os.strerror(-result), what)
    return result
