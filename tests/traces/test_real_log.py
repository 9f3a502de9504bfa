"""A log that valgrind wrote, from its bytes to the counters of a replay; see data/README.md."""

from __future__ import annotations

import lzma
from collections import OrderedDict
from hashlib import sha256
from pathlib import Path

import pytest

from swapfast.replay import replay
from swapfast.traces import WRITE, Trace, open_trace
from tests.traces import twin

LOG = Path(__file__).parent / "data" / "sort.lackey.xz"
LOADS, STORES, MODIFIES, FETCHES = 137_067, 66_906, 3_119, 535_854
CROSSINGS = 24  # loads and stores over the border of two pages count twice
FETCH_CROSSINGS = 196


@pytest.fixture(scope="module")
def trace():
    return open_trace(LOG)


@pytest.fixture(scope="module")
def collapsed():
    return open_trace(LOG, collapse=True)


def test_what_is_in_it(trace):
    assert trace.describe() == {
        "origin": "sort.lackey.xz",
        "kind": "full",
        "refs": LOADS + STORES + MODIFIES + CROSSINGS,
        "writes": 70_030,
        "pages": 100,
        "footprint_bytes": 409_600,
    }
    digest = "408edbbf2c46cb27410095061b962ae4e31bfc89b250f0546ec627182a9bbb06"
    assert sha256(trace.refs.astype("<u4").tobytes()).hexdigest() == digest


def test_with_instructions():
    trace = open_trace(LOG, instructions=True)
    expected = LOADS + STORES + MODIFIES + CROSSINGS + FETCHES + FETCH_CROSSINGS
    assert (len(trace), trace.pages, trace.writes) == (expected, 210, 70_030)


def test_its_first_part_is_what_the_twin_reads():
    text = lzma.decompress(LOG.read_bytes())[: 1 << 20].rpartition(b"\n")[0]
    found = open_trace(LOG, instructions=True, collapse=True)
    expected = twin.lackey(text, instructions=True, collapse=True)
    assert expected.broken is None
    assert len(expected.refs) > 10_000
    assert found.refs[: len(expected.refs)].tolist() == expected.refs
    assert found.addresses[: len(expected.addresses)].tolist() == expected.addresses


def test_collapsing_drops_only_repetitions(trace, collapsed):
    kept = []
    for ref in trace.refs.tolist():
        if not kept or kept[-1] not in (ref, ref | int(WRITE)):
            kept.append(ref)
    assert collapsed.refs.tolist() == kept
    assert len(kept) == 92_311


def counts(trace: Trace, memory: str, policy: str) -> tuple[int, ...]:
    result = replay(trace, memory, policy=policy)
    assert (result.refs_done, result.oom) == (len(trace), 0)
    return result.pgfault, result.pgmajfault, result.pswpin, result.pswpout


# Golden: any change of these counts is a change of the simulated kernel, meant or not.
GOLDEN = {
    "linux-6.18": (270, 109, 114, 108),
    "linux-2.6.25": (13_897, 9_230, 67_061, 4_260),
}


@pytest.mark.parametrize("policy", GOLDEN)
def test_replayed_into_a_fifth_of_its_memory(collapsed, policy):
    assert counts(collapsed, "20%", policy) == GOLDEN[policy]


@pytest.mark.parametrize("policy", ["linux-6.18", "linux-2.6.25"])
def test_memory_for_all_of_it_needs_no_swap(trace, policy):
    # One fault for each page; in 6.18 one more to write a page that was only read, the zero page.
    # 2.6.25 has none.
    pgfault, *others = counts(trace, "100%", policy)
    assert others == [0, 0, 0]
    first: dict[int, bool] = {}
    upgraded = set()
    for ref in trace.refs.tolist():
        page, write = ref & 0x7FFFFFFF, ref >> 31 == 1
        if write and not first.setdefault(page, write):
            upgraded.add(page)
        first.setdefault(page, write)
    assert len(upgraded) == 6
    assert pgfault == len(first) + (len(upgraded) if policy == "linux-6.18" else 0)


@pytest.mark.parametrize("share", [20, 30, 50])
def test_lru_faults_are_those_of_a_list(collapsed, share):
    written = Trace(collapsed.refs | WRITE, collapsed.pages)
    lru: OrderedDict[int, None] = OrderedDict()
    misses = 0
    for page in collapsed.refs & ~WRITE:
        if page in lru:
            lru.move_to_end(page)
            continue
        misses += 1
        lru[page] = None
        if len(lru) > share:
            lru.popitem(last=False)
    expected = (misses, misses - 100, misses - 100, misses - share)
    assert counts(written, f"{share}%", "lru") == expected
