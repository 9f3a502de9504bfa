"""Sentences with numbers in them: what a scenario answers.

- ``one(template, metrics)``: of one run; ``{metric}`` is its number with the unit.
- ``over(template, scopes)``: of several; ``{scope|metric}`` is the mean, ``{a/b|metric}`` the mean
  of a over that of b.

The words are the scenario's, the numbers those of the run: a sentence never says which way they are
to lie.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from swapfast.scenario.metrics import shown

__all__ = ["one", "over"]

_PLACE = re.compile(r"\{([^{}]*)\}")
_ABSENT = "none"


def one(template: str, metrics: Mapping[str, float]) -> str:
    """A sentence about one run; "none" for what it has no number of."""

    def fill(match: re.Match[str]) -> str:
        name = match[1].rpartition("|")[2]
        return shown(name, metrics[name]) if name in metrics else _ABSENT

    return _PLACE.sub(fill, template)


def over(template: str, scopes: Mapping[str, Mapping[str, float]]) -> str:
    """A sentence about several scopes.

    Parameters
    ----------
    template : str
    scopes : mapping
        The mean of each metric, by scope.
    """

    def fill(match: re.Match[str]) -> str:
        which, _, name = match[1].partition("|")
        first, slash, second = which.partition("/")
        a = scopes.get(first, {}).get(name)
        if not slash:
            return _ABSENT if a is None else shown(name, a)
        b = scopes.get(second, {}).get(name)
        return _ABSENT if a is None or not b else f"x {a / b:.3g}"

    return _PLACE.sub(fill, template)
