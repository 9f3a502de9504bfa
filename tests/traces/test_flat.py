"""Traces that are one array in a file: ``.npy`` and raw. They are read in blocks, and may change.

- Whatever happens to the file, what is replayed was checked, or the replay ends with an error.
"""

from __future__ import annotations

import os
import threading
import tracemalloc

import numpy as np
import pytest

from swapfast.machine import Machine
from swapfast.mrc import Distances, Sample, miss_ratio_curve
from swapfast.replacement import POLICIES, Simulation, simulate
from swapfast.replay import replay
from swapfast.traces import StreamedTrace, Trace, generate, open_trace
from swapfast.units import PAGE_SIZE
from tests.support.npy import OBJECTS, REFS, header, packed

SHARED = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@pytest.fixture(params=["t.npy", "t.raw"])
def stored(request, tmp_path):
    """A function: references as a file; its path."""

    def store(refs):
        path = tmp_path / request.param
        if path.suffix == ".npy":
            np.save(path, refs)
        else:
            path.write_bytes(refs.tobytes())
        return path

    return store


def test_a_file_is_read_in_blocks(stored):
    refs = generate("uniform", pages=1000, refs=3_000_000, fill=False).refs  # 12 MB
    path = stored(refs)
    tracemalloc.start()
    try:
        trace = open_trace(path)
        assert isinstance(trace, StreamedTrace)
        assert (len(trace), trace.pages, trace.origin) == (len(refs), 1000, path.name)
        done = 0
        for part in trace.chunks(50_000):
            assert len(part) <= 50_000
            assert part.tobytes() == refs[done : done + len(part)].tobytes()
            done += len(part)
        assert done == len(refs)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
    assert (trace.refs == refs).all()
    assert trace.writes == int(np.count_nonzero(refs >> 31))


def replayed(trace, pages):
    machine = Machine("64MiB", contents=False)
    task = machine.init.fork("t")
    machine.add_swap("8MiB")
    machine.memory_group("256KiB").add(task)
    machine.replay(trace, task.mmap(pages * PAGE_SIZE))
    return machine.core.counters()


def test_a_file_replays_as_the_array_does(stored):
    whole = generate("zipf", pages=200, refs=5000)
    expected = replayed(whole, 200)
    assert expected["pswpin"] > 0
    trace = open_trace(stored(whole.refs))
    assert replayed(trace, 200) == expected
    for policy in POLICIES:
        assert simulate(trace, 60, policy).misses == simulate(whole, 60, policy).misses
    assert miss_ratio_curve(trace).faults.tolist() == miss_ratio_curve(whole).faults.tolist()


# --------------------------------------------------------------------- files that change

USES = {
    "lru": lambda trace: replay(trace, "50%", policy="lru"),
    "s3fifo": lambda trace: replay(trace, "50%", policy="s3fifo"),
    "opt": lambda trace: replay(trace, "50%", policy="opt"),
    "machine": lambda trace: replay(trace, "50%"),
    "curve": miss_ratio_curve,
    "curve of another": lambda trace: miss_ratio_curve(trace, "clock", sizes=[10, 20], threads=2),
    "refs": lambda trace: trace.refs,
    "head": lambda trace: trace.head(10),
}


def grown(path):
    with open(path, "ab") as file:
        file.write(bytes(4))


def rewritten(path):
    with open(path, "r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(bytes(4))
    os.utime(path, ns=(0, 1))  # the clock of a file system may be coarse


def replaced(path):
    other = path.with_suffix(".new")
    other.write_bytes(path.read_bytes())
    os.replace(other, path)


CHANGES = {
    "cut short": lambda path: os.truncate(path, 200),
    "emptied": lambda path: os.truncate(path, 0),
    "grown": grown,
    "rewritten": rewritten,
    "replaced": replaced,
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changed_is_refused(stored, use, change):
    path = stored(generate("zipf", pages=300, refs=1000).refs)
    trace = open_trace(path)
    CHANGES[change](path)
    with pytest.raises(ValueError, match=r"t\.(npy|raw): was changed since it was opened"):
        USES[use](trace)


@pytest.mark.parametrize("change", ["cut short", "emptied", "grown", "rewritten"])
def test_a_file_that_changes_during_a_replay_is_refused(stored, change):
    path = stored(generate("zipf", pages=300, refs=400_000).refs)
    trace = open_trace(path)
    seen = []

    def progress(done, of):
        if done and not seen:
            seen.append(done)
            CHANGES[change](path)

    with pytest.raises(ValueError, match=r"t\.(npy|raw): was changed since it was opened"):
        replay(trace, "50%", policy="lru", progress=progress)
    assert seen


def test_a_reference_that_leaves_the_trace_is_found_in_an_unchanged_file(stored, monkeypatch):
    # A map of the file changes it without a trace where the clock is coarse.
    path = stored(REFS)
    trace = open_trace(path)
    with open(path, "r+b") as file:
        file.seek(-8, os.SEEK_END)
        file.write(np.uint32(1 << 30).tobytes())
    monkeypatch.setattr("swapfast.traces.streamed.identity", lambda file: trace._opened)
    monkeypatch.setattr("swapfast.traces.flat.identity", lambda file: trace._opened)
    for use in USES.values():
        with pytest.raises(ValueError, match="reference 2: page 1073741824 of 3 pages"):
            use(trace)


@pytest.mark.parametrize("policy", ["lru", "s3fifo", "clock", "linux-6.18"])
@pytest.mark.skipif(SHARED is None, reason="no file system in memory, where maps leave no time")
def test_another_writer_does_no_harm(policy, request):
    path = f"{SHARED}/swapfast-{os.getpid()}-{policy}.npy"
    request.addfinalizer(lambda: os.unlink(path))
    np.save(path, np.zeros(1 << 20, dtype=np.uint32))
    mapped = np.memmap(path, dtype="<u4", mode="r+", offset=128)
    mapped[:] = np.random.default_rng(1).integers(0, 3000, 1 << 20)
    trace = open_trace(path)
    stop = threading.Event()

    def write():
        while not stop.is_set():
            mapped[::512] = 0x7FFFFFFF
            mapped[::512] = 5

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(3):
            with pytest.raises(ValueError, match=r"of 3000 pages|was changed"):
                for _ in range(50):
                    replay(trace, "50%", policy=policy)
    finally:
        stop.set()
        thread.join()


# --------------------------------------------------------------------- arrays of the caller


def test_a_trace_has_a_copy_of_its_own():
    refs = REFS.copy()
    trace = Trace(refs)
    refs[:] = 0x7FFFFFFF
    assert trace.refs.tolist() == REFS.tolist()
    assert trace.is_private
    given = Trace(refs[:1] * 0, private=True)
    assert all(np.shares_memory(part, given.refs) for part in given.chunks(1))


def test_references_of_a_trace_cannot_be_written_to(stored):
    refs = REFS.copy()
    for trace in (Trace(refs), Trace(refs, private=True), open_trace(stored(refs))):
        with pytest.raises(ValueError, match="read-only"):
            trace.refs[0] = 0x7FFFFFFF
        assert np.shares_memory(trace.refs, trace.refs)  # it is read once
    refs[0] = 1


def test_a_large_array_is_copied_piece_by_piece(monkeypatch):
    monkeypatch.setattr("swapfast.traces.trace.HOLD", 100)
    refs = generate("zipf", pages=50, refs=300_000, fill=False).refs.copy()
    refs[250_000] = 49
    trace = Trace(refs, 50)
    assert trace.refs is refs
    assert not trace.is_private
    assert not any(np.shares_memory(part, refs) for part in trace.chunks())
    assert np.concatenate(list(trace.chunks())).tolist() == refs.tolist()
    expected = {policy: simulate(trace, 20, policy).misses for policy in POLICIES}
    whole = Trace(refs.copy(), 50, private=True)
    assert expected == {policy: simulate(whole, 20, policy).misses for policy in POLICIES}
    refs[250_000] = 50
    for use in (*USES.values(), lambda t: simulate(t, 20, "opt")):
        if use not in (USES["refs"], USES["head"]):
            with pytest.raises(ValueError, match="page 50 of "):
                use(trace)
    with pytest.raises(ValueError, match="reference 250000: page 50 of 50 pages"):
        list(trace.chunks())


RUNS = {
    **{policy: lambda policy=policy: Simulation(policy, 400, 1000) for policy in POLICIES},
    "distances": lambda: Distances(1000),
    "sample": lambda: Sample(1000, 0.5),
}


@pytest.mark.parametrize("run", RUNS)
def test_an_array_that_changes_while_it_is_replayed(run):
    # Pages far outside: one that slipped through would end the process.
    refs = np.random.default_rng(3).integers(0, 1000, 1 << 18).astype(np.uint32)
    stop = threading.Event()

    def write():
        while not stop.is_set():
            refs[::64] = 0x7FFFFFFF
            refs[::64] = 5

    thread = threading.Thread(target=write)
    thread.start()
    try:
        refused = 0
        for _ in range(20):
            try:
                RUNS[run]().run(refs)
            except ValueError as error:
                assert "page 2147483647 of a trace of 1000 pages" in str(error)
                refused += 1
        assert refused
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("run", RUNS)
def test_references_outside_are_refused_before_anything_is_done(run):
    refs = np.zeros(20_000, dtype=np.uint32)
    refs[-1] = 1000
    made = RUNS[run]()
    with pytest.raises(ValueError, match=r"page 1000 of a trace of 1000 pages$"):
        made.run(refs)
    if run != "sample":
        assert made.refs == 0
    made.run(refs[:-1])


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("n", [1, 4095, 4096, 4097, 12_288, 20_000])
def test_copies_of_any_length_count_the_same(policy, n):
    refs = generate("zipf", pages=300, refs=n, fill=False).refs
    one, other = Simulation(policy, 50, 300), Simulation(policy, 50, 300)
    one.run(refs)
    other.run(refs, checked=True)
    assert one.counts() == other.counts()


# --------------------------------------------------------------------- broken files

NPY_BROKEN = {
    "signed": (packed(REFS.astype("i4")), "references are uint32 of one dimension"),
    "scalar": (packed(REFS[0]), "references are uint32 of one dimension"),
    "table": (packed(REFS.reshape(2, 2)), "one dimension"),
    "objects": (OBJECTS, "integers and text only"),
    "short": (packed(REFS)[:-1], "15 bytes of data, 16 announced"),
    "long": (packed(REFS) + b"x", "17 bytes of data, 16 announced"),
    "empty": (packed(REFS[:0]), "no references"),
    "header": (packed(REFS)[:40], "not an .npy array"),
    "unclosed": (header("'<u4'", "(1,"), "not an .npy array"),
    "deep": (header("'<u4'", "(" * 3000 + ")" * 3000), "not an .npy array"),
}


@pytest.mark.parametrize("case", NPY_BROKEN)
def test_broken_npy(tmp_path, case):
    data, cause = NPY_BROKEN[case]
    path = tmp_path / "t.npy"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=cause) as error:
        open_trace(path)
    assert str(error.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("data", "cause"), [(b"", "no references"), (bytes(7), "7 bytes are no whole")]
)
def test_broken_raw(tmp_path, data, cause):
    path = tmp_path / "t.u32"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=cause) as error:
        open_trace(path)
    assert str(error.value).startswith(f"{path}: ")
