"""A TOML file against a model: every mistake at once, each with its place.

- ``read(path)``: the text of such a file. ``parse(text, name, layout)``: the model it fills in.
- ``tables_of(text, name)``: what TOML says. ``refused(...)``: mistakes that a model cannot see.
- ``Layout``: which models there are, by the names of their tables.
- ``ScenarioError``: a ``ValueError``; ``problems`` has one line a mistake: file, line, key,
  cause and the nearest valid key.
"""

from __future__ import annotations

import difflib
import os
import re
import reprlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from swapfast.inputs import open_input

__all__ = ["MOST_BYTES", "Layout", "ScenarioError", "parse", "read", "refused", "tables_of"]

MOST_BYTES = 1 << 16
MOST_PARTS = 32  # of a key, and of the mistakes that are named
MOST_TEXT = 400  # characters of a problem

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Layout(Generic[Model]):
    """The models of a file.

    Parameters
    ----------
    whole : type of BaseModel
        Of the whole file.
    tables : mapping
        Those of its tables, by name.
    kinds : frozenset of str
        Names of models that a table chooses from by its ``kind``. They are part of pydantic's path,
        not of the file's.
    """

    whole: type[Model]
    tables: Mapping[str, type[BaseModel]]
    kinds: frozenset[str] = frozenset()


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


def read(path: str | os.PathLike[str]) -> str:
    """The text of a file.

    Raises
    ------
    OSError
        The file cannot be read.
    ScenarioError
        It is too long, or no text.
    """
    name = os.fspath(path)
    with open_input(path, pipes=True) as file:
        raw = file.read(MOST_BYTES + 1) or b""
    if len(raw) > MOST_BYTES:
        raise ScenarioError([f"{name}: larger than {MOST_BYTES} bytes: no scenario file is"])
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ScenarioError([f"{name}: byte {error.start}: not UTF-8 text"]) from None


def tables_of(text: str, name: str) -> dict[str, Any]:
    """What TOML says.

    Raises
    ------
    ScenarioError
        It is no TOML.
    """
    _check_depth(text, name)
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ScenarioError([f"{name}: lists or tables lie too deep in each other"]) from None
    except ValueError as error:  # TOMLDecodeError, and numbers of too many digits
        raise ScenarioError([f"{name}: {error}"[:MOST_TEXT]]) from None


def parse(
    text: str, name: str, layout: Layout[Model], tables: Mapping[str, Any] | None = None
) -> Model:
    """The model of a text; ``name`` is for the messages.

    Parameters
    ----------
    text, name : str
    layout : Layout
    tables : mapping, optional
        What the text says, if some of it was replaced.

    Raises
    ------
    ScenarioError
        Every mistake is named.
    """
    try:
        return layout.whole.model_validate(tables_of(text, name) if tables is None else tables)
    except ValidationError as error:
        raise ScenarioError(_problems(name, text, error, layout)) from None
    except RecursionError:
        raise ScenarioError([f"{name}: lists or tables lie too deep in each other"]) from None


def refused(
    text: str, name: str, found: Sequence[tuple[tuple[str | int, ...], str]]
) -> ScenarioError:
    """Mistakes that are no single table's, each with its place and a sentence."""
    lines = _lines(text)
    problems = [_at(name, lines, at, sentence) for at, sentence in found[:MOST_PARTS]]
    if len(found) > MOST_PARTS:
        problems.append(f"{name}: and {len(found) - MOST_PARTS} mistakes more")
    return ScenarioError(problems)


_QUOTED = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'")


def _check_depth(text: str, name: str) -> None:
    """A key of many parts takes tomllib a time that grows with their square."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.count(".") <= MOST_PARTS:
            continue
        key = _QUOTED.sub("", line).partition("#")[0]
        if key.count(".") > MOST_PARTS:
            raise ScenarioError([f"{name}:{number}: a key of more than {MOST_PARTS} parts"])


def _problems(name: str, text: str, error: ValidationError, layout: Layout[Any]) -> list[str]:
    """One line a mistake, and how many more there are."""
    mistakes = error.errors(include_url=False)
    # A list whose items are wrong counts as empty; the items say it better.
    inner = {e["loc"][:n] for e in mistakes for n in range(len(e["loc"]))}
    chosen = [e for e in mistakes if e["type"] != "too_short" or e["loc"] not in inner]
    lines = _lines(text)
    found = [
        _problem(name, lines, layout, e["loc"], e["type"], e["msg"], e["input"])
        for e in chosen[:MOST_PARTS]
    ]
    if len(chosen) > MOST_PARTS:
        found.append(f"{name}: and {len(chosen) - MOST_PARTS} mistakes more")
    return found


def _problem(
    name: str,
    lines: dict[tuple[str | int, ...], int],
    layout: Layout[Any],
    loc: tuple[str | int, ...],
    kind: str,
    message: str,
    value: Any,
) -> str:
    path = tuple(
        p
        for i, p in enumerate(loc)
        if not (i and p in layout.kinds and loc[i - 2 : i - 1] == ("program",))
    )
    message = message.removeprefix("Value error, ")
    if kind == "extra_forbidden":
        message = "no such key" + _nearest(layout, loc)
    elif kind == "missing":
        message = "is missing"
    elif kind not in ("value_error", "union_tag_invalid", "union_tag_not_found"):
        message = f"{message}, not {_shown(value)}"
    return _at(name, lines, path, message)


def _at(
    name: str, lines: dict[tuple[str | int, ...], int], path: tuple[str | int, ...], message: str
) -> str:
    at = path
    while at and at not in lines:
        at = at[:-1]
    where = f"{name}:{lines[at]}" if at else name
    key = ".".join(f"{p!s:.60}" for p in path) or "the file"
    problem = f"{where}: {key}: {message}"
    return problem if len(problem) <= MOST_TEXT else f"{problem[:MOST_TEXT]}..."


def _shown(value: Any) -> str:
    try:
        return reprlib.repr(value)
    except ValueError:  # Python does not print so many digits
        return "a number of thousands of digits"


def _nearest(layout: Layout[Any], loc: tuple[str | int, ...]) -> str:
    names = [p for p in loc[:-1] if isinstance(p, str) and p in layout.tables]
    model = layout.tables[names[-1]] if names else layout.whole
    fields = list(model.model_fields)
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
