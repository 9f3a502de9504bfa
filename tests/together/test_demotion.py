"""Pages that move between swap areas: against a slow model, and what is never lost by it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import swapfast as sf
from swapfast.core import mapping_table, slot_pins
from swapfast.kernel.state import Mapping, SwapArea
from swapfast.together import Demotion
from swapfast.together.demotion import WHEN
from swapfast.traces import generate
from tests.reference.demotion import FAST, SLOW, TwoAreas
from tests.support.swapfiles import PAGE, swapfile


class Rig:
    """A machine with a quick area of high priority and a slow one."""

    def __init__(
        self,
        fast: int,
        slow: int,
        *,
        memory: str = "8MiB",
        devices: tuple[str, ...] = (),
        **keys: Any,
    ) -> None:
        self.machine = sf.Machine(
            memory, contents=False, cache=0, overcommit=1, page_cluster=0, **keys
        )
        self.devices = [self.machine.device(name, name) for name in devices] or [None, None]
        self.fast = self.machine.add_swap((fast + 1) * PAGE, priority=10, device=self.devices[0])
        self.slow = self.machine.add_swap((slow + 1) * PAGE, priority=5, device=self.devices[1])

    def demote(self, when: Any, **keys: Any) -> Demotion:
        """A plug; promotion goes up, the others go down."""
        ends = (self.fast, self.slow) if when != "on-refault" else (self.slow, self.fast)
        return self.machine.demote(when, source=[ends[0]], target=[ends[1]], **keys)

    def program(self, pages: int, limit: int, policy: str | None = "fifo") -> Mapping:
        """A task with so many pages, under a limit."""
        task = self.machine.init.fork("job")
        self.machine.memory_group(limit * PAGE, policy=policy).add(task)
        return task.mmap(pages * PAGE)

    def used(self, *areas: SwapArea) -> int:
        """Slots in use."""
        return sum(area.info["inuse"] for area in areas)

    def where(self, heap: Mapping) -> dict[str, set[int]]:
        """Pages by the area in which they have a slot."""
        entry = mapping_table.state(self.machine.core, heap.number, 0, heap.pages)[1]
        return {
            name: {
                int(page)
                for page in np.flatnonzero(entry)
                if area.base <= entry[page] < area.base + area.info["slots"]
            }
            for name, area in ((FAST, self.fast), (SLOW, self.slow))
        }


# ---------------------------------------------------------------- the slow model


def walk(seed: int, n: int) -> Iterator[tuple[str, int]]:
    """What a program does: it writes to a page, now and then it unmaps one."""
    rng = random.Random(seed)
    for _ in range(n):
        yield "unmap" if rng.random() < 0.04 else "write", rng.randrange(60)


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 1 << 30),
    limit=st.integers(2, 12),
    fast=st.integers(1, 20),
    slow=st.integers(1, 60),
    on_full=st.sampled_from([0, 1, 3, 8]),
    on_refault=st.sampled_from([0, 0, 1, 4]),
)
def test_pages_are_where_the_slow_model_has_them(
    seed: int, limit: int, fast: int, slow: int, on_full: int, on_refault: int
) -> None:
    """A page after the other; after each all counts agree, and every structure does.

    On disks that turn no cluster is anybody's, so each page goes where priority says.
    """
    rig = Rig(fast, slow, devices=("hdd", "hdd"))
    model = TwoAreas(limit, fast, slow, on_full=on_full, on_refault=on_refault)
    down = rig.demote("on-full", batch=on_full) if on_full else None
    up = rig.demote("on-refault", batch=on_refault) if on_refault else None
    heap = rig.program(60, limit)
    gone: set[int] = set()
    for what, page in walk(seed, 250):
        if page in gone:
            continue
        if what == "unmap":
            model.unmap(page)
            heap.munmap(page * PAGE, PAGE)
            gone.add(page)
        else:
            model.write(page)
            if model.full:
                break
            heap.touch([page], write=True)
        where = rig.where(heap)
        assert where == {name: set(pages) for name, pages in model.slots.items()}
        told = [plug.counters() for plug in (down, up) if plug is not None]
        assert sum(t["demoted"] for t in told) == model.demoted
        assert sum(t["promoted"] for t in told) == model.promoted
        assert sum(t["pages_read"] for t in told) == model.read
        rig.machine.verify()
    group = rig.machine.kernel.groups[heap.mm.group]
    assert rig.machine.core.memory()["used"] <= limit and group.path


# ---------------------------------------------------------------- what stays as it is


def test_charge_shadow_and_swap_counters_stay() -> None:
    """A move is nobody's swap-in or swap-out, and the cgroup owes as many slots as before."""
    rig = Rig(100, 2000, devices=("optane", "nbd"))
    plug = rig.demote("on-full", batch=16)
    heap = rig.program(400, 50, policy=None)
    heap.touch(write=True)
    stat = rig.machine.vmstat()
    told = plug.counters()
    assert told["demoted"] == told["pages_read"] == told["pages_written"] > 200
    assert stat["pswpout"] == 400 - heap.count()[0] + rig.fast.info["pswpin"]
    assert rig.fast.info["pswpout"] == stat["pswpout"], "all of it was written to the quick area"
    assert rig.slow.info["pswpout"] == rig.slow.info["pswpin"] == 0
    group = next(row for row in rig.machine.kernel.groups.rows.values() if row.path != "/")
    usage = sf.core.memcg_table.info(rig.machine.core, group.number)["swap_usage"]
    assert usage == rig.used(rig.fast, rig.slow)
    quick, slow = (device.counters() for device in rig.devices if device is not None)
    assert quick["pages_in"] == slow["pages_out"] == told["demoted"]
    assert quick["pages_out"] == stat["pswpout"] and slow["pages_in"] == 0
    rig.machine.verify()


@pytest.mark.parametrize("when", ["on-full", "on-refault"])
@pytest.mark.parametrize("profile", ["6.18", "6.18-mglru", "2.6.25"])
def test_no_byte_is_lost(when: Any, profile: str, tmp_path: Path) -> None:
    """Real swapfiles, with checksums, pages of zeroes among them, and a fork."""
    machine = sf.Machine("1MiB", profile, cache=0, overcommit=1, checksums=True, oom_scope="kernel")
    fast, slow = (
        _swapon(machine, tmp_path / name, pages, priority)
        for name, pages, priority in (("fast", 60, 9), ("slow", 900, 1))
    )
    ends = (fast, slow) if when == "on-full" else (slow, fast)
    plug = machine.demote(when, source=[ends[0]], target=[ends[1]], batch=8)
    task = machine.init.fork("job")
    heap = task.mmap(500 * PAGE)
    held = {}
    for page in range(500):
        held[page] = bytes(16) if page % 7 == 0 else f"page {page:11}".encode()
        heap.write(page * PAGE, held[page])
    child = task.fork("child")
    rng = random.Random(1)
    for number in range(3000):
        page = rng.randrange(500)
        assert heap.read(page * PAGE, 16) == held[page]
        if number % 3 == 0:
            held[page] = f"at step {number:8}".encode()
            heap.write(page * PAGE, held[page])
        if number % 500 == 0:
            machine.verify()
    assert plug.demoted > 20 and (when == "on-full" or plug.promoted > 20)
    first = child.mappings[0]
    for page in range(500):
        right = bytes(16) if page % 7 == 0 else f"page {page:11}".encode()
        assert first.read(page * PAGE, 16) == right
    for area in (slow, fast):
        machine.init.swapoff(area.path)
    machine.verify()


def _swapon(machine: sf.Machine, path: Path, pages: int, priority: int) -> SwapArea:
    machine.init.swapon(swapfile(path, pages), sf.SWAP_FLAG_PREFER | priority)
    return machine.init.swap_ns.areas[-1]


def test_slots_of_a_checkpoint_do_not_move(tmp_path: Path) -> None:
    """They cannot be in a namespace with two areas: pinned by hand, they stay and lose nobody."""
    rig = Rig(50, 500)
    plug = rig.demote("on-full", batch=10)
    heap = rig.program(45, 10)
    heap.touch(write=True)
    slots = np.arange(1, 36, dtype=np.uint32)
    slot_pins.pin(rig.machine.core, rig.fast.number, slots)
    other = rig.program(100, 10)
    other.touch(write=True)
    rig.machine.verify()
    assert rig.where(heap)[FAST] == set(range(35)) and plug.demoted > 0
    heap.munmap()
    rig.machine.verify()
    assert rig.used(rig.fast) >= 35, "a checkpoint names them still"
    slot_pins.unpin(rig.machine.core, rig.fast.number)
    rig.machine.verify()


def test_pages_may_only_go_where_their_namespace_may(tmp_path: Path) -> None:
    """The area of a child namespace is full; the host's has room and is no target for it."""
    machine = sf.Machine("1MiB", cache=0, overcommit=1)
    host = _swapon(machine, tmp_path / "host", 500, 5)
    login = machine.init.clone(sf.NEWSWAP | sf.NEWIPC)
    login.swapon(swapfile(tmp_path / "login", 40))
    area = login.swap_ns.areas[0]
    plug = machine.demote("on-full", source=[area], target=[host])
    with pytest.raises(sf.TaskKilled):
        login.mmap(400 * PAGE).touch(write=True)
    assert plug.demoted == 0 == host.info["inuse"]
    machine.verify()


def test_to_zram_and_from_it() -> None:
    """Its memory follows: what leaves the quick area takes none any more."""
    rig = Rig(200, 2000, devices=("zram", "sata-ssd"))
    plug = rig.demote("on-full", batch=32)
    heap = rig.program(900, 100, policy=None)
    heap.touch(write=True)
    zram = rig.devices[0]
    assert zram is not None and plug.demoted > 300
    assert zram.counters()["stored_pages"] <= 200 == rig.fast.info["pages"]
    assert zram.counters()["pages_in"] == plug.demoted
    rig.machine.verify()
    up = Rig(2000, 2000, devices=("sata-ssd", "zram"))
    device = up.devices[1]
    assert device is not None
    down = up.machine.demote("on-full", source=[up.fast], target=[up.slow])
    up.program(1900, 100, policy=None).touch(write=True)
    assert down.demoted == 0 == device.counters()["stored_pages"]
    up.program(900, 100, policy=None).touch(write=True)
    assert device.counters()["stored_pages"] == up.used(up.slow) == down.demoted > 0
    up.machine.verify()


def test_a_target_that_is_full_is_a_failure_and_costs_no_page() -> None:
    rig = Rig(30, 20)
    plug = rig.demote("on-full", batch=8)
    heap = rig.program(60, 20)
    heap.touch(write=True)
    assert rig.used(rig.fast, rig.slow) == 40 and heap.count() == (20, 40, 0)
    with pytest.raises(sf.TaskKilled):
        rig.program(40, 10).touch(write=True)
    assert plug.counters()["failed"] > 0 and heap.count() == (20, 40, 0)
    rig.machine.verify()


def test_a_chain_of_three_areas_hands_down() -> None:
    rig = Rig(20, 40)
    last = rig.machine.add_swap(401 * PAGE, priority=1)
    first = rig.demote("on-full", batch=5)
    second = rig.machine.demote("on-full", source=[rig.slow], target=[last], batch=5)
    heap = rig.program(200, 10)
    heap.touch(write=True)
    assert first.demoted > second.demoted > 0 and rig.used(last) == second.demoted
    assert rig.used(rig.fast, rig.slow, last) == 190
    rig.machine.verify()


# ---------------------------------------------------------------- who pays


def test_who_allocates_waits_for_both_devices() -> None:
    """The time of a run is that of the same run without demotion, and of the moves."""
    times = []
    for asked in (False, True):
        rig = Rig(50, 2000, devices=("optane", "nbd"))
        plug = rig.demote("on-full", batch=16) if asked else None
        run = rig.machine.together()
        cgroup = rig.machine.cgroup("/a", max=100 * PAGE)
        trace = generate("loop", pages=160, refs=400)
        program = run.program("a", trace, cgroup=cgroup, think="1us")
        run.until()
        assert sum(program.times.values()) == program.wall
        times.append(program.times)
        if plug is not None:
            told = plug.counters()
            assert told["ns"] > told["demoted"] // 16 * 250_000, "nbd has 250 us a request"
            assert times[1]["tags"] - times[0]["tags"] >= told["ns"] * 0.9
        rig.machine.verify()


def test_a_promotion_holds_nobody_up() -> None:
    rig = Rig(50, 2000, devices=("optane", "nbd"))
    plug = rig.demote("on-refault")
    run = rig.machine.together()
    cgroup = rig.machine.cgroup("/a", max=100 * PAGE)
    trace = generate("zipf", pages=300, refs=20_000, seed=1)
    program = run.program("a", trace, cgroup=cgroup, think="1us")
    run.until()
    told = plug.counters()
    assert told["promoted"] > 50 < told["demoted"]
    assert told["ns"] <= told["pages_read"] * 10_000, "the processor's part of two requests"
    assert sum(program.times.values()) == program.wall
    rig.machine.verify()


def test_promotion_brings_what_is_used_to_the_quick_area() -> None:
    """Two thirds of the references go to 60 pages, which lie in the slow area at first."""

    def from_quick(asked: bool) -> float:
        rig = Rig(120, 2000, devices=("optane", "nbd"))
        if asked:
            rig.demote("on-refault")
        heap = rig.program(400, 40, policy=None)
        heap.touch(write=True)  # the first ones are in the quick area
        before = [area.info["pswpin"] for area in (rig.fast, rig.slow)]
        rng = random.Random(2)
        pages = [rng.randrange(300, 360) if rng.random() < 0.67 else rng.randrange(400)
                 for _ in range(4000)]  # fmt: skip
        heap.touch(pages)
        quick, slow = (
            area.info["pswpin"] - was
            for area, was in zip((rig.fast, rig.slow), before, strict=True)
        )
        rig.machine.verify()
        return float(quick / (quick + slow))

    assert from_quick(False) < 0.35 < 0.5 < from_quick(True)


# ---------------------------------------------------------------- at a rate


def test_an_actor_keeps_the_source_between_its_marks() -> None:
    rig = Rig(400, 4000, devices=("optane", "sata-ssd"))
    plug = rig.demote("proactive", high=0.8, low=0.5, rate="64MiB", batch=32)
    run = rig.machine.together(seed=1)
    cgroup = rig.machine.cgroup("/a", max=200 * PAGE)
    trace = generate("loop", pages=900, refs=900 * 6)
    program = run.program("a", trace, cgroup=cgroup, think="20us")
    shares = []
    for ms in range(10, 4000, 10):
        run.until(f"{ms}ms")
        shares.append(rig.used(rig.fast) / 400)
        if ms % 40 == 0:
            rig.machine.verify()
        if not program.alive:
            break
    assert plug.demoted > 300 and max(shares) <= 1
    assert shares[-1] < 0.8 and not program.alive
    assert sum(program.times.values()) == program.wall
    assert plug.counters()["failed"] == 0


def test_no_faster_than_its_rate() -> None:
    """1 MiB/s is 256 pages a second."""
    rig = Rig(400, 4000, devices=("optane", "optane"))
    heap = rig.program(500, 110, policy=None)
    heap.touch(write=True)
    assert rig.used(rig.fast) > 380
    plug = rig.demote("proactive", high=0.6, low=0.1, rate="1MiB", batch=16)
    run = rig.machine.together()
    run.program("idle", generate("loop", pages=2, refs=1000), think="1ms")
    moved = []
    for ms in (250, 500, 750, 1000):
        run.until(f"{ms}ms")
        moved.append(plug.demoted)
    assert all(abs(pages - k * 64) <= 16 for k, pages in enumerate(moved, 1))
    rig.machine.verify()


@pytest.mark.parametrize("cpus", [None, 1])
def test_it_begins_above_one_mark_and_ends_at_the_other(cpus: int | None) -> None:
    rig = Rig(400, 4000, devices=("optane", "optane"))
    heap = rig.program(500, 200, policy=None)
    heap.touch(write=True)
    used = rig.used(rig.fast)
    plug = rig.demote("proactive", high=0.9, low=0.5, rate="1GiB")
    run = rig.machine.together(cpus=cpus)
    program = run.program("idle", generate("loop", pages=2, refs=1000), think="1us")
    run.until()
    assert used < 0.9 * 400 and plug.demoted == 0, "not above it"
    plug.stop()
    lower = rig.demote("proactive", high=0.6, low=0.5, rate="1GiB")
    again = rig.machine.together(cpus=cpus)
    again.program("idle", generate("loop", pages=2, refs=30_000), think="1us")
    again.until()
    left = rig.used(rig.fast)
    assert left <= 200 and lower.demoted == used - left < used - 200 + 64
    assert plug.demoted == 0 and sum(program.times.values()) == program.wall
    rig.machine.verify()


def test_an_actor_that_moves_nothing_is_in_nobodys_way() -> None:
    """The target is full: it tries ten times a second, and holds no processor meanwhile."""
    rig = Rig(100, 10, devices=("optane", "optane"))
    rig.program(110, 2, policy=None).touch(write=True)
    plug = rig.demote("proactive", high=0.5, low=0.1)
    run = rig.machine.together(cpus=1)
    cgroup = rig.machine.cgroup("/a", max=50 * PAGE)
    trace = generate("loop", pages=40, refs=20_000)
    program = run.program("a", trace, cgroup=cgroup, think="20us")
    run.until()
    assert rig.used(rig.slow) == 10 and plug.demoted == 2 and 0 < plug.counters()["failed"] < 20
    assert program.times["cpu"] < 1_000_000 and sum(program.times.values()) == program.wall
    rig.machine.verify()


# ---------------------------------------------------------------- asked and not asked


def test_a_plug_that_has_nothing_to_do_changes_nothing() -> None:
    """Byte for byte: its areas are never full, and no page is read from the slow one."""
    seen = []
    for asked in (False, True):
        rig = Rig(3000, 3000, devices=("optane", "nbd"))
        if asked:
            for when in WHEN:
                rig.demote(when)
        run = rig.machine.together(seed=1)
        for name in ("a", "b"):
            cgroup = rig.machine.cgroup(f"/{name}", max=100 * PAGE)
            trace = generate("zipf", pages=300, refs=5000, seed=ord(name))
            run.program(name, trace, cgroup=cgroup, think="1us")
        run.until()
        seen.append([(p.wall, p.times, p.latency) for p in run.programs] + [rig.machine.vmstat()])
    assert seen[0] == seen[1]


def test_a_plug_that_is_stopped_moves_nothing_and_keeps_its_counts() -> None:
    rig = Rig(30, 300)
    plug = rig.demote("on-full", batch=4)
    heap = rig.program(200, 10)
    heap.touch(slice(0, 100), write=True)
    before = plug.counters()
    plug.stop()
    plug.stop()
    heap.touch(slice(100, 200), write=True)
    assert plug.counters() == before and before["demoted"] > 0 and plug.stopped
    assert "on-full" in repr(plug)
    rig.demote("on-full", batch=4)  # another one may take its place
    rig.machine.verify()


def test_an_area_that_is_swapped_off_leaves_its_plugs() -> None:
    rig = Rig(30, 300)
    rig.demote("on-full", batch=4)
    up = rig.demote("on-refault", batch=4)
    task = rig.machine.init.fork("job")
    group = rig.machine.memory_group(0)
    group.add(task)
    heap = task.mmap(100 * PAGE)
    heap.touch(write=True)
    sf._core.reclaim(rig.machine.core, group.number, 90)
    assert rig.used(rig.fast, rig.slow) >= 90 and rig.used(rig.slow) >= 60
    rig.machine.init.swapoff(rig.slow.path)
    rig.machine.verify()
    again = rig.machine.add_swap(301 * PAGE, priority=5)  # it may have the same number
    sf._core.reclaim(rig.machine.core, group.number, 90)
    heap.touch()
    assert rig.used(again) > 0 == up.promoted
    rig.machine.verify()


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"when": "never"}, "when is one of on-full, proactive, on-refault"),
        ({"source": []}, "source is one swap area at least"),
        ({"target": []}, "target is one swap area at least"),
        ({"batch": 0}, "batch is 1 to 512 pages"),
        ({"batch": 513}, "batch is 1 to 512 pages"),
        ({"low": 0.9}, "low and high are shares"),
        ({"high": 1.1}, "low and high are shares"),
        ({"low": -0.1}, "low and high are shares"),
        ({"rate": 100}, "rate is a page of 4096 bytes a second at least"),
    ],
)
def test_what_cannot_be_is_refused(keys: dict[str, Any], why: str) -> None:
    rig = Rig(30, 300)
    asked = {"when": "on-full", "source": [rig.fast], "target": [rig.slow], **keys}
    with pytest.raises(ValueError, match=why):
        rig.machine.demote(**asked)
    rig.demote("on-full")


def test_areas_that_cannot_be_are_refused() -> None:
    rig, other = Rig(30, 300), Rig(30, 300)
    with pytest.raises(ValueError, match="is source and target"):
        rig.machine.demote("on-full", source=[rig.fast], target=[rig.slow, rig.fast])
    with pytest.raises(ValueError, match="no swap area that is on in this machine"):
        rig.machine.demote("on-full", source=[rig.fast], target=[other.slow])
    rig.machine.init.swapoff(rig.slow.path)
    with pytest.raises(ValueError, match="no swap area that is on in this machine"):
        rig.demote("on-full")
    other.demote("proactive")
    with pytest.raises(ValueError, match="has a plug for proactive already"):
        other.demote("proactive")
    other.demote("on-full")
