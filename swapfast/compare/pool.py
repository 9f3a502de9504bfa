"""Cells in processes of this machine.

- ``run_cells(cells, jobs=...)``: each cell's run, as they come; ``play`` may be another function.
- ``one_run(play, cell)``: a cell's run, its error included.
- ``Stopped``: Ctrl-C.

A process takes one cell after the other. Ctrl-C lets those that run come to their end, and begins
no other; a second one ends them. A process that dies (this machine's own OOM killer) costs its cell
alone.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from types import FrameType
from typing import Any, Self

from swapfast.compare.cells import Cell, Stale, play_cell
from swapfast.compare.runs import Run
from swapfast.errors import said
from swapfast.scenario import Outcome

__all__ = ["Play", "Stopped", "one_run", "run_cells"]

Play = Callable[..., Outcome]

_LOOK = 0.5  # s between two looks whether Ctrl-C came
_DIED = "its process died; did this machine run out of memory?"


class Stopped(KeyboardInterrupt):
    """Ctrl-C came. What was under way then is done, and was handed out."""


def one_run(play: Play, cell: Cell, **options: Any) -> Run:
    """A cell's run; what goes wrong with it is its error.

    Raises
    ------
    Stale
        As `swapfast.compare.cells.play_cell`: it would be wrong for every cell.
    """
    try:
        return Run.of_cell(cell, play(cell, **options))
    except Stale:
        raise
    except Exception as error:  # one cell of thousands is not to end the others
        return Run.of_cell(cell, None, _said(error))


def _said(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "this machine has not enough memory for it"
    if isinstance(error, OSError) and error.strerror is not None:
        return said(error)
    if isinstance(error, ValueError):
        return str(error) or type(error).__name__
    return f"{type(error).__name__}: {error}"


def run_cells(
    cells: Sequence[Cell],
    *,
    jobs: int,
    play: Play = play_cell,
    progress: Callable[[str, int, int], None] | None = None,
) -> Iterator[Run]:
    """Run cells, ``jobs`` at a time.

    Parameters
    ----------
    cells : sequence of Cell
    jobs : int
        Processes. Each is started anew, so that nothing of this one decides what comes out. One
        means this process.
    play : callable
        What runs a cell; a function of a module, since it goes to another process.
    progress : callable, optional
        Told of the run within this process; may raise KeyboardInterrupt.

    Yields
    ------
    Run
        As they come.

    Raises
    ------
    Stopped
        Ctrl-C; runs that were under way came before it.
    Stale
        As `swapfast.compare.cells.play_cell`.
    """
    if jobs == 1 or len(cells) < 2:
        yield from _here(cells, play, progress)
        return
    todo = deque(cells)
    with _Interrupts() as interrupts:
        while todo and not interrupts.count:
            lost = yield from _with_pool(todo, jobs, play, interrupts)
            for cell in lost:  # one of them did it; alone it is seen which
                if (yield from _with_pool(deque([cell]), 1, play, interrupts)):
                    yield Run.of_cell(cell, None, _DIED)
        if interrupts.count:
            raise Stopped


def _here(
    cells: Sequence[Cell], play: Play, progress: Callable[[str, int, int], None] | None
) -> Iterator[Run]:
    for cell in cells:
        options = {} if progress is None else {"progress": progress}
        try:
            run = one_run(play, cell, **options)
        except KeyboardInterrupt:
            raise Stopped from None
        if run.outcome is not None and run.outcome.interrupted:
            raise Stopped
        yield run


def _with_pool(
    todo: deque[Cell], jobs: int, play: Play, interrupts: _Interrupts
) -> Generator[Run, None, list[Cell]]:
    """Runs until nothing is left or a process died; returns the cells that went with it."""
    lost: list[Cell] = []
    running: dict[Future[Run], Cell] = {}
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"))
    try:
        while True:
            while todo and len(running) < jobs and not lost and not interrupts.count:
                running[_submit(pool, play, todo[0])] = todo[0]
                todo.popleft()
            if not running:
                return lost
            done, _ = wait(running, _LOOK, FIRST_COMPLETED)
            if interrupts.count > 1:
                raise Stopped
            for future in done:
                cell = running.pop(future)
                try:
                    run = future.result()
                except BrokenProcessPool:
                    lost.append(cell)
                else:
                    yield run
    finally:
        if running:  # nobody waits for them any more
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
        pool.shutdown(cancel_futures=True)


def _submit(pool: ProcessPoolExecutor, play: Play, cell: Cell) -> Future[Run]:
    """Hand a cell to a process that Ctrl-C of the terminal does not reach."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # children inherit it
    try:
        return pool.submit(one_run, play, cell)
    except BrokenProcessPool as error:  # it died between two looks
        failed: Future[Run] = Future()
        failed.set_exception(error)
        return failed
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Interrupts:
    """A block in which Ctrl-C is counted."""

    def __init__(self) -> None:
        self.count = 0
        self._before: Any = None

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1

    def __enter__(self) -> Self:
        self._main = threading.current_thread() is threading.main_thread()
        if self._main:
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        if self._main:
            signal.signal(signal.SIGINT, self._before)
