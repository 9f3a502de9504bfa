"""The programs of a run: what they touch, when they start, and who begins after whom.

- ``Cast``: all of them; ``Part``: one, in all its lives.
- ``times_of(lives)``: where the time of one went; ``rate_of(lives)``: references a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from swapfast.kernel.control import Cgroup
from swapfast.scenario.plan import Runner
from swapfast.scenario.side.stage import Stage
from swapfast.scenario.tables.programs import (
    GeneratorProgram,
    LaunchProgram,
    PhasesProgram,
    PhaseTable,
    SideProgram,
    TraceProgram,
)
from swapfast.together import Phase, Program, Together
from swapfast.traces import Trace, bundled_trace, generate, open_trace
from swapfast.units import PAGE_SIZE, parse_share

__all__ = ["Cast", "Part", "awake_ns", "draws_references", "rate_of", "times_of"]


@dataclass
class Part:
    """One program of the scenario.

    Attributes
    ----------
    runner : Runner
    lives : list of Program
        The first, and one more after each kill that it comes back from.
    """

    runner: Runner
    lives: list[Program] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its name in the scenario."""
        return self.runner.name


def times_of(lives: Sequence[Program]) -> dict[str, int]:
    """ns by class, as `Program.times` has them, of all lives of a program; at least one."""
    every = [one.times for one in lives]
    return {what: sum(times[what] for times in every) for what in every[0]}


def awake_ns(lives: Sequence[Program]) -> int:
    """ns in which a program did not rest, what it was in the middle of included; at least 1."""
    times = times_of(lives)
    return max(sum(p.wall for p in lives) - times["idle"] - times["barrier"], 1)


def rate_of(lives: Sequence[Program]) -> float:
    """References a second, of the time in which a program did not rest."""
    return sum(p.references for p in lives) * 1e9 / awake_ns(lives)


def draws_references(table: SideProgram) -> bool:
    """Whether what a program touches depends on the seed."""
    if isinstance(table, GeneratorProgram):
        return table.pattern != "loop" or 0 < table.write_ratio < 1
    return isinstance(table, PhasesProgram)


class Cast:
    """The programs of a run.

    Parameters
    ----------
    stage : Stage
    run : Together
    watched : bool
        Whether each keeps a histogram of its own.

    Attributes
    ----------
    parts : list of Part
        In the order of the file.
    """

    def __init__(self, stage: Stage, run: Together, *, watched: bool) -> None:
        self._stage, self._run, self._watched = stage, run, watched
        self.parts = [Part(runner) for runner in stage.plan.runners]
        self._of_program: dict[int, Part] = {}
        self._phases: dict[tuple[int, int], list[Phase]] = {}
        self._after: dict[str, list[Part]] = {}
        for part in self.parts:
            if part.runner.table.after is not None:
                self._after.setdefault(part.runner.table.after, []).append(part)
        run.on_end(self._ended)

    def begin(self) -> None:
        """Let all of them start that wait for nobody."""
        for number, part in enumerate(self.parts):
            if part.runner.table.after is None:
                first, last = part.runner.start
                if last > first:
                    rng = np.random.default_rng([self._stage.seed, 3, number])
                    first += int(rng.integers(last - first))
                self._start(part, first)

    def living(self) -> Iterator[Part]:
        """Those that have something to do yet."""
        return (part for part in self.parts if part.lives and part.lives[-1].alive)

    def of(self, program: Program) -> Part:
        """Whose life it is."""
        return self._of_program[program.number]

    def _start(self, part: Part, when: int) -> None:
        runner = part.runner
        table = runner.table
        if when >= runner.stop:
            return
        phases = self._touched(runner)
        program = self._run.program(
            runner.name,
            phases,
            cgroup=self._cgroup(runner, max(p.trace.pages for p in phases if p.trace)),
            task=self._stage.logins[runner.login].fork(runner.name),
            think=table.think,
            start=when,
            stop=runner.stop,
            loops=table.loops if isinstance(table, TraceProgram | GeneratorProgram) else 1,
            repeat=table.repeat if isinstance(table, PhasesProgram) else 1,
            barrier=None if part.lives else table.barrier,
            phase=table.phase if isinstance(table, TraceProgram | GeneratorProgram) else 0.0,
            watch=self._watched,
        )
        program.task.oom_score_adj = 0
        part.lives.append(program)
        self._of_program[program.number] = part

    def _cgroup(self, runner: Runner, pages: int) -> Cgroup | None:
        if runner.cgroup is None:
            return None
        if runner.cgroup not in self._stage.cgroups:  # of its own, for its limit
            self._stage.cgroups[runner.cgroup] = self._stage.machine.cgroup(
                runner.cgroup, max=parse_share(runner.table.memory or "100%", pages) * PAGE_SIZE
            )
        return self._stage.cgroups[runner.cgroup]

    def _ended(self, program: Program) -> None:
        part, now = self.of(program), self._run.now
        again = part.runner.table.restart_after_oom
        if program.killed and again is not None:
            self._start(part, now + again)
            return
        for other in self._after.get(part.name, ()):
            self._start(other, now)

    # ------------------------------------------------------------ what they touch

    def _touched(self, runner: Runner) -> list[Phase]:
        if runner.place not in self._phases:  # copies share it
            self._phases[runner.place] = self._made(runner)
        return self._phases[runner.place]

    def _made(self, runner: Runner) -> list[Phase]:
        table = runner.table
        if isinstance(table, TraceProgram):
            return [Phase(bundled_trace() if table.path is None else open_trace(table.path))]
        if isinstance(table, LaunchProgram):
            return [Phase(_once(table.pages))]
        if isinstance(table, GeneratorProgram):
            trace = generate(
                table.pattern,
                pages=table.pages,
                refs=table.refs,
                write_ratio=table.write_ratio,
                seed=self._seed(*runner.place, table.seed),
                fill=table.fill,
                options=table.options,
            )
            return [Phase(trace)]
        return self._in_phases(runner, table)

    def _in_phases(self, runner: Runner, table: PhasesProgram) -> list[Phase]:
        made = [Phase(_once(table.pages), name="fill", once=True)] if table.fill else []
        for number, phase in enumerate(table.phase):
            made.append(
                Phase(
                    self._pattern(runner, table, phase, number),
                    think=phase.think,
                    idle=phase.idle,
                    name=phase.name,
                )
            )
        return made

    def _pattern(
        self, runner: Runner, table: PhasesProgram, phase: PhaseTable, number: int
    ) -> Trace | None:
        if phase.pattern is None or phase.refs is None:
            return None
        return generate(
            phase.pattern,
            pages=table.pages,
            refs=phase.refs,
            write_ratio=phase.write_ratio,
            seed=self._seed(*runner.place, number),
            fill=False,
            options=phase.options,
        )

    def _seed(self, *of: int) -> int:
        return int(np.random.SeedSequence([self._stage.seed, *of]).generate_state(1, np.uint64)[0])


def _once(pages: int) -> Trace:
    """Every page is written once, in order."""
    return generate("loop", pages=pages, refs=pages, write_ratio=1.0)
