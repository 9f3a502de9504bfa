"""Which reader a file gets; traces longer than memory; what a ``Trace`` refuses."""

from __future__ import annotations

import gzip
import os
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from swapfast.machine import Machine
from swapfast.mrc import miss_ratio_curve
from swapfast.replay import replay, stamp_mismatches
from swapfast.traces import FORMATS, StreamedTrace, Trace, bundled_trace, open_trace, save_npz
from swapfast.traces.formats import guess_format
from swapfast.traces.kinds import KINDS, caution
from swapfast.traces.streamed import gather
from swapfast.units import PAGE_SIZE

LACKEY = b"==9== Lackey\n L 1000,4\n S 2000,4\n"


def arrays(save, **kw):
    def write(path):
        with open(path, "wb") as file:
            save(file, **kw)

    return write


REFS = np.array([0, 1 | 1 << 31], dtype=np.uint32)
FILES = [
    ("log", LACKEY, "lackey"),
    ("log.txt", b"\n\n L 1000,4\n S 2000,4\n", "lackey"),
    ("log.csv", LACKEY, "lackey"),
    ("log.gz", gzip.compress(LACKEY, mtime=0), "lackey"),
    ("page", b"page,write\n7,0\n8,1\n", "csv"),
    ("log", b"Op, Address\nr,0\nw,4096\n", "csv"),
    ("t.lackey", gzip.compress(b"address,op,size\n0,R,1\n4096,W,2\n", mtime=0), "csv"),
    ("bom.csv", b"\xef\xbb\xbfpage,write\r\n7,0\r\n8,1\r\n", "csv"),
    ("t.raw", REFS.tobytes(), "raw"),
    ("t.u32", REFS.tobytes(), "raw"),
]


@pytest.mark.parametrize(("name", "data", "expected"), FILES)
def test_the_format_is_guessed_by_content_first(tmp_path, name, data, expected):
    path = tmp_path / name
    path.write_bytes(data)
    assert guess_format(str(path)) == expected
    trace = open_trace(path)
    assert trace.refs.tolist() == REFS.tolist()
    assert open_trace(path, format=expected).refs.tolist() == REFS.tolist()


def test_the_page_has_the_table():
    text = (Path(__file__).parents[2] / "docs" / "traces.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([a-z ]+) \|.*\|.*\| (\S+) \|$", text, re.M)
    assert rows == [(f.name, f.kind, f.source) for f in FORMATS.values()]
    kinds = re.findall(r"^\| `(\w+)` \|[^|]+\| (valid|not)[^|]*\| (valid|not)[^|]*\|$", text, re.M)
    uses = [
        tuple("not" if caution(k, use) else "valid" for use in ("replay", "curve")) for k in KINDS
    ]
    assert kinds == [(kind, *said) for kind, said in zip(KINDS, uses, strict=True)]


@pytest.mark.parametrize("name", ["t.npz", "t", "t.raw", "t.log"])
def test_arrays_are_known_by_their_magic(tmp_path, name):
    with open(tmp_path / name, "wb") as file:
        np.savez(file, refs=REFS, pages=2)
    assert guess_format(str(tmp_path / name)) == "npz"
    with open(tmp_path / name, "wb") as file:
        np.save(file, REFS)
    assert guess_format(str(tmp_path / name)) == "npy"
    assert open_trace(tmp_path / name).refs.tolist() == REFS.tolist()


@pytest.mark.parametrize("name", ["t.npz", "t.npy"])
@pytest.mark.parametrize("data", [b"", b"PK", LACKEY])
def test_a_suffix_that_lies(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=rf"{name}: byte 0: is not an \{name[1:]} file"):
        open_trace(tmp_path / name)


@pytest.mark.parametrize("format", FORMATS)
def test_a_format_that_is_wrong(tmp_path, format):
    path = tmp_path / "odd"
    path.write_bytes(b"hello\nworld")  # 11 bytes are no whole number of references
    with pytest.raises(ValueError, match="odd"):
        open_trace(path, format=format)


def test_an_unknown_format(tmp_path):
    with pytest.raises(ValueError, match="no trace format 'elf'; there are lackey, csv, npz, npy"):
        open_trace(tmp_path / "none", format="elf")


def test_the_format_of_a_pipe_must_be_named(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe: is no file whose first bytes can be read twice"):
        open_trace(tmp_path / "pipe")


def test_the_bundled_trace_is_what_its_description_says():
    trace = bundled_trace()
    assert (len(trace), trace.pages) == (222_184, 2_272)
    first = np.unique(trace.refs & np.uint32(0x7FFFFFFF), return_index=True)[1]
    assert (trace.refs[first] >> np.uint32(31)).all()


# --------------------------------------------------------------------- longer than memory


@pytest.fixture
def long_log(tmp_path):
    """A log of 60,000 references over 300 pages."""
    rng = np.random.default_rng(3)
    hot = rng.integers(0, 40, 60_000)
    pages = np.where(rng.random(60_000) < 0.7, hot, rng.integers(0, 300, 60_000))
    ops = np.where(rng.random(60_000) < 0.3, "S", "L")
    path = tmp_path / "long.gz"
    text = "".join(f" {op} {page:05x}000,8\n" for op, page in zip(ops, pages, strict=True))
    path.write_bytes(gzip.compress(text.encode()))
    return path


def test_a_streamed_trace_is_the_same_trace(tmp_path, long_log):
    whole, trace = open_trace(long_log), open_trace(long_log, hold=59_999)
    assert type(open_trace(long_log, hold=60_000)) is type(whole) is Trace
    assert isinstance(trace, StreamedTrace)
    assert trace.describe() == whole.describe()
    assert (trace.addresses == whole.addresses).all()
    assert (trace.refs == whole.refs).all()
    assert max(map(len, trace.chunks(999))) == 999
    assert trace.head(70).refs.tolist() == whole.head(70).refs.tolist()
    assert repr(trace) == repr(whole)
    save_npz(tmp_path / "a.npz", trace)
    save_npz(tmp_path / "b.npz", whole)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_streamed_trace_replays_the_same(long_log):
    counted = []
    for hold in (1 << 20, 1):
        for policy in (None, "lru", "opt"):
            result = replay(open_trace(long_log, hold=hold), "25%", policy=policy).as_dict()
            counted.append({k: v for k, v in result.items() if k not in ("wall_s", "refs_per_s")})
    assert counted[:3] == counted[3:]
    assert counted[0]["pswpin"] > 0


def test_a_streamed_trace_has_the_same_curve(long_log):
    curves = [miss_ratio_curve(open_trace(long_log, hold=hold)) for hold in (1 << 20, 1)]
    assert (curves[0].faults == curves[1].faults).all()


def test_a_streamed_trace_stamps_the_same(long_log):
    trace = open_trace(long_log, hold=1)
    machine = Machine("8MiB", contents=True)
    mapping = machine.init.mmap(trace.pages * PAGE_SIZE)
    machine.replay(trace, mapping, tag="streamed")
    assert stamp_mismatches(mapping, trace, "streamed") == []
    assert stamp_mismatches(mapping, open_trace(long_log), "streamed") == []
    assert len(stamp_mismatches(mapping, trace, "another")) > 0


def test_memory_does_not_grow_with_a_streamed_trace(tmp_path):
    path = tmp_path / "t.npz"
    peaks = []
    for count in (1 << 21, 1 << 23):
        save_npz(path, Trace(np.zeros(count, dtype=np.uint32)))
        tracemalloc.start()
        trace = open_trace(path, hold=1000)
        assert sum(map(len, trace.chunks())) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + (1 << 20)
    assert peaks[1] < 1 << 25


def test_a_file_that_changed_is_refused(long_log):
    trace = open_trace(long_log, hold=1)
    pieces = trace.chunks()
    assert len(next(pieces)) > 0
    long_log.write_bytes(gzip.compress(b" L 1000,4\n"))
    with pytest.raises(ValueError, match=r"long.gz: was changed since it was opened"):
        next(trace.chunks())
    with pytest.raises(ValueError, match=r"long.gz: was changed"):
        replay(trace, "50%")


def streamed(tmp_path, passes, count, pages):
    """A streamed trace whose passes are given; the file itself never changes."""
    path = tmp_path / "t"
    path.write_bytes(b"")
    passes = iter(passes)
    return StreamedTrace(str(path), lambda: iter(next(passes)), count, pages, None, "t")


def test_other_references_in_an_unchanged_file_are_refused(tmp_path):
    # As on a file system whose times are too coarse to tell.
    trace = streamed(tmp_path, [[REFS], [REFS, REFS], [REFS[:1]], [REFS + 1]], 2, 2)
    with pytest.raises(ValueError, match="t: has 4 references now, 2 when it was opened"):
        list(trace.chunks())
    with pytest.raises(ValueError, match="t: has 1 references now"):
        list(trace.chunks())
    with pytest.raises(ValueError, match="t: reference 1: page 2 of 2 pages"):
        list(trace.chunks())


def test_gather_holds_what_it_may():
    parts = [np.arange(n, dtype=np.uint32) | np.uint32(1 << 31) for n in (5, 0, 100, 3000)]
    kept, count, writes = gather(iter(parts), 3105)
    assert kept.tolist() == np.concatenate(parts).tolist()
    assert (count, writes) == (3105, 3105)
    assert gather(iter(parts), 3104) == (None, 3105, 3105)
    assert gather(iter([]), 10)[1:] == (0, 0)


# --------------------------------------------------------------------- Trace

BAD = [
    ([1, 2], {}, "references are a uint32 array of one dimension, not list"),
    (np.array([1, 2]), {}, "not int64"),
    (np.zeros((2, 2), np.uint32), {}, "one dimension"),
    (np.zeros(8, np.uint32)[::2], {}, "must be contiguous"),
    (np.zeros(0, np.uint32), {}, "no references"),
    (REFS, {"pages": 0}, "0 pages; a trace has 1 to 2147483647"),
    (REFS, {"pages": -1}, "-1 pages"),
    (REFS, {"pages": 1 << 31}, "2147483648 pages"),
    (REFS, {"pages": 1}, "reference 1: page 1 of 1 pages"),
    (np.array([0x7FFFFFFF], np.uint32), {}, "2147483648 pages"),
    (REFS, {"addresses": np.zeros(3, np.uint64)}, r"\(3,\) addresses for 2 pages"),
]


@pytest.mark.parametrize(("refs", "arguments", "cause"), BAD)
def test_what_a_trace_refuses(refs, arguments, cause):
    with pytest.raises(ValueError, match=cause) as error:
        Trace(refs, origin="mine", **arguments)
    assert str(error.value).startswith("mine: ")


def test_a_bad_reference_is_found_wherever_it_is():
    refs = np.zeros((1 << 22) + 10, dtype=np.uint32)
    refs[(1 << 22) + 7] = 5 | 1 << 31
    with pytest.raises(ValueError, match="reference 4194311: page 5 of 3 pages"):
        Trace(refs, 3)
