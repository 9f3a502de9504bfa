"""What a program does in turn, on the same pages: phases, and times in which it does nothing.

- ``Phase``: references with a think time of their own, after a rest.
- ``Passed``: when one of them began and ended.
- ``Phases``: those of one program, one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Literal

from swapfast.traces import Trace
from swapfast.units import parse_duration

if TYPE_CHECKING:
    from swapfast.core.world import World

__all__ = ["FOREVER", "Passed", "Phase", "Phases", "think_of"]

FOREVER = (1 << 64) - 1  # of a time, and of a number of rounds


@dataclass(frozen=True)
class Phase:
    """A part of a program's life.

    Parameters
    ----------
    trace : Trace, optional
        What it touches; without one it only rests.
    think : str or int, optional
        Time of a reference; the program's by default.
    idle : str or int
        How long it rests before.
    name : str
        By which its times are found again; several may have the same.
    once : bool
        It comes the first time only, and not in repetitions.
    """

    trace: Trace | None = None
    think: str | int | None = None
    idle: str | int = 0
    name: str = ""
    once: bool = False


@dataclass(frozen=True)
class Turn:
    """A phase that touches pages, and all the rest before it.

    Attributes
    ----------
    trace : Trace
    think, idle : int
        ns.
    name : str
    """

    trace: Trace
    think: int
    idle: int
    name: str


@dataclass(frozen=True)
class Passed:
    """A phase that is over.

    Attributes
    ----------
    name : str
    begin, end : int
        Simulated ns, without the rest before it.
    """

    name: str
    begin: int
    end: int


class Phases:
    """The phases of one program.

    Parameters
    ----------
    phases : sequence of Phase
    think : int
        ns a reference, where a phase does not say.
    loops : int or "forever"
        How often the references of each come.
    repeat : int or "forever"
        How often all of them come.
    stop : int
        Simulated ns from which on nothing more begins.

    Attributes
    ----------
    first : Turn
    pages : int
        That any of them touches, at most.
    rounds : int
        ``loops`` for the core.
    endless : bool
        They come again and again, and have no time to stop at.
    passed : list of Passed
        Those that are over.

    Raises
    ------
    ValueError
        No phase, no repetition, or a time that cannot be.
    """

    def __init__(
        self,
        phases: Sequence[Phase],
        think: int,
        *,
        loops: int | Literal["forever"] = 1,
        repeat: int | Literal["forever"] = 1,
        stop: int = FOREVER,
    ) -> None:
        self.rounds, self.stop = _times("loops", loops), stop
        times = _times("repeat", repeat)
        self.endless = times == FOREVER and stop == FOREVER
        self.passed: list[Passed] = []
        traces = [phase.trace for phase in phases if phase.trace is not None]
        if not traces or (times > 1 and all(p.once or p.trace is None for p in phases)):
            raise ValueError("a program has one phase at least that touches pages")
        self.pages = max(trace.pages for trace in traces)
        for phase in phases:  # what cannot be is said before it begins
            _turn(phase, traces[0], think, 0)
        self._coming = _in_turn(phases, think, times)
        self.first = self._now = next(self._coming)
        self._began = 0

    def begin(self, when: int) -> None:
        """The present one begins."""
        self._began = when

    def end(self, when: int) -> None:
        """The present one is over."""
        self.passed.append(Passed(self._now.name, self._began, when))

    def go_on(self, world: World, number: int, now: int) -> bool:
        """The next one begins, if there is one and it is not too late."""
        turn = next(self._coming, None) if now < self.stop else None
        if turn is None:
            return False
        self._now, self._began = turn, now + turn.idle
        world.again(number, turn.trace.refs, think=turn.think, start=self._began, loops=self.rounds)
        return True


def _turn(phase: Phase, trace: Trace, think: int, rested: int) -> Turn:
    each = think if phase.think is None else think_of(phase.think)
    return Turn(trace, each, rested + parse_duration(phase.idle), phase.name)


def _in_turn(phases: Sequence[Phase], think: int, times: int) -> Iterator[Turn]:
    rested = 0
    for time in count() if times == FOREVER else range(times):
        for phase in phases:
            if phase.once and time > 0:
                continue
            if phase.trace is None:
                rested += parse_duration(phase.idle)
            else:
                yield _turn(phase, phase.trace, think, rested)
                rested = 0


def _times(name: str, given: int | Literal["forever"]) -> int:
    if given == "forever":
        return FOREVER
    if isinstance(given, int) and given > 0:
        return given
    raise ValueError(f"{name} is a number from 1 on, or 'forever', not {given!r}")


def think_of(think: str | int) -> int:
    """ns a reference.

    Raises
    ------
    ValueError
        Not 1 ns to 4.2 s.
    """
    ns = parse_duration(think)
    if not 0 < ns < 1 << 32:
        raise ValueError(f"think is 1 ns to 4.2 s a reference, not {think!r}")
    return ns
