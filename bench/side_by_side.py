"""Rows T1 to T7, T9: programs side by side, against the same programs one after the other.

Each compares with a replay (`Machine.replay`) or a smaller run of the same work, in the same
process and in turns. A fault is a major one, but in T5, where it is any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

import swapfast as sf
from bench.row import Row, Size, cpu, rates, trace
from swapfast.kernel.choices import TIMES
from swapfast.traces import Trace
from swapfast.units import PAGE_SIZE

__all__ = ["EACH", "ROWS", "touching"]

WRITE = np.uint32(1 << 31)
PROGRAMS = 8
THINK = 20  # ns a reference: a quantum of 20 us is 1000 of them


def machine_of(pages: int, slots: int, *, device: bool = False, **times: int) -> sf.Machine:
    """Room for all, and an area that is never half full."""
    machine = sf.Machine(
        pages * PAGE_SIZE,
        contents=False,
        cache=0,
        overcommit=1,
        page_cluster=0,
        times={"reference": THINK, **times},
    )
    on = machine.device("one") if device else None
    machine.add_swap((2 * slots + 1024) * PAGE_SIZE, device=on)
    return machine


def in_memory(size: Size) -> Iterator[Row]:
    """T1: all in memory; the fill is not measured."""
    pages = max(64, size.pages // 80)
    body = trace("zipf", pages, size.refs // PROGRAMS)
    fill = np.arange(pages, dtype=np.uint32) | WRITE
    whole = Trace(np.concatenate([fill, body.refs]), pages, private=True)
    done: dict[str, int] = {}

    def machine() -> sf.Machine:
        return machine_of(2 * PROGRAMS * pages + 10_000, 0, minor_fault=0)

    def ours() -> float:
        run = machine().together()
        programs = [run.program(f"p{k}", whole, linger=True) for k in range(PROGRAMS)]
        run.until(pages * THINK)
        seconds = cpu(run.until)[1]
        done["ours"] = sum(p.references - p.minors for p in programs)
        return seconds

    def in_turn() -> float:
        played = machine()
        maps = []
        for _ in range(PROGRAMS):
            maps.append(played.init.fork().mmap(pages * PAGE_SIZE))
            played.run(maps[-1], fill)
        seconds = cpu(lambda: [played.replay(body, one) for one in maps])[1]
        done["reference"] = PROGRAMS * (len(whole) - played.vmstat()["pgfault"] // PROGRAMS)
        return seconds

    a, b, ratio = rates(PROGRAMS * len(body), size.rounds, ours, in_turn)
    name = f"T1 {PROGRAMS} side by side, all hits"
    same = done["ours"] == done["reference"] == PROGRAMS * len(body)
    yield Row(name, a / 1e6, b / 1e6, "M refs/s", "in turn", ratio, 0.7, same=same)


def of_faults(size: Size, programs: int) -> Trace:
    pages = max(256, size.pages // 10 // programs)
    return trace("zipf", pages, max(20 * pages, size.refs // 10 // programs))


def side_by_side(
    t: Trace,
    programs: int,
    found: dict[str, object],
    *,
    cpus: int | None = None,
    depth: int = 1,
    device: bool = False,
) -> float:
    """CPU seconds of programs with half of their pages in memory, in cgroups of their own."""
    machine = machine_of(2 * programs * t.pages + 10_000, programs * t.pages, device=device)
    run = machine.together(cpus=cpus)
    above = "".join(f"/level{k}" for k in range(1, depth))
    members = []
    for number in range(programs):
        cgroup = machine.cgroup(f"{above}/p{number}", max=t.pages // 2 * PAGE_SIZE)
        members.append(run.program(f"p{number}", t, cgroup=cgroup, linger=True))
    seconds = cpu(run.until)[1]
    found["faults"] = sum(p.majors for p in members)
    found["references"] = sum(p.references for p in members)
    found["counters"] = machine.core.counters()
    found["latencies"] = run.latency().count
    return seconds


def in_turn(t: Trace, programs: int, found: dict[str, object], *, depth: int = 1) -> float:
    """The same programs, each replayed to its end before the next."""
    machine = machine_of(2 * programs * t.pages + 10_000, programs * t.pages)
    above = "".join(f"/level{k}" for k in range(1, depth))
    maps = []
    for number in range(programs):
        cgroup = machine.cgroup(f"{above}/p{number}", max=t.pages // 2 * PAGE_SIZE)
        task = machine.init.fork()
        cgroup.add(task)
        maps.append(task.mmap(t.pages * PAGE_SIZE))
    seconds = cpu(lambda: [machine.replay(t, one) for one in maps])[1]
    found["faults"] = machine.vmstat()["pgmajfault"]
    found["references"] = programs * len(t)
    found["counters"] = machine.core.counters()
    return seconds


def near(a: object, b: object) -> bool:
    """Faults of programs that write to one device differ by when its writes were done."""
    assert isinstance(a, int) and isinstance(b, int)
    return abs(a - b) <= 0.05 * max(a, b)


def one(size: Size) -> Iterator[Row]:
    """T2: one program, to the last counter the work of a replay."""
    t = of_faults(size, 1)
    ours: dict[str, object] = {}
    reference: dict[str, object] = {}
    a, b, ratio = rates(
        len(t),
        size.rounds,
        partial(side_by_side, t, 1, ours),
        partial(in_turn, t, 1, reference),
    )
    same = ours["counters"] == reference["counters"]
    yield Row("T2 one program", a / 1e6, b / 1e6, "M refs/s", "replay", ratio, 0.98, same=same)


def several(size: Size) -> Iterator[Row]:
    """T3: eight with limits of their own on one device."""
    t = of_faults(size, PROGRAMS)
    ours: dict[str, object] = {}
    reference: dict[str, object] = {}
    a, b, ratio = rates(
        PROGRAMS * len(t),
        size.rounds,
        partial(side_by_side, t, PROGRAMS, ours, device=True),
        partial(in_turn, t, PROGRAMS, reference),
    )
    same = ours["references"] == reference["references"]
    same = same and near(ours["faults"], reference["faults"])
    name = f"T3 {PROGRAMS} side by side, zipf 50 %"
    yield Row(name, a / 1e6, b / 1e6, "M refs/s", "in turn", ratio, 0.7, same=same)


def fault(size: Size) -> Iterator[Row]:
    """T4: a major fault with heap, device, histogram, processors and pressure of two levels."""
    t = of_faults(size, PROGRAMS)
    ours: dict[str, object] = {}
    reference: dict[str, object] = {}
    a, b, ratio = rates(
        1,
        size.rounds,
        lambda: (
            side_by_side(t, PROGRAMS, ours, cpus=PROGRAMS + 1, depth=2, device=True)
            / int(str(ours["faults"]))
        ),
        lambda: in_turn(t, PROGRAMS, reference, depth=2) / int(str(reference["faults"])),
    )
    same = ours["latencies"] == ours["faults"] and near(ours["faults"], reference["faults"])
    for against, value, goal in (("replay", 1 / ratio, 1.6), ("300 ns", 1e9 / a / 300, 1.0)):
        yield Row("T4 a major fault", 1e9 / a, 1e9 / b, "ns", against, value, goal, "lower", same)


EACH, TOUCHED = 1000, 300  # pages of a program, references of it


def touching(programs: int, touched: int, memory: int) -> tuple[float, int, int, int]:
    """CPU seconds, references, major faults and all of programs in cgroups of their own.

    Each touches some of its thousand pages once or twice, with memory for so many of them.
    """
    pages = np.random.default_rng(1).integers(0, EACH, touched).astype(np.uint32) | WRITE
    t = Trace(pages, EACH)
    machine = machine_of(programs * EACH + 10_000, programs * EACH)
    run = machine.together(jitter="1ms")
    for number in range(programs):
        cgroup = machine.memory_group(memory * PAGE_SIZE)
        name = str(number)
        run.program(name, t, cgroup=cgroup, phase="random", loops=2, linger=True, watch=False)
    seconds = cpu(run.until)[1]
    references, majors, minors = (int(n) for n in run.rows()[1:, 3:6].sum(axis=0))
    return seconds, references, majors, majors + minors


def many(size: Size) -> Iterator[Row]:
    """T5: many programs in cgroups of their own, each touches some of its pages once or twice."""
    seen: dict[int, list[int]] = {}

    def cost(programs: int) -> float:
        seconds, _, *seen[programs] = touching(programs, TOUCHED, EACH // 10)
        return seconds / seen[programs][1]

    few = min(1000, size.namespaces)
    counts = [few] if size.smoke else [10 * few, 100 * few]
    for number in counts:
        a, b, ratio = rates(1, 1, partial(cost, number), partial(cost, few))
        # Where each begins is drawn, so that faults a program are the same within chance.
        same = abs(seen[number][1] / number - seen[few][1] / few) <= 0.02 * seen[few][1] / few
        same = same and seen[number][0] > 0
        name = f"T5 a fault of {number} programs"
        for against, value, goal in ((f"of {few}", 1 / ratio, 2.5), ("400 ns", 1e9 / a / 400, 1.0)):
            yield Row(name, 1e9 / a, 1e9 / b, "ns", against, value, goal, "lower", same)


def pressed(size: Size) -> Iterator[Row]:
    """T6: pressure on the whole machine, the programs in a cgroup each or all in one."""
    programs = min(1000, size.namespaces)
    pages = max(64, size.pages // 5000)
    t = trace("uniform", pages, 20 * pages)
    seen: dict[int, tuple[int, int]] = {}

    def cost(cgroups: int) -> float:
        machine = machine_of(programs * pages * 4 // 5, programs * pages)
        groups = [machine.cgroup(f"/g{k}") for k in range(cgroups)]
        run = machine.together(jitter="100us")
        for number in range(programs):
            group = groups[number % cgroups]
            run.program(str(number), t, cgroup=group, linger=True, watch=False)
        seconds = cpu(run.until)[1]
        vm = machine.vmstat()
        seen[cgroups] = vm["pgsteal_kswapd"] + vm["pgsteal_direct"], int(run.rows()[1:, 3].sum())
        return seconds / seen[cgroups][0]

    a, b, ratio = rates(1, min(size.rounds, 3), partial(cost, programs), partial(cost, 1))
    same = seen[programs][1] == seen[1][1] == programs * len(t) and seen[programs][0] > 0
    name = f"T6 a page freed from {programs} cgroups"
    yield Row(name, 1e9 / a, 1e9 / b, "ns", "from one", 1 / ratio, 2, "lower", same)


ROWS_SAMPLED, SAMPLES = 100, 200


def sampled(size: Size) -> Iterator[Row]:
    """T7: series of a hundred programs, against none."""
    t = of_faults(size, ROWS_SAMPLED)
    found: dict[str, int] = {}

    def cost(sample: int | None) -> float:
        machine = machine_of(2 * ROWS_SAMPLED * t.pages + 10_000, ROWS_SAMPLED * t.pages)
        run = machine.together(sample=sample)
        for number in range(ROWS_SAMPLED):
            cgroup = machine.cgroup(f"/p{number}", max=t.pages // 2 * PAGE_SIZE)
            run.program(f"p{number}", t, cgroup=cgroup, linger=True)
        seconds = cpu(run.until)[1]
        found["ns"], found["samples"] = run.now, len(run.series)
        return seconds / sum(p.references for p in run.programs)

    cost(None)
    every = max(found["ns"] // SAMPLES, 1)
    a, b, ratio = rates(1, size.rounds, partial(cost, every), partial(cost, None))
    cost(every)
    same = abs(found["samples"] - SAMPLES) <= 1
    name = f"T7 a reference, {SAMPLES} samples of {ROWS_SAMPLED}"
    yield Row(name, 1e9 / a, 1e9 / b, "ns", "without", 1 / ratio, 1.03, "lower", same=same)


def simpy(size: Size) -> Iterator[Row]:
    """T9: the closed loop that somebody writes in SimPy; ends of all programs are the same."""
    try:
        from bench.peers.simpy_loop import Loop, closed_loop
    except ImportError:
        return
    pages, service, think = 100, 50_000, 20_000
    rounds = max(2, size.peer_refs // 400 // pages)
    fill = np.arange(pages, dtype=np.uint32)
    t = Trace(np.concatenate([fill | WRITE, np.tile(fill, rounds)]), pages)
    free = dict.fromkeys(TIMES, 0)
    found: dict[str, object] = {}

    def ours() -> float:
        machine = machine_of(
            2 * PROGRAMS * pages + 10_000, PROGRAMS * pages, **free | {"reference": think}
        )
        keys = {"write": 0, "request": 0, "page": 0, "latency": 0, "units": 2}
        device = machine.device("d", read=service, **keys)
        device.carry(machine.add_swap(4 * PROGRAMS * pages * PAGE_SIZE, priority=9))
        run = machine.together()
        for number in range(PROGRAMS):
            group = machine.memory_group(pages // 5 * PAGE_SIZE, policy="fifo")
            run.program(f"p{number}", t, cgroup=group, linger=True)
        seconds = cpu(run.until)[1]
        found["ours"] = tuple(p.end for p in run.programs)
        return seconds

    def peer() -> float:
        first = (pages + 1) * think  # its memory is filled
        programs = [[first, *[think] * (rounds * pages - 1)]] * PROGRAMS
        loop, seconds = cpu(lambda: closed_loop(programs, service, 2))
        assert isinstance(loop, Loop)
        found["peer"], found["events"] = loop.ends_ns, loop.events
        return seconds

    a, b, ratio = rates(1, min(size.rounds, 3), ours, peer)
    events = int(str(found["events"]))
    same = found["ours"] == found["peer"]
    name = f"T9 closed loop of {PROGRAMS}"
    yield Row(
        name, a * events / 1e6, b * events / 1e6, "M events/s", "SimPy", ratio, 100, same=same
    )


ROWS: dict[str, Callable[[Size], Iterator[Row]]] = {
    "T1": in_memory,
    "T2": one,
    "T3": several,
    "T4": fault,
    "T5": many,
    "T6": pressed,
    "T7": sampled,
    "T9": simpy,
}
