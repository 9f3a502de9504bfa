"""How much memory programs need so that they are not slowed down by more than so much.

- ``alone(name, trace, ...)``: the least limit for one program: a ``Need``, with the curve.
- ``Setting``: device, kernel and what a reference takes.
- ``side_by_side(traces, ...)``: the least machine for all of them at once: a ``Shared``.

The time of a program is what `Machine.together` simulates: faults, reclaim, and the queue of the
device that its swap area lies on. It is compared with the same program's time with all the memory
it touches.

A time is not quite monotone in the memory: a little more may cost a little more. So a limit counts
only if no larger one that was looked at takes longer than allowed: that envelope is monotone, and a
bisection between the last limit that is too small and the next one finds where it crosses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from swapfast.errors import KernelPanic
from swapfast.machine import Machine
from swapfast.results import Shown
from swapfast.traces import Trace
from swapfast.units import PAGE_SIZE

__all__ = ["Need", "Point", "Setting", "Shared", "alone", "side_by_side"]

POINTS = 12  # of a curve
_LEAST = 32  # pages: less than that and a cgroup cannot hold what one fault needs
_SMALL = 256  # pages of a machine that can do anything at all
_ROOM = 16 << 20  # bytes of a machine beyond its programs: its watermarks
_FINE = 512  # a limit is found to this part of the pages

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Point:
    """What one amount of memory came to.

    Attributes
    ----------
    pages : int
        Memory, in pages of 4096 bytes.
    wall_ns : int or None
        Simulated time of the program that is slowed down most; None: it was killed.
    slowdown : float or None
        Of that time, against the time with all memory; 0.01 is 1 % more.
    majors : int
        Faults that read from swap.
    swap_pages : int
        Most pages in swap at a time.
    """

    pages: int
    wall_ns: int | None
    slowdown: float | None
    majors: int
    swap_pages: int

    def within(self, slowdown: float) -> bool:
        """Whether nothing is slower than allowed."""
        return self.slowdown is not None and self.slowdown <= slowdown


class _OfCurve(Shown):
    """A result that is shown by its curve."""

    curve: tuple[Point, ...]

    def table(self) -> list[dict[str, Any]]:
        """A row for each memory."""
        return [asdict(point) for point in self.curve]


@dataclass(frozen=True)
class Need(_OfCurve):
    """The least memory limit of one program.

    Attributes
    ----------
    name : str
    pages : int
        Pages that it touches.
    wall_ns : int
        Simulated time with all of them in memory.
    least : Point
        The least limit that is enough.
    curve : tuple of Point
        Slowdown against memory, from the least limit to all pages.
    """

    name: str
    pages: int
    wall_ns: int
    least: Point
    curve: tuple[Point, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Shared(_OfCurve):
    """The least machine for programs side by side.

    Attributes
    ----------
    names : tuple of str
    pages : int
        Pages that all of them touch.
    least : Point
        The least RAM that is enough, the machine's own included.
    slowdowns : dict of str to float
        Of each program there.
    curve : tuple of Point
    """

    names: tuple[str, ...]
    pages: int
    least: Point
    slowdowns: dict[str, float]
    curve: tuple[Point, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


# ---------------------------------------------------------------- one machine


@dataclass(frozen=True)
class Setting:
    """What is the same in every run.

    Attributes
    ----------
    device : str
        A preset: where the swap area lies.
    profile : str
        The kernel.
    think : str or int, optional
        Time of a reference; the machine's by default.
    seed : int
        What the device's times are drawn from.
    """

    device: str = "nvme"
    profile: str = "6.18"
    think: str | int | None = None
    seed: int = 0


@dataclass(frozen=True)
class _Result:
    walls: tuple[int | None, ...]
    majors: int
    swap_pages: int


def _play(traces: Sequence[Trace], memory: int, limit: int | None, setting: Setting) -> _Result:
    """Programs on a machine of so many bytes, the first of them under a limit of so many."""
    pages = sum(trace.pages for trace in traces)
    with Machine(memory, setting.profile, contents=False, seed=setting.seed) as machine:
        device = machine.device("swap", setting.device)
        machine.add_swap((pages + 512) * PAGE_SIZE, device=device)
        run = machine.together(seed=setting.seed)
        top = machine.cgroup("/programs")
        programs = []
        for number, trace in enumerate(traces):
            cgroup = machine.cgroup(f"/programs/{number}", max=limit)
            programs.append(
                run.program(str(number), trace, cgroup=cgroup, think=setting.think, watch=False)
            )
        try:
            run.until()
        except KernelPanic:  # nobody was left to be killed
            return _Result((None,) * len(programs), 0, 0)
        walls = tuple(None if program.killed else program.wall for program in programs)
        majors = sum(program.majors for program in programs)
        return _Result(walls, majors, int(top["memory.swap.peak"]) // PAGE_SIZE)


def alone(
    name: str,
    trace: Trace,
    *,
    slowdown: float,
    setting: Setting = Setting(),
    progress: Progress | None = None,
) -> Need:
    """The least memory limit of a cgroup with one program in it.

    Parameters
    ----------
    name : str
        For messages.
    trace : Trace
    slowdown : float
        What is allowed: 0.01 is 1 % more time than with all memory.
    setting : Setting
    progress : callable, optional
        Called with what is done, steps done and steps in all; may raise KeyboardInterrupt.

    Returns
    -------
    Need

    Raises
    ------
    ValueError
        A slowdown that is negative; no such device or kernel.
    """
    _check(slowdown)
    memory = (trace.pages * PAGE_SIZE) * 5 // 4 + _ROOM
    whole = _play([trace], memory, None, setting).walls[0]
    assert whole is not None, "nobody is killed where there is memory for all"

    def point(pages: int) -> Point:
        return _point(pages, _play([trace], memory, pages * PAGE_SIZE, setting), (whole,))

    search = _Search(point, slowdown, progress, name)
    least = search.least(min(_LEAST, trace.pages), trace.pages)
    return Need(name, trace.pages, whole, least, search.curve)


def side_by_side(
    traces: Mapping[str, Trace],
    *,
    slowdown: float,
    setting: Setting = Setting(),
    progress: Progress | None = None,
) -> Shared:
    """The least machine on which programs run side by side, without limits of their own.

    They share memory and one swap area under the pressure of the whole machine; no program may be
    slowed down by more than is allowed, against itself alone with all memory.

    Parameters
    ----------
    traces : mapping of str to Trace
    slowdown, setting, progress
        As for `alone`.

    Returns
    -------
    Shared

    Raises
    ------
    ValueError
        No program, or as `alone`.
    """
    _check(slowdown)
    if not traces:
        raise ValueError("there is no program to find the memory of")
    all_, pages = list(traces.values()), sum(trace.pages for trace in traces.values())
    most = pages * 5 // 4 + _ROOM // PAGE_SIZE
    walls = tuple(_play([trace], most * PAGE_SIZE, None, setting).walls[0] for trace in all_)

    def point(size: int) -> Point:
        return _point(size, _play(all_, size * PAGE_SIZE, None, setting), walls)

    search = _Search(point, slowdown, progress, "side by side")
    least = search.least(min(max(pages // POINTS, _SMALL), most), most)
    told = _play(all_, least.pages * PAGE_SIZE, None, setting).walls
    slowdowns = {
        name: wall / own - 1
        for name, wall, own in zip(traces, told, walls, strict=True)
        if wall is not None and own is not None
    }
    return Shared(tuple(traces), pages, least, slowdowns, search.curve)


def _check(slowdown: float) -> None:
    if not 0 <= slowdown < float("inf"):
        raise ValueError(f"a slowdown is 0 or more, such as 0.01 for 1 %, not {slowdown!r}")


def _point(pages: int, result: _Result, walls: Sequence[int | None]) -> Point:
    """The worst of the programs."""
    pairs = list(zip(result.walls, walls, strict=True))
    if any(wall is None or own is None for wall, own in pairs):
        return Point(pages, None, None, result.majors, result.swap_pages)
    slow = [(wall / own - 1, wall) for wall, own in pairs if wall is not None and own]
    worst, wall = max(slow)
    return Point(pages, wall, worst, result.majors, result.swap_pages)


# ---------------------------------------------------------------- the search


class _Search:
    """Points that were looked at, and where their envelope crosses what is allowed."""

    def __init__(
        self,
        point: Callable[[int], Point],
        slowdown: float,
        progress: Progress | None,
        what: str,
    ) -> None:
        self._point, self._slowdown = point, slowdown
        self._tell = progress or (lambda what, done, of: None)
        self._what = what
        self._steps = POINTS + (_FINE // POINTS).bit_length()
        self._seen: dict[int, Point] = {}

    def _look(self, pages: int) -> Point:
        if pages not in self._seen:
            self._tell(self._what, len(self._seen), max(self._steps, len(self._seen) + 1))
            self._seen[pages] = self._point(pages)
        return self._seen[pages]

    def least(self, low: int, high: int) -> Point:
        """The least amount of memory between two that is enough.

        Raises
        ------
        ValueError
            Not even the most is enough.
        """
        sizes = sorted({low + (high - low) * n // (POINTS - 1) for n in range(POINTS)})
        for pages in reversed(sizes):
            self._look(pages)
        bad = [pages for pages in sizes if not self._look(pages).within(self._slowdown)]
        self._grid = tuple(sizes)
        if bad and bad[-1] == high:
            raise ValueError(
                f"{self._what}: not even all memory keeps it within a slowdown of "
                f"{100 * self._slowdown:g} %"
            )
        if not bad:
            return self._look(low)
        below, above = bad[-1], min(pages for pages in sizes if pages > bad[-1])
        while above - below > max(1, high // _FINE):
            middle = (below + above) // 2
            if self._look(middle).within(self._slowdown):
                above = middle
            else:
                below = middle
        return self._look(above)

    @property
    def curve(self) -> tuple[Point, ...]:
        """The points of the grid, from the least memory to the most."""
        return tuple(self._seen[pages] for pages in self._grid)
