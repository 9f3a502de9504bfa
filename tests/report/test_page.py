"""The page as text: whole, the same every time, and harmless."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swapfast.compare.runs import Run
from swapfast.report import page
from swapfast.report.html import Markup, join, table, tag
from swapfast.report.page import MOST_BYTES
from swapfast.report.plots import clipped
from swapfast.report.style import PALETTES
from tests.support.made_up_runs import many_runs, one_run, work

pytest.importorskip("matplotlib", reason="`make setup` installs matplotlib")


@pytest.fixture(scope="module")
def text() -> str:
    return page(many_runs(), work()).decode()


class Nesting(HTMLParser):
    """Whether every element that begins also ends, in its place."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag


def test_it_is_well_formed_and_has_its_parts_in_order(text: str) -> None:
    parser = Nesting()
    parser.feed(text)
    parser.close()
    assert parser.open == [] and {"table", "svg", "figure", "pre"} <= set(parser.seen)
    heads = re.findall(r"<h2>(.*?)</h2>", text)
    assert heads == [
        *("Side by side", "Pictures", "Over time", "Devices and wear", "OOM kills"),
        *("Scenario", "Versions"),
    ]
    assert text.index("Of kills") < text.index("<table") < text.index("<svg") < text.index("<pre")


def test_equal_runs_give_equal_bytes_in_whatever_order(text: str) -> None:
    runs = many_runs()
    random.Random(3).shuffle(runs)
    assert page(runs, work()).decode() == text
    assert not re.search(r"20\d\d-\d\d-\d\d|\d\d:\d\d:\d\d", text)


def test_nothing_in_it_could_be_fetched_or_run(text: str) -> None:
    lower = text.lower()
    for word in (
        "<script",
        "<link",
        "<img",
        "<iframe",
        "<object",
        "@import",
        " src=",
        "javascript:",
    ):
        assert word not in lower
    assert set(re.findall(r"https?://[^\"' <)]+", text)) <= {"http://www.w3.org/1999/xlink"}
    assert all(place.startswith("#") for place in re.findall(r'href="([^"]*)"', text))
    assert all(place.startswith("#") for place in re.findall(r"url\(([^)]*)\)", text))


def test_what_is_not_calibrated_is_said_at_the_head(text: str) -> None:
    assert "Device presets are not calibrated: nvme" in text[: text.index("<h2>")]


def test_no_colour_of_a_picture_is_fixed(text: str) -> None:
    for picture in re.findall(r"<svg.*?</svg>", text, re.S):
        assert not re.search(r"(?:fill|stroke): ?#", picture)
        assert "var(--ink)" in picture and "<title>" in picture and "aria-label=" in picture


def test_names_in_pictures_are_each_there_once(text: str) -> None:
    names = re.findall(r'\bid="([^"]*)"', text)
    assert len(names) == len(set(names))
    assert set(re.findall(r"url\(#([^)]*)\)", text)) <= set(names)


def luminance(color: str) -> float:
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return sum(v * w for v, w in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", PALETTES)
def test_the_palettes_can_be_read(name: str) -> None:
    colors = PALETTES[name]
    for paper in (colors["paper"], colors["band"]):
        for text in ("ink", "soft"):
            assert contrast(colors[text], paper) >= 4.5
        for line in (key for key in colors if re.fullmatch(r"s\d", key)):
            assert contrast(colors[line], paper) >= 3


EVIL = "</title></style><script>alert(1)</script>&\"'\x1b]0;\u202e$\\frac{a}{b}$"


def test_texts_of_others_are_escaped_everywhere() -> None:
    runs = many_runs(EVIL, scopes=3, seeds=2, samples=10)
    text = page(runs, work(f"# {EVIL}\ntitle = 'x'\n")).decode()
    assert "<script" not in text and "\x1b" not in text and "\u202e" not in text
    parser = Nesting()
    parser.feed(text)
    parser.close()
    assert parser.open == [] and "&lt;script&gt;" in text and "\\u202e" in text


def test_the_largest_page_is_small_enough() -> None:
    runs = many_runs("a scope with a long name", scopes=8, seeds=20, samples=2000)
    assert len(page(runs, work())) <= MOST_BYTES


def test_one_run_alone_is_a_page_without_spreads() -> None:
    text = page([one_run("shared", 0, 0, 50)], work()).decode()
    assert "One seed" in text and "±" not in text and "The OOM killer took nobody." in text


def test_failed_runs_are_told_and_a_page_of_none_is_refused() -> None:
    failed = Run("f", work().digest, {}, "shared", 9, "0.1.0", None, "no space")
    assert "Failed: shared, seed 9: no space" in page([*many_runs(), failed], work()).decode()
    with pytest.raises(ValueError, match="nothing to report"):
        page([failed], work())


@settings(max_examples=50)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=400), st.integers(2, 60))
def test_clipped_lines_keep_the_least_and_the_most(values: list[float], most: int) -> None:
    t = np.arange(len(values), dtype=np.float64)
    x, y = clipped(t, np.array(values), most)
    assert len(x) == len(y) <= max(most, len(values) if len(values) <= most else most)
    assert (np.diff(x) > 0).all() and y.min() == min(values) and y.max() == max(values)
    assert all(values[int(at)] == value for at, value in zip(x, y, strict=True))


def test_elements_escape_what_is_text_and_keep_what_is_markup() -> None:
    assert (
        tag("p", "a<b", Markup("<b>c</b>"), class_='x"y')
        == '<p class="x&quot;y">a&lt;b<b>c</b></p>'
    )
    assert join(["\x1b[2J"]) == "\\x1b[2J"
    told = table("c", ["a", "b"], [["1<", "2"]])
    assert '<th scope="row" class="text">1&lt;</th><td class="figure">2</td>' in told


def test_kills_are_marked_on_the_lines_with_who_and_when(text: str) -> None:
    assert "<title>a scope 1: batch is killed at 1.5 s</title>" in text
    assert "a triangle is an OOM kill" in text
    assert "triangle" not in page([one_run("shared", 0, 0, 50)], work()).decode()


def test_a_metric_that_is_nothing_everywhere_has_no_picture() -> None:
    plots = ({"kind": "bars", "metric": "oom_kills.batch"},)
    told = replace(work(), plots=plots)
    caption = "oom_kills.batch: mean and standard deviation"
    assert caption in page(many_runs(scopes=2), told).decode()
    assert caption not in page(many_runs(scopes=1), told).decode()
