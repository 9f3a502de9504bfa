"""Programs side by side, for real: root's part.

- ``measure_several(plan, host)``: make, run, undo; the truth file grows run by run.
- ``Many``: the calls that change the machine; tests give another.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from swapfast.contention.setup import ScenarioSetup
from swapfast.errors import system_error
from swapfast.measure.host import Group, Host, read_table
from swapfast.measure.player import SETTLE
from swapfast.measure.readings import grown, readings
from swapfast.measure.run import Progress, Refused, System, child_environment, prepare, system_call
from swapfast.measure.several.checks import refusals
from swapfast.measure.several.limits import has_groups_below, limits, paths
from swapfast.measure.several.plan import SeveralPlan
from swapfast.measure.several.player import READY, Order, Told
from swapfast.measure.several.truth import RunResult, Seen, columns, rows
from swapfast.measure.truth import write_rows
from swapfast.measure.undo import Stop, Undo

__all__ = ["Many", "measure_several"]

PREFER = 0x8000  # SWAP_FLAG_PREFER, include/linux/swap.h
SOON = 300_000_000  # ns from when all are ready to their common start
VMSTAT = Path("/proc/vmstat")


class Many(System):
    """What changes the machine. Every method raises ``OSError`` and then has changed nothing."""

    def swapon_at(self, path: Path, priority: int) -> None:
        """swapon(2) with a priority."""
        system_call("swapon", path, PREFER | priority)

    def settle(self) -> None:
        """Wait until the kernel has brought all statistics up to date."""
        time.sleep(SETTLE)

    def swapped_out(self) -> int:
        """Pages that the machine has swapped out."""
        return read_table(VMSTAT)["pswpout"]

    def readings(self, group: Group) -> dict[str, int]:
        """Totals of a group."""
        return readings(group, machine=False)

    def together(
        self, orders: list[Order], ready: Callable[[], None], stop: Stop
    ) -> list[Told | None]:
        """Play traces at once, each in a process of its own; None: the OOM killer took it.

        Parameters
        ----------
        orders : list of Order
        ready : callable
            Called when all wait for their start.
        stop : Stop
        """
        children: list[subprocess.Popen[bytes]] = []

        def kill_all() -> None:
            for child in children:
                child.kill()

        stop.on_signal = kill_all
        try:
            for order in orders:
                stop.check()
                children.append(_started(order))
            for order, child in zip(orders, children, strict=True):
                stop.check()
                if child.stdout is None or child.stdout.readline() != READY:
                    stop.check()
                    raise _failed(order, child)
            ready()
            stop.check()
            begin = time.monotonic_ns() + SOON
            for order, child in zip(orders, children, strict=True):
                if child.stdin is not None:
                    with contextlib.suppress(BrokenPipeError):  # its end is told below
                        child.stdin.write(f"{begin + order.start}\n".encode())
                        child.stdin.flush()
            return [_ended(*pair, stop) for pair in zip(orders, children, strict=True)]
        finally:
            stop.on_signal = None
            kill_all()
            for child in children:
                child.wait()


def _started(order: Order) -> subprocess.Popen[bytes]:
    # -P: nothing is imported from the folder that root happens to be in.
    module = "swapfast.measure.several.player"
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, order.text(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=child_environment(),
        start_new_session=True,  # Ctrl-C reaches it through `stop` alone
    )


def _ended(order: Order, child: subprocess.Popen[bytes], stop: Stop) -> Told | None:
    out, err = child.communicate()
    stop.check()
    events = Group(Path(order.group), order.version).events
    if child.returncode == -signal.SIGKILL and read_table(events).get("oom_kill", 0):
        return None
    if child.returncode:
        raise _failed(order, child, err)
    return Told.of(out)


def _failed(order: Order, child: subprocess.Popen[bytes], err: bytes | None = None) -> OSError:
    if err is None:
        child.kill()
        err = child.communicate()[1]
    cause = (err.decode("utf-8", "replace").strip().splitlines() or ["no message"])[-1]
    return system_error(errno.EIO, f"the player of {order.name} failed: {cause}")


def measure_several(
    plan: SeveralPlan,
    host: Host | None = None,
    *,
    system: Many | None = None,
    progress: Progress | None = None,
) -> list[RunResult]:
    """Carry a plan out. Changes this machine while it runs; everything is undone at the end.

    The truth file is written anew after each run, so an interrupted measurement leaves the runs
    that were finished.

    Parameters
    ----------
    plan : SeveralPlan
    host : Host, optional
    system : Many, optional
    progress : callable, optional
        Called as ``progress(what, runs done, runs)``.

    Raises
    ------
    Refused
        Something speaks against it; nothing was changed.
    OSError
        A step failed; everything was undone, or the message says what was not.
    KeyboardInterrupt
        SIGINT, SIGTERM or SIGHUP came; everything was undone.
    """
    host, system = host or Host(), system or Many()
    results: list[RunResult] = []
    total = len(plan.scenarios) * plan.runs
    with Stop() as stop, Undo() as undo:
        reasons = refusals(plan, host)
        if reasons or plan.group is None:
            raise Refused(reasons)
        running = prepare(plan, system, undo)
        for scenario in plan.scenarios:
            for repeat in range(plan.runs):
                if progress is not None:
                    progress(f"{scenario.name} r{repeat}", len(results), total)
                stop.check()
                with undo.scope():
                    one = _Run(plan, scenario, repeat, plan.group, host, system)
                    results.append(one.play(undo, stop))
                lines = rows(results, plan.setup.latency, running)
                write_rows(plan.out, columns(list(plan.disks)), lines)
    return results


class _Run:
    """One run of one scenario, with areas freshly on and groups without a past."""

    def __init__(
        self,
        plan: SeveralPlan,
        scenario: ScenarioSetup,
        repeat: int,
        top: Group,
        host: Host,
        system: Many,
    ) -> None:
        self.plan, self.scenario, self.repeat = plan, scenario, repeat
        self.top, self.host, self.system = top, host, system
        self.before: dict[str, dict[str, int]] = {}
        self.out = 0

    def play(self, undo: Undo, stop: Stop) -> RunResult:
        self._turn_on(undo)
        self._make_groups(undo)
        stop.check()
        told = self.system.together(self._orders(), self._limit, stop)
        self.system.settle()
        after = {path: self.system.readings(self.top.child(path)) for path in self.before}
        grew = {path: grown(self.before[path], after[path]) for path in after}
        uses = self.plan.setup.swap_of(self.scenario)
        written = self.system.swapped_out() - self.out
        return RunResult(
            self.scenario.name,
            self.repeat,
            tuple(
                Seen(row.name, self.plan.traces[row.trace].pages, one, grew[row.cgroup])
                for row, one in zip(self.scenario.program, told, strict=True)
            ),
            {uses[0].disk: written} if len(uses) == 1 else {},  # of several nobody can tell
        )

    def _turn_on(self, undo: Undo) -> None:
        system = self.system
        for use in self.plan.setup.swap_of(self.scenario):
            file, priority = self.plan.disks[use.disk], use.priority
            undo.do(
                lambda file=file, priority=priority: system.swapon_at(file, priority),  # type: ignore[misc]
                f"swapoff {file}",
                lambda file=file: system.swapoff(file),  # type: ignore[misc]
            )

    def _make_groups(self, undo: Undo) -> None:
        below = paths(self.scenario)
        groups = [self.top, *map(self.top.child, below)]
        inner = [True, *(has_groups_below(path, below) for path in below)]
        for group, has_more in zip(groups, inner, strict=True):
            undo.do(
                lambda path=group.path: self.system.mkdir(path),  # type: ignore[misc]
                f"rmdir {group.path}",
                lambda path=group.path: self.system.rmdir(path),  # type: ignore[misc]
            )
            if group.version == 1:
                swappiness = str(self.plan.setup.machine.swappiness)
                self.system.write(group.path / "memory.swappiness", swappiness)
            elif has_more:
                self.system.write(group.path / "cgroup.subtree_control", "+memory")

    def _orders(self) -> list[Order]:
        setup, scenario = self.plan.setup, self.scenario
        cpus = tuple(self.host.cpus[: self.plan.cpus(scenario)])
        own = len(cpus) >= len(scenario.program)  # a processor each
        exact = setup.machine.statistics == "exact"
        stat = str(self.top.stat) if exact else ""
        later = setup.machine.stagger * self.repeat
        return [
            Order(
                name=row.name,
                trace=str(self.plan.traces[row.trace].path),
                group=str(self.top.child(row.cgroup).path),
                version=self.top.version,
                stat=stat,
                cpus=cpus[i : i + 1] if own else cpus,
                think=setup.machine.think,
                slow=setup.latency.slow
                or -1,  # a hit is no fault, and nothing else tells them apart
                start=row.start + later * (i > 0),
                stop=row.stop or 0,
            )
            for i, row in enumerate(scenario.program)
        ]

    def _limit(self) -> None:
        """All programs are ready: what their groups hold now is known, and comes on top."""
        self.system.settle()
        for path, text in limits(self.scenario, self.top):
            self.system.write(path, text)
        programs = dict.fromkeys(row.cgroup for row in self.scenario.program)
        self.before = {path: self.system.readings(self.top.child(path)) for path in programs}
        self.out = self.system.swapped_out()
