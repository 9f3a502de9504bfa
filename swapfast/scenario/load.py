"""Read a scenario file, and say all that is wrong with it at once.

- ``load(path)``: a ``Scenario``; ``parse(text, name)``: of a text.
- ``with_profile(scenario, profile)``: the same programs on another kernel.
- ``bundled(full)``: the one that ``swapfast run`` uses: the letter's two logins.
"""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from swapfast.scenario import places
from swapfast.scenario.model import (
    GeneratorProgram,
    Login,
    LtpProgram,
    MachineModel,
    Scenario,
    Swapfile,
    TraceProgram,
)
from swapfast.scenario.places import MOST_BYTES, Layout, ScenarioError

__all__ = ["MOST_BYTES", "ScenarioError", "bundled", "load", "parse", "with_profile"]

LAYOUT = Layout(
    Scenario,
    {
        "machine": MachineModel,
        "swapfile": Swapfile,
        "login": Login,
        "ltp": LtpProgram,
        "trace": TraceProgram,
        "generator": GeneratorProgram,
    },
    kinds=frozenset(("ltp", "trace", "generator")),
)


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
    name = "letter-full.toml" if full else "letter.toml"
    text = (files("swapfast") / "scenarios" / name).read_text("utf-8")
    return parse(text, name)


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
    return _resolved(places.parse(text, name, LAYOUT), Path(name).parent)


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
