"""How much memory programs need, against looking at every size."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swapfast.capacity import Point, Setting, _Search, alone, side_by_side
from swapfast.traces import Trace, generate

SLOW = Setting(think="2us")


@pytest.fixture(scope="module")
def trace() -> Trace:
    return generate("hotspot", pages=600, refs=20_000, seed=1)


def test_at_the_least_limit_it_is_quick_enough_and_below_it_is_not(trace: Trace) -> None:
    need = alone("hotspot", trace, slowdown=0.5, setting=SLOW)
    assert need.pages == 600 and 32 < need.least.pages < 600
    assert need.least.slowdown is not None and 0 < need.least.slowdown <= 0.5
    less = [p for p in need.curve if p.pages < need.least.pages]
    assert less and not less[-1].within(0.5)
    assert all(p.within(0.5) for p in need.curve if p.pages >= need.least.pages)


def test_with_all_memory_nothing_is_in_swap(trace: Trace) -> None:
    need = alone("hotspot", trace, slowdown=0.0, setting=SLOW)
    most = need.curve[-1]
    assert (most.pages, most.slowdown, most.majors, most.swap_pages) == (600, 0, 0, 0)
    assert most.wall_ns == need.wall_ns


def test_swap_is_what_does_not_fit(trace: Trace) -> None:
    for point in alone("hotspot", trace, slowdown=0.1, setting=SLOW).curve:
        assert 600 - point.pages <= point.swap_pages + 64  # what one pass frees ahead
        assert point.swap_pages <= 600


def test_more_slowdown_never_needs_more_memory(trace: Trace) -> None:
    needs = [
        alone("hotspot", trace, slowdown=share, setting=SLOW).least.pages
        for share in (0.0, 0.1, 0.5, 2.0, 1000.0)
    ]
    assert needs == sorted(needs, reverse=True) and needs[-1] == 32


def test_the_same_question_has_the_same_answer(trace: Trace) -> None:
    first, again = (alone("hotspot", trace, slowdown=0.2, setting=SLOW) for _ in range(2))
    assert first == again


def test_a_quicker_device_needs_no_more_memory(trace: Trace) -> None:
    needs = {
        device: alone("h", trace, slowdown=0.5, setting=Setting(device, think="2us")).least.pages
        for device in ("zram", "nvme", "hdd")
    }
    assert needs["zram"] < needs["nvme"] <= needs["hdd"]


def test_side_by_side_no_program_is_slower_than_allowed(trace: Trace) -> None:
    traces = {"a": trace, "b": generate("zipf", pages=500, refs=20_000, seed=2)}
    found = side_by_side(traces, slowdown=0.3, setting=SLOW)
    assert found.names == ("a", "b") and found.pages == 1100
    assert set(found.slowdowns) == {"a", "b"} and max(found.slowdowns.values()) <= 0.3
    assert found.least.slowdown == pytest.approx(max(found.slowdowns.values()))
    tight = [p for p in found.curve if p.pages < found.least.pages]
    assert tight and not tight[-1].within(0.3)


def test_what_cannot_be_is_refused(trace: Trace) -> None:
    for share in (-0.1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="a slowdown is 0 or more"):
            alone("h", trace, slowdown=share)
    with pytest.raises(ValueError, match="preset"):
        alone("h", trace, slowdown=0.1, setting=Setting("floppy"))
    with pytest.raises(ValueError, match="there is no program"):
        side_by_side({}, slowdown=0.1)


def test_progress_is_told_and_may_end_it(trace: Trace) -> None:
    told: list[tuple[str, int, int]] = []
    alone("h", trace, slowdown=0.1, setting=SLOW, progress=lambda *step: told.append(step))
    assert len(told) >= 12 and all(done < of for _, done, of in told)

    def stop(what: str, done: int, of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        alone("h", trace, slowdown=0.1, progress=stop)


@settings(max_examples=200)
@given(
    st.lists(st.floats(0, 2), min_size=20, max_size=400),
    st.floats(0, 1),
)
def test_the_search_finds_the_edge_of_the_envelope(slow: list[float], allowed: float) -> None:
    """On any curve: what is found is enough, and so is every larger amount of the grid; something
    smaller that was looked at is not, unless it is the least of all."""
    curve = [*slow, 0.0]
    looked: dict[int, Point] = {}

    def point(pages: int) -> Point:
        looked[pages] = Point(pages, 1, curve[pages], 0, 0)
        return looked[pages]

    search = _Search(point, allowed, None, "x")
    least = search.least(0, len(slow))
    assert least.within(allowed)
    assert all(p.within(allowed) for p in search.curve if p.pages >= least.pages)
    less = [p for p in looked.values() if p.pages < least.pages]
    assert not less or not max(less, key=lambda p: p.pages).within(allowed)
    falling = sorted(slow, reverse=True)
    if slow == falling:  # a monotone curve: the answer is that of looking at every size
        exact = next(at for at, value in enumerate(curve) if value <= allowed)
        assert least.pages == exact or len(slow) > 512


@given(st.integers(20, 400), st.floats(0, 1), st.randoms(use_true_random=False))
def test_on_a_falling_curve_it_finds_what_looking_at_every_size_finds(size, allowed, rng) -> None:
    curve = [*sorted((rng.random() * 2 for _ in range(size)), reverse=True), 0.0]
    search = _Search(lambda pages: Point(pages, 1, curve[pages], 0, 0), allowed, None, "x")
    exact = next(at for at, value in enumerate(curve) if value <= allowed)
    assert search.least(0, size).pages == exact
