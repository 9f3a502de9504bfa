"""What is written, `swapfast validate` reads."""

import csv

import pytest

from swapfast.measure import Cell, Counts, Result, write_truth
from swapfast.measure.truth import KERNEL_COLUMNS
from swapfast.running import Running
from swapfast.validate import read_truth, validate


def cell(frac="0.5", pages=100, refs=1100, trace="zipf"):
    return Cell(trace, f"{trace}.npz", frac, pages, refs)


def test_medians_and_spreads_are_read_back(tmp_path):
    path = tmp_path / "t.csv"
    runs = (Counts(1000, 1010, 500), Counts(1100, 1110, 501), Counts(1040, 1050, 520))
    write_truth(path, [Result(cell("0.29"), runs)])
    (read,), skipped = read_truth(path)
    assert (read.trace, read.pages, read.refs, read.limit) == ("zipf", 100, 1100, 29)
    assert read.measured == {"majflt": 1040, "pswpin": 1050, "pswpout": 501}
    assert read.spread["majflt"] == pytest.approx(100 / 1040, rel=1e-4)
    assert read.spread["pswpout"] == pytest.approx(20 / 501, rel=1e-4)
    assert skipped == []


def test_spreads_of_few_events_are_relative_to_200(tmp_path):
    row = Result(cell(), (Counts(10, 10, 0), Counts(13, 12, 0))).row()
    assert (row["majflt"], row["majflt_spread"]) == ("11.5", "0.015")
    assert row["pswpout_spread"] == "0"


def test_one_run_has_no_spread(tmp_path):
    path = tmp_path / "t.csv"
    write_truth(path, [Result(cell(), (Counts(1234567, 2, 3),))])
    with open(path) as file:
        (row,) = csv.DictReader(file)
    assert row["majflt_spread"] == "nan" and row["majflt"] == "1234567"
    assert read_truth(path)[0][0].spread == {"majflt": 0.0, "pswpin": 0.0, "pswpout": 0.0}


def test_what_not_every_kernel_counts_has_columns_of_its_own(tmp_path):
    runs = (Counts(1, 1, 1, {"pgscan": 10, "peak_pages": 50}), Counts(1, 1, 1, {"pgscan": 20}))
    path = tmp_path / "t.csv"
    write_truth(path, [Result(cell(), runs)], Running("6.18", 7, 2))
    with open(path) as file:
        (row,) = csv.DictReader(file)
    assert (row["pgscan"], row["peak_pages"], row["pgsteal"]) == ("15", "50", "")
    assert [row[name] for name in KERNEL_COLUMNS] == ["mglru", "0x0007", "v2", "6.18"]
    assert read_truth(path)[0][0].measured["majflt"] == 1


def test_killed_runs(tmp_path):
    path = tmp_path / "t.csv"
    results = [Result(cell(), (None, Counts(7, 7, 7))), Result(cell("0.25"), (None, None))]
    write_truth(path, results)
    cells, skipped = read_truth(path)
    assert [c.measured["majflt"] for c in cells] == [7]
    assert skipped == [f"{path}:3: killed by the group's OOM killer"]
    with open(path) as file:
        rows = list(csv.DictReader(file))
    assert [(r["runs"], r["killed"], r["oom"]) for r in rows] == [("2", "1", "0"), ("2", "2", "1")]


def test_validate_finds_the_trace_by_the_name_that_was_written(plan, trace, tmp_path):
    write_truth(plan.out, [Result(plan.cells[0], (Counts(300, 300, 300),))])
    result = validate(plan.out, tmp_path, ["lru"])
    assert len(result.predictions) == 1 and result.predictions[0].cell.limit == 50


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "t.csv"
    write_truth(path, [Result(cell(), (Counts(1, 1, 1),))])
    before = path.read_bytes()

    class Broken:
        def row(self):
            raise RuntimeError("no row")

    with pytest.raises(RuntimeError):
        write_truth(path, [Broken()])
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_nothing_is_written_through_a_link(tmp_path):
    """Root writes into somebody's folder, for hours."""
    other = tmp_path / "other"
    other.write_text("mine")
    for target in ("other", "missing"):
        path = tmp_path / f"to-{target}.csv"
        path.symlink_to(target)
        with pytest.raises(OSError, match="is a symbolic link"):
            write_truth(path, [])
        assert path.is_symlink()
    assert other.read_text() == "mine" and not (tmp_path / "missing").exists()
