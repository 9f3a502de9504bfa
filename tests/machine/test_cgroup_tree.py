"""Cgroups in random order: made, limited, entered, left, removed; all agrees after each step.

A model knows which paths there are and who is where; `Machine.verify` knows the rest.
"""

from __future__ import annotations

import os
from errno import EAGAIN, EBUSY, ENOMEM

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import swapfast as sf
from swapfast.kernel.state import Mapping
from tests.support.swapfiles import PAGE

EXAMPLES = int(os.environ.get("SWAPFAST_EXAMPLES", "40"))
FAST_DEVICE = {"write_request": 0, "write_page": 0, "write_latency": 0}
pick = st.integers(0, 1 << 30)
names = st.sampled_from("abc")
amounts = st.one_of(st.none(), st.integers(0, 60).map(lambda pages: pages * PAGE))


class CgroupMachine(RuleBasedStateMachine):
    """Rules are what an administrator and tasks do."""

    @initialize(swap=st.sampled_from((0, 40, 400)), memory=st.sampled_from((80, 150, 400)))
    def boot(self, swap: int, memory: int) -> None:
        self.machine = sf.Machine(
            memory * PAGE, cache=0, contents=False, overcommit=1, times=FAST_DEVICE
        )
        if swap:
            self.machine.add_swap((swap + 1) * PAGE)
        self.root = self.machine.cgroup("/")
        self.paths: set[str] = {"/"}
        self.where: dict[int, str] = {1: "/"}  # live tasks
        self.heaps: list[Mapping] = []

    def path(self, number: int) -> str:
        return sorted(self.paths)[number % len(self.paths)]

    def task(self, number: int) -> sf.Task:
        return self.machine.tasks[sorted(self.where)[number % len(self.where)]]

    def full(self, path: str) -> bool:
        return path != "/" and path in self.where.values()

    def bury(self) -> None:
        """Who was killed is nowhere any more."""
        self.where = {pid: at for pid, at in self.where.items() if pid in self.machine.tasks}
        self.heaps = [heap for heap in self.heaps if heap.alive]

    @rule(at=pick, name=names)
    def mkdir(self, at: int, name: str) -> None:
        above = self.path(at)
        path = f"{above.rstrip('/')}/{name}"
        try:
            assert self.machine.cgroup(path).path == path
            self.paths.add(path)
        except OSError as error:
            assert error.errno == EBUSY and self.full(above)
            assert path not in self.paths

    @rule(at=pick, name=st.sampled_from(("min", "low", "high", "max", "swap_max")), to=amounts)
    def limit(self, at: int, name: str, to: int | None) -> None:
        path = self.path(at)
        if path == "/":
            return
        cgroup = self.machine.cgroup(path)
        setattr(cgroup, name, to)
        assert getattr(cgroup, name) == to
        self.bury()
        below = [where for where in self.where.values() if f"{where}/".startswith(f"{path}/")]
        if name == "max" and to is not None and below:
            assert cgroup.current <= to

    @rule(at=pick)
    def together(self, at: int) -> None:
        path = self.path(at)
        if path != "/":
            cgroup = self.machine.cgroup(path)
            cgroup.oom_group = not cgroup.oom_group

    @rule(at=pick)
    def fork(self, at: int) -> None:
        if len(self.where) > 12:
            return
        parent = self.task(at)
        child = parent.fork()
        self.where[child.pid] = self.where[parent.pid]

    @rule(who=pick, at=pick)
    def move(self, who: int, at: int) -> None:
        task, path = self.task(who), self.path(at)
        cgroup = self.machine.cgroup(path)
        try:
            cgroup.add(task)
            self.where[task.pid] = path
        except OSError as error:
            assert error.errno == EBUSY and cgroup.children and path != "/"

    @rule(who=pick, pages=st.integers(1, 60), shared=st.booleans())
    def mmap(self, who: int, pages: int, shared: bool) -> None:
        task = self.task(who)
        if task.pid != 1:
            self.heaps.append(task.mmap(pages * PAGE, shared=shared))

    @rule(which=pick, write=st.booleans())
    def touch(self, which: int, write: bool) -> None:
        if not self.heaps:
            return
        heap = self.heaps[which % len(self.heaps)]
        try:
            heap.touch(write=write)
        except sf.TaskKilled:
            pass
        except OSError as error:  # the mapping is charged where no task is
            assert error.errno == ENOMEM, error
        self.bury()

    @rule(which=pick)
    def munmap(self, which: int) -> None:
        if self.heaps:
            self.heaps.pop(which % len(self.heaps)).munmap()

    @rule(who=pick)
    def exit(self, who: int) -> None:
        task = self.task(who)
        if task.pid != 1:
            self.machine.init.kill(task.pid)
            self.where.pop(task.pid)
            self.bury()

    @rule(at=pick, pages=st.integers(0, 40))
    def reclaim(self, at: int, pages: int) -> None:
        cgroup = self.machine.cgroup(self.path(at))
        before = cgroup.stat()["pgsteal_proactive"]
        try:
            cgroup["memory.reclaim"] = pages * PAGE
            assert cgroup.stat()["pgsteal_proactive"] - before >= pages
        except OSError as error:
            assert error.errno == EAGAIN
            assert cgroup.stat()["pgsteal_proactive"] - before < pages

    @rule(at=pick)
    def rmdir(self, at: int) -> None:
        path = self.path(at)
        cgroup, above = self.machine.cgroup(path), self.machine.cgroup(os.path.dirname(path))
        counted = above.stat()
        try:
            cgroup.close()
            self.paths.remove(path)
            assert above.stat() == counted, "the one above has what was counted"
        except OSError as error:
            assert error.errno == EBUSY
            charged = "charged" in str(error)
            assert path == "/" or cgroup.children or self.full(path) or charged

    @invariant()
    def everything_agrees(self) -> None:
        self.machine.verify()
        rows = list(self.root.row.below())
        assert {row.path for row in rows} == self.paths
        for pid, path in self.where.items():
            assert self.machine.tasks[pid].group == self.machine.cgroup(path).number
        assert set(self.where) == {p for p, t in self.machine.tasks.items() if t.alive}
        stat, vmstat = self.root.stat(), self.machine.vmstat()
        for name in ("pgfault", "pgmajfault", "pswpin", "pswpout", "pgactivate", "pgdeactivate"):
            assert stat[name] == vmstat[name], name
        assert len(self.machine.oom_records) == vmstat["oom_kill"]

    @invariant()
    def parents_have_the_sum(self) -> None:
        for path in self.paths - {"/"}:
            cgroup = self.machine.cgroup(path)
            children = cgroup.children.values()
            assert cgroup.current >= sum(c.current for c in children)
            assert cgroup.swap_current >= sum(c.swap_current for c in children)
            assert cgroup.current <= cgroup.peak and cgroup.swap_current <= cgroup.swap_peak
            for name, count in cgroup.events.items():
                assert count >= sum(c.events[name] for c in children), name


CgroupMachine.TestCase.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=30, deadline=None
)
TestCgroups = CgroupMachine.TestCase
