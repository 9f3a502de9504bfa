"""Results in a notebook and as a data frame."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from swapfast.capacity import alone
from swapfast.doctor import Diagnosis, Finding
from swapfast.mrc import miss_ratio_curve
from swapfast.replacement import simulate
from swapfast.replay import replay
from swapfast.traces import generate


@pytest.fixture(scope="module")
def results():
    trace = generate("zipf", pages=200, refs=5000, seed=4)
    finding = Finding("core", "<b>", "ok", "there", "all")
    return {
        "replay": replay(trace, "50%"),
        "counts": simulate(trace, 40, "lru"),
        "curve": miss_ratio_curve(trace),
        "need": alone("zipf", trace, slowdown=0.05),
        "doctor": Diagnosis((finding,)),
    }


@pytest.mark.parametrize("name", ["replay", "counts", "curve", "need", "doctor"])
def test_a_table_in_a_notebook(results, name):
    text = results[name]._repr_html_()
    assert text.count("<tr>") > 2 and text.startswith("<div>") and text.endswith("</div>")
    assert results[name].table()


def test_texts_are_escaped(results):
    assert "&lt;b&gt;" in results["doctor"]._repr_html_()


def test_a_curve_is_drawn_and_shortened(results, monkeypatch):
    text = results["curve"]._repr_html_()
    assert "<svg" in text and "every 4th of 200 rows" in text
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert "<svg" not in results["curve"]._repr_html_()


def stand_in(name: str) -> ModuleType:
    module = ModuleType(name)
    module.DataFrame = lambda columns: (name, columns)
    return module


def test_a_data_frame_of_what_is_installed(results, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setitem(sys.modules, "polars", stand_in("polars"))
    name, columns = results["curve"].to_frame()
    assert name == "polars" and len(columns["miss_ratio"]) == 200
    monkeypatch.setitem(sys.modules, "pandas", stand_in("pandas"))
    assert results["counts"].to_frame()[0] == "pandas"
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ValueError, match=r"pip install 'swapfast\[frame\]'"):
        results["need"].to_frame()


def test_a_frame_of_pandas(results):
    pytest.importorskip("pandas")
    frame = results["curve"].to_frame()
    assert frame["faults"].is_monotonic_decreasing and len(frame) == 200
