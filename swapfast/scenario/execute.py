"""Run a scenario on real swapfiles.

- ``execute(scenario, folder, progress)``: make the files, clone the logins, turn on, run the
  programs, exit, and look into the files. Returns a ``Report``.
- ``Progress``: what is told while it runs.
"""

from __future__ import annotations

import errno
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from swapfast import flags as f
from swapfast import ltp
from swapfast.errors import Interrupted, TaskKilled, system_error
from swapfast.kernel.state import Task
from swapfast.replay import stamp_mismatches
from swapfast.scenario.computer import make_machine
from swapfast.scenario.report import (
    AreaFacts,
    IsolationFacts,
    LtpFacts,
    ProgramFacts,
    ReplayFacts,
    Report,
)
from swapfast.scenario.tables import Scenario
from swapfast.scenario.tables.login import Login
from swapfast.scenario.tables.programs import GeneratorProgram, LtpProgram, TraceProgram
from swapfast.swapfile import mkswap, nonzero_pages, own_folder, strings
from swapfast.traces import Trace, bundled_trace, generate, open_trace
from swapfast.units import PAGE_SIZE, format_size, parse_share

__all__ = ["Progress", "execute"]

LETTER_MEMORY = 2 << 30  # bytes of the machine on which LTP's own sizes give the letter's outcome

#: (what is being done, steps done, steps in all)
Progress = Callable[[str, int, int], None]


def execute(
    scenario: Scenario, folder: Path | None = None, progress: Progress | None = None
) -> Report:
    """Run a scenario.

    Parameters
    ----------
    scenario : Scenario
    folder : Path, optional
        Where the swapfiles are made, and left; a temporary folder that is removed by default.
    progress : callable, optional

    Returns
    -------
    Report

    Raises
    ------
    OSError
        EEXIST: a swapfile is there already; ENOSPC; whatever a system call of the scenario said.
    ValueError
        A trace file that cannot be read.
    Interrupted
        A KeyboardInterrupt came, which ``progress`` may raise: its ``result`` is a Report of the
        programs until then; the swapfiles are not looked at.
    """
    if folder is not None:
        with own_folder(folder):  # each file is made here, or was there and is refused
            return _Run(scenario, folder, progress).run()
    temporary = Path(tempfile.mkdtemp(prefix="swapfast-"))
    try:
        with own_folder(temporary):
            return _Run(scenario, temporary, progress).run()
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


class _Run:
    """One execution; its parts in order."""

    def __init__(self, scenario: Scenario, folder: Path, progress: Progress | None) -> None:
        self.scenario = scenario
        self.folder = folder
        self.tell = progress or (lambda what, done, of: None)
        model = scenario.machine
        self.report = Report(scenario.title, model.profile, model.memory)
        self.logins: dict[str, Task] = {}
        self.tags: dict[str, str] = {}  # stamp of a program -> its login
        self.strings_before: dict[str, int] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a part of the run."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - begin
            self.report.phases_s[name] = self.report.phases_s.get(name, 0.0) + spent

    def path(self, name: str) -> Path:
        """A swapfile's place."""
        return self.folder / name

    def run(self) -> Report:
        """All of it."""
        with self.phase("swapfiles"):
            self.make_files()
        with make_machine(self.scenario.machine) as machine:
            self.machine = machine
            try:
                with self.phase("logins"):
                    self.log_in()
                for login in self.scenario.login:
                    self.run_programs(login)
            except KeyboardInterrupt:
                self.report.interrupted = True
            self.collect()
            for task in self.logins.values():
                if task.alive:
                    task.exit()
            self.report.swaps_after = machine.proc_swaps()
            self.report.console = list(machine.log)
        if self.report.interrupted:
            raise Interrupted(self.report)
        with self.phase("isolation check"):
            self.inspect_files()
        return self.report

    def make_files(self) -> None:
        """dd and mkswap."""
        free = shutil.disk_usage(self.folder).free
        need = sum(s.size for s in self.scenario.swapfile)
        if need > free:
            raise system_error(
                errno.ENOSPC,
                f"the swapfiles need {format_size(need)}, {format_size(free)} are free",
                self.folder,
            )
        for i, swapfile in enumerate(self.scenario.swapfile):
            self.tell(f"mkswap {swapfile.name}", i, len(self.scenario.swapfile))
            path = self.path(swapfile.name)
            mkswap(path, size=swapfile.size, label=swapfile.label)
            self.strings_before[swapfile.name] = sum(1 for _ in strings(path))

    def log_in(self) -> None:
        """clone64(CLONE_NEWSWAP|CLONE_NEWIPC), and a swapon each."""
        for login in self.scenario.login:
            flags = f.SIGCHLD | (f.NEWSWAP | f.NEWIPC if login.namespace else 0)
            task = self.machine.init.clone(flags, login.name)
            self.logins[login.name] = task
            priority = 0 if login.priority is None else f.SWAP_FLAG_PREFER | login.priority
            for name in login.swapon:
                wipe = next(s.wipe for s in self.scenario.swapfile if s.name == name)
                task.swapon(self.path(name), priority, wipe=wipe)
        self.report.swaps_before = self.machine.proc_swaps()

    def run_programs(self, login: Login) -> None:
        """What a login runs, one after the other."""
        for number, program in enumerate(login.program):
            if not self.logins[login.name].alive:
                return
            name = f"{login.name}: {program.kind}"
            with self.phase(name):
                begin = time.perf_counter()
                facts = ProgramFacts(login.name, program.kind, False, 0.0, expected=program.expect)
                self.report.programs.append(facts)
                try:
                    if isinstance(program, LtpProgram):
                        facts.ltp = self.run_ltp(login, program)
                    elif isinstance(program, TraceProgram | GeneratorProgram):
                        facts.replay = self.run_trace(login, program, number)
                except TaskKilled as killed:
                    facts.killed, facts.reason = True, self.why_killed(killed)
                except KeyboardInterrupt:
                    facts.reason = "interrupted"
                    raise
                finally:
                    facts.wall_s = time.perf_counter() - begin
            self.note_dead(facts)

    def why_killed(self, killed: TaskKilled) -> str:
        """What the kernel printed of it."""
        said = [line for line in self.machine.log if f" {killed.pid} " in f"{line} "]
        return f"out of memory: {said[-1] if said else killed}"

    def note_dead(self, facts: ProgramFacts) -> None:
        """Logins that the OOM killer took for somebody else's sake run no more programs."""
        for name, task in self.logins.items():
            known = any(name == lost for p in self.report.programs for lost in p.logins_killed)
            if not task.alive and not known:
                facts.logins_killed.append(name)

    # LTP

    def run_ltp(self, login: Login, program: LtpProgram) -> LtpFacts:
        """LTP in the login, and once more outside, for the difference."""
        scale = program.scale or min(1.0, self.scenario.machine.memory / LETTER_MEMORY)
        with make_machine(self.scenario.machine, contents=False) as outside:
            baseline = self.ltp(outside.init, program, scale, "LTP outside")
        inside = self.ltp(self.logins[login.name], program, scale, f"LTP in {login.name}")
        return LtpFacts(
            tests=len(inside.results),
            scale=scale,
            failed=list(inside.failed),
            failed_outside=list(baseline.failed),
            additional=[t for t in inside.failed if t not in baseline.failed],
            why={r.name: _reason(r) for r in inside.results if r.failed},
            console=[line for r in inside.results for line in r.console],
            log=inside.log(),
        )

    def ltp(self, shell: Task, program: LtpProgram, scale: float, what: str) -> ltp.LtpReport:
        """One LTP run."""
        scratch = self.folder / "ltp"
        scratch.mkdir()
        try:
            return ltp.run(
                shell,
                program.tests,
                tmpdir=scratch,
                scale=scale,
                progress=lambda i, n, name, _: self.tell(f"{what}: {name}", i, n),
            )
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    # traces

    def trace_of(self, program: TraceProgram | GeneratorProgram) -> Trace:
        """The references of a program."""
        if isinstance(program, TraceProgram):
            return bundled_trace() if program.path is None else open_trace(program.path)
        return generate(
            program.pattern,
            pages=program.pages,
            refs=program.refs,
            write_ratio=program.write_ratio,
            seed=program.seed,
            options=program.options,
        )

    def run_trace(
        self, login: Login, program: TraceProgram | GeneratorProgram, number: int
    ) -> ReplayFacts:
        """Fork, replay with stamps, read everything back, exit."""
        trace = self.trace_of(program)
        tag = f"{login.name[:12]}/{number}"
        self.tags[tag] = login.name
        limit = 0 if program.memory is None else parse_share(program.memory, trace.pages)
        task = self.logins[login.name].fork("trace")
        group = self.machine.memory_group(limit * PAGE_SIZE) if limit else None
        if group is not None:
            group.add(task)
        before, clock = self.machine.vmstat(), self.machine.now
        begin = time.perf_counter()
        mapping = task.mmap(trace.pages * PAGE_SIZE, name="[heap]")
        what = f"trace in {login.name}"
        self.machine.replay(
            trace, mapping, tag=tag, progress=lambda done, of: self.tell(what, done, of)
        )
        wall = time.perf_counter() - begin
        after = self.machine.vmstat()
        wrong = stamp_mismatches(mapping, trace, tag)
        moved = {k: after[k] - before[k] for k in ("pgfault", "pgmajfault", "pswpin", "pswpout")}
        facts = ReplayFacts(
            trace=trace.origin,
            refs=len(trace),
            pages=trace.pages,
            memory_pages=limit,
            pages_checked=trace.pages,
            pages_wrong=len(wrong),
            simulated_ns=self.machine.now - clock,
            wall_s=wall,
            **moved,
        )
        self._note_usage()
        task.exit()
        self.logins[login.name].wait(task.pid)
        if group is not None:
            group.close()
        return facts

    # the end

    def _note_usage(self) -> None:
        self.report.swaps_during = self.machine.proc_swaps()

    def collect(self) -> None:
        """Counters, before the areas go."""
        report, machine = self.report, self.machine
        report.swaps_during = report.swaps_during or machine.proc_swaps()
        report.vmstat = machine.vmstat()
        report.simulated_ns = machine.core.clock()
        report.leaked = machine.core.counters()["leaked"]
        tasks = self.logins.items()
        logins = {t.swap_ns: name for name, t in tasks if not t.swap_ns.initial}
        for area in machine.areas.values():
            info = area.info
            report.areas.append(
                AreaFacts(
                    Path(area.path).name,
                    area.path,
                    area.namespace.number,
                    logins.get(area.namespace, ""),
                    area.size,
                    area.used,
                    info["pswpin"],
                    info["pswpout"],
                )
            )

    def inspect_files(self) -> None:
        """Every byte beyond the header, and strings(1)."""
        owners = {name: g.name for g in self.scenario.login for name in g.swapon}
        written = {a.name: a.pswpout for a in self.report.areas}
        for i, swapfile in enumerate(self.scenario.swapfile):
            self.tell(f"strings {swapfile.name}", i, len(self.scenario.swapfile))
            path = self.path(swapfile.name)
            nonzero = nonzero_pages(path)
            count, foreign = 0, dict.fromkeys(set(self.tags.values()), 0)
            for _, text in strings(path):
                count += 1
                for tag, login in self.tags.items():
                    foreign[login] += login != owners.get(swapfile.name) and tag in text
            foreign = {login: n for login, n in foreign.items() if n}
            silent = not written.get(swapfile.name, 0)
            self.report.isolation.append(
                IsolationFacts(
                    name=swapfile.name,
                    pages_checked=path.stat().st_size // PAGE_SIZE - 1,
                    pages_nonzero=len(nonzero),
                    strings_before=self.strings_before[swapfile.name],
                    strings_after=count,
                    foreign_tags=foreign,
                    pages_written=written.get(swapfile.name, 0),
                    clean=not foreign and not (silent and len(nonzero)),
                )
            )


def _reason(result: ltp.LtpResult) -> str:
    if result.signal:
        return f"killed by signal {result.signal}"
    return next((m.text for m in reversed(result.messages) if m.level), f"exit {result.exit_value}")
