"""Read a scenario file, and say all that is wrong with it at once.

- ``load(path)``: a ``Scenario``.
- ``bundled(full)``: the one that ``swapfast run`` uses: the letter's two logins.
- ``ScenarioError``: a ``ValueError``; ``problems`` has one line a mistake: file, line, key,
  cause and the nearest valid key.
"""

from __future__ import annotations

import difflib
import os
import re
import reprlib
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from swapfast.inputs import open_input
from swapfast.scenario.model import (
    GeneratorProgram,
    Login,
    LtpProgram,
    MachineModel,
    Scenario,
    Swapfile,
    TraceProgram,
)

__all__ = ["ScenarioError", "bundled", "load", "parse"]

MOST_BYTES = 1 << 16
MOST_PARTS = 32  # of a key, and of the mistakes that are named
MOST_TEXT = 400  # characters of a problem
MODELS: dict[str, type[BaseModel]] = {
    "": Scenario,
    "machine": MachineModel,
    "swapfile": Swapfile,
    "login": Login,
    "ltp": LtpProgram,
    "trace": TraceProgram,
    "generator": GeneratorProgram,
}


class ScenarioError(ValueError):
    """A scenario file that cannot be used.

    Attributes
    ----------
    problems : list of str
        One line a mistake.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load(path: str | os.PathLike[str]) -> Scenario:
    """Read a scenario.

    Raises
    ------
    OSError
        The file cannot be read.
    ScenarioError
        It is no scenario; every mistake is named.
    """
    name = os.fspath(path)
    with open_input(path, pipes=True) as file:
        raw = file.read(MOST_BYTES + 1) or b""
    if len(raw) > MOST_BYTES:
        raise ScenarioError([f"{name}: larger than {MOST_BYTES} bytes: no scenario file is"])
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ScenarioError([f"{name}: byte {error.start}: not UTF-8 text"]) from None
    return parse(text, name)


def bundled(full: bool = False) -> Scenario:
    """The two logins of the letter; ``full``: with its sizes."""
    name = "letter-full.toml" if full else "letter.toml"
    text = (files("swapfast") / "scenarios" / name).read_text("utf-8")
    return parse(text, name)


def parse(text: str, name: str) -> Scenario:
    """A scenario from TOML text; ``name`` is for the messages."""
    _check_depth(text, name)
    try:
        data = tomllib.loads(text)
        scenario = Scenario.model_validate(data)
    except ValidationError as error:
        raise ScenarioError(_problems(name, text, error)) from None
    except RecursionError:
        raise ScenarioError([f"{name}: lists or tables lie too deep in each other"]) from None
    except ValueError as error:  # TOMLDecodeError, and numbers of too many digits
        raise ScenarioError([f"{name}: {error}"[:MOST_TEXT]]) from None
    return _resolved(scenario, Path(name).parent)


_QUOTED = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'")


def _check_depth(text: str, name: str) -> None:
    """A key of many parts takes tomllib a time that grows with their square."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.count(".") <= MOST_PARTS:
            continue
        key = _QUOTED.sub("", line).partition("#")[0]
        if key.count(".") > MOST_PARTS:
            raise ScenarioError([f"{name}:{number}: a key of more than {MOST_PARTS} parts"])


def _problems(name: str, text: str, error: ValidationError) -> list[str]:
    """One line a mistake, and how many more there are."""
    mistakes = error.errors(include_url=False)
    # A list whose items are wrong counts as empty; the items say it better.
    inner = {e["loc"][:n] for e in mistakes for n in range(len(e["loc"]))}
    chosen = [e for e in mistakes if e["type"] != "too_short" or e["loc"] not in inner]
    lines = _lines(text)
    found = [
        _problem(name, lines, e["loc"], e["type"], e["msg"], e["input"])
        for e in chosen[:MOST_PARTS]
    ]
    if len(chosen) > MOST_PARTS:
        found.append(f"{name}: and {len(chosen) - MOST_PARTS} mistakes more")
    return found


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


def _problem(
    name: str,
    lines: dict[tuple[str | int, ...], int],
    loc: tuple[str | int, ...],
    kind: str,
    message: str,
    value: Any,
) -> str:
    # The discriminator of a program ("ltp", ...) is part of pydantic's path, not of the file's.
    path = tuple(
        p
        for i, p in enumerate(loc)
        if not (i and p in MODELS and loc[i - 2 : i - 1] == ("program",))
    )
    at: tuple[str | int, ...] = path
    while at and at not in lines:
        at = at[:-1]
    where = f"{name}:{lines[at]}" if at else name
    key = ".".join(f"{p!s:.60}" for p in path) or "the file"
    message = message.removeprefix("Value error, ")
    if kind == "extra_forbidden":
        message = "no such key" + _nearest(loc)
    elif kind == "missing":
        message = "is missing"
    elif kind not in ("value_error", "union_tag_invalid", "union_tag_not_found"):
        message = f"{message}, not {_shown(value)}"
    problem = f"{where}: {key}: {message}"
    return problem if len(problem) <= MOST_TEXT else f"{problem[:MOST_TEXT]}..."


def _shown(value: Any) -> str:
    try:
        return reprlib.repr(value)
    except ValueError:  # Python does not print so many digits
        return "a number of thousands of digits"


def _nearest(loc: tuple[str | int, ...]) -> str:
    names = [p for p in loc[:-1] if isinstance(p, str) and p in MODELS]
    fields = list(MODELS[names[-1] if names else ""].model_fields)
    close = difflib.get_close_matches(str(loc[-1]), fields, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(fields)}"


_TABLE = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.\"' -]+?)\s*\]\]?")
_KEY = re.compile(r"\s*([A-Za-z0-9_\"'.-]+)\s*=")


def _lines(text: str) -> dict[tuple[str | int, ...], int]:
    """Line numbers of tables and keys, by their path."""
    found: dict[tuple[str | int, ...], int] = {}
    counts: dict[tuple[str | int, ...], int] = {}
    table: tuple[str | int, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if match := _TABLE.match(line):
            table = ()
            parts = [p.strip(" \"'") for p in match[2].split(".")]
            for i, part in enumerate(parts):
                table += (part,)
                last = i == len(parts) - 1
                if last and match[1] == "[[":
                    counts[table] = counts.get(table, -1) + 1
                if table in counts:
                    table += (counts[table],)
            found.setdefault(table, number)
        elif match := _KEY.match(line):
            key = tuple(p.strip("\"'") for p in match[1].split("."))
            found.setdefault(table + key, number)
    return found
