"""The page in a real browser: nothing is fetched, nothing runs over, all can be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from swapfast.report import page
from tests.support.browser import browser, look
from tests.support.made_up_runs import many_runs, work

pytest.importorskip("matplotlib", reason="`make setup` installs matplotlib")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    browser()
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_bytes(page(many_runs(), work()))
    return path


LAYOUT = """(window, document) => ({
  wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  resources: window.performance.getEntriesByType("resource").map(e => e.name),
  scripts: document.scripts.length,
  pictures: [...document.querySelectorAll("svg")].map(s => s.getBoundingClientRect().height),
  titles: document.querySelectorAll("svg title").length,
  tables: [...document.querySelectorAll("table")].every(t => t.caption &&
    [...t.querySelectorAll("th")].every(h => ["col", "row"].includes(h.scope))),
  ids: (i => i.length - new Set(i).size)([...document.querySelectorAll("[id]")].map(e => e.id)),
  lang: document.documentElement.lang,
  dark: window.matchMedia("(prefers-color-scheme: dark)").matches,
})"""


@pytest.mark.parametrize("width", [400, 1600])
def test_nothing_runs_over_and_nothing_is_fetched(report: Path, width: int) -> None:
    found: dict[str, Any] = look(report, LAYOUT, width=width)
    assert found["wide"] == 0 and found["resources"] == [] and found["scripts"] == 0
    assert len(found["pictures"]) > 3 and all(100 < h < 1000 for h in found["pictures"])
    assert found["tables"] and found["titles"] > 10 and found["lang"] == "en"
    assert found["ids"] == 0


CONTRAST = """(window, document) => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const light = c => c.slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = rgb(window.getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let least = 99, who = "", count = 0;
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || e.closest("title,style,defs")) continue;
    const style = window.getComputedStyle(e);
    const pair = [light(rgb(e.closest("svg") ? style.fill : style.color)), light(behind(e))];
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    count += 1;
    if (ratio < least) [least, who] = [ratio, texts.currentNode.data];
  }
  return {least, who, count, paper: window.getComputedStyle(document.body).backgroundColor};
}"""


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_can_be_read_in_light_and_dark(report: Path, dark: bool) -> None:
    found = look(report, CONTRAST, width=1000, dark=dark)
    assert found["paper"] == ("rgb(20, 23, 28)" if dark else "rgb(255, 255, 255)")
    assert found["count"] > 100 and found["least"] >= 4.5, found


def test_the_texts_of_others_are_only_texts(tmp_path: Path) -> None:
    browser()
    path = tmp_path / "evil.html"
    path.write_bytes(page(many_runs("<img src=x onerror=alert(1)>$\\frac{a}"), work()))
    found = look(
        path,
        """(window, document) => [document.images.length, document.scripts.length,
        document.body.textContent.includes("<img src=x onerror=alert(1)>$\\\\frac{a}")]""",
        width=800,
    )
    assert found == [0, 0, True]
