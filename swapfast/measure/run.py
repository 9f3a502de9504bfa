"""The measurement itself: root's part.

- ``measure(plan, host)``: make, run, undo; the results, also written to the truth file.
- ``Refused``: what it raises where something speaks against it.
- ``System``: the calls that change the machine, one method each; tests give another.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from swapfast.errors import system_error
from swapfast.measure.checks import refusals
from swapfast.measure.ground import LRU_NAME, ON, SWAPPINESS, Planned, Setting
from swapfast.measure.host import Group, Host, read_table
from swapfast.measure.plan import Cell, Plan
from swapfast.measure.readings import MORE
from swapfast.measure.truth import Counts, Result, write_truth
from swapfast.measure.undo import Stop, Undo
from swapfast.running import Running, lru_mask
from swapfast.swapfile import mkswap

__all__ = [
    "Progress",
    "Refused",
    "System",
    "child_environment",
    "measure",
    "prepare",
    "system_call",
]

Progress = Callable[[str, int, int], None]
PACKAGE = Path(__file__).resolve().parents[2]  # the folder that holds swapfast/


class Refused(PermissionError):
    """A measurement that was not begun.

    Attributes
    ----------
    problems : list of str
        Every reason.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__(errno.EPERM, "\n".join(problems))
        self.problems = problems


class System:
    """What changes the machine. Every method raises ``OSError`` and then has changed nothing."""

    def mkswap(self, path: Path, size: int) -> None:
        """Make a swapfile."""
        mkswap(path, size=size, label="swapfast")

    def unlink(self, path: Path) -> None:
        """Remove a file."""
        os.unlink(path)

    def swapon(self, path: Path) -> None:
        """swapon(2), without flags."""
        system_call("swapon", path, 0)

    def swapoff(self, path: Path) -> None:
        """swapoff(2)."""
        system_call("swapoff", path)

    def mkdir(self, path: Path) -> None:
        """Make a group."""
        os.mkdir(path)

    def rmdir(self, path: Path) -> None:
        """Remove a group; for a moment after its last process has ended it may be busy."""
        for _ in range(50):
            try:
                return os.rmdir(path)
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
            time.sleep(0.1)
        os.rmdir(path)

    def write(self, path: Path, text: str) -> None:
        """Set a sysctl, or a file of a group."""
        path.write_text(text)

    def read(self, path: Path) -> str:
        """What is in a file of the kernel."""
        return path.read_text()

    def play(self, cell: Cell, group: Group, stop: Stop) -> Counts | None:
        """Play a trace in the group, in a process of its own; None: the OOM killer took it."""
        # -P: nothing is imported from the folder that root happens to be in.
        command = [sys.executable, "-P", "-m", "swapfast.measure.player", str(cell.path)]
        command += [str(cell.limit), str(group.path), str(group.version), str(os.getpid())]
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=child_environment(),
            start_new_session=True,  # Ctrl-C reaches it through `stop` alone
        )
        stop.on_signal = child.kill
        try:
            if stop.seen is not None:  # before there was something to kill
                child.kill()
            out, err = child.communicate()
        finally:
            stop.on_signal = None
            child.kill()
            child.wait()
        stop.check()
        if child.returncode == -signal.SIGKILL and read_table(group.events).get("oom_kill", 0):
            return None
        if child.returncode:
            cause = (err.decode("utf-8", "replace").strip().splitlines() or ["no message"])[-1]
            raise system_error(errno.EIO, f"the player of {cell.trace} failed: {cause}")
        return counts_of(json.loads(out))


def child_environment() -> dict[str, str]:
    """Of a process that imports this package, and starts no threads."""
    paths = filter(None, (str(PACKAGE), os.environ.get("PYTHONPATH")))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OPENBLAS_NUM_THREADS": "1"}


def counts_of(told: dict[str, int]) -> Counts:
    """What a player printed."""
    more = {name: told[name] for name in MORE if name in told}
    return Counts(told["majflt"], told["pswpin"], told["pswpout"], more)


def system_call(name: str, path: Path, *arguments: int) -> None:
    """Swapon(2) or swapoff(2).

    Raises
    ------
    OSError
        As the kernel says.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(os.fsencode(path), *arguments):
        code = ctypes.get_errno()
        raise system_error(code, f"{name}: {os.strerror(code)}", path)


def measure(
    plan: Plan,
    host: Host | None = None,
    *,
    system: System | None = None,
    progress: Progress | None = None,
) -> list[Result]:
    """Carry a plan out. Changes this machine while it runs; everything is undone at the end.

    The truth file is written anew after each cell, so an interrupted measurement leaves the cells
    that were finished.

    Parameters
    ----------
    plan : Plan
    host : Host, optional
        Asked again whether there is a reason not to.
    system : System, optional
    progress : callable, optional
        Called as ``progress(what, runs done, runs)``.

    Raises
    ------
    Refused
        Something speaks against it, see `refusals`; nothing was changed.
    OSError
        A step failed; everything was undone, or the message says what was not.
    KeyboardInterrupt
        SIGINT, SIGTERM or SIGHUP came; everything was undone.
    """
    host, system = host or Host(), system or System()
    results: list[Result] = []
    with Stop() as stop, Undo() as undo:
        reasons = refusals(plan, host)
        if reasons or plan.group is None:
            raise Refused(reasons)
        running = prepare(plan, system, undo)
        for cell in plan.cells:
            runs = []
            for run in range(plan.runs):
                if progress is not None:
                    done = len(results) * plan.runs + run
                    progress(f"{cell.trace} {cell.frac}", done, len(plan.cells) * plan.runs)
                stop.check()
                with undo.scope():
                    runs.append(_run(plan, cell, plan.group, system, undo, stop))
            results.append(Result(cell, tuple(runs)))
            write_truth(plan.out, results, running)
    return results


def prepare(plan: Planned, system: System, undo: Undo) -> Running:
    """What stays for all runs: the files, the settings. Returns the kernel as it is then.

    Raises
    ------
    OSError
        A step failed; EOPNOTSUPP: the processor lacks a part of the LRU that was asked for.
    """
    for file, size in plan.files:
        undo.do(
            lambda file=file, size=size: system.mkswap(file, size),  # type: ignore[misc]
            f"rm {file}",
            lambda file=file: system.unlink(file),  # type: ignore[misc]
        )
    running = plan.running
    for s in plan.settings:
        undo.do(
            lambda s=s: system.write(s.path, s.during),  # type: ignore[misc]
            s.command,
            lambda s=s: system.write(s.path, s.back),  # type: ignore[misc]
        )
        if s.name == LRU_NAME:
            running = replace(running, lru_gen=_now_on(s, system))
    return running


def _now_on(setting: Setting, system: System) -> int:
    """The mask after it was set; a processor may lack bits, which the kernel leaves out."""
    mask = lru_mask(system.read(setting.path))
    wanted = mask if setting.during == ON else lru_mask(setting.during)
    if mask != wanted or (setting.during == ON and not mask & 1):
        raise system_error(
            errno.EOPNOTSUPP,
            f"{mask:#06x} after {setting.during} was written: this processor lacks the rest",
            setting.path,
        )
    return mask


def _run(
    plan: Plan, cell: Cell, group: Group, system: System, undo: Undo, stop: Stop
) -> Counts | None:
    """One run, with a swap area freshly on and a group without a past."""
    file = plan.swapfile
    undo.do(lambda: system.swapon(file), f"swapoff {file}", lambda: system.swapoff(file))
    undo.do(
        lambda: system.mkdir(group.path), f"rmdir {group.path}", lambda: system.rmdir(group.path)
    )
    if group.version == 1:
        system.write(group.path / "memory.swappiness", str(SWAPPINESS))
    stop.check()
    return system.play(cell, group, stop)
