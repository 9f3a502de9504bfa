"""Names of columns, and what each is held against."""

from __future__ import annotations

import pytest

from swapfast.compare.columns import Column, baselines, columns_of, names_of
from swapfast.compare.runs import Run

SCOPES = ("shared", "shared, swap.max", "tiers", "tiers, proactive")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("shared", ["shared"]),
        ("shared,shared, swap.max", ["shared", "shared, swap.max"]),
        ("tiers, proactive,shared", ["tiers, proactive", "shared"]),
        ("shared, tiers", ["shared", "tiers"]),
    ],
)
def test_names_with_commas_are_found_in_a_list_with_commas(text: str, found: list[str]) -> None:
    assert names_of("scope", text, SCOPES) == found


def test_a_name_that_is_not_there_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="no scope 'sharde'; did you mean 'shared'"):
        names_of("scope", "tiers,sharde", SCOPES)


def run(scope: str, **params: str) -> Run:
    return Run("k", "t", params, scope, 0, "0")


def test_columns_stand_by_value_and_then_in_the_scenarios_order() -> None:
    runs = [run(s, memory=m) for m in ("1024MiB", "256MiB") for s in ("swap_ns", "shared")]
    names = [column.name for column in columns_of(runs, ["shared", "swap_ns"])]
    assert names == [
        *("shared memory=256MiB", "swap_ns memory=256MiB"),
        *("shared memory=1024MiB", "swap_ns memory=1024MiB"),
    ]


def test_what_is_the_same_in_all_columns_is_not_in_their_names() -> None:
    runs = [
        run("shared", **{"machine.memory": "1GiB", "device.d0.preset": p, "device.d1.preset": p})
        for p in ("nvme", "hdd")
    ]
    assert [c.name for c in columns_of(runs, ["shared"])] == ["shared hdd", "shared nvme"]


def test_a_scope_is_the_baseline_of_its_own_device() -> None:
    columns = [
        Column(scope, (("device.d0.preset", preset),), f"{scope} {preset}")
        for preset in ("nvme", "hdd")
        for scope in ("shared", "swap_ns")
    ]
    assert baselines(columns) == (0, 0, 2, 2)
    assert baselines(columns, "swap_ns") == (1, 1, 3, 3)
    assert baselines(columns, "shared hdd") == (2, 2, 2, 2)
    assert baselines(columns[::2]) == (0, 0)
    with pytest.raises(ValueError, match="no baseline 'swapns'; did you mean 'swap_ns'"):
        baselines(columns, "swapns")
