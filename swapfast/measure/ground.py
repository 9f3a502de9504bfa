"""What every measurement stands on: a group, swapfiles, and settings of the machine.

- ``make_ground(host, group, ...)``: which group, and what is set for the measurement.
- ``Setting``: a file of the kernel, what is written there, and what is written to put it back.
- ``Planned``: what any plan has; ``ground_lines``, ``undo_lines``: the same for a person.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from swapfast.measure.host import Group, Host
from swapfast.running import CLASSIC, LRU_GEN, MGLRU, Running, lru_mask

__all__ = [
    "HOST",
    "LRU_NAME",
    "ON",
    "SWAPPINESS",
    "Ground",
    "Planned",
    "Setting",
    "ground_lines",
    "make_ground",
    "many",
    "undo_lines",
    "wanted_lru",
]

LRU_NAME = "lru_gen/enabled"
HOST = "host"  # --lru: the one that is on
SWAPPINESS = 60
MOST_RUNS = 100
ON = "y"  # all that the processor can do


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting for the time of the measurement.

    Attributes
    ----------
    path : Path
        The file.
    name : str
        Of a sysctl; other files go by their path.
    before : str or None
        What is there now; None where it does not exist.
    during : str
        What is written.
    after : str or None
        What is written to put it back; by default what was there.
    """

    path: Path
    name: str
    before: str | None
    during: str
    after: str | None = None

    @property
    def is_sysctl(self) -> bool:
        """Whether sysctl(8) knows it."""
        return self.name.startswith("vm.")

    @property
    def back(self) -> str:
        """What is written to put it back."""
        return self.after or self.before or ""

    @property
    def command(self) -> str:
        """The command that puts it back."""
        if self.is_sysctl:
            return f"sysctl {self.name}={self.back}"
        return f"echo {self.back} > {shlex.quote(str(self.path))}"

    @property
    def line(self) -> str:
        """What is changed, for a person."""
        if self.after is not None:
            return f"control   {self.path} {self.during}"
        kind = "sysctl" if self.is_sysctl else "setting"
        return f"{kind:9} {self.name} {self.before or 'missing'} -> {self.during}"


class Planned(Protocol):
    """What the plan of any measurement has."""

    @property
    def group(self) -> Group | None:
        """Made for each run; None: there is no memory controller."""

    @property
    def files(self) -> tuple[tuple[Path, int], ...]:
        """The swapfiles to make, and their bytes."""

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Set for all runs, and put back."""

    @property
    def running(self) -> Running:
        """The kernel before anything is set."""

    @property
    def memory(self) -> int:
        """Bytes that the largest run locks or may keep in memory."""

    @property
    def out(self) -> Path:
        """The truth file."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A group that is made, or None where there is no memory controller; what is set."""

    group: Group | None
    settings: tuple[Setting, ...]
    running: Running


def make_ground(
    host: Host,
    group: str,
    *,
    lru: str = HOST,
    runs: int = 1,
    page_cluster: int = 0,
    swappiness: int = SWAPPINESS,
) -> Ground:
    """Which group is made on a host, and what is set there. Nothing is changed.

    Parameters
    ----------
    host : Host
    group : str
        Its name, one word.
    lru : str
        "host", "classic", "mglru" or a mask.
    runs, page_cluster, swappiness : int

    Raises
    ------
    ValueError
        A name, mask or number that cannot be.
    """
    if not 1 <= runs <= MOST_RUNS:
        raise ValueError(f"runs is 1 to {MOST_RUNS}, not {runs}")
    if not 0 <= page_cluster <= 5:
        raise ValueError(f"page_cluster is 0 to 5, not {page_cluster}")
    if not group or "/" in group or group.startswith(".") or any(c.isspace() for c in group):
        raise ValueError(f"{group!r:.40} is not the name of a group: one word, without /")
    now = host.running()
    own = host.group(group)
    settings = [_sysctl(host, "vm.page-cluster", page_cluster)]
    if own is None or own.version == 2:  # a v1 group has a swappiness of its own
        settings.append(_sysctl(host, "vm.swappiness", swappiness))
    control = host.control() if own is not None and own.version == 2 else None
    if control is not None and "memory" not in _words(control):
        before = " ".join(_words(control))
        settings.append(Setting(control, control.name, before, "+memory", "-memory"))
    settings += _lru_setting(host, now, wanted_lru(lru))
    return Ground(own, tuple(settings), now)


def wanted_lru(text: str) -> str | None:
    """What ``--lru`` asks for, as the kernel takes it: a mask, or "y"; None: what is on.

    Raises
    ------
    ValueError
        None of its words, and no mask.
    """
    if text == HOST:
        return None
    if text in (CLASSIC, MGLRU):
        return "0" if text == CLASSIC else ON
    try:
        return str(lru_mask(text))
    except ValueError:
        raise ValueError(
            f"lru {text!r:.40} is not {HOST}, {CLASSIC}, {MGLRU} or a mask from 0 to 7"
        ) from None


def ground_lines(plan: Planned) -> list[str]:
    """The group, the kernel and the settings of a plan, for a person."""
    group = "none: no memory controller found"
    if plan.group is not None:
        group = f"{plan.group.path} (cgroup v{plan.group.version}), made for each run"
    now = plan.running
    release = now.kernel or "unknown"
    mask = "not built in" if now.lru_gen is None else f"{now.lru_gen:#06x}"
    return [
        f"group     {group}",
        f"kernel    {release}, lru {now.lru} (lru_gen {mask}), profile {now.profile}",
        *(s.line for s in plan.settings),
    ]


def undo_lines(plan: Planned, *, nested: bool = False) -> list[str]:
    """Where the result goes, and the commands that undo the rest should the machine stop.

    Parameters
    ----------
    plan : Planned
    nested : bool
        Whether there are groups below the group.
    """
    files = [shlex.quote(str(path)) for path, _ in plan.files]
    undo = [f"swapoff {file}" for file in files] + [f"rm {file}" for file in files]
    if plan.group is not None:
        folder = shlex.quote(str(plan.group.path))
        undo.append(f"find {folder} -depth -type d -delete" if nested else f"rmdir {folder}")
    undo += [s.command for s in plan.settings if s.before is not None]
    return [
        f"result    {plan.out}",
        "after     everything above but the result is undone, on errors and signals as well;",
        "          should the machine stop in between:",
        *(f"            {command}" for command in undo),
    ]


def many(count: int, what: str) -> str:
    """``"1 run"``, ``"2 runs"``."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def _sysctl(host: Host, name: str, during: int) -> Setting:
    file = f"proc/sys/{name.replace('.', '/')}"
    return Setting(host.path(file), name, host.text(file), str(during))


def _lru_setting(host: Host, now: Running, wanted: str | None) -> list[Setting]:
    if wanted is None or wanted == str(now.lru_gen or 0):
        return []
    return [Setting(host.path(LRU_GEN), LRU_NAME, host.text(LRU_GEN), wanted)]


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []
