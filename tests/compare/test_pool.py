"""Cells in processes: all come back, whatever happens to one."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from swapfast.compare.cells import Cell, Stale
from swapfast.compare.pool import Stopped, run_cells
from tests.support import fake_play


def cells(count: int, source: str = "x") -> list[Cell]:
    return [Cell(source, (), "shared", seed, "0", ()) for seed in range(count)]


def test_every_cell_has_its_run_and_processes_change_nothing() -> None:
    one = {r.seed: r for r in run_cells(cells(5), jobs=1, play=fake_play.play)}
    two = {r.seed: r for r in run_cells(cells(5), jobs=2, play=fake_play.play)}
    assert set(one) == set(range(5)) and one == two


def test_one_job_is_this_process_and_two_are_others(tmp_path) -> None:
    for jobs in (1, 2):
        list(run_cells(cells(3, str(tmp_path)), jobs=jobs, play=fake_play.note))
        pids = {int(path.name.split("-")[2]) for path in tmp_path.iterdir()}
        assert (pids == {os.getpid()}) == (jobs == 1)
        [path.unlink() for path in tmp_path.iterdir()]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_cell_that_fails_is_a_run_that_says_why(jobs: int) -> None:
    found = {r.seed: r for r in run_cells(cells(4), jobs=jobs, play=fake_play.fail)}
    assert found[1].outcome is None and found[1].error == "seed 1 is odd"
    assert found[2].outcome is not None and found[2].error == ""


def test_a_process_that_dies_costs_its_own_cell_alone() -> None:
    found = {r.seed: r for r in run_cells(cells(6), jobs=2, play=fake_play.die)}
    assert set(found) == set(range(6))
    assert [seed for seed, run in sorted(found.items()) if run.outcome is None] == [1]
    assert "its process died" in found[1].error


def stale(cell: Cell) -> object:
    raise Stale("another version")


def test_a_process_that_would_run_something_else_ends_it_all() -> None:
    with pytest.raises(Stale, match="another version"):
        list(run_cells(cells(3), jobs=2, play=stale))


def interrupt_here(cell: Cell) -> object:
    if cell.seed == 1:
        raise KeyboardInterrupt
    return fake_play.play(cell)


def test_ctrl_c_in_this_process_keeps_what_is_there() -> None:
    found = []
    with pytest.raises(Stopped):
        found.extend(run for run in _collect(found, cells(4), 1, interrupt_here))
    assert [run.seed for run in found] == [0]


def test_ctrl_c_lets_what_runs_come_to_its_end_and_begins_no_more() -> None:
    found: list = []
    with pytest.raises(Stopped):
        for run in run_cells(cells(400), jobs=2, play=fake_play.play):
            found.append(run)
            if len(found) == 3:
                os.kill(os.getpid(), signal.SIGINT)
    assert 3 <= len(found) <= 6
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_another_thread_may_run_cells() -> None:
    found: list = []
    thread = threading.Thread(
        target=lambda: found.extend(run_cells(cells(3), jobs=2, play=fake_play.play))
    )
    thread.start()
    thread.join()
    assert len(found) == 3


def _collect(found, todo, jobs, play):
    for run in run_cells(todo, jobs=jobs, play=play):
        found.append(run)
    return []
