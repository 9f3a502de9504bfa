"""What names a run, and who refuses to run something else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from swapfast.compare.cells import Cell, Stale, Work, play_cell
from swapfast.scenario import ScenarioError
from tests.support.tiny_scenario import TINY

CELL = Cell("isolation", (("a", "1"), ("b", "2")), "shared", 3, "t", (("/x/f", "h"),))


@pytest.mark.parametrize(
    "change",
    [
        {"params": (("a", "1"), ("b", "3"))},
        {"scope": "swap_ns"},
        {"seed": 4},
        {"text": "u"},
        {"files": (("/x/f", "i"),)},
        {"core": "0"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_decides_the_result_changes_the_key(change: dict[str, object]) -> None:
    assert replace(CELL, **change).key != CELL.key  # type: ignore[arg-type]


def test_where_files_lie_and_the_order_of_values_do_not_change_the_key() -> None:
    assert replace(CELL, source="/other/isolation.toml").key == CELL.key
    assert replace(CELL, files=(("/y/g", "h"),)).key == CELL.key
    assert replace(CELL, params=CELL.params[::-1]).key == CELL.key


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def test_a_cell_is_played_as_the_scenario_says(tiny: Path) -> None:
    work = Work.open(str(tiny))
    outcome = play_cell(work.cell({"run.stop": "50ms"}, "swap_ns", 2))
    assert (outcome.scope, outcome.seed) == ("swap_ns", 2)
    assert outcome.simulated_ns == 50_000_000


def test_a_scenario_that_changed_since_is_refused(tiny: Path) -> None:
    cell = Work.open(str(tiny)).cell({}, "shared", 0)
    tiny.write_text(TINY.replace("200ms", "201ms"))
    with pytest.raises(Stale, match="its text is not what was asked for"):
        play_cell(cell)


def test_another_version_is_refused(tiny: Path) -> None:
    cell = replace(Work.open(str(tiny)).cell({}, "shared", 0), core="9.9")
    with pytest.raises(Stale, match=r"9\.9 was asked for"):
        play_cell(cell)


def test_a_trace_that_changed_since_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "refs.npy", np.arange(600, dtype=np.uint32))
    path = tmp_path / "mine.toml"
    old = 'kind = "generator"\npattern = "zipf"\npages = 1000\nrefs = 20000'
    path.write_text(TINY.replace(old, 'kind = "trace"\npath = "refs.npy"'))
    work = Work.open(str(path))
    assert [Path(name).name for name, _ in work.files] == ["refs.npy"]
    cell = work.cell({"run.stop": "20ms"}, "shared", 0)
    assert play_cell(cell).metrics["programs.web.references"] > 0
    np.save(tmp_path / "refs.npy", np.arange(601, dtype=np.uint32))
    with pytest.raises(Stale, match=r"refs\.npy: is not the file that was asked for"):
        play_cell(cell)
    assert Work.open(str(path)).cell({}, "shared", 0).key != work.cell({}, "shared", 0).key


def test_programs_in_turn_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="has no \\[run\\] table"):
        Work.open("letter")


def test_what_is_no_scenario_says_so(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("titel = 1\n")
    with pytest.raises(ScenarioError, match="did you mean 'title'"):
        Work.open(str(tmp_path / "bad.toml"))
