"""A sweep's cells, and the file that it goes on from."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swapfast.compare.axes import axis, product
from swapfast.compare.cells import Work
from swapfast.compare.columns import Column
from swapfast.compare.comparison import compare
from swapfast.compare.pool import one_run, run_cells
from swapfast.compare.runs import Run, read_runs, write_runs
from swapfast.compare.sweep import Log, cells_of, remaining
from swapfast.compare.table import footers, lines
from swapfast.compare.verdict import verdict
from tests.support import fake_play
from tests.support.tiny_scenario import TINY


@pytest.fixture
def work(tmp_path: Path) -> Work:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return Work.open(str(path))


def cells(work: Work, *lists: str, **options):
    return cells_of(work, product([axis(text) for text in lists]), **options)


def test_cells_are_values_times_scopes_times_seeds(work: Work) -> None:
    found = cells(work, "machine.memory=32MiB,64MiB", "machine.swappiness=0:100:50", seeds=2)
    assert len(found) == len({cell.key for cell in found}) == 2 * 3 * 2 * 2
    assert len(cells(work, scopes=["shared"])) == 3


def test_the_order_is_mixed_and_always_the_same(work: Work) -> None:
    first, again = (cells(work, "machine.memory=32MiB,64MiB", seeds=20) for _ in range(2))
    assert first == again
    seeds = [cell.seed for cell in first]
    assert seeds != sorted(seeds) and len({cell.scope for cell in first[:10]}) == 2


def test_a_value_that_cannot_be_is_refused_before_anything_runs(work: Work) -> None:
    with pytest.raises(ValueError, match="memory"):
        cells(work, "machine.memory=64MiB,1KiB")
    with pytest.raises(ValueError, match="begins with no table"):
        cells(work, "machin.memory=64MiB")


def test_what_was_added_is_there_when_it_is_opened_again(work: Work, tmp_path: Path) -> None:
    path, todo = tmp_path / "runs.jsonl", cells(work, seeds=2)
    with Log(path, work) as log:
        for run in run_cells(todo[:3], jobs=1, play=fake_play.play):
            log.add(run)
    with Log(path, work) as log:
        assert remaining(todo, log.there) == todo[3:]
        for run in run_cells(todo[3:], jobs=1, play=fake_play.play):
            log.add(run)
    told = read_runs(path)
    assert {run.key for run in told.runs} == {cell.key for cell in todo}
    assert [one.text for one in told.scenarios.values()] == [work.text]
    assert path.read_text().count('"toml"') == 1


@pytest.mark.parametrize("cut", [1, 10, 200])
def test_a_torn_last_line_is_cut_off_and_its_cell_runs_again(
    work: Work, tmp_path: Path, cut: int
) -> None:
    path, todo = tmp_path / "runs.jsonl", cells(work, seeds=2)
    with Log(path, work) as log:
        for run in run_cells(todo, jobs=1, play=fake_play.play):
            log.add(run)
    os.truncate(path, path.stat().st_size - cut)
    with Log(path, work) as log:
        assert log.there.torn > 0
        (again,) = remaining(todo, log.there)
        assert again == todo[-1]
        log.add(one_run(fake_play.play, again))
    told = read_runs(path)
    assert told.torn == 0 and len(told.runs) == len(todo)


def test_cells_that_failed_are_run_again_only_if_asked(work: Work, tmp_path: Path) -> None:
    path, todo = tmp_path / "runs.jsonl", cells(work, seeds=2)
    with Log(path, work) as log:
        for run in run_cells(todo, jobs=1, play=fake_play.fail):
            log.add(run)
    there = read_runs(path)
    assert remaining(todo, there) == []
    again = remaining(todo, there, retry=True)
    assert {cell.seed for cell in again} == {1}
    with Log(path, work) as log:
        for run in run_cells(again, jobs=1, play=fake_play.play):
            log.add(run)
    there = read_runs(path)
    assert len(there.runs) == len(todo) and all(run.outcome for run in there.runs)


def test_two_sweeps_do_not_write_to_one_file(work: Work, tmp_path: Path) -> None:
    with Log(tmp_path / "runs.jsonl", work), pytest.raises(OSError, match=r"locked|another sweep"):
        Log(tmp_path / "runs.jsonl", work)


@pytest.mark.parametrize(
    "text", ["hello", "hello\n", '{"a": 1}\n', "[]\n", '{"key": "x"}\n{"b', "[" * 100_000 + "\n"]
)
def test_a_file_of_something_else_is_left_as_it_is(work: Work, tmp_path: Path, text: str) -> None:
    path = tmp_path / "letter"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"not a line of|is not a file of"):
        Log(path, work)
    assert path.read_text() == text


def test_a_line_that_cannot_be_written_is_not_there_in_part(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, todo = tmp_path / "runs.jsonl", cells(work, seeds=1)
    with Log(path, work) as log:
        log.add(one_run(fake_play.play, todo[0]))
        real = os.write

        def full(fd: int, data: bytes) -> int:
            real(fd, data[:50])
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            log.add(one_run(fake_play.play, todo[1]))
        monkeypatch.undo()
        log.add(one_run(fake_play.play, todo[1]))
    told = read_runs(path)
    assert (len(told.runs), told.torn) == (2, 0)


def test_lines_over_time_are_kept_only_if_asked(work: Work, tmp_path: Path) -> None:
    (cell,) = cells(work, seeds=1, scopes=["shared"])
    for name, series in (("with", True), ("without", False)):
        with Log(tmp_path / name, work, series=series) as log:
            log.add(one_run(fake_play.play, cell))
        (run,) = read_runs(tmp_path / name).runs
        assert run.outcome is not None and bool(run.outcome.series) == series


def test_a_run_comes_back_from_its_line_as_it_was(work: Work, tmp_path: Path) -> None:
    found = list(
        run_cells(cells(work, "machine.memory=64MiB", seeds=2), jobs=1, play=fake_play.fail)
    )
    write_runs(tmp_path / "out", work, found)
    assert read_runs(tmp_path / "out").runs == found
    assert Run.of(json.loads(json.dumps(found[0].as_dict()))) == found[0]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
OUTCOME = fake_play.play(Work("x", "x", "").cell({}, "shared", 0)).as_dict()
PLACES = [(name,) for name in OUTCOME] + [
    *(("metrics", "oom_kills.total"), ("series", "programs.db"), ("series", "programs.db", "t_s")),
    *(("devices", 0), ("devices", 0, "preset")),
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PLACES), JSON)
def test_a_line_that_was_edited_is_refused_or_can_be_compared(place, value) -> None:
    outcome = copy.deepcopy(OUTCOME)
    inner = outcome
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    line = {"key": "k", "text": "t", "params": {}, "scope": "s", "seed": 0, "core": "0"}
    try:
        run = Run.of(json.loads(json.dumps({**line, "outcome": outcome})))
    except ValueError:
        return
    told = compare([run], [Column("s")])
    assert [lines(told, [0]), footers(told), [verdict(row, told) for row in told.rows]]
