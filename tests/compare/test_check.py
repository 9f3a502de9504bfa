"""What has to hold, judged."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapfast.compare.check import Bound, against, judge, junit, scopes_of, stored
from swapfast.compare.runs import Run
from swapfast.scenario.tables.expect import ExpectTable
from tests.support import fake_play

SCOPES = ("shared", "swap_ns", "tiers")


def runs(**values: list[float]) -> list[Run]:
    return [
        Run("k", "t", {}, scope, seed, "0", fake_play.outcome(scope, seed, metrics={"m": value}))
        for scope, told in values.items()
        for seed, value in enumerate(told)
    ]


def test_the_scopes_that_are_needed_are_those_that_are_named() -> None:
    order = ExpectTable(metric="m", order=("tiers", "shared"))
    assert scopes_of([order], SCOPES) == ["shared", "tiers"]
    assert scopes_of([ExpectTable(metric="m", below=1, scope="swap_ns")], SCOPES) == ["swap_ns"]
    assert scopes_of([ExpectTable(metric="m", below=1)], SCOPES) == list(SCOPES)
    assert scopes_of([], SCOPES) == []


def test_an_order_is_judged_by_means() -> None:
    """Single seeds may be the other way round."""
    found = runs(shared=[1.0, 9.0], swap_ns=[3.0, 3.0], tiers=[5.0, 5.0])
    order = ExpectTable(metric="m", order=("swap_ns", "shared"), why="it is said")
    (one,) = judge([order], found, SCOPES)
    assert one.held and one.why == "it is said" and one.sentence == "swap_ns 3, shared 5"
    ties = ExpectTable(metric="m", order=("shared", "tiers"))
    assert not judge([ties], found, SCOPES)[0].held


@pytest.mark.parametrize(
    ("rule", "held"),
    [
        ({"below": 5.0}, False),
        ({"below": 5.1}, True),
        ({"above": 5.0}, False),
        ({"above": 4.9}, True),
        ({"equal": 5.0}, True),
        ({"equal": 5.1}, False),
    ],
)
def test_bounds_are_judged_by_means(rule: dict[str, float], held: bool) -> None:
    expected = ExpectTable.model_validate({"metric": "m", "scope": "shared", **rule})
    (one,) = judge([expected], runs(shared=[4.0, 6.0]), SCOPES)
    assert one.held == held and "with shared it is 5" in one.sentence


def test_a_metric_that_is_not_there_does_not_hold() -> None:
    for rule in ({"below": 1e9}, {"order": ("shared", "swap_ns")}):
        expected = ExpectTable.model_validate({"metric": "none", **rule})
        found = judge([expected], runs(shared=[1.0], swap_ns=[2.0]), ("shared", "swap_ns"))
        assert found and not any(one.held for one in found)
        assert "not there" in found[0].sentence


@pytest.mark.parametrize(
    ("text", "now", "holds"),
    [
        ("m>+2%", 102.0, True),
        ("m>+2%", 102.1, False),
        ("m>+2%", 1.0, True),
        ("m<-5%", 95.0, True),
        ("m<-5%", 94.9, False),
        ("m>+0%", 100.0, True),
        ("m>+0%", 100.001, False),
        ("m>3", 103.0, True),
        ("m > +3", 103.5, False),
        ("m<-0", 99.0, False),
    ],
)
def test_a_bound_holds_up_to_what_it_says(text: str, now: float, holds: bool) -> None:
    (one,) = against(runs(shared=[now]), {"shared": {"m": [100.0]}}, [Bound.parse(text)])
    assert one.held == holds, one.sentence


@given(st.lists(st.floats(0, 1e12), min_size=1, max_size=6))
def test_the_same_figures_hold_at_nothing(values: list[float]) -> None:
    found = runs(shared=values)
    bounds = [Bound.parse("*>+0%"), Bound.parse("*<-0%")]
    assert all(one.held for one in against(found, stored(found), bounds))


@pytest.mark.parametrize("text", ["m", "m>", ">2%", "m>x%", "m=2%", "m>2%%"])
def test_what_is_no_bound_says_so(text: str) -> None:
    with pytest.raises(ValueError, match="is no bound such as"):
        Bound.parse(text)


def test_a_bound_for_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no metric that is stored is called x"):
        against(runs(shared=[1.0]), {"shared": {"m": [1.0]}}, [Bound.parse("x>0")])


def test_a_metric_that_went_away_does_not_hold() -> None:
    (one,) = against(runs(shared=[1.0]), {"shared": {"old": [1.0]}}, [Bound.parse("old>0")])
    assert not one.held and "is not there" in one.sentence


def test_junit_has_a_case_for_each_and_survives_any_text() -> None:
    expected = [
        ExpectTable(metric="m", below=2, scope="shared", why='<&"\x1b]'),
        ExpectTable(metric="m", above=2, scope="shared"),
    ]
    found = judge(expected, runs(shared=[3.0]), SCOPES)
    suite = ElementTree.fromstring(junit("a<b", found))
    assert suite.attrib["tests"] == "2" and suite.attrib["failures"] == "1"
    cases = suite.findall("./testsuite/testcase")
    assert [len(case) for case in cases] == [1, 0]
    assert cases[0][0].text is not None and '<&"' in cases[0][0].text
