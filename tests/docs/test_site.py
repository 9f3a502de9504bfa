"""The site: every page is in its navigation; it builds without a warning and fetches nothing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.reference import library

ROOT = Path(__file__).parents[2]
NEEDED = ("mkdocs", "material", "mkdocstrings")
WRITTEN = ("docs", "mkdocs.yml", "swapfast", "tools", *(p.name for p in ROOT.glob("*.md")))
# What a browser would fetch to show a page; links that a person may follow are none of it.
FETCHED = re.compile(
    r"<(?:script|img|iframe|source)[^>]* src=\"?(?:https?:)?//[^\">]*"
    r"|<link[^>]* rel=\"?(?:stylesheet|preconnect|icon|preload)[^>]* href=\"?(?:https?:)?//[^\">]*"
)


def built(folder: Path, to: Path) -> subprocess.CompletedProcess[str]:
    missing = [name for name in NEEDED if util.find_spec(name) is None]
    if missing:
        pytest.skip(
            f"not installed: {', '.join(missing)}; `make docs` installs what builds the site"
        )
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(to)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )


def pages(nav: list[Any]) -> Iterator[str]:
    for item in nav:
        for value in item.values():
            yield from pages(value) if isinstance(value, list) else [value]


def test_every_page_is_in_the_navigation_once() -> None:
    told = list(pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]))
    assert len(told) == len(set(told))
    assert {p.name for p in (ROOT / "docs").glob("*.md")} <= set(told)


def test_what_is_fetched_is_found() -> None:
    assert FETCHED.search('<script src="https://x/y.js"></script>')
    assert FETCHED.search('<link rel="stylesheet" href="//x/y.css">')
    assert not FETCHED.search('<a href="https://x/"><script src="assets/y.js">')


@pytest.mark.slow
def test_it_builds_and_fetches_nothing(tmp_path: Path) -> None:
    done = built(ROOT, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = {p.relative_to(tmp_path).as_posix(): p for p in tmp_path.rglob("*.html")}
    assert {"index.html", "scopes.html", "reference/api/machine.html"} <= set(shown)
    for name, path in shown.items():
        assert FETCHED.findall(path.read_text("utf-8")) == [], name
    told = "".join(p.read_text("utf-8") for n, p in shown.items() if n.startswith("reference/api/"))
    names = [n for _, parts in library.PARTS.values() for p in parts for n, _ in library.public(p)]
    headings = {found.rpartition(".")[2] for found in re.findall(r'id="(swapfast[\w.]+)"', told)}
    assert len(names) > 150 and [name for name in names if name not in headings] == []
    assert "doc-symbol-heading doc-symbol-module" not in told  # in place of a function
    machine = shown["reference/api/machine.html"].read_text("utf-8")
    assert 'id="swapfast.Machine.vmstat"' in machine and "private bytes that its parent" in machine
    compiled = shown["reference/api/replay.html"].read_text("utf-8")
    assert 'id="swapfast.mrc.Distances.histogram"' in compiled
    assert (tmp_path / "search" / "search_index.js").stat().st_size > 1 << 18


@pytest.mark.slow
def test_a_broken_link_is_an_error(tmp_path: Path) -> None:
    for name in WRITTEN:
        target = tmp_path / name
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target)
    page = tmp_path / "docs" / "size.md"
    page.write_text(page.read_text("utf-8") + "\n[gone](gone.md), [no such](sweep.md#nowhere)\n")
    done = built(tmp_path, tmp_path / "site")
    assert done.returncode == 1
    assert "gone.md" in done.stderr and "nowhere" in done.stderr
