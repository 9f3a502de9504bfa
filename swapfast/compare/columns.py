"""Columns of a comparison: a scope, and what is replaced in the scenario.

- ``Column``: that, and its name for people.
- ``columns_of(runs, scopes)``: those of some runs; ``labelled(scope, params, all)``: its name.
- ``baselines(columns, name)``: which column each is held against.
- ``names_of(what, text, known)``: names out of a list, though names have commas in them too.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from swapfast.compare.runs import Run

__all__ = ["Column", "baselines", "columns_of", "labelled", "names_of"]


@dataclass(frozen=True)
class Column:
    """A scope, and what is replaced in the scenario.

    Attributes
    ----------
    scope : str
    params : tuple of (str, str)
    label : str
        For people.
    """

    scope: str
    params: tuple[tuple[str, str], ...] = ()
    label: str = ""

    @property
    def name(self) -> str:
        """The label, or the scope."""
        return self.label or self.scope

    def has(self, run: Run) -> bool:
        """Whether a run belongs to it."""
        return run.scope == self.scope and run.params == dict(self.params)


def columns_of(runs: Iterable[Run], scopes: Sequence[str]) -> list[Column]:
    """The columns that runs belong to: by what is replaced, then by scope.

    Parameters
    ----------
    runs : iterable of Run
    scopes : sequence of str
        In the order in which they are to stand.
    """
    found = list(dict.fromkeys((run.scope, tuple(sorted(run.params.items()))) for run in runs))
    ranks = {name: number for number, name in enumerate(scopes)}
    found.sort(key=lambda f: ([_natural(v) for _, v in f[1]], ranks.get(f[0], len(ranks)), f[0]))
    every = [dict(params) for _, params in found]
    return [Column(scope, params, labelled(scope, dict(params), every)) for scope, params in found]


def _natural(text: str) -> list[tuple[int, float, str]]:
    """Numbers in a text count as numbers."""
    parts = re.split(r"(\d+(?:\.\d+)?)", text)
    return [(0, 0.0, p) if n % 2 == 0 else (1, float(p), "") for n, p in enumerate(parts)]


def labelled(scope: str, params: Mapping[str, str], every: Sequence[Mapping[str, str]]) -> str:
    """A scope and those values in which columns differ; a preset and a kernel say what they are."""
    told: dict[str, None] = {}
    for key, value in params.items():
        if all(one.get(key) == value for one in every):
            continue
        value = value.strip("\"'")
        plain = key.endswith(".preset") or key == "machine.profile"
        told[value if plain else f"{key.removeprefix('machine.')}={value}"] = None
    return " ".join([scope, *told])


def baselines(columns: Sequence[Column], name: str | None = None) -> tuple[int, ...]:
    """The number of the column that each is held against.

    Parameters
    ----------
    columns : sequence of Column
    name : str, optional
        A whole column; or a scope, against which others with the same values are held. By default
        the first scope, or the first column where there is one scope.

    Raises
    ------
    ValueError
        Neither.
    """
    labels = [column.name for column in columns]
    scopes = list(dict.fromkeys(column.scope for column in columns))
    if name is None:
        if len(scopes) == 1:
            return (0,) * len(columns)
        name = scopes[0]
    if name in scopes:
        base = {c.params: number for number, c in enumerate(columns) if c.scope == name}
        return tuple(base.get(c.params, number) for number, c in enumerate(columns))
    if name in labels:
        return (labels.index(name),) * len(columns)
    raise ValueError(unknown("baseline", name, [*scopes, *labels]))


def names_of(what: str, text: str, known: Sequence[str]) -> list[str]:
    """Names in a list with commas; a name may have commas of its own.

    Raises
    ------
    ValueError
        No such name; the nearest is named.
    """
    parts, found = text.split(","), []
    while parts:
        for count in range(len(parts), 0, -1):
            name = ",".join(parts[:count]).strip()
            if name in known:
                found.append(name)
                del parts[:count]
                break
        else:
            raise ValueError(unknown(what, parts[0].strip(), known))
    return found


def unknown(what: str, name: str, known: Sequence[str]) -> str:
    """The sentence for a name that is not there."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    there = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
    return f"no {what} {name!r}; {there}"
