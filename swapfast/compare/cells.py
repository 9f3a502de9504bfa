"""One run that is asked for: a scenario, what is replaced in it, a scope, a seed.

- ``Cell``: that, as plain values that go to another process; ``Cell.key`` names its result.
- ``Work``: a scenario that is open, from which cells are made.
- ``play_cell(cell)``: the run itself; ``Stale``: the files it would read are others.
- ``read_files(text, folder)``: the files that a scenario reads, with their SHA-256.
"""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swapfast import __version__
from swapfast.inputs import open_input
from swapfast.scenario import Outcome, bundled_names, open_scenario, play

__all__ = ["ROWS", "Cell", "Stale", "Work", "play_cell", "read_files"]

# Tables of a scenario that name a file: what makes them such a table, the key with the name, and
# whether it is relative to the scenario.
_NAMING = {("kind", "trace"): ("path", True), ("dist", "empirical"): ("file", False)}


ROWS = (
    *("programs.*.p99_us", "programs.*.references_per_s", "programs.*.majors", "oom_kills.*"),
    *(
        "fairness.*.jain_references",
        "tiers.*.swapin_share",
        "devices.*.bytes_written",
        "machine.scanned_per_freed",
    ),
)
"""Rows of a scenario that names none; what it has not is left out."""


class Stale(ValueError):
    """Not what was asked for would be run here: the version or a file is another."""


@dataclass(frozen=True)
class Cell:
    """A run that is asked for.

    Attributes
    ----------
    source : str
        Name of a bundled scenario, or absolute path of a file.
    params : tuple of (str, str)
        Keys of the scenario, and what takes the place of their values.
    scope : str
    seed : int
    text : str
        SHA-256 of the scenario's text.
    files : tuple of (str, str)
        Files that it reads, and their SHA-256.
    core : str
        Version of swapfast.
    """

    source: str
    params: tuple[tuple[str, str], ...]
    scope: str
    seed: int
    text: str
    files: tuple[tuple[str, str], ...]
    core: str = __version__

    @property
    def key(self) -> str:
        """SHA-256 of all that decides what comes out; where the files lie does not."""
        told = [
            *(self.text, [hash for _, hash in self.files]),
            *(sorted(self.params), self.scope, self.seed, self.core),
        ]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


@dataclass(frozen=True)
class Work:
    """A scenario that is open.

    Attributes
    ----------
    source : str
        As `Cell.source`.
    name : str
        For messages.
    text : str
        The file.
    files : tuple of (str, str)
        As `Cell.files`.
    rows : tuple of str
        Patterns of the metrics that are shown where nobody asks for others.
    asked : tuple of str
        Metrics of which the scenario expects something.
    answer : str
        The sentence over all scopes, as `swapfast.scenario.sentence.over` fills it in.
    plots : tuple of dict
        What is to be drawn, as ``[[plot]]`` of the scenario has it.
    """

    source: str
    name: str
    text: str
    files: tuple[tuple[str, str], ...] = ()
    rows: tuple[str, ...] = ("*",)
    asked: tuple[str, ...] = ()
    answer: str = ""
    plots: tuple[dict[str, Any], ...] = ()

    @classmethod
    def open(cls, given: str) -> Work:
        """A bundled name, or a file.

        Raises
        ------
        OSError
            The scenario, or a file that it reads, cannot be read.
        ScenarioError
            It is no scenario.
        ValueError
            Its programs run in turn: there is nothing to compare.
        """
        opened = open_scenario(given)
        scenario, path = opened.scenario(), _path_of(given)
        if scenario.run is None:
            raise ValueError(
                f"{opened.name}: has no [run] table, so its programs run in turn and there is "
                "nothing to compare; swapfast run shows them"
            )
        files = tuple(read_files(opened.text, Path(path).parent).items())
        asked = tuple(dict.fromkeys(one.metric for one in scenario.expect))
        rows = scenario.default_metrics or ROWS
        plots = tuple(one.model_dump(exclude_none=True) for one in scenario.plot)
        return cls(path, opened.name, opened.text, files, rows, asked, scenario.run.answer, plots)

    @property
    def digest(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def cell(self, params: Mapping[str, str], scope: str, seed: int) -> Cell:
        """One run of it."""
        told = tuple(params.items())
        return Cell(self.source, told, scope, seed, self.digest, self.files)


def _path_of(given: str) -> str:
    """What another process, in another folder, opens the same scenario by."""
    return given if given in bundled_names() else os.path.abspath(given)


def read_files(text: str, folder: Path) -> dict[str, str]:
    """The files that a scenario names, and the SHA-256 of each.

    Raises
    ------
    OSError
        One cannot be read.
    """
    found = {}
    for name, beside in _names(tomllib.loads(text)):
        path = os.path.join(folder, name) if beside else name
        with open_input(path) as file:
            found[path] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _names(told: Any) -> Iterator[tuple[str, bool]]:
    if isinstance(told, dict):
        for (key, value), (name, beside) in _NAMING.items():
            if told.get(key) == value and isinstance(told.get(name), str):
                yield told[name], beside
        told = list(told.values())
    if isinstance(told, list):
        for one in told:
            yield from _names(one)


def play_cell(cell: Cell, progress: Callable[[str, int, int], None] | None = None) -> Outcome:
    """Run a cell.

    Raises
    ------
    Stale
        The version of swapfast, the scenario, or a file that it reads is not what was asked for.
    OSError, ValueError
        As the scenario.
    """
    opened = open_scenario(cell.source)
    _check(cell, opened.text)
    return play(
        opened.scenario(dict(cell.params)), scope=cell.scope, seed=cell.seed, progress=progress
    )


def _check(cell: Cell, text: str) -> None:
    if cell.core != __version__:
        raise Stale(
            f"swapfast {__version__} is installed here, and {cell.core} was asked for: install the "
            "same version everywhere"
        )
    if hashlib.sha256(text.encode()).hexdigest() != cell.text:
        raise Stale(f"{cell.source}: its text is not what was asked for: share the same file")
    if cell.files:
        there = read_files(text, Path(cell.source).parent)
        for name, digest in cell.files:
            if there.get(name) != digest:
                raise Stale(f"{name}: is not the file that was asked for: share the same file")
