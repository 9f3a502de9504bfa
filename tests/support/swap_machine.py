"""System calls in random order against a slow model of what every page holds.

Several swap namespaces, tiny machines, so that pages really move. After each step: every structure
agrees (`Machine.verify`), counters add up, no swapfile of a namespace holds a page that no task of
that namespace ever held. At the end: every byte is right, and nothing is left when everybody has
gone.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

import swapfast as sf
from swapfast.core import mapping_table
from swapfast.errors import KernelPanic
from swapfast.kernel.state import Mapping, SwapArea
from swapfast.swapfile import mkswap
from swapfast.together import Demotion
from swapfast.together.demotion import When
from tests.reference.memory_model import PAGE, ZERO, MemoryModel, SharedPages

EXAMPLES = int(os.environ.get("SWAPFAST_EXAMPLES", "40"))
SWAPFILE_PAGES = (10, 60, 100, 160, 220)
RULES = {
    "default": sf.Rules(),
    "strict": sf.Rules.strict(),
    "other": sf.Rules(
        mixed_pages="allocator",
        shared_pages="first-toucher",
        inherited_swap="swap-in",
        last_exit="orphan",
        one_area_check="late",
        second_swapon="EBUSY",
        proc_swaps="namespaced",
        sysinfo="namespaced",
    ),
}
FAST_DEVICE = {"write_request": 0, "write_page": 0, "write_latency": 0}
COUNTED = ("pswpin", "pswpout", "pgfault", "pgmajfault", "pgsteal_direct", "pgscan_kswapd")
pick = st.integers(0, 1 << 30)


class SwapMachine(RuleBasedStateMachine):
    """Rules are what tasks do; ``choose`` turns a number into one of what there is."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="swapfast-"))
        self.serial = 0

    @initialize(
        memory=st.sampled_from((64, 72, 96, 150)),
        profile=st.sampled_from(("2.6.25", "6.18", "6.18-mglru")),
        rules=st.sampled_from(tuple(RULES)),
        policy=st.sampled_from((None, None, None, "lru", "fifo", "clock")),
        page_cluster=st.sampled_from((0, 3)),
        fast=st.booleans(),
        logins=st.integers(0, 3),
        zram=st.sampled_from((None, None, 0, 20)),
    )
    def boot(
        self,
        memory: int,
        profile: str,
        rules: str,
        policy: str | None,
        page_cluster: int,
        fast: bool,
        logins: int,
        zram: int | None,
    ) -> None:
        self.rules = rules
        self.machine = sf.Machine(
            memory * PAGE,
            profile,
            rules=RULES[rules],
            overcommit=1,
            policy=policy,
            page_cluster=page_cluster,
            times=FAST_DEVICE if fast else None,
        )
        # Some areas lie on it; a limit in pages, 0: none.
        limit = {"limit": zram * PAGE} if zram else {}
        self.zram = None if zram is None else self.machine.device("z", "zram", **limit)
        self.model = MemoryModel()
        self.model.new_space(self.machine.init.mm, 0)
        self.objects: dict[object, SharedPages] = {}
        self.before: dict[bytes, list[set[object]]] = {}
        self.spaces: dict[object, object] = {}
        self.last = dict.fromkeys(COUNTED, 0)
        self.groups: list[sf.MemoryGroup] = []
        self.plugs: list[Demotion] = []
        self.files = [self.folder / f"s{pages}" for pages in SWAPFILE_PAGES]
        self.serial = 0
        for path, pages in zip(self.files, SWAPFILE_PAGES, strict=True):
            mkswap(path, size=pages * PAGE)
        self.seen = dict.fromkeys(self.files, b"")
        for number in range(logins):
            self.do_clone(0, "newswap")
            self.do_swapon(number + 1, number + 1, None)
            self.do_mmap(number + 1, 60 + 30 * number, False)
            self.do_fill(number, False)
        if logins == 2:
            self.do_swapon(0, 0, None)
            self.do_swapon(0, 4, 5)

    # choices and outcomes

    @property
    def tasks(self) -> list[sf.Task]:
        return [t for t in self.machine.tasks.values() if t.alive]

    def choose_task(self, number: int) -> sf.Task:
        tasks = self.tasks
        return tasks[number % len(tasks)]

    def choose_mapping(self, number: int) -> tuple[sf.Task, Mapping] | None:
        found = [(t, m) for t in self.tasks for m in t.mappings]
        return found[number % len(found)] if found else None

    def choose_page(self, number: int) -> tuple[sf.Task, Mapping, int] | None:
        chosen = self.choose_mapping(number)
        if chosen is None:
            return None
        task, mapping = chosen
        mapped = sorted(self.model.spaces[task.mm][mapping.addr].mapped)
        return task, mapping, mapped[(number >> 8) % len(mapped)]

    def attempt(self, call: Callable[[], object]) -> bool:
        """Whether a call went through; the OOM killer may have come between."""
        try:
            call()
        except (sf.TaskKilled, KernelPanic):
            return False
        except OSError as error:
            self.accept(error)
            return False
        finally:
            self.bury()
        return True

    def accept(self, error: OSError) -> None:
        """Init may be at the limit of its group, where there is nobody else to be killed."""
        alone = [t for t in self.tasks if t.group == self.machine.init.group]
        assert error.errno == errno.ENOMEM and self.machine.init.group, error
        assert alone == [self.machine.init], error

    def bury(self) -> None:
        self.model.keep_only({t.mm for t in self.tasks})

    def marker(self, task: sf.Task) -> bytes:
        self.serial += 1
        return f"<namespace {task.swap_ns.number} serial {self.serial}>".encode()

    # tasks

    @precondition(lambda self: len(self.machine.tasks) < 12)
    @rule(who=pick, kind=st.sampled_from(("fork", "newswap", "newswap", "vm", "newipc")))
    def clone(self, who: int, kind: str) -> None:
        self.do_clone(who, kind)

    def do_clone(self, who: int, kind: str) -> None:
        flags = {
            "fork": sf.SIGCHLD,
            "newswap": sf.NEWSWAP | sf.NEWIPC,
            "vm": sf.CLONE_VM,
            "newipc": sf.NEWIPC,
        }[kind]
        parent = self.choose_task(who)
        children: list[sf.Task] = []
        try:
            children.append(parent.clone(flags))
        except (sf.TaskKilled, KernelPanic):
            assert kind == "newswap" and self.rules == "other"
            self.bury()
        except OSError as error:
            assert error.errno == errno.ENOMEM and self.rules == "other"
            self.bury()
        for child in children:
            if kind == "vm":
                assert child.mm is parent.mm
            elif parent.mm in self.model.spaces and child.alive:
                self.model.fork(parent.mm, child.mm, child.swap_ns.number)
            self.bury()

    @rule(who=pick)
    def exit(self, who: int) -> None:
        task = self.choose_task(who)
        if task is self.machine.init:
            return
        task.exit(3)
        self.bury()

    @rule(who=pick)
    def wait(self, who: int) -> None:
        try:
            self.choose_task(who).wait()
        except OSError as error:
            assert error.errno == errno.ECHILD

    @rule(who=pick)
    def unshare(self, who: int) -> None:
        self.choose_task(who).unshare(sf.NEWIPC)

    @precondition(lambda self: len(self.groups) < 3)
    @rule(
        pages=st.integers(1, 60),
        policy=st.sampled_from(("lru", "clock", "linux-2.6.25", "linux-6.18", "linux-6.18-mglru")),
    )
    def new_group(self, pages: int, policy: str) -> None:
        self.groups.append(self.machine.memory_group(pages * PAGE, policy=policy))

    @precondition(lambda self: self.groups)
    @rule(who=pick, which=pick)
    def enter_group(self, who: int, which: int) -> None:
        self.groups[which % len(self.groups)].add(self.choose_task(who))

    # swap

    @rule(who=pick, which=pick, priority=st.sampled_from((None, None, 0, 5)))
    def swapon(self, who: int, which: int, priority: int | None) -> None:
        self.do_swapon(who, which, priority)

    def do_swapon(self, who: int, which: int, priority: int | None) -> None:
        task = self.choose_task(who)
        path = self.files[which % len(self.files)]
        on = {str(path) for path in self.files} & {a.path for a in self.machine.areas.values()}
        has_one = not task.swap_ns.initial and bool(task.swap_ns.areas)
        expected = 0
        if has_one and (self.rules != "other" or str(path) not in on):
            expected = errno.EBUSY if self.rules == "other" else errno.EPERM
        elif str(path) in on:
            expected = errno.EBUSY
        if expected == 0:
            # What a namespace left in a file is not the next one's doing.
            path.write_bytes(path.read_bytes()[:PAGE] + ZERO * (path.stat().st_size // PAGE - 1))
            self.seen[path] = b""
        code = 0
        try:
            task.swapon(path, 0 if priority is None else sf.SWAP_FLAG_PREFER | priority)
        except OSError as error:
            code = error.errno or -1
        assert code == expected
        if code == 0:
            self.place(task.swap_ns.areas[-1], which)

    def place(self, area: SwapArea, number: int) -> None:
        """Some areas lie on the device."""
        if self.zram is not None and number % 2:
            self.zram.carry(area)

    @rule(who=pick, which=pick)
    def swapoff(self, who: int, which: int) -> None:
        task = self.choose_task(who)
        path = self.files[which % len(self.files)]
        area = next((a for a in self.machine.areas.values() if a.path == str(path)), None)
        mine = area is not None and (
            area.namespace is task.swap_ns or (area.orphaned and task.swap_ns.initial)
        )
        before = area.priority if area else 0
        code = 0
        try:
            task.swapoff(path)
        except OSError as error:
            code = error.errno or -1
        self.bury()
        still_on = area is not None and area in self.machine.areas.values()
        if not mine:
            assert code == errno.EINVAL
        elif code:
            assert code in (errno.ENOMEM, errno.EINTR)
            assert area is not None
            if still_on:
                assert area.priority >= before
                assert area.info["writeok"]
        else:
            assert not still_on

    @precondition(lambda self: len(self.machine.areas) > 1)
    @rule(
        one=pick,
        other=pick,
        when=st.sampled_from(("on-full", "on-full", "on-refault")),
        batch=st.sampled_from((1, 5, 64)),
    )
    def demote(self, one: int, other: int, when: When, batch: int) -> None:
        """Pages move from one area to the other from now on."""
        areas = list(self.machine.areas.values())
        source = areas[one % len(areas)]
        areas.remove(source)
        target = areas[other % len(areas)]
        try:
            plug = self.machine.demote(when, source=[source], target=[target], batch=batch)
        except ValueError as error:
            assert "has a plug" in str(error)
        else:
            self.plugs.append(plug)

    @precondition(lambda self: self.plugs)
    @rule(which=pick)
    def stop_demotion(self, which: int) -> None:
        self.plugs.pop(which % len(self.plugs)).stop()

    # memory

    @rule(who=pick, pages=st.integers(1, 90), shared=st.booleans())
    def mmap(self, who: int, pages: int, shared: bool) -> None:
        self.do_mmap(who, pages, shared)

    def do_mmap(self, who: int, pages: int, shared: bool) -> None:
        task = self.choose_task(who)
        if task is self.machine.init:
            pages = min(pages, 6)
        mapping = task.mmap(pages * PAGE, shared=shared)
        if mapping.object is not None:
            self.objects[mapping.object] = SharedPages()
        self.model.map(task.mm, mapping.addr, pages, self.objects.get(mapping.object))

    @rule(number=pick, at=st.integers(0, PAGE - 1))
    def write(self, number: int, at: int) -> None:
        chosen = self.choose_page(number)
        if chosen is None:
            return
        task, mapping, page = chosen
        data = self.marker(task)[: PAGE - at]
        if self.attempt(lambda: mapping.write(page * PAGE + at, data)):
            self.model.write(task.mm, mapping.addr, page * PAGE + at, data)

    @rule(number=pick, zeroes=st.booleans())
    def fill(self, number: int, zeroes: bool) -> None:
        self.do_fill(number, zeroes)

    def do_fill(self, number: int, zeroes: bool) -> None:
        """Memory pressure: a page after the other, marked."""
        chosen = self.choose_mapping(number)
        if chosen is None:
            return
        task, mapping = chosen
        for page in sorted(self.model.spaces[task.mm][mapping.addr].mapped):
            data = ZERO if zeroes else self.marker(task)
            if not self.attempt(lambda p=page, d=data: mapping.write(p * PAGE, d)):  # type: ignore[misc]
                if task.mm not in self.model.spaces:
                    return
                continue
            if task.mm in self.model.spaces:
                self.model.write(task.mm, mapping.addr, page * PAGE, data)

    @rule(number=pick, count=st.integers(1, 4))
    def read(self, number: int, count: int) -> None:
        chosen = self.choose_page(number)
        if chosen is None:
            return
        task, mapping, page = chosen
        mapped = self.model.spaces[task.mm][mapping.addr].mapped
        while count > 1 and not mapped.issuperset(range(page, page + count)):
            count -= 1
        got: list[bytes] = []
        if self.attempt(lambda: got.append(mapping.read(page * PAGE, count * PAGE))):
            assert got[0] == self.model.read(task.mm, mapping.addr, page * PAGE, count * PAGE)

    @rule(number=pick, write=st.booleans(), seed=st.integers(0, 9))
    def touch(self, number: int, write: bool, seed: int) -> None:
        chosen = self.choose_mapping(number)
        if chosen is None:
            return
        task, mapping = chosen
        mapped = sorted(self.model.spaces[task.mm][mapping.addr].mapped)
        pages = random.Random(seed).choices(mapped, k=len(mapped))
        self.attempt(lambda: mapping.touch(np.array(pages), write=write))
        if task.mm in self.model.spaces:
            self.model.touch(task.mm, mapping.addr, set(pages), write)

    @rule(number=pick, first=pick, count=pick)
    def munmap(self, number: int, first: int, count: int) -> None:
        chosen = self.choose_mapping(number)
        if chosen is None:
            return
        task, mapping = chosen
        first %= mapping.pages
        count = count % (mapping.pages - first) + 1
        mapping.munmap(first * PAGE, count * PAGE)
        self.model.unmap(task.mm, mapping.addr, first, first + count)

    # System V shared memory

    @rule(who=pick, pages=st.integers(1, 30))
    def shmget(self, who: int, pages: int) -> None:
        task = self.choose_task(who)
        shmid = task.shmget(sf.IPC_PRIVATE, pages * PAGE, 0o600)
        self.objects[task.ipc_ns.segments[shmid].object] = SharedPages()

    @rule(who=pick, which=pick)
    def shmat(self, who: int, which: int) -> None:
        task = self.choose_task(who)
        if not task.ipc_ns.segments:
            return
        shmid = list(task.ipc_ns.segments)[which % len(task.ipc_ns.segments)]
        mapping = task.shmat(shmid)
        self.model.map(task.mm, mapping.addr, mapping.pages, self.objects[mapping.object])

    @rule(number=pick)
    def shmdt(self, number: int) -> None:
        attached = [(t, m) for t in self.tasks for m in t.mappings if m.segment is not None]
        if not attached:
            return
        task, mapping = attached[number % len(attached)]
        task.shmdt(mapping)
        self.model.unmap(task.mm, mapping.addr, 0, mapping.pages)

    @rule(who=pick, which=pick)
    def shm_remove(self, who: int, which: int) -> None:
        task = self.choose_task(who)
        if task.ipc_ns.segments:
            shmid = list(task.ipc_ns.segments)[which % len(task.ipc_ns.segments)]
            task.shmctl(shmid, sf.IPC_RMID)

    # what holds after each step

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "machine"):
            return
        self.machine.verify()
        self.check_slots()
        self.check_counters()
        self.check_tasks()
        if self.rules == "strict":
            self.check_files()

    def check_slots(self) -> None:
        core = self.machine.core
        numbers = [m.number for mm in {t.mm for t in self.tasks} for m in mm.mappings.values()]
        numbers += [o.number for o in self.machine.kernel.objects]
        entries: set[int] = set()
        for number in numbers:
            count = self.pages_of(number)
            entry = mapping_table.state(core, number, 0, count)[1]
            entries.update(entry[entry != 0].tolist())
        total = free = 0
        for area in self.machine.areas.values():
            info = area.info
            mine = {e for e in entries if info["base"] <= e < info["base"] + info["slots"]}
            assert len(mine) == info["inuse"]
            entries -= mine
            total += info["pages"]
            free += info["pages"] - info["inuse"]
        assert not entries
        memory = core.memory()
        assert (memory["total_swap"], memory["free_swap"]) == (total, free)

    def pages_of(self, number: int) -> int:
        for mm in {t.mm for t in self.tasks}:
            for mapping in mm.mappings.values():
                if mapping.number == number:
                    return mapping.pages
        return next(o.pages for o in self.machine.kernel.objects if o.number == number)

    def check_counters(self) -> None:
        counters = self.machine.core.counters()
        for name in COUNTED:
            assert counters[name] >= self.last[name]
            self.last[name] = counters[name]
        assert counters["pgmajfault"] <= counters["pgfault"]
        infos = [a.info for a in self.machine.areas.values()]
        assert sum(i["pswpin"] for i in infos) <= counters["pswpin"]
        assert sum(i["pswpout"] for i in infos) <= counters["pswpout"]
        memory = self.machine.core.memory()
        used = memory["used"] + memory["pool"]
        assert used + memory["file_cache"] <= memory["total"] or self.zram is not None
        assert memory["free"] == max(memory["total"] - used - memory["file_cache"], 0)
        kb = self.machine.meminfo()
        assert kb["Active"] + kb["Inactive"] == memory["used"] * 4
        assert kb["MemFree"] == memory["free"] * 4 and kb["Cached"] == memory["file_cache"] * 4

    def check_tasks(self) -> None:
        tasks = self.tasks
        for ns in {t.swap_ns for t in tasks}:
            assert ns.tasks == sum(t.swap_ns is ns for t in tasks)
            assert ns.initial or len(ns.areas) <= 1
        for area in self.machine.areas.values():
            assert area in area.namespace.areas
            assert area.orphaned == (area.namespace.tasks == 0)
        assert {t.mm for t in tasks} == set(self.model.spaces)

    def check_files(self) -> None:
        """Strict rules: a page is written to a swapfile only if no other namespace has it."""
        assert self.machine.core.counters()["leaked"] == 0
        before, self.before = self.before, self.model.owners()
        spaces, self.spaces = self.spaces, dict(self.model.namespace)
        lost = {spaces[mm] for mm in set(spaces) - set(self.spaces)}
        for area in self.machine.areas.values():
            path = Path(area.path)
            raw = path.read_bytes()
            if raw == self.seen[path]:
                continue
            old, self.seen[path] = self.seen[path], raw
            mine = area.namespace.number
            for at in range(PAGE, len(raw), PAGE):
                page = raw[at : at + PAGE]
                if page in (ZERO, old[at : at + PAGE]):
                    continue
                now = self.before.get(page, [])
                pieces = now + before.get(page, [])
                alone = any(namespaces == {mine} for namespaces in pieces)
                # Between the two states it may have been one's alone: nobody has it any more, or
                # a task made a copy of it and was killed.
                passing = (not now or mine in lost) and page in self.model.held[mine]
                assert alone or passing, f"{path.name} page {at // PAGE}: {page[:60]!r}, {pieces}"

    # the end

    def teardown(self) -> None:
        try:
            if hasattr(self, "machine"):
                self.read_everything()
                self.leave_nothing()
                self.machine.close()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def read_everything(self) -> None:
        """Every page of everybody; reading may kill the reader, or somebody else."""
        for task in self.tasks:
            for mapping in task.mappings:
                for page in range(mapping.pages):
                    if task.alive and page in self.model.spaces[task.mm][mapping.addr].mapped:
                        self.read_page(task, mapping, page)

    def read_page(self, task: sf.Task, mapping: Mapping, page: int) -> None:
        got: list[bytes] = []
        if self.attempt(lambda: got.append(mapping.read(page * PAGE, PAGE))):
            assert got[0] == self.model.page(task.mm, mapping.addr, page)

    def leave_nothing(self) -> None:
        machine, init = self.machine, self.machine.init
        for task in self.tasks:
            if task is not init and task.alive:
                task.exit()
        for mapping in init.mappings:
            mapping.munmap()
        for shmid in list(init.ipc_ns.segments):
            init.shmctl(shmid, sf.IPC_RMID)
        machine.verify()
        assert not machine.kernel.objects
        for area in list(machine.areas.values()):
            assert area.used == 0
            init.swapoff(area.path)
        for group in self.groups:
            if init.group != group.number:
                group.close()
        memory = machine.core.memory()
        assert (memory["used"], memory["total_swap"], memory["free_swap"]) == (0, 0, 0)
        assert set(machine.tasks) == {1}
        for space in (machine.kernel.page_space, machine.kernel.slot_space):
            assert space.take(1) == (64 if space is machine.kernel.page_space else 0)
