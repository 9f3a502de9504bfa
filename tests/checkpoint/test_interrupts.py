"""Ctrl-C at any moment of a checkpoint: nothing is half done, and it can be done again."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from linecache import getline
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import swapfast
from swapfast.checkpoint import checkpoint, compact, export, verify
from swapfast.checkpoint.patience import breathe, held_back
from swapfast.kernel.records import Kind
from swapfast.machine import Machine, restart
from tests.support.chains import chain_of
from tests.support.seen import contents
from tests.support.small_job import AREA, JOB, namespace_of, scribble, seen_in, small_job

HOME = f"{Path(swapfast.__file__).parent}/checkpoint/"
#: Their exceptions are the handlers' own: a signal cannot come in the middle of them.
ATOMIC = ("patience.py",)
LEAVING = ("__exit__", "_leave", "close", "give_up", "uncertain", "commit", "sweep")
KINDS: tuple[Kind, ...] = ("pinned", "snapshot", "incremental")


class Interrupting:
    """Raises at the n-th line that runs in the package of checkpoints."""

    def __init__(self, at: int) -> None:
        self.left, self.where = at, ""

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(HOME) or name.endswith(ATOMIC) or leaving(frame):
            return None
        # A line with "with" is visited once more before the block is left, as no signal does it.
        if event == "line" and not getline(name, frame.f_lineno).lstrip().startswith("with "):
            self.left -= 1
            if self.left == -1:
                self.where = f"{name.removeprefix(HOME)}:{frame.f_lineno}"
                raise KeyboardInterrupt
        return self


def leaving(frame: FrameType | None) -> bool:
    """Files are let go: signals are held back then."""
    while frame is not None:
        if frame.f_code.co_name in LEAVING:
            return True
        frame = frame.f_back
    return False


@contextmanager
def interrupted(at: int) -> Iterator[Interrupting]:
    tracer = Interrupting(at)
    sys.settrace(tracer)
    try:
        yield tracer
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(None)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def left_over(folder: Path) -> bool:
    """A new file that nobody knows to be ours yet is empty; the next checkpoint takes it."""
    temporary = folder / f"{JOB}.tmp"
    return temporary.exists() and temporary.stat().st_size > 0


def whole(folder: Path, kind: Kind) -> Any:
    """What a restart from the image would see."""
    assert verify(folder / JOB) == []
    return seen_in(folder) if kind == "pinned" else of_copy(folder)


def of_copy(folder: Path) -> Any:
    with restart(folder / JOB) as machine:
        return contents(machine)


@pytest.mark.parametrize("step", [97, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", KINDS)
def test_at_each_line(tmp_path: Path, kind: Kind, step: int) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    machine = small_job(folder)
    checkpoint(machine.kernel, namespace_of(machine), folder / JOB, kind=kind)
    at, tally = 0, Counter[str]()
    while True:
        old = contents(machine)
        checkpoint(machine.kernel, namespace_of(machine), folder / JOB, kind=kind)
        scribble(machine, "new", at)
        now, before = contents(machine), open_files()
        with interrupted(at) as tracer:
            checkpoint(machine.kernel, namespace_of(machine), folder / JOB, kind=kind)
        if not tracer.where:
            break
        assert open_files() == before, tracer.where
        assert not left_over(folder), tracer.where
        machine.verify()
        seen = whole(folder, kind)
        assert seen in (old, now), tracer.where
        tally["new" if seen == now else "old"] += 1
        assert contents(machine) == now, tracer.where
        scribble(machine, "later", at)  # an image's slots are still its own
        assert whole(folder, kind) == seen, tracer.where
        checkpoint(machine.kernel, namespace_of(machine), folder / JOB, kind=kind)
        assert whole(folder, kind) == contents(machine), tracer.where
        at += step
    print(f"{kind}: {at} lines, {dict(tally)}")
    assert at > 150 and tally["old"]
    machine.close()


def alarmed(seconds: float, work: Callable[[], Any]) -> None:
    """Some work, with a handler that raises KeyboardInterrupt after a while."""
    armed = [True]

    def ring(number: int, frame: FrameType | None) -> None:
        if armed:
            armed.clear()
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        work()
        armed.clear()
    except KeyboardInterrupt:
        pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def moments(work: Callable[[], Any], count: int = 15) -> list[float]:
    """From the beginning of some work to a little behind its end."""
    begin = time.perf_counter()
    work()
    taken = time.perf_counter() - begin
    return [max(taken * 1.3 * i / count, 1e-5) for i in range(count)]


@pytest.mark.parametrize("kind", ["in-place", *KINDS])
def test_a_signal_at_any_time(tmp_path: Path, kind: Kind) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    machine = small_job(folder)

    def once() -> None:
        checkpoint(machine.kernel, namespace_of(machine), folder / JOB, kind=kind)

    for seconds in moments(once):
        if not any(t.alive for t in machine.tasks.values() if t.parent is not None):
            machine.close()
            machine = restart(folder / JOB)
        scribble(machine, "new", int(seconds * 1e6))
        now, before = contents(machine), open_files()
        alarmed(seconds, once)
        machine.verify()
        assert not (folder / f"{JOB}.tmp").exists()
        assert verify(folder / JOB) == []
        if kind == "in-place":
            alive = any(t.alive for t in machine.tasks.values() if t.parent is not None)
            assert open_files() == before - (not alive), (
                "all are gone and the file is free, or none"
            )
            machine.close()
            with restart(folder / JOB, swapfile=folder / AREA) as again:
                assert alive or contents(again) == now
            machine = restart(folder / JOB)
        else:
            assert open_files() == before and contents(machine) == now
            once()
            assert whole(folder, kind) == now
    machine.close()


def test_compact(tmp_path: Path) -> None:
    machine, last = chain_of(tmp_path, "incremental", 3)
    right = contents(machine)
    machine.close()
    names = set(os.listdir(tmp_path))

    def once() -> None:
        compact(last, tmp_path / "one")

    once()
    for seconds in moments(once):
        before = open_files()
        alarmed(seconds, once)
        assert open_files() == before and verify(tmp_path / "one") == []
        left = set(os.listdir(tmp_path)) - names - {"one"}
        assert len(left) == 1 and left.pop().endswith(".swap")
    with restart(tmp_path / "one") as again:
        assert contents(again) == right


@pytest.mark.parametrize("out", ["folder", "all.json", "pages.csv"])
def test_export(tmp_path: Path, out: str) -> None:
    machine, last = chain_of(tmp_path, "incremental", 3)
    machine.close()
    tally: Counter[str] = Counter()

    def once() -> None:
        export(last, tmp_path / f"{tally.total()}{out}")

    for seconds in moments(once):
        tally["ended"] += 1
        before, names = open_files(), set(os.listdir(tmp_path))
        alarmed(seconds, once)
        assert open_files() == before
        left = set(os.listdir(tmp_path)) - names
        assert left <= {f"{tally.total()}{out}"}
        if left and out == "folder":
            files = os.listdir(tmp_path / left.pop())
            assert len(files) == 8 and not any(n.endswith(".tmp") for n in files)
    tally["ended"] += 1
    once()


def test_signals_are_not_lost_and_handlers_come_back() -> None:
    rung: list[str] = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append("alarm"))
    try:
        with held_back():
            with held_back():
                signal.raise_signal(signal.SIGALRM)
            assert rung == []
            breathe()
            assert rung == ["alarm"]
            signal.raise_signal(signal.SIGALRM)
            signal.raise_signal(signal.SIGALRM)
            assert rung == ["alarm"]
        assert rung == ["alarm"] * 3
        handler = signal.getsignal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt), held_back():
            signal.raise_signal(signal.SIGINT)
            rung.append("went on")
        assert rung[-1] == "went on" and signal.getsignal(signal.SIGINT) is handler
        signal.raise_signal(signal.SIGALRM)
        assert rung[-1] == "alarm"
    finally:
        signal.signal(signal.SIGALRM, before)


def test_machines_in_other_threads_hold_nothing_back(tmp_path: Path) -> None:
    from threading import Thread

    done: list[Machine] = []

    def run() -> None:
        with held_back():
            machine = small_job(tmp_path)
            namespace_of(machine).checkpoint(tmp_path / JOB)
            done.append(machine)

    thread = Thread(target=run)
    thread.start()
    thread.join()
    done[0].close()
    assert verify(tmp_path / JOB) == []
