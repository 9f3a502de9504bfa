"""A run: programs side by side, until they are through or a time has come.

- ``Together``: made by `Machine.together`; ``Timing``: its options, for those who pass them on.

The core runs without the GIL until something is to be decided: a program is through, one found no
page and somebody has to die, or the time has come for what was asked for. Then Python decides, and
it goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, TypedDict

import numpy as np

from swapfast.core import mapping_table, memcg_table, world
from swapfast.errors import TaskKilled
from swapfast.kernel.oom import no_page
from swapfast.together import drawn
from swapfast.together.accounts import Accounts
from swapfast.together.latencies import Latencies
from swapfast.together.phase import FOREVER, Phase, Phases, think_of
from swapfast.together.pressure import PERIOD, Pressure
from swapfast.together.program import Program
from swapfast.together.series import Series
from swapfast.together.stalls import Stalls
from swapfast.together.timetable import Timetable
from swapfast.traces import Trace
from swapfast.units import PAGE_SIZE, parse_duration

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from swapfast.kernel.control import MemoryGroup
    from swapfast.kernel.state import Kernel, Task

__all__ = ["Timing", "Together"]

_COLUMNS = {name: i for i, name in enumerate(world.PROGRAM_COLUMNS)}
_FIRST_TIME = _COLUMNS[world.TIME_CLASSES[0]]


class Timing(TypedDict, total=False):
    """Options by name; see `Together`."""

    seed: int
    quantum: str | int
    cpus: int | None
    slice: str | int
    sample: str | int | None
    jitter: str | int
    area_latency: bool


class Together(Latencies):
    """Programs side by side in virtual time.

    Parameters
    ----------
    kernel : Kernel
    seed : int
        What start jitters and phases are drawn from.
    quantum : str or int
        How far references that hit may run ahead of other programs. What a fault does is in exact
        order of time whatever it is.
    cpus : int, optional
        Processors; by default as many as there are programs, and one for kswapd.
    slice : str or int
        How long one runs before another that is ready, with ``cpus``.
    sample : str or int, optional
        A row of `series` each time.
    jitter : str or int
        Programs start up to so much later, so that they are not in step.
    area_latency : bool
        Keep latencies of major faults by swap area; see `latency_from`.

    Attributes
    ----------
    programs : list of Program
        In the order in which they were added.
    series : Series
        What each sample saw; empty without ``sample``.

    Raises
    ------
    ValueError
        A time that cannot be, or no processor.
    """

    def __init__(
        self,
        kernel: Kernel,
        *,
        seed: int = 0,
        quantum: str | int = "20us",
        cpus: int | None = None,
        slice: str | int = "3ms",
        sample: str | int | None = None,
        jitter: str | int = 0,
        area_latency: bool = False,
    ) -> None:
        if cpus is not None and not 1 <= cpus <= 4096:
            raise ValueError(f"cpus is 1 to 4096, not {cpus}")
        self.kernel = kernel
        self.programs: list[Program] = []
        self._by_number: dict[int, Program] = {}
        self._world = world.World(
            kernel.core,
            parse_duration(quantum),
            cpus or 0,
            max(parse_duration(slice), 1),
            area_latency,
        )
        self._accounts = Accounts()
        self._seed, self._jitter = seed, parse_duration(jitter)
        self._barriers: dict[str, int] = {}
        self._begin = self._world.now
        self._timetable = Timetable(
            self._begin, PERIOD, None if sample is None else max(parse_duration(sample), 1)
        )
        self._stalls = Stalls(self._world, kernel.groups, own_cpus=cpus is None)
        self._last_rows: NDArray[np.uint64] | None = None
        self._when_sampled: list[Callable[[int], None]] = []
        self._when_ended: list[Callable[[Program], None]] = []
        self.series = Series()
        kernel.groups.pressure_of = lambda number, what: str(self._pressure_of(number)[what])

    def program(
        self,
        name: str,
        trace: Trace | Sequence[Phase],
        *,
        cgroup: MemoryGroup | None = None,
        task: Task | None = None,
        think: str | int | None = None,
        start: str | int = 0,
        stop: str | int | None = None,
        loops: int | Literal["forever"] = 1,
        repeat: int | Literal["forever"] = 1,
        barrier: str | None = None,
        phase: float | Literal["random"] = 0.0,
        linger: bool = False,
        watch: bool = True,
    ) -> Program:
        """A program that touches the pages of a trace.

        Parameters
        ----------
        name : str
        trace : Trace or sequence of Phase
            Many programs may share one; phases come one after the other, on the same pages.
        cgroup : MemoryGroup, optional
            Who pays for its pages; by default the group of its task.
        task : Task, optional
            The process; by default a new child of pid 1.
        think : str or int, optional
            Time of a reference; the machine's by default.
        start, stop : str or int, optional
            Simulated time, counted from the beginning of the run; it ends at the first reference at
            or after ``stop``.
        loops : int or "forever"
            How often the references are repeated, those of each phase by themselves.
        repeat : int or "forever"
            How often all phases come.
        barrier : str, optional
            Waits until all programs that name it have arrived.
        phase : float or "random"
            Where in the trace it begins, 0 to 1; repetitions begin at its head.
        linger : bool
            Its memory stays when it is through.
        watch : bool
            Keep a histogram of its fault latencies, 10 KiB.

        Raises
        ------
        ValueError
            Something that cannot be: a program that never ends, a time of 0 for a reference.
        OSError
            ENOMEM: its address space does not fit.
        """
        kernel = self.kernel
        kernel.check_usable()
        time_each = kernel.options.times["reference"] if think is None else think_of(think)
        ends = FOREVER if stop is None else self._begin + parse_duration(stop)
        turns = [Phase(trace)] if isinstance(trace, Trace) else trace
        phases = Phases(turns, time_each, loops=loops, repeat=repeat, stop=ends)
        head = phases.first
        first = drawn.first(self._seed, len(self.programs), phase, len(head.trace))
        later = drawn.jitter(self._seed, len(self.programs), self._jitter)
        begins = parse_duration(start) + later + head.idle
        own = task is None
        task = kernel.init.fork() if task is None else task
        try:
            task.name = name
            if cgroup is not None:
                cgroup.add(task)
            mapping = task.mmap(phases.pages * PAGE_SIZE)
            memcg = mapping_table.memcg(kernel.core, mapping.number)
            number = self._world.add(
                mapping.number,
                head.trace.refs,
                memcg=memcg,
                think=head.think,
                start=self._begin + begins,
                stop=ends,
                loops=phases.rounds,
                barrier=-1 if barrier is None else self._barrier(barrier),
                first=first,
                watch=watch,
            )
        except BaseException:
            if own:
                task.exit()
            raise
        phases.begin(max(self._begin + begins, self.now))
        program = Program(
            self, number, task, mapping, cgroup=cgroup, memcg=memcg, linger=linger, phases=phases
        )
        self.programs.append(program)
        self._by_number[number] = program
        self._last_rows = None
        return program

    def _barrier(self, name: str) -> int:
        if name not in self._barriers:
            self._barriers[name] = self._world.barrier()
        return self._barriers[name]

    # ------------------------------------------------------------ going on

    def until(self, when: str | int | None = None) -> None:
        """Go on until a simulated time, counted from the beginning; or until all are through.

        May be called again, and programs may be added in between; where it stops, hits do not run
        ahead of the others, which may change as much as the quantum does. An interrupt ends it at
        the next event, with all that was measured so far.

        Raises
        ------
        ValueError
            Without a time, and a program never ends.
        OSError
            A page could not be read back; or nobody may be killed for one.
        KernelPanic
            Nobody is left to be killed.
        """
        self.kernel.check_usable()
        if when is None and any(p.alive and self._is_endless(p) for p in self.programs):
            raise ValueError("a program that loops forever has no end: give a time, or a stop")
        end = FOREVER if when is None else self._begin + parse_duration(when)
        self._end_those_without_memory()
        try:
            for stop in self._timetable.stops(lambda: self.now, end):
                if not self._go(stop):
                    break
                self._at(stop)
        finally:
            self._last_rows = None
            for program in self.programs:
                self._accounts.tell(program, self.rows()[program.number])

    def at(self, when: str | int, what: Callable[[], None]) -> None:
        """Ask for something to be done at a time, counted from the beginning of the run.

        It may do whatever a machine can, and add programs. What it raises ends `until`, which may
        be called again.

        Parameters
        ----------
        when : str or int
        what : callable
        """
        self._timetable.at(self._begin + parse_duration(when), what)

    def on_sample(self, what: Callable[[int], None]) -> None:
        """Call something at each sample, with ns since the beginning; as a daemon that watches."""
        self._when_sampled.append(what)

    def on_end(self, what: Callable[[Program], None]) -> None:
        """Call something when a program is through or was killed, with the program."""
        self._when_ended.append(what)

    def _is_endless(self, program: Program) -> bool:
        return program.phases.endless or self._world.is_endless(program.number)

    def _go(self, until: int) -> bool:
        """Up to a time; False: all are through before."""
        while True:
            self._last_rows = None  # before, since an interrupt may come as soon as it is done
            ending, number, status = self._world.run(until)
            if ending == "until":
                return True
            if ending == "over":
                return False
            if ending == "end":
                self._end(self._by_number[number])
            elif ending == "oom":
                self._kill(self._by_number[number], status)

    def _end(self, program: Program) -> None:
        """A phase is over, and with the last one the program."""
        program.phases.end(self.now)
        if program.task.alive and program.phases.go_on(self._world, program.number, self.now):
            return
        if program.task.alive and not program.linger:
            self._accounts.tell(program, self._world.row(program.number))
            program.task.exit()
        self._tell_end(program)

    def _tell_end(self, program: Program) -> None:
        for tell in self._when_ended:
            tell(program)

    def _end_those_without_memory(self, *, killed: bool = False) -> None:
        """A task that exited by other hands, or unmapped its pages, refers to nothing any more."""
        for one in tuple(self.programs):  # those who are told may add others
            if one.alive and (not one.task.alive or one.mapping.ranges != one.whole):
                self._world.kill(one.number)
                one.killed = killed
                self._accounts.tell(one, self._world.row(one.number))
                self._last_rows = None
                self._tell_end(one)

    def _kill(self, program: Program, status: int) -> None:
        try:
            no_page(self.kernel, program.task, status)
        except TaskKilled:
            pass
        finally:
            self._end_those_without_memory(killed=True)

    def _at(self, when: int) -> None:
        if self._timetable.is_average(when):
            self._stalls.average(self.rows(), self.programs)
        for what in self._timetable.asked(when):
            what()
            self._last_rows = None
            self._end_those_without_memory()
        if self._timetable.is_sample(when):
            since = when - self._begin
            self.series.note(since, self.rows(), self.programs, self.kernel.core)
            for tell in self._when_sampled:
                tell(since)

    # ------------------------------------------------------------ what came out

    @property
    def begin(self) -> int:
        """Simulated ns since boot at which it began."""
        return int(self._begin)

    @property
    def now(self) -> int:
        """Simulated ns since boot."""
        return int(self._world.now)

    @property
    def events(self) -> int:
        """Steps of actors so far."""
        return int(self._world.events)

    def rows(self) -> NDArray[np.uint64]:
        """What each actor has done, kswapd first, by ``world.PROGRAM_COLUMNS``."""
        if self._last_rows is None:
            self._last_rows = self._world.programs()
        return self._last_rows

    def column(self, number: int, name: str) -> int:
        """One number of one program."""
        return int(self.rows()[number, _COLUMNS[name]])

    def times(self, number: int) -> dict[str, int]:
        """ns by class of time, of one program."""
        row = self.rows()[number]
        return {name: int(row[_FIRST_TIME + i]) for i, name in enumerate(world.TIME_CLASSES)}

    @property
    def kswapd_ns(self) -> int:
        """Processor time of kswapd."""
        return self.times(0)["reclaim"]

    def pressure(self, cgroup: MemoryGroup | None = None) -> dict[str, Pressure]:
        """Pressure of a cgroup, of all below it too: ``io``, ``memory``, ``cpu``.

        ``str`` of each is the kernel's file, and a `Cgroup` has the files of the last run. Where
        every program has a processor of its own it is taken from the classes of time, and nobody
        waits for a processor.
        """
        return self._pressure_of(memcg_table.ROOT if cgroup is None else cgroup.number)

    def _pressure_of(self, number: int) -> dict[str, Pressure]:
        return self._stalls.pressure(number, self.rows(), self.programs)
