"""Runs brought into rows and columns, and what is said of them."""

from __future__ import annotations

import pytest

from swapfast.compare.columns import Column
from swapfast.compare.comparison import Comparison, compare
from swapfast.compare.figures import figure, spread
from swapfast.compare.runs import Run
from swapfast.compare.statistics import Summary
from swapfast.compare.table import footers, groups, lines
from swapfast.compare.verdict import answer, verdict
from tests.support import fake_play

FIVE = [100.0, 200.0, 300.0, 200.0, 200.0]


def runs(metric: str, values: dict[str, list[float]]) -> list[Run]:
    return [
        Run("k", "t", {}, scope, seed, "0", fake_play.outcome(scope, seed, metrics={metric: value}))
        for scope, told in values.items()
        for seed, value in enumerate(told)
    ]


def told(metric: str = "programs.db.p99_us", **values: list[float]) -> Comparison:
    found = runs(metric, values)
    return compare(found[::-1], [Column(scope) for scope in values])


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "us", "0 us"),
        (0.25, "us", "250 ns"),
        (1840, "us", "1.84 ms"),
        (2.5e6, "us", "2.50 s"),
        (812_345, "1/s", "812 k/s"),
        (0.1234, "share", "12.3 %"),
        (0, "share", "0 %"),
        (256, "pages", "1 MiB"),
        (3, "count", "3"),
        (1234567, "count", "1\u202f234\u202f567"),
        (1.5 * 2**30, "B", "1.50 GiB"),
        (0.9997, "share", "100 %"),
        (999.7, "us", "1\u202f000 us"),
        (float("nan"), "count", "-"),
    ],
)
def test_every_figure_has_its_unit(value: float, unit: str, text: str) -> None:
    assert figure(value, unit) == text


def test_mean_and_deviation_share_a_unit() -> None:
    assert spread(Summary(1840.0, 210.0, 5), "us") == "1.84 ± 0.21 ms"
    assert spread(Summary(1000.0, None, 5), "us") == "1 ms"
    assert spread(Summary(0.0, 0.5, 5), "count") == "0.00 ± 0.50"


def test_runs_are_sorted_into_their_columns_and_seeds_are_pairs() -> None:
    c = told(shared=FIVE, swap_ns=[value / 2 for value in FIVE])
    (row,) = c.rows
    assert [e.summary.mean for e in row.entries if e.summary] == [200, 100]
    assert row.entries[0].ratio is None
    assert row.entries[1].ratio is not None and row.entries[1].ratio.sure
    assert lines(c, [0, 1])[0].figures == ("200 ± 71 us", "100 ± 35 us")
    assert lines(c, [0, 1])[0].ratios == ("", "x 0.500 *")


def test_one_seed_says_so_instead_of_a_deviation_of_nothing() -> None:
    c = told(shared=[100.0], swap_ns=[50.0])
    assert lines(c, [0, 1])[0].figures == ("100 us", "50 us")
    assert footers(c)[0].startswith("One seed")


def test_few_seeds_have_a_deviation_and_no_star() -> None:
    c = told(shared=[100.0, 200.0, 300.0], swap_ns=[50.0, 100.0, 150.0])
    assert lines(c, [0, 1])[0].ratios == ("", "x 0.500")
    assert "No ratio has an interval: 5 seeds are the least." in footers(c)[0]


def test_equal_seeds_say_that_nothing_is_drawn() -> None:
    c = told(shared=[100.0, 100.0], swap_ns=[50.0, 50.0])
    assert lines(c, [0, 1])[0].ratios == ("", "x 0.500")
    assert footers(c)[0] == "All 2 seeds gave the same: nothing in this scenario is drawn."


def test_kills_are_told_by_how_many_runs_had_one() -> None:
    c = told("oom_kills.batch", shared=[0, 0, 1], swap_ns=[1, 2, 1])
    assert lines(c, [0, 1])[0].figures == ("1 of 3", "3 of 3")
    assert lines(c, [0, 1])[0].ratios == ("", "")


def test_a_program_that_dies_in_one_column_only_is_told() -> None:
    """What is left for the others then is more, whatever the scope is good for."""
    (line,) = [x for x in footers(told("oom_kills.b", a=[0, 0, 1], c=[1, 2, 1])) if "killed" in x]
    assert line.startswith("b was killed in 1 of 3 runs with a, 3 of 3 runs with c: from then on")
    assert not any("killed" in x for x in footers(told("oom_kills.b", a=[1, 1], c=[2, 1])))


def test_guessed_devices_are_named_below_the_table() -> None:
    assert any("not calibrated: nvme" in line for line in footers(told(shared=[1.0, 2.0])))


def test_with_devices_there_is_a_table_for_each() -> None:
    columns = [Column(s, (("d", p),)) for p in ("nvme", "hdd") for s in ("shared", "swap_ns")]
    assert groups(compare([], columns)) == [[0, 1], [2, 3]]
    assert groups(compare([], columns[::2])) == [[0, 1]]


def test_a_failed_run_is_told_and_others_are_shown() -> None:
    found = runs("m", {"shared": [1.0, 2.0]})
    found.append(Run("k", "t", {}, "shared", 2, "0", None, "no space"))
    c = compare(found, [Column("shared")])
    assert c.seeds == 2 and "Failed: shared, seed 2: no space" in footers(c)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"shared": FIVE, "swap_ns": [value / 2 for value in FIVE]},
            "programs.db.p99_us is lowest with swap_ns: 100 us, x 0.500 of shared (95 %: 0.5 to "
            "0.5).",
        ),
        (
            {"shared": [100.0, 100.0], "swap_ns": [200.0, 200.0]},
            "programs.db.p99_us is lowest with shared: 100 us; the next is swap_ns, x 2 of shared.",
        ),
        (
            {"shared": [100.0, 100.0], "swap_ns": [100.0, 100.0]},
            "programs.db.p99_us is 100 us everywhere.",
        ),
        ({"shared": [100.0]}, "programs.db.p99_us is 100 us with shared."),
    ],
)
def test_the_sentence_says_who_is_best_by_what(
    values: dict[str, list[float]], sentence: str
) -> None:
    c = told(**values)
    assert verdict(c.rows[0], c) == sentence


def test_the_sentence_says_when_seeds_differ_by_more() -> None:
    c = told(shared=[100.0, 300.0, 200.0] * 2, swap_ns=[290.0, 110.0, 170.0] * 2)
    assert "which is within what seeds differ by" in verdict(c.rows[0], c)


def test_more_is_better_where_it_is() -> None:
    c = told("programs.db.references_per_s", shared=[100.0, 100.0], swap_ns=[200.0, 200.0])
    assert verdict(c.rows[0], c).startswith("programs.db.references_per_s is highest with swap_ns")


def test_the_scenarios_own_sentence_is_filled_in_for_each_device() -> None:
    columns = [
        Column(scope, (("d", preset),), f"{scope} {preset}")
        for preset in ("nvme", "hdd")
        for scope in ("a", "b")
    ]
    found = [
        Run("k", "t", dict(c.params), c.scope, 0, "0", fake_play.outcome(c.scope, metrics={"m": v}))
        for c, v in zip(columns, (1.0, 2.0, 1.0, 8.0), strict=True)
    ]
    c = compare(found, columns)
    assert answer("b takes {b/a|m} as long", c) == [
        "nvme: b takes x 2 as long",
        "hdd: b takes x 8 as long",
    ]
    assert answer("", c) == []


def test_rows_are_chosen_by_patterns_in_their_order() -> None:
    metrics = {"programs.a.p99_us": 1.0, "programs.b.p99_us": 2.0, "oom_kills.total": 0}
    c = compare(
        [Run("k", "t", {}, "s", 0, "0", fake_play.outcome("s", metrics=metrics))], [Column("s")]
    )
    chosen = c.only(["oom_kills.*", "programs.b*"], strict=True)
    assert [row.metric for row in chosen.rows] == ["oom_kills.total", "programs.b.p99_us"]
    assert c.only(["tiers.*"], strict=False).rows == ()
    with pytest.raises(ValueError, match="no metric is called tiers"):
        c.only(["tiers.*"], strict=True)


def test_a_table_for_notebooks_and_frames() -> None:
    comparison = told(shared=[1.5, 2.5], swap_ns=[3.5, 4.5])
    rows = [(r["scope"], r["seed"], r["value"]) for r in comparison.table()]
    assert rows == [
        ("shared", 0, 1.5),
        ("shared", 1, 2.5),
        ("swap_ns", 0, 3.5),
        ("swap_ns", 1, 4.5),
    ]
    assert {row["metric"] for row in comparison.table()} == {"programs.db.p99_us"}
    assert comparison._repr_html_().count("<tr>") == 5
