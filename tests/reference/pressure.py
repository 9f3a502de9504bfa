"""Pressure stall information from a list of what each task did, by its definition.

- ``pressure(events, end_ns)``: totals and running averages of memory, io and cpu
- ``Pressure.render("memory")``: the text of the file
- ``stalls(states)``: which states a CPU is in when its tasks are in those

An event (time_ns, cpu, task, state) says what a task does from then on, until its next one. States:

    idle               sleeps, waits for nothing that counts
    run, ready         on its CPU; would be, but another task is
    memstall_run       on its CPU, in reclaim; memstall_ready: the same, but another task is on it
    memstall           sleeps for memory (throttled)
    iowait             sleeps for a device
    iowait_memstall    the same for a page that it had lately: its refault is memory's fault

The events of one cgroup are those of its tasks and of all tasks below it.

Source: kernel/sched/psi.c of 6.18: test_states, psi_group_change, collect_percpu_times,
update_averages, psi_show; include/linux/sched/loadavg.h for calc_load. Other than there, the clock
never stops when all is idle, and is never late.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

Event = tuple[int, int, str, str]

RESOURCES = ("io", "memory", "cpu")
STALLS = tuple(f"{resource} {kind}" for resource in RESOURCES for kind in ("some", "full"))

HZ = 250
JIFFY_NS = 10**9 // HZ
PERIOD_NS = (2 * HZ + 1) * JIFFY_NS
FIXED_1 = 2048
DECAY = {10: 1677, 60: 1981, 300: 2034}  # per period; of FIXED_1

# state -> (NR_IOWAIT, NR_MEMSTALL, NR_RUNNING, on the CPU)
TASK = {
    "idle": (0, 0, 0, 0),
    "run": (0, 0, 1, 1),
    "ready": (0, 0, 1, 0),
    "memstall_run": (0, 1, 1, 1),
    "memstall_ready": (0, 1, 1, 0),
    "memstall": (0, 1, 0, 0),
    "iowait": (1, 0, 0, 0),
    "iowait_memstall": (1, 1, 0, 0),
}


def stalls(states: Iterable[str]) -> set[str]:
    """What one CPU is in, "nonidle" included."""
    tasks = [TASK[state] for state in states]
    iowait, memstall, running, oncpu = (sum(task[i] for task in tasks) for i in range(4))
    assert oncpu <= 1, "one task at a time on a CPU"
    reclaiming = sum(m and r for _, m, r, _ in tasks)
    rules = {
        "io some": iowait > 0,
        "io full": iowait > 0 and running == 0,
        "memory some": memstall > 0,
        # Nobody who could run does useful work; or the one who runs does not.
        "memory full": memstall > 0
        and (running == reclaiming or any(m and on for _, m, _, on in tasks)),
        "cpu some": running > oncpu,
        "cpu full": running > 0 and not oncpu,
        "nonidle": iowait + memstall + running > 0,
    }
    return {name for name, holds in rules.items() if holds}


@dataclass
class Pressure:
    """What the files show."""

    total_ns: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STALLS, 0))
    averages: dict[str, dict[int, int]] = field(
        default_factory=lambda: {name: dict.fromkeys(DECAY, 0) for name in STALLS}
    )
    averaged_ns: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STALLS, 0))

    def collect(self, times: dict[int, dict[str, int]], jiffy_ns: int) -> None:
        """Add what the CPUs were in, each weighted by how long it was not idle."""
        weights = {cpu: spent.get("nonidle", 0) // jiffy_ns for cpu, spent in times.items()}
        for name in STALLS:
            weighted = sum(spent.get(name, 0) * weights[cpu] for cpu, spent in times.items())
            self.total_ns[name] += weighted // max(sum(weights.values()), 1)

    def average(self, period_ns: int) -> None:
        """One step of the running averages."""
        for name in STALLS:
            sample = min(self.total_ns[name] - self.averaged_ns[name], period_ns)
            self.averaged_ns[name] += sample
            percent = sample * 100 // period_ns * FIXED_1
            for seconds, decay in DECAY.items():
                self.averages[name][seconds] = calc_load(
                    self.averages[name][seconds], decay, percent
                )

    def render(self, resource: str, root: bool = False) -> str:
        """The file, as /proc/pressure (root) or a cgroup has it."""
        lines = []
        for kind in ("some", "full"):
            name = f"{resource} {kind}"
            unknown = root and name == "cpu full"  # not defined for the machine as a whole
            shown = [
                f"avg{seconds}={0 if unknown else load >> 11}"
                f".{0 if unknown else (load % FIXED_1) * 100 >> 11:02}"
                for seconds, load in self.averages[name].items()
            ]
            total = 0 if unknown else self.total_ns[name] // 1000
            lines.append(f"{kind} {' '.join(shown)} total={total}\n")
        return "".join(lines)


def calc_load(load: int, decay: int, active: int) -> int:
    """A decaying average in fixed point, rounded towards what is new."""
    new = load * decay + active * (FIXED_1 - decay)
    if active >= load:
        new += FIXED_1 - 1
    return new // FIXED_1


def pressure(
    events: Iterable[Event],
    end_ns: int,
    *,
    period_ns: int = PERIOD_NS,
    jiffy_ns: int = JIFFY_NS,
) -> Pressure:
    """Everything from 0 to ``end_ns``.

    Weights count in whole jiffies, as the kernel's do: a CPU that was busy for less than one in a
    period does not count. With ``jiffy_ns=1`` they are exact.
    """
    found = Pressure()
    where: dict[str, tuple[int, str]] = {}  # task -> its CPU and state
    times: dict[int, dict[str, int]] = {}  # CPU -> state -> ns in this period
    ticks = [(t, None) for t in range(period_ns, end_ns, period_ns)]
    now = 0
    # An event at the time of a tick comes after it.
    for moment, event in sorted(
        [*ticks, *((e[0], e) for e in events), (end_ns, None)],
        key=lambda pair: (pair[0], pair[1] is not None),
    ):
        assert 0 <= moment <= end_ns, f"an event at {moment} is not from 0 to {end_ns}"
        for cpu in {cpu for cpu, _ in where.values()}:
            spent = times.setdefault(cpu, {})
            for name in stalls(state for at, state in where.values() if at == cpu):
                spent[name] = spent.get(name, 0) + moment - now
        now = moment
        if event is not None:
            _, cpu, task, state = event
            where[task] = (cpu, state)
        else:
            found.collect(times, jiffy_ns)
            times = {}
            if moment % period_ns == 0:
                found.average(period_ns)
    return found
