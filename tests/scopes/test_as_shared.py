"""A scope that allows everything to everybody is no scope, byte for byte.

Neither does an unused tier, an unused area, an empty cgroup change anything.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import swapfast as sf
from swapfast.core import area_table, memcg_table
from swapfast.kernel.options import SWAP_CLUSTER, SWAP_SCOPE
from swapfast.traces.generate import generate
from tests.support.side_by_side import counted

PAGE = 4096
PATTERNS = ("zipf", "uniform", "loop", "hotspot")
PATHS = ("/a/x", "/a/y")


@dataclass(frozen=True)
class Small:
    """A small machine and what runs on it."""

    areas: tuple[tuple[int, int], ...]  # slots, priority
    limits: tuple[int, ...]  # pages, a cgroup each
    pattern: str
    seed: int
    cluster: str
    aware: bool

    def boot(self, kind: str, aware: bool) -> sf.Machine:
        machine = sf.Machine(
            "2MiB",
            contents=False,
            overcommit=1,
            cache=0,
            swap_scope=kind,
            swap_cluster=self.cluster,
            allowed_aware=aware,
            cgroup="v2",
        )
        for slots, priority in self.areas:
            machine.add_swap((slots + 1) * PAGE, priority=priority)
        for path, limit in zip(PATHS, self.limits, strict=True):
            machine.cgroup(path, max=limit * PAGE)
        return machine


SMALL = st.builds(
    Small,
    st.lists(
        st.tuples(st.integers(300, 1200), st.sampled_from((0, 5, 5, 9))), min_size=1, max_size=3
    ).map(tuple),
    st.tuples(st.integers(80, 200), st.integers(80, 200)),
    st.sampled_from(PATTERNS),
    st.integers(0, 99),
    st.sampled_from(SWAP_CLUSTER),
    st.booleans(),
)


def allow_all(machine: sf.Machine, kind: str) -> None:
    """Every word that the kind has for everything; more than there is, where it takes amounts."""
    cgroups = [machine.cgroup(path) for path in ("/a", *PATHS)]
    if kind.startswith("tiers"):
        machine.swap_tiers.write("+low:-1 +mid:5 +unused:1000")
    for number, cgroup in enumerate(cgroups):
        if kind == "private":
            cgroup["memory.swapfile"] = "default"
        elif kind == "priority" and number != 1:
            cgroup["memory.swap.priority"] = ",".join(
                f"{type_}:{area.priority + 100}" for type_, area in machine.areas.items()
            )
        elif kind == "tiers":
            cgroup["memory.swap.tiers.max"] = "low max mid max"
        elif kind == "tiers-amount":
            cgroup["memory.swap.tiers.max"] = ("low 1G", "mid auto", "low auto mid 1T")[number]
    if kind == "tiers-amount":
        cgroups[1]["memory.swap.tiers.max"] = "mid max"  # its memory.max would be a share
        cgroups[2]["memory.swap.tiers.max"] = "low max"


def in_turn(machine: sf.Machine, small: Small) -> list[sf.Mapping]:
    """One program after the other, in slices."""
    trace = generate(small.pattern, pages=256, refs=3000, seed=small.seed)
    heaps = []
    for path in PATHS:
        task = machine.init.fork()
        machine.cgroup(path).add(task)
        heaps.append(task.mmap(trace.pages * PAGE))
    for at in range(0, len(trace), 500):
        for heap in heaps:
            if heap.alive:
                with contextlib.suppress(sf.TaskKilled):
                    machine.run(heap, trace.refs[at : at + 500])
    return heaps


def side_by_side(machine: sf.Machine, small: Small) -> list[sf.Mapping]:
    trace = generate(small.pattern, pages=256, refs=3000, seed=small.seed)
    run = machine.together(cpus=1 + small.seed % 2)
    for path in PATHS:
        run.program(path, trace, cgroup=machine.cgroup(path), linger=True)
    run.until()
    return [program.mapping for program in run.programs]


def everything(machine: sf.Machine, heaps: list[sf.Mapping]) -> dict[str, Any]:
    machine.verify()
    alive = [heap for heap in heaps if heap.alive]
    return {
        "counted": counted(machine, *alive),
        "vmstat": machine.vmstat(),
        "areas": [area_table.info(machine.core, a.number) for a in machine.areas.values()],
        "stat": [memcg_table.info(machine.core, machine.cgroup(p).number) for p in PATHS],
        "slots": machine.slot_counters(),
        "kills": len(machine.oom_records),
    }


@pytest.mark.parametrize("run", [in_turn, side_by_side])
@pytest.mark.parametrize("kind", SWAP_SCOPE)
@settings(max_examples=12)
@given(small=SMALL)
def test_a_scope_that_allows_everything_is_shared(run: Any, kind: str, small: Small) -> None:
    """And counting only what is allowed counts all."""
    if kind.startswith("tiers") and small.cluster == "per-cpu-tier":
        return  # there a tier more is a cluster more
    plain = small.boot("shared", aware=False)
    scoped = small.boot(kind, aware=small.aware)
    allow_all(scoped, kind)
    expected = everything(plain, run(plain, small))
    assert everything(scoped, run(scoped, small)) == expected


@settings(max_examples=10)
@given(small=SMALL, kind=st.sampled_from(SWAP_SCOPE))
def test_what_is_not_used_changes_nothing(small: Small, kind: str) -> None:
    """A tier without areas, an area below all that is ever reached, cgroups without pages."""
    plain, more = small.boot(kind, small.aware), small.boot(kind, small.aware)
    for machine in (plain, more):
        machine.add_swap("16MiB", priority=0)
        if kind.startswith("tiers"):
            machine.swap_tiers.write("+all:-1")
    if kind.startswith("tiers"):
        more.swap_tiers.write("+none:30000")
    for i in range(5):
        more.cgroup(f"/empty/{i}")
    expected = everything(plain, in_turn(plain, small))
    found = everything(more, in_turn(more, small))
    for facts in (expected, found):
        for info in facts["stat"]:
            del info["parent"]
    assert found == expected
