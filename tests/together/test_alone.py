"""A program that is alone is alone: to the last digit as if the machine had replayed its trace."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

import swapfast as sf
from swapfast.traces import Trace, open_trace
from swapfast.traces.generate import generate
from swapfast.units import PAGE_SIZE
from tests.support.side_by_side import AREA, check, counted, machine_of

PATTERNS = ("zipf", "uniform", "loop", "hotspot", "drift")
RECORDED = Path(__file__).parents[1] / "fidelity" / "data"


@cache
def trace(pattern: str) -> Trace:
    return generate(pattern, pages=400, refs=5000, seed=3)


def prepared(
    t: Trace, share: int, limits: dict[str, Any], **options: Any
) -> tuple[sf.Machine, sf.MemoryGroup]:
    machine = machine_of(**options)
    machine.add_swap(AREA)
    memory = t.pages * share // 100
    if not limits:
        return machine, machine.memory_group(memory * PAGE_SIZE)
    given = {name: t.pages * part // 100 * PAGE_SIZE for name, part in limits.items()}
    return machine, machine.cgroup("/one", **given)


def agree(
    t: Trace,
    share: int,
    *,
    quantum: int | str = "20us",
    cpus: int | None = None,
    limits: dict[str, Any] | None = None,
    **options: Any,
) -> sf.Machine:
    """Replay a trace in both ways; the machine on which it was a program."""
    machine, group = prepared(t, share, limits or {}, **options)
    task = machine.init.fork()
    group.add(task)
    heap = task.mmap(t.pages * PAGE_SIZE)
    machine.replay(t, heap)
    side, group = prepared(t, share, limits or {}, **options)
    run = side.together(quantum=quantum, cpus=cpus)
    program = run.program("one", t, cgroup=group, linger=True)
    run.until()
    assert counted(side, program.mapping) == counted(machine, heap)
    assert program.references == len(t) and program.wall == machine.now
    assert program.latency.count == program.majors == side.vmstat()["pgmajfault"]
    assert program.minors == program.minor_latency.count
    check(side, run)
    return side


@pytest.mark.parametrize("cpus", [None, 1])
@pytest.mark.parametrize("quantum", [0, "20us"])
@pytest.mark.parametrize("page_cluster", [0, 3])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_as_a_replay(pattern: str, page_cluster: int, quantum: int | str, cpus: int | None) -> None:
    for share in (25, 50, 75, 90):
        agree(trace(pattern), share, quantum=quantum, cpus=cpus, page_cluster=page_cluster)


@pytest.mark.parametrize("page_cluster", [0, 3])
@pytest.mark.parametrize("profile", ["2.6.25", "6.18"])
@pytest.mark.parametrize(
    "policy", ["linux-6.18", "linux-6.18-mglru", "linux-2.6.25", "fifo", "clock"]
)
def test_with_every_policy(policy: str, profile: str, page_cluster: int) -> None:
    agree(trace("zipf"), 50, policy=policy, profile=profile, page_cluster=page_cluster)


@pytest.mark.parametrize(
    "option",
    [{"statistics": "stale"}, {"readahead": "vma"}, {"plug": "own"}, {"cgroup": "v2"}],
    ids=str,
)
def test_with_rules_of_618(option: dict[str, str]) -> None:
    agree(trace("hotspot"), 40, page_cluster=3, **option)


@pytest.mark.parametrize("page_cluster", [0, 3])
@pytest.mark.parametrize("high", [90, 50])
def test_above_memory_high(high: int, page_cluster: int) -> None:
    """It reclaims and sleeps in both, so much that time shows it."""
    limits = {"high": high, "max": 95}
    t = generate("uniform", pages=1000, refs=4000, seed=1)
    machine = agree(t, 0, limits=limits, page_cluster=page_cluster, times={"reference": 20})
    events = machine.cgroup("/one")["memory.events"].split()
    assert int(events[events.index("high") + 1]) > 0


@pytest.mark.slow
@pytest.mark.parametrize("page_cluster", [0, 3])
def test_recorded_traces_as_a_replay(page_cluster: int) -> None:
    files = sorted(RECORDED.glob("*.npz"))
    if not files:
        pytest.skip("recorded traces are not shipped")
    for file in files:
        for share in (25, 50, 75, 90):
            agree(open_trace(file), share, page_cluster=page_cluster)
