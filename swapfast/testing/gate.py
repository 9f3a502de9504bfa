"""The gate: no benchmark executes more instructions, or misses the cache more often, than before.

- ``gate(folder, settings)``: count in both trees, and compare. ``Finding``: of one benchmark.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from swapfast.testing import base
from swapfast.testing.callgrind import Count, Counted, Order, count
from swapfast.testing.settings import Settings

__all__ = ["Finding", "Report", "gate"]

FEW_MISSES = 1000  # below, a miss more or less is chance
NONE = Count(0, 0)


@dataclass(frozen=True)
class Finding:
    """Of one benchmark.

    Attributes
    ----------
    name : str
    now, before : Count
        Zeros: not counted.
    why : str
        Empty if all is well, else what is wrong.
    note : str
        Worth knowing, and no reason to fail.
    """

    name: str
    now: Count
    before: Count
    why: str = ""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Instructions now, of those before; None: one of them was not counted."""
        if not self.now.instructions or not self.before.instructions:
            return None
        return self.now.instructions / self.before.instructions


@dataclass(frozen=True)
class Report:
    """What the gate found.

    Attributes
    ----------
    base : str
        The commit that was compared with.
    findings : tuple of Finding
    """

    base: str
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing got worse, and everything was counted."""
        return not any(finding.why for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Numbers and words alone, for JSON."""
        rows = [{**asdict(one), "ratio": one.ratio} for one in self.findings]
        return {"base": self.base, "passed": self.passed, "benchmarks": rows}


def gate(
    folder: Path, settings: Settings, tell: Callable[[str], object] = lambda _: None
) -> Report:
    """Count the benchmarks of a project now and at an older commit.

    Parameters
    ----------
    folder : path
        The project, built, in a git repository.
    settings : Settings
    tell : callable, optional
        Told what is done next, in a few words.

    Raises
    ------
    ValueError
        No benchmarks are named, the base cannot be had or built, or the benchmarks ended early.
    OSError
        ENOENT: valgrind, a C compiler or git are not installed.
    """
    if not settings.benchmarks:
        raise ValueError(
            "no benchmarks: name files or functions, or say tool.swapfast.gate.benchmarks in "
            f"{folder / 'pyproject.toml'}"
        )
    names = ("inside", "pytest", "warmup", "repeat")
    order = Order(settings.benchmarks, **{name: getattr(settings, name) for name in names})
    commit = base.chosen(folder, settings.base)
    tell(f"building {commit}" if settings.build else f"checking out {commit}")
    with base.checked_out(folder, commit, settings.build, settings.kept()) as tree:
        tell("counting the present tree")
        now = count(folder, order)
        tell(f"counting {commit}")
        before = count(tree, order)
    findings = compare(now, before, settings)
    if now.counts and not any(before.counts.values()):
        reasons = [*before.failed.values(), "none of the functions inside ran"]
        raise ValueError(f"nothing was counted at {commit}: {reasons[0].strip()}")
    return Report(commit, tuple(findings))


def compare(now: Counted, before: Counted, settings: Settings) -> list[Finding]:
    """Judge every benchmark of the present tree."""
    found = []
    for name in dict.fromkeys((*now.counts, *now.failed)):
        ours, theirs = now.counts.get(name, NONE), before.counts.get(name, NONE)
        if name in now.failed:
            why = now.failed[name].strip().splitlines()[-1]
            skipped = why.startswith("skipped: ")
            found.append(Finding(name, ours, theirs, "" if skipped else why, why * skipped))
        elif name in before.failed or not theirs.instructions:
            why = "" if ours.instructions else "nothing counted"
            found.append(Finding(name, ours, theirs, why, "new, or failed at the base"))
        else:
            found.append(Finding(name, ours, theirs, verdict(theirs, ours, settings)))
    if not found:
        found.append(Finding("no test that uses `benchmark`", NONE, NONE, "nothing counted"))
    return found


def verdict(before: Count, now: Count, settings: Settings) -> str:
    """Empty if all is well.

    A count of 0 means that nothing within ``inside`` ran: the function has another name now.
    """
    if now.instructions == 0:
        return "nothing counted"
    if now.instructions > before.instructions * (1 + settings.instructions / 100):
        return "more instructions"
    if now.misses > max(before.misses, FEW_MISSES) * (1 + settings.misses / 100):
        return "more misses"
    return ""
