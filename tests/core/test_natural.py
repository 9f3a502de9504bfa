"""What a program gets that nobody observes: stale statistics, a TLB, read-ahead by addresses.

The golden counters were printed by an implementation whose counters for a published trace are those
of a second one, written from the same description.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import swapfast as sf
from swapfast.cli.commands import swapfast
from swapfast.replay import ReplayResult, replay, stamp_mismatches
from swapfast.swapfile import mkswap
from swapfast.traces import Trace, generate, save_npz

PAGE = 4096
BARE = {"times": {"reference": 20}, "plug": "own"}  # what the golden counters were made with
SECOND = 1_000_000_000
COUNTERS = ("pgmajfault", "pswpin", "pswpout", "pgscan", "pgactivate", "pgdeactivate")


def counters(result: ReplayResult) -> tuple[int, ...]:
    return tuple(getattr(result, name) for name in COUNTERS)


@pytest.fixture(scope="module")
def drift() -> Trace:
    """A spot that moves once around: some 1.5 simulated seconds of swap-ins at half its memory."""
    return generate("drift", pages=2048, refs=122_048, seed=3, options={"width": 0.1})


def run(trace: Trace, memory: str = "40%", **options: object) -> ReplayResult:
    settings = {"page_cluster": 0, **BARE, **options}
    return replay(trace, memory, policy="linux-6.18", **settings)  # type: ignore


# ---------------------------------------------------------------- statistics


def test_before_the_first_refresh_no_refault_is_activated(drift: Trace) -> None:
    early = drift.head(60_000)
    exact = run(early)
    late = run(early, statistics="stale", statistics_phase=2 * SECOND - 1)
    assert late.simulated_s < 2
    assert exact.pgdeactivate > 0 and exact.workingset_activate_anon > 0
    assert late.workingset_activate_anon == 0
    # Lists of no pages are balanced: only a round that freed nothing deactivates.
    assert 0 < late.pgdeactivate < late.pgactivate < exact.pgdeactivate / 10


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [
        (0, (33607, 33607, 14885, 102008, 16978, 20307)),
        (1, (33667, 33667, 14909, 102123, 16987, 20285)),
        (50, (13450, 13450, 11038, 75495, 34474, 39907)),
        (400, (15358, 15358, 10533, 70298, 26550, 31914)),
        (900, (20815, 20815, 11797, 78658, 22573, 27137)),
    ],
)
def test_stale_statistics_by_phase(
    drift: Trace, milliseconds: int, expected: tuple[int, ...]
) -> None:
    phase = milliseconds * 1_000_000
    assert counters(run(drift, statistics="stale", statistics_phase=phase)) == expected


def test_seeds_draw_the_phase(drift: Trace) -> None:
    drawn = [counters(run(drift, statistics="stale", seed=seed)) for seed in (0, 0, 1, 2)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) == 3
    assert counters(run(drift, seed=0)) == counters(run(drift, seed=1))


def test_a_new_group_waits_for_the_next_refresh() -> None:
    """Whatever it does after the first refresh does not show until the second."""
    machine = sf.Machine(
        "64MiB", contents=False, cache=0, page_cluster=0, statistics="stale", statistics_phase=0
    )
    machine.add_swap("64MiB")
    machine.core.set_now(1 * SECOND)
    task = machine.init.fork()
    machine.memory_group(64 * PAGE).add(task)
    heap = task.mmap(256 * PAGE)
    rng = np.random.default_rng(1)
    heap.touch(np.arange(256), write=True)
    while machine.now < 1.9 * SECOND:
        heap.touch(rng.integers(0, 80, 100))
    assert machine.core.counters()["pgactivate"] > 0
    assert machine.core.counters()["pgdeactivate"] == 0
    while machine.now < 2.5 * SECOND:
        heap.touch(rng.integers(0, 80, 100))
    assert machine.core.counters()["pgdeactivate"] > 0


# ---------------------------------------------------------------- TLB


@pytest.mark.parametrize(
    ("tlb", "seed", "expected"),
    [
        ("off", 0, (13373, 13373, 11262, 74298, 31595, 33373)),
        ("natural", 0, (14039, 14039, 11920, 73185, 28422, 30231)),
        ("natural", 1, (14054, 14054, 12066, 73460, 28464, 30579)),
        ("fresh", 0, (17415, 17415, 15715, 66481, 11012, 13546)),
    ],
)
def test_tlb(drift: Trace, tlb: str, seed: int, expected: tuple[int, ...]) -> None:
    assert counters(run(drift, tlb=tlb, seed=seed)) == expected


def test_a_used_page_looks_idle_until_the_tlb_is_flushed() -> None:
    """One page is read before each write to a new one."""
    cold = np.arange(1, 3000, dtype=np.uint32) | np.uint32(1 << 31)
    refs = np.zeros(2 * len(cold), dtype=np.uint32)
    refs[1::2] = cold
    refs[0] |= np.uint32(1 << 31)
    trace = Trace(refs, 3000)
    faults = {tlb: run(trace, "10%", tlb=tlb).pgmajfault for tlb in ("off", "fresh")}
    assert faults["off"] == 0
    assert faults["fresh"] >= 2999 // 300  # each time the list has gone round


@pytest.mark.parametrize("policy", ["linux-6.18", "lru", "fifo"])
def test_the_tlb_loses_no_write(tmp_path: Path, policy: str) -> None:
    trace = generate("zipf", pages=300, refs=30_300, seed=5)
    mkswap(tmp_path / "area", size="4MiB")
    with sf.Machine("64MiB", cache=0, tlb="fresh") as machine:
        machine.init.swapon(tmp_path / "area")
        task = machine.init.fork()
        machine.memory_group(100 * PAGE, policy=policy).add(task)
        heap = task.mmap(300 * PAGE)
        machine.replay(trace, heap, tag="tlb")
        machine.verify()
        assert machine.core.counters()["pswpin"] > 1000
        # A child's first write must not reach the parent through a translation.
        child = task.fork()
        heap.inherited_by(child).touch(np.arange(300), write=True)
        assert stamp_mismatches(heap, trace, "tlb") == []
        machine.verify()


# ---------------------------------------------------------------- read-ahead

LIMIT, HEAP = 64, 2048


class SwappedOut:
    """A heap whose first 1900 pages are in swap only, beginning on a page table of its own."""

    def __init__(self, readahead: str = "vma", shared: bool = False) -> None:
        self.machine = sf.Machine("64MiB", contents=False, cache=0, readahead=readahead)
        self.machine.add_swap("64MiB")
        self.task = self.machine.init.fork()
        self.machine.memory_group(LIMIT * PAGE, policy="fifo").add(self.task)
        self.heap = self.task.mmap(HEAP * PAGE, shared=shared)
        assert self.heap.addr % (512 * PAGE) == 0
        self.heap.touch(np.random.default_rng(2).permutation(1900), write=True)
        self.heap.touch(np.arange(1900, HEAP), write=True)

    def majors(self, *pages: int) -> int:
        before = self.machine.core.counters()["pgmajfault"]
        self.heap.touch(list(pages))
        return self.machine.core.counters()["pgmajfault"] - before


@pytest.mark.parametrize(
    ("touched", "first", "last"),
    [
        ([100], 97, 104),  # a new range counts as four hits: 8 pages around the fault
        ([0], 0, 4),  # not before the mapping
        ([511], 508, 511),  # not over the end of the page table
        ([511, 512], 512, 515),  # upwards; never less than half the last window
        ([512, 511], 508, 511),  # downwards
        ([100, 300], 299, 302),
        ([100, 101, 102, 103, 300], 297, 304),  # three hits
    ],
)
def test_window_in_the_address_space(touched: list[int], first: int, last: int) -> None:
    looked_at = range(max(first - 3, 0), last + 4)

    def cached_after(faults: list[int]) -> set[int]:
        found = set()
        for page in looked_at:
            case = SwappedOut()
            case.majors(*faults)
            if not case.majors(page):
                found.add(page)
        return found

    before = cached_after(touched[:-1])
    assert cached_after(touched) - before == set(range(first, last + 1)) - before
    assert not before & {first, last}


def test_neighbours_in_the_address_space_are_not_those_in_the_area() -> None:
    """Written in random order, read in order of addresses."""
    pages = range(1900)
    vma, cluster = SwappedOut("vma"), SwappedOut("cluster")
    assert vma.majors(*pages) < 1900 / 6
    assert cluster.majors(*pages) > 1900 / 2
    assert vma.machine.vmstat()["swap_ra_hit"] > 1900 * 4 / 5


def test_a_child_inherits_the_window() -> None:
    case = SwappedOut()
    case.majors(100)
    before = case.machine.core.counters()["swap_ra"]
    child = case.task.fork()
    case.heap.inherited_by(child).touch([300])
    assert case.machine.core.counters()["swap_ra"] - before == 3


def test_shared_objects_are_read_ahead_by_slots() -> None:
    counts = []
    for readahead in ("vma", "cluster"):
        case = SwappedOut(readahead, shared=True)
        case.majors(*range(500))
        counts.append(case.machine.core.counters())
    assert counts[0] == counts[1] and counts[0]["swap_ra"] > 0


def test_readahead_off_is_off_for_both() -> None:
    trace = generate("zipf", pages=500, refs=5500, seed=1)
    vma, cluster = (run(trace, readahead=how) for how in ("vma", "cluster"))
    assert counters(vma) == counters(cluster) and vma.swap_ra == 0


# ---------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"statistics": "old"}, "exact, stale"),
        ({"tlb": "on"}, "off, natural, fresh"),
        ({"readahead": "none"}, "cluster, vma"),
        ({"statistics_phase": 2 * SECOND}, "statistics_phase"),
        ({"statistics_phase": -1}, "statistics_phase"),
        ({"seed": -1}, "seed"),
        ({"profile": "2.6.25", "statistics": "stale"}, "6.18"),
        ({"profile": "2.6.25", "tlb": "natural"}, "6.18"),
        ({"profile": "2.6.25", "readahead": "vma"}, "6.18"),
    ],
)
def test_wrong_options(options: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        sf.Machine("64MiB", **options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=words):
        replay(generate("loop", pages=64, refs=128), "50%", **options)  # type: ignore[arg-type]


def test_policies_that_stand_alone_take_no_tlb() -> None:
    with pytest.raises(ValueError, match="sieve stands alone"):
        replay(generate("loop", pages=64, refs=128), "50%", policy="sieve", tlb="natural")


def test_the_command_hands_the_options_on(tmp_path: Path, drift: Trace) -> None:
    path = tmp_path / "drift.npz"
    save_npz(path, drift)
    words = f"replay {path} -m 40% -p linux-6.18 --statistics stale --tlb fresh --readahead vma"
    result = CliRunner().invoke(swapfast, [*words.split(), "--seed", "4", "--json"])
    options = {"statistics": "stale", "tlb": "fresh", "readahead": "vma", "seed": 4}
    expected = replay(drift, "40%", policy="linux-6.18", **options)  # type: ignore[arg-type]
    printed = json.loads(result.stdout)
    assert tuple(printed[name] for name in COUNTERS) == counters(expected)
    assert printed["swap_ra"] == expected.swap_ra > 0
    wrong = CliRunner().invoke(swapfast, [*words.split(), "--tlb", "on"])
    assert wrong.exit_code == 2 and "natural" in wrong.stderr
