"""ARCHITECTURE.md names files and functions: they are there, in every step of its walks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "swapfast"
TEXT = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
NAMED = re.compile(r"`([\w/]+\.(?:py|pyx|pxd|pxi)):(\w+)`")
WALKS = ("The life of one reference", "The life of one swapon(2)")


def defines(path: Path, name: str) -> bool:
    """Whether a file has a function or a class of that name."""
    text = path.read_text("utf-8")
    python = rf"^ *(?:async )?(?:def|class|cdef class) {name}\b"
    compiled = rf"^ *cdef [\w *]*\b{name}\("
    return re.search(rf"{python}|{compiled}", text, re.M) is not None


def steps(title: str) -> list[str]:
    section = TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\d+\. (.*?)(?=^\d+\. |\Z)", section, re.M | re.S)


def test_everything_named_is_there() -> None:
    found = NAMED.findall(TEXT)
    assert len(found) > 40
    assert [f"{f}:{n}" for f, n in found if not (PACKAGE / f).is_file()] == []
    assert [f"{f}:{n}" for f, n in found if not defines(PACKAGE / f, n)] == []


def test_what_is_not_there_is_seen() -> None:
    assert defines(PACKAGE / "mm/touch.pxd", "touch_hits")
    assert not defines(PACKAGE / "mm/touch.pxd", "touch_hit")
    assert not defines(
        PACKAGE / "kernel/swapon.py", "check_room"
    )  # called there, defined elsewhere


@pytest.mark.parametrize("title", WALKS)
def test_every_step_of_a_walk_says_where(title: str) -> None:
    found = steps(title)
    assert len(found) >= 5
    assert [step for step in found if not NAMED.search(step)] == []


def test_every_part_of_the_package_is_on_the_map() -> None:
    """The tree names each folder and each module right below swapfast/."""
    (tree,) = re.findall(r"## The tree\n\n```\n(.*?)```", TEXT, re.S)
    parts = {p.name for p in PACKAGE.iterdir() if p.suffix in (".py", ".pyx") or p.is_dir()}
    parts -= {"__pycache__", "__main__.py"}
    told = set(re.findall(r"[\w.]+", tree))
    assert sorted(p for p in parts if p not in told) == []


def test_files_of_the_headers_are_there() -> None:
    """Tables of kernel/ and mm/: a name without an ending is a file of that folder."""
    for folder, endings in (("kernel", (".py", "")), ("mm", (".pxd",))):
        section = TEXT.partition(f"\n## {folder}/")[2].partition("\n## ")[0]
        names = [n for row in re.findall(r"^\| (`.*?) \|", section, re.M) for n in row.split()]
        assert len(names) > 20
        for name in (n.strip("`") for n in names):
            found = [p for end in endings for p in (PACKAGE / folder).glob(f"{name}{end}")]
            assert found, f"{folder}/{name}"
