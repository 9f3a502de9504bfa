"""zram: what its compressed pages take of the machine's memory, and what happens when that is full.

Sources: drivers/block/zram (mm_stat, mem_limit), mm/zsmalloc.c, mm/page_io.c.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import swapfast as sf
from swapfast.core import mapping_table
from swapfast.devices import DeviceConfig
from swapfast.together import Device
from swapfast.traces import generate
from tests.reference.splitmix import splitmix, unit_open
from tests.support.swapfiles import PAGE, swapfile

PROFILES = ("6.18", "6.18-mglru", "2.6.25")


def boot(pages: int = 2000, profile: str = "6.18", **keys: Any) -> tuple[sf.Machine, Device]:
    """A machine without contents, with an area of 3000 slots on zram."""
    machine = sf.Machine(pages * PAGE, profile, contents=False, cache=0, overcommit=1)
    device = machine.device("z", "zram", **keys)
    machine.add_swap(3001 * PAGE, device=device)
    return machine, device


def limited(machine: sf.Machine, pages: int, limit: int) -> sf.kernel.state.Mapping:
    """A task that has written to so many pages under a limit of its group."""
    task = machine.init.fork("job")
    machine.memory_group(limit * PAGE).add(task)
    heap = task.mmap(pages * PAGE)
    heap.touch(write=True)
    return heap


def sizes(device: Device, pages: Iterable[int], seed: int = 0) -> int:
    """Bytes of pages, the slow way."""
    config = device.config
    least, span = config.compressed
    total = 0
    for page in pages:
        u = unit_open(splitmix(seed, device.number, page))
        if u < config.incompressible:
            total += PAGE
        else:
            share = (u - config.incompressible) / (1 - config.incompressible)
            total += max(math.floor(least + span * share + 0.5), 1)
    return total


def out_of_memory(heap: sf.kernel.state.Mapping) -> list[int]:
    """Numbers of its pages that have a slot."""
    core = heap.mm.kernel.core
    entry = mapping_table.state(core, heap.number, 0, heap.pages)[1]
    return [heap.base + int(i) for i in np.flatnonzero(entry)]


# ---------------------------------------------------------------- how much a page takes


@settings(max_examples=40, deadline=None)
@given(
    ratio=st.floats(1, 20),
    share=st.floats(0, 1),
    seed=st.integers(0, 9),
    limit=st.integers(100, 400),
)
def test_bytes_are_those_of_the_slow_twin(
    ratio: float, share: float, seed: int, limit: int
) -> None:
    machine, device = boot(ratio=ratio, incompressible=share / ratio, seed=seed)
    heap = limited(machine, 500, limit)
    told = device.counters()
    out = out_of_memory(heap)
    assert told["stored_pages"] == len(out) >= 500 - limit
    assert told["compressed_bytes"] == sizes(device, out, seed)
    assert told["pool_bytes"] == -(-told["compressed_bytes"] // PAGE) * PAGE
    assert told["saved_pages"] == len(out) - told["pool_bytes"] // PAGE
    machine.verify()


@pytest.mark.parametrize(("ratio", "share"), [(3, 0.05), (1.2, 0), (2, 0.4), (10, 0.05), (1, 1)])
def test_the_mean_is_the_ratio_and_the_share_is_stored_whole(ratio: float, share: float) -> None:
    """Of ten thousand pages, within four standard errors."""
    n = 10_000
    machine = sf.Machine("256MiB", contents=False, cache=0)
    device = machine.device("z", "zram", ratio=ratio, incompressible=share, seed=3)
    machine.add_swap((n + 2000) * PAGE, device=device)
    limited(machine, n, 100)
    told = device.counters()
    mean = told["compressed_bytes"] / told["stored_pages"]
    assert mean == pytest.approx(PAGE / ratio, abs=4 * PAGE / 2 / math.sqrt(n))
    least, span = DeviceConfig.of("zram", ratio=ratio, incompressible=share).compressed
    assert 0 < least <= least + span <= PAGE


def test_a_seed_is_another_pool_and_a_page_keeps_its_size() -> None:
    def once(seed: int) -> int:
        machine, device = boot(seed=seed)
        heap = limited(machine, 500, 100)
        first = device.counters()["compressed_bytes"]
        out = out_of_memory(heap)
        heap.touch(write=True)
        heap.touch(write=True)
        if out_of_memory(heap) == out:
            assert device.counters()["compressed_bytes"] == first
        return first

    assert once(1) == once(1) != once(2)


# ---------------------------------------------------------------- whose memory it is


@pytest.mark.parametrize("profile", PROFILES)
def test_it_is_used_memory_and_charged_to_nobody(profile: str) -> None:
    machine, device = boot(profile=profile)
    heap = limited(machine, 800, 300)
    memory, told = machine.core.memory(), device.counters()
    assert memory["pool"] * PAGE == told["pool_bytes"] > 100 * PAGE
    assert memory["free"] == memory["total"] - memory["used"] - memory["pool"]
    assert memory["used"] == heap.count()[0] <= 300
    assert machine.meminfo()["MemFree"] == memory["free"] * 4
    machine.verify()


@pytest.mark.parametrize("profile", PROFILES)
def test_slots_that_are_freed_give_it_back(profile: str) -> None:
    machine, device = boot(profile=profile)
    heap = limited(machine, 800, 300)
    before = device.counters()
    heap.munmap(0, 400 * PAGE)
    machine.verify()
    assert 0 < device.counters()["stored_pages"] < before["stored_pages"]
    heap.mm.kernel.core.verify()
    machine.init.swapoff(machine.areas[0].path)
    told = device.counters()
    assert told["stored_pages"] == told["compressed_bytes"] == machine.core.memory()["pool"] == 0
    assert told["pages_out"] == before["pages_out"], "what was stored is not forgotten"
    machine.verify()


def test_pages_of_zeroes_take_nothing(tmp_path: Path) -> None:
    machine = sf.Machine("4MiB", cache=0)
    device = machine.device("z", "zram", ratio=1, incompressible=1)
    machine.init.swapon(swapfile(tmp_path / "s", 500))
    device.carry(machine.areas[0])
    task = machine.init.fork("job")
    machine.memory_group(20 * PAGE).add(task)
    heap = task.mmap(100 * PAGE)
    heap.touch(write=True)
    assert heap.count()[1] >= 80 and device.counters()["stored_pages"] == 0
    for page in range(100):
        heap.write(page * PAGE, b"x")
    assert device.counters()["stored_pages"] == heap.count()[1] >= 80
    for page in range(100):
        heap.write(page * PAGE, bytes(1))
    machine.verify()
    assert device.counters()["stored_pages"] == 0


def test_the_machine_is_full_sooner_the_worse_it_compresses() -> None:
    """400 pages of memory for 1000: what fits depends on the ratio, and the OOM killer knows."""

    def runs(ratio: float) -> bool:
        machine, device = boot(400, ratio=ratio, incompressible=0)
        task = machine.init.fork("job")
        try:
            task.mmap(1000 * PAGE).touch(write=True)
        except sf.TaskKilled:
            return False
        machine.verify()
        told = device.counters()
        assert told["saved_pages"] + 400 >= 1000
        return True

    assert [runs(ratio) for ratio in (1, 1.3, 2, 4, 10)] == [False, False, False, True, True]


@pytest.mark.parametrize("profile", PROFILES)
def test_reclaim_takes_the_last_page_for_it_and_no_more(profile: str) -> None:
    """Nothing compresses: a page that goes needs a page, and the machine has none left for it."""
    machine, device = boot(300, profile, ratio=1, incompressible=1)
    with pytest.raises(sf.TaskKilled):
        machine.init.fork("job").mmap(500 * PAGE).touch(write=True)
    machine.verify()
    assert machine.core.memory()["pool"] == 0
    assert device.counters()["limit_hits"] == 0 < device.counters()["pages_out"]


# ---------------------------------------------------------------- limit


@pytest.mark.parametrize("profile", PROFILES)
def test_a_page_beyond_the_limit_stays_and_its_slot_is_free(profile: str) -> None:
    machine, device = boot(profile=profile, limit=50 * PAGE, ratio=2, incompressible=0)
    task = machine.init.fork("job")
    machine.memory_group(100 * PAGE).add(task)
    heap = task.mmap(300 * PAGE)
    with pytest.raises(sf.TaskKilled):
        heap.touch(write=True)
    told = device.counters()
    assert told["limit_hits"] > 0 == told["no_memory"]
    assert told["pool_bytes"] == machine.areas[0].used == 0
    (record,) = machine.oom_records
    assert record.rss <= 100 and record.free_slots > 2800
    assert 90 <= record.swap <= 110, "50 pages of a half each"
    machine.verify()


def test_what_was_refused_is_dirty_and_active() -> None:
    machine, device = boot(limit=20 * PAGE, ratio=1, incompressible=1)
    task = machine.init.fork("job")
    group = machine.memory_group(0)
    group.add(task)
    heap = task.mmap(100 * PAGE)
    heap.touch(write=True)
    before = machine.vmstat()["pgactivate"]
    assert sf._core.reclaim(machine.core, group.number, 60) == 20
    told = device.counters()
    assert (told["stored_pages"], heap.count()[1]) == (20, 20)
    assert machine.vmstat()["pgactivate"] - before >= 80
    assert told["limit_hits"] >= 80 and machine.vmstat()["pswpout"] == 20
    state = mapping_table.state(machine.core, heap.number, 0, 100)[0]
    assert sum(bool(s & sf._core.DIRTY) for s in state) == 80
    machine.verify()


def test_a_limit_is_whole_pages_as_in_zram() -> None:
    for limit, pages in ((1, 1), (PAGE, 1), (PAGE + 1, 2)):
        machine, device = boot(limit=limit, ratio=1, incompressible=1)
        group = machine.memory_group(0)
        task = machine.init.fork("job")
        group.add(task)
        task.mmap(100 * PAGE).touch(write=True)
        sf._core.reclaim(machine.core, group.number, 50)
        assert device.counters()["stored_pages"] == pages


# ---------------------------------------------------------------- beside other things


def test_an_area_that_holds_pages_brings_them_along() -> None:
    machine, device = boot()
    area = machine.add_swap(1001 * PAGE, priority=5)
    heap = limited(machine, 400, 100)
    assert area.used >= 300 and device.counters()["stored_pages"] == 0
    device.carry(area)
    machine.verify()
    assert device.counters()["compressed_bytes"] == sizes(device, out_of_memory(heap))


def test_a_checkpoint_goes_beyond_the_limit(tmp_path: Path) -> None:
    """What it pushes out is in the swapfile already: the device has to take it."""
    machine = sf.Machine("4MiB", cache=0, overcommit=1)
    login = machine.init.clone(sf.NEWSWAP | sf.NEWIPC)
    login.swapon(swapfile(tmp_path / "s", 200))
    device = machine.device("z", "zram", limit=5 * PAGE, ratio=1, incompressible=1)
    device.carry(machine.areas[0])
    heap = login.mmap(50 * PAGE)
    for page in range(50):
        heap.write(page * PAGE, b"data")
    machine.checkpoint(login.swap_ns, tmp_path / "image", kind="pinned")
    assert device.counters()["stored_pages"] == 50
    machine.verify()
    heap.touch(write=True)
    heap.munmap()
    machine.verify()
    assert device.counters()["stored_pages"] == 50, "pinned slots keep their bytes"


@pytest.mark.parametrize("profile", ["6.18", "6.18-mglru"])
def test_side_by_side_it_adds_up(profile: str) -> None:
    machine = sf.Machine("8MiB", profile, contents=False, cache=0)
    device = machine.device("z", "zram", limit="2MiB", seed=1)
    machine.add_swap("16MiB", device=device)
    run = machine.together(seed=1)
    for name in ("a", "b"):
        trace = generate("zipf", pages=1100, refs=20_000, seed=ord(name))
        run.program(name, trace, think="200ns", loops="forever", stop="50ms")
    for ms in range(5, 60, 5):
        run.until(f"{ms}ms")
        machine.verify()
        memory, told = machine.core.memory(), device.counters()
        assert memory["used"] + memory["pool"] + memory["free"] == memory["total"]
        assert told["pool_bytes"] <= 2 << 20
    assert device.counters()["pages_out"] > 100
    assert all(sum(p.times.values()) == p.wall for p in run.programs)
