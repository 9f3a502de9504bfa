"""What was found.

- ``Finding``: one thing. ``Diagnosis``: all of them.
- ``found_by(...)``: the finding of a question that an ``OSError`` answers with a no.
- ``parted(sentence)``: its cause, and what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from swapfast.errors import said
from swapfast.results import Shown

__all__ = ["Diagnosis", "Finding", "State", "found_by", "parted"]

State = Literal["ok", "missing", "fact"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing.

    Attributes
    ----------
    part : str
        What it belongs to: "core", "extras", "recording", ...
    name : str
    state : {"ok", "missing", "fact"}
        A fact is neither good nor bad.
    found : str
        What is there, or why it is not.
    gives : str
        What it is good for.
    remedy : str
        How to get what is missing; "" if nothing is.
    needed : bool
        Nothing works without it.
    """

    part: str
    name: str
    state: State
    found: str
    gives: str
    remedy: str = ""
    needed: bool = False


@dataclass(frozen=True, slots=True)
class Diagnosis(Shown):
    """All that was found.

    Attributes
    ----------
    findings : tuple of Finding
        In the order in which they are shown; those of a part are together.
    """

    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        """Whether everything is there that nothing works without."""
        return all(one.state != "missing" for one in self.findings if one.needed)

    def table(self) -> list[dict[str, Any]]:
        """A row for each finding."""
        return [asdict(one) for one in self.findings]

    def as_dict(self) -> dict[str, Any]:
        """The same, for JSON."""
        return {"sound": self.sound, "findings": [asdict(one) for one in self.findings]}


def parted(sentence: str) -> tuple[str, str]:
    """The cause and the remedy of a sentence such as "there is no cat; get one"."""
    cause, _, remedy = sentence.partition("; ")
    return cause, remedy


def found_by(part: str, name: str, gives: str, look: Callable[[], str]) -> Finding:
    """Ask, and take an ``OSError`` for a no.

    Parameters
    ----------
    part, name, gives : str
        As of `Finding`.
    look : callable
        Says what is there, or raises.
    """
    try:
        return Finding(part, name, "ok", look(), gives)
    except OSError as error:
        cause, remedy = parted(said(error))
        return Finding(part, name, "missing", cause, gives, remedy)
