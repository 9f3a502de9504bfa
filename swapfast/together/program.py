"""One program of a run: what it touched, how long it took, and where the time went.

- ``Program``: made by `Together.program`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from swapfast.latency import Latency
from swapfast.units import format_ns

if TYPE_CHECKING:
    from swapfast.kernel.control import MemoryGroup
    from swapfast.kernel.state import Mapping, Task
    from swapfast.together.phase import Phases

__all__ = ["Program"]


class _Run(Protocol):
    """What is asked of a run here."""

    @property
    def now(self) -> int: ...
    def column(self, number: int, name: str, /) -> int: ...
    def times(self, number: int, /) -> dict[str, int]: ...
    def latency(self, number: int, /, *, major: bool = True) -> Latency: ...


class Program:
    """A task that touches the pages of a trace, one reference after the other.

    Attributes
    ----------
    name : str
    run : Together
    task : Task
        Its process; it exits when the program is through, unless ``linger`` was asked for.
    mapping : Mapping
        The pages of the trace.
    cgroup : MemoryGroup or None
        Who was asked to pay for them; None: the group of the task.
    memcg : int
        Number of the group that pays.
    number : int
        Its number in the run.
    phases : Phases
        What it does in turn; ``phases.passed`` has those that are over, with their times.
    whole : tuple
        The ranges of the mapping when it began: without one of them it ends.
    killed : bool
        The OOM killer took it.
    """

    def __init__(
        self,
        run: _Run,
        number: int,
        task: Task,
        mapping: Mapping,
        *,
        cgroup: MemoryGroup | None,
        memcg: int,
        linger: bool,
        phases: Phases,
    ) -> None:
        self.run, self.name, self.task, self.mapping = run, task.name, task, mapping
        self.cgroup, self.memcg, self.number, self.linger = cgroup, memcg, number, linger
        self.phases = phases
        self.whole = mapping.ranges
        self.killed = False

    @property
    def alive(self) -> bool:
        """Whether it still has something to do."""
        return bool(self.run.column(self.number, "alive"))

    @property
    def start(self) -> int:
        """Simulated ns at which it came, before it waited for its barrier."""
        return self.run.column(self.number, "start")

    @property
    def end(self) -> int | None:
        """Simulated ns at which it was through, or was killed; None before."""
        return None if self.alive else self.run.column(self.number, "end")

    @property
    def wall(self) -> int:
        """ns since it came, up to its end; 0 if it has not come."""
        end = self.end
        return max(0, (self.run.now if end is None else end) - self.start)

    @property
    def references(self) -> int:
        """References that are done."""
        return self.run.column(self.number, "references")

    @property
    def rounds(self) -> int:
        """How often it went through all its references."""
        return self.run.column(self.number, "rounds")

    @property
    def majors(self) -> int:
        """Faults that read from swap."""
        return self.run.column(self.number, "majors")

    @property
    def minors(self) -> int:
        """Faults that did not."""
        return self.run.column(self.number, "minors")

    @property
    def times(self) -> dict[str, int]:
        """ns by class; they add up to ``wall`` when it is through.

        ``user``, ``fault``, ``reclaim``: on a processor. ``read``: waits for a page;
        ``workingset``: the same, and the page had been active. ``high``: held up by memory.high.
        ``stall``: held up since reclaim gets nowhere. ``tags``: waits to submit, or for slots that
        move out of the way. ``cpu``: waits for a processor. ``barrier``: waits for others to begin.
        ``idle``: rests between two phases.
        """
        return self.run.times(self.number)

    @property
    def latency(self) -> Latency:
        """Of its major faults, from the reference to the mapping.

        Raises
        ------
        ValueError
            It is not watched.
        """
        return self.run.latency(self.number)

    @property
    def minor_latency(self) -> Latency:
        """Of its minor faults, reclaim for a first touch included."""
        return self.run.latency(self.number, major=False)

    def __repr__(self) -> str:
        state = "killed" if self.killed else "running" if self.alive else "through"
        return (
            f"<Program {self.name!r}: {state}, {self.majors} major faults, {format_ns(self.wall)}>"
        )
