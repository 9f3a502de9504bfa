"""What pages show of a terminal is what comes out; commands that they name exist.

A block ``console`` has commands after ``$`` and what they print. A block with a ``title`` is a file
of that name. ``...`` stands for any text of a line, alone on a line for any lines. All blocks of a
page are run in their order, in one folder; `test_how_to` runs the blocks of Python that have no
title. Commands of swapfast run in this process, so that a page costs what they cost.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from swapfast.cli.commands import swapfast

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.S | re.M)
SLOW = {"README", "check", "cluster", "compare", "my-kernel", "size", "tutorial"}  # seconds
# Pages whose terminal is another's: a shell's, typed by hand, and what another test compares.
OTHERS = {"shell", "shell-memory", "argument"}


def blocks(page: Path) -> list[tuple[str, str, str]]:
    """Kind, title and text of each."""
    return FENCE.findall(page.read_text("utf-8"))


def terminals() -> Iterator[Any]:
    for page in PAGES:
        kinds = {kind for kind, _, _ in blocks(page)}
        if "console" in kinds and page.stem not in OTHERS:
            marks = [pytest.mark.slow] if page.stem in SLOW else []
            yield pytest.param(page, id=page.stem, marks=marks)


def typed(line: str) -> str:
    """What a command prints, and its exit code if that is not 0."""
    command, _, target = line.partition(" > ")
    words = shlex.split(command, comments=True)
    if words[0] == "swapfast":
        done = CliRunner().invoke(swapfast, words[1:], prog_name="swapfast")
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        out, code, errors = done.stdout, done.exit_code, done.stderr
    else:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        words[0] = sys.executable if words[0] == "python" else words[0]
        ran = subprocess.run(words, capture_output=True, text=True, env=environment)
        out, code, errors = ran.stdout, ran.returncode, ran.stderr
    if target:
        Path(target.strip()).write_text(out)
        out = ""
    told = "".join(f"{text.rstrip()}\n" for text in out.splitlines())
    assert code in (0, 1), f"{line}\n{out}{errors}"
    return f"$ {line}\n{told}" + ("" if not code else f"(exit code {code})\n")


def played(page: Path) -> Iterator[tuple[str, str]]:
    """What is shown, and what came out, of each terminal; in a folder of the page's own."""
    for kind, title, text in blocks(page):
        if title:
            Path(title).write_text(text)
        elif kind == "console":
            lines = [line[2:] for line in text.splitlines() if line.startswith("$ ")]
            yield text, "".join(typed(line) for line in lines)


def pattern(shown: str) -> str:
    """A block as a regular expression."""
    lines = [
        r"(?:.*\n)*?" if line == "..." else re.escape(line.rstrip()).replace(r"\.\.\.", ".*") + "\n"
        for line in shown.splitlines()
    ]
    return "".join(lines)


@pytest.mark.parametrize("page", list(terminals()))
def test_the_terminal_shows_what_comes_out(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shm = Path("/dev/shm")  # takes swapfiles, which the file system of tests may not
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else tmp_path) as folder:
        monkeypatch.chdir(folder)
        monkeypatch.delenv("COLUMNS", raising=False)
        Path("tests").symlink_to(ROOT / "tests")
        compare(page)
        monkeypatch.chdir(tmp_path)


def compare(page: Path) -> None:
    for shown, came in played(page):
        assert re.fullmatch(pattern(shown), came), f"shown:\n{shown}\ncame:\n{came}"


def test_dots_stand_for_what_differs() -> None:
    assert re.fullmatch(pattern("$ a\n1 ... 3\n...\nend\n"), "$ a\n1 2 3\nx\ny\nend\n")
    assert not re.fullmatch(pattern("$ a\n1 ... 3\nend\n"), "$ a\n1 2 4\nend\n")


def test_what_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AssertionError, match=r"nobody\.npz"):
        typed("swapfast trace nobody.npz")


# ---------------------------------------------------------------- commands that are named

NAMED = re.compile(r"^(?:    |\$ )?(?:.*; |.*&& )?swapfast ([a-z]+)(.*?)(?:\s#|;|\||$)", re.M)


def commands(page: Path) -> Iterator[tuple[str, str]]:
    """Name and rest of those in blocks, indented or fenced."""
    text = page.read_text("utf-8")
    fenced = "\n".join(body for kind, _, body in blocks(page) if kind in ("sh", "console"))
    indented = "\n".join(line for line in text.splitlines() if line.startswith("    "))
    yield from NAMED.findall(fenced)
    yield from NAMED.findall(indented)


def test_commands_and_options_exist() -> None:
    count = 0
    for page in PAGES:
        for name, rest in commands(page):
            assert name in swapfast.commands, f"{page.name}: swapfast {name}"
            command: click.Command = swapfast.commands[name]
            words = rest.split(" -- ")[0]
            if isinstance(command, click.Group):
                command = command.commands[words.split()[0]]
            known = {o for p in command.params for o in p.opts} | {"--help"}
            for option in re.findall(r"(?<!\S)(--?[a-z][a-z-]*)", words):
                assert option in known, f"{page.name}: swapfast {name} {option}"
                count += 1
    assert count > 60
