"""Read a scenario file, and say all that is wrong with it at once.

- ``open_scenario(name)``: a ``Source``: a file, or a scenario that comes with swapfast.
- ``load(path)``: a ``Scenario``; ``parse(text, name)``: of a text.
- ``with_profile(scenario, profile)``: the same programs on another kernel.
- ``bundled(full)``: the one that ``swapfast run`` uses: the letter's two logins.
- ``bundled_names()``: those that come with swapfast.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from swapfast.scenario import places
from swapfast.scenario.agree import disagreements
from swapfast.scenario.places import MOST_BYTES, ScenarioError, refused, tables_of
from swapfast.scenario.replaced import replace
from swapfast.scenario.tables import LAYOUT, Scenario
from swapfast.scenario.tables.machine import MachineModel
from swapfast.scenario.tables.programs import TraceProgram

__all__ = [
    "MOST_BYTES",
    "ScenarioError",
    "Source",
    "bundled",
    "bundled_names",
    "load",
    "open_scenario",
    "parse",
    "with_profile",
]


@dataclass(frozen=True)
class Source:
    """The text of a scenario.

    Attributes
    ----------
    name : str
        For messages: the path, or the name of one that comes with swapfast.
    text : str
        TOML.
    folder : str
        What paths of traces are relative to.
    """

    name: str
    text: str
    folder: str

    def scenario(self, replaced: Mapping[str, Any] | None = None) -> Scenario:
        """What it says, with some keys replaced.

        Parameters
        ----------
        replaced : mapping, optional
            Values by key, as `swapfast.scenario.replaced` has them.

        Raises
        ------
        ScenarioError
            Every mistake is named.
        """
        tables = None
        if replaced:
            tables = tables_of(self.text, self.name)
            for key, value in replaced.items():
                try:
                    tables = replace(tables, key, value)
                except ValueError as error:
                    raise ScenarioError([f"{self.name}: {error}"]) from None
        scenario = places.parse(self.text, self.name, LAYOUT, tables)
        found = disagreements(scenario)
        if found:
            raise refused(self.text, self.name, found)
        return _resolved(scenario, Path(self.folder))


def open_scenario(name: str | os.PathLike[str]) -> Source:
    """A scenario file, or one that comes with swapfast, by its name.

    Raises
    ------
    OSError
        The file cannot be read.
    ScenarioError
        It is too long, or no text.
    """
    given = os.fspath(name)
    if given in bundled_names():
        text = (files("swapfast") / "scenarios" / f"{given}.toml").read_text("utf-8")
        return Source(f"{given}.toml", text, ".")
    try:
        text = places.read(given)
    except FileNotFoundError as error:
        if "/" not in given and not given.endswith(".toml"):
            known = ", ".join(bundled_names())
            error.strerror = f"No such file, and no scenario of that name; there are {known}"
        raise
    return Source(given, text, str(Path(given).parent))


def bundled_names() -> tuple[str, ...]:
    """Names of the scenarios that come with swapfast."""
    folder = files("swapfast") / "scenarios"
    names = (one.name for one in folder.iterdir())
    return tuple(sorted(n.removesuffix(".toml") for n in names if n.endswith(".toml")))


def load(path: str | os.PathLike[str]) -> Scenario:
    """Read a scenario.

    Raises
    ------
    OSError
        The file cannot be read.
    ScenarioError
        It is no scenario; every mistake is named.
    """
    return parse(places.read(path), os.fspath(path))


def bundled(full: bool = False) -> Scenario:
    """The two logins of the letter; ``full``: with its sizes."""
    return open_scenario("letter-full" if full else "letter").scenario()


def with_profile(scenario: Scenario, profile: str, lru_gen: int | None = None) -> Scenario:
    """The same programs on another kernel.

    Parameters
    ----------
    scenario : Scenario
    profile : str
    lru_gen : int, optional
        Its mask, where the scenario names none.

    Raises
    ------
    ValueError
        The scenario's machine cannot have this kernel.
    """
    told = scenario.machine.model_dump()
    told |= {"profile": profile}
    if told["lru_gen"] is None:
        told["lru_gen"] = lru_gen
    try:
        machine = MachineModel.model_validate(told)
    except ValidationError as error:
        cause = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ValueError(f"{scenario.title}: profile {profile}: {cause}") from None
    return scenario.model_copy(update={"machine": machine})


def parse(text: str, name: str) -> Scenario:
    """A scenario from TOML text; ``name`` is for the messages."""
    return Source(name, text, str(Path(name).parent)).scenario()


def _resolved(scenario: Scenario, folder: Path) -> Scenario:
    """Trace paths are relative to the scenario file."""
    logins = []
    for login in scenario.login:
        programs = [
            p.model_copy(update={"path": str(folder / p.path)})
            if isinstance(p, TraceProgram) and p.path is not None
            else p
            for p in login.program
        ]
        logins.append(login.model_copy(update={"program": tuple(programs)}))
    return scenario.model_copy(update={"login": tuple(logins)})
