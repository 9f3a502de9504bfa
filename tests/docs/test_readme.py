"""The front page: its examples run, its numbers are those of the pages behind it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from swapfast.scenario import execute
from swapfast.scenario.load import parse

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
TEXT = README.read_text("utf-8")
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md"))]
WRITTEN = DOCS / "reference"  # while the site is built


def test_it_has_two_screens() -> None:
    assert len(TEXT.splitlines()) <= 100


def test_python_example_runs(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    assert len([line for line in code.splitlines() if line]) == 4
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PATH": "", "TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 4


def numbers(text: str) -> set[str]:
    """What is a number in a text, with its unit; without small whole ones."""
    units = r"ms|us|%|MiB"
    found = re.findall(rf"x \d+\.\d+|\d+(?:\.\d+)? (?:{units})|\d+\.\d+", text)
    return {one.strip("()") for one in found}


def test_answers_are_those_of_the_pages() -> None:
    rows = re.findall(r"^\| [^|]*\? \|([^|]*)\| `swapfast (\w+) ([\w-]+)", TEXT, re.M)
    assert [row[1:] for row in rows] == [
        ("compare", "isolation"),
        ("compare", "who-pays"),
        ("compare", "density"),
        ("size", "bundled"),
    ]
    argument = (DOCS / "argument.md").read_text("utf-8")
    for answer, command, name in rows:
        if command == "compare":
            ((page,),) = [re.findall(rf"```sh\nswapfast compare {name}\n```\n\n> (.*)\n", argument)]
        else:
            page = (DOCS / "size.md").read_text("utf-8")
        told = numbers(answer)
        assert told
        assert [one for one in told if one not in page] == []


def test_errors_are_those_of_the_page() -> None:
    (told,) = re.findall(r"Major faults are (.*?\))", TEXT, re.S)
    (row,) = re.findall(r"^\| linux-6\.18 \| (.*?) \|[^|]*\|[^|]*\|$", _fidelity(), re.M)
    assert re.findall(r"\d+\.\d+(?= %)", told) == re.findall(r"\d+\.\d+", row)


def _fidelity() -> str:
    return (DOCS / "fidelity.md").read_text("utf-8")


def test_what_ci_runs_is_stated() -> None:
    lines = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    commands = [line for line in lines if line.startswith("make ")]
    assert commands == ["make test", 'make test ARGS="-m slow"']
    assert all(command in TEXT for command in commands)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_make_targets_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in set(re.findall(r"(?:`|^    )make (\w+)", page.read_text("utf-8"), re.M)):
        assert re.search(rf"^{target}:", makefile, re.M), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_to_files(page: Path) -> None:
    """In the checkout as well, but for what is written when the site is built."""
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        path = (page.parent / target).resolve()
        known = path.exists() or WRITTEN in path.parents or target.startswith("http")
        assert known, f"{page.name}: {target}"


def test_the_citation_is_of_this_version() -> None:
    """The form is that of CFF 1.2.0: https://github.com/citation-file-format."""
    told = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert told["cff-version"] == "1.2.0" and told["type"] == "software"
    assert (told["version"], told["license"]) == (project["version"], project["license"])
    assert [one["name"] for one in told["authors"]] == [one["name"] for one in project["authors"]]


def test_the_licence_is_the_one_that_is_named() -> None:
    assert (ROOT / "LICENSE").read_text("utf-8").startswith("MIT License\n")


def test_the_scenario_of_the_letter_runs(tmp_path: Path) -> None:
    """docs/letter.md."""
    (text,) = re.findall(r"```toml\n(.*?)```", (DOCS / "letter.md").read_text("utf-8"), re.S)
    tomllib.loads(text)
    report = execute(parse(text, "letter.md"), tmp_path)
    assert report.ok and report.programs[0].replay.pswpout > 0


def test_what_was_promised_is_somewhere() -> None:
    """Sentences that people rely on, wherever they are told."""
    told = " ".join(" ".join(page.read_text("utf-8").split()) for page in PAGES)
    for promise in (
        "what was counted can still be read; everything else is an OSError",
        "the one still is, after a kill, a power cut, a full disk".replace("the one", "older one"),
        "Every page has a checksum, compared when it is read",
        "on overlayfs (the root of most containers), FUSE, virtiofs, 9p",
        "lets no byte that a namespace writes reach another's file",
        "swapon01, swapon02, swapoff01, swapoff02 and mem01",
        "give libCacheSim's miss counts to the last one",
        "memory stays the same however long a trace is",
        "All mistakes in a file are named at once, with line and nearest key",
        "always taken away again",
        "Not modelled: file pages beyond a clean cache at boot, several CPUs, huge pages, zswap",
    ):
        assert promise in told, promise
