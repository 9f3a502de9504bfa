"""damo report raw: regions become references by the rule that is stated.

The text is that of https://github.com/damonitor/damo/blob/next/USAGE.md (`damo report access
--raw_form`, before that `damo report raw`), with smaller regions, in an old and a newer form.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapfast.traces import open_trace
from swapfast.traces._regions import RegionParser
from swapfast.traces.formats import guess_format
from tests.support.chunked import fed

OLD = b"""base_time_absolute: 8 m 59.809 s

monitoring_start:                0 ns
monitoring_end:            104.599 ms
monitoring_duration:       104.599 ms
target_id: 18446623438842320000
nr_regions: 3
000000010000-000000012000(   8.000 KiB):\t1
7f938d7e1000-7f938ddfc000(   6.105 MiB):\t0
7fff66b0a000-7fff66b0b000(   4.000 KiB):\t3

monitoring_start:          104.599 ms
monitoring_end:            208.590 ms
monitoring_duration:       103.991 ms
target_id: 18446623438842320000
nr_regions: 1
7fff66b0a000-7fff66b0b000(   4.000 KiB):\t1
"""
NEW = (
    OLD.replace(b"KiB):\t", b"KiB)           ")
    .replace(b"MiB):\t", b"MiB)           ")
    .replace(b"(  ", b" (  ")
    .replace(b"\n0000", b"\n# start_addr     end_addr        length  nr_accesses   age\n0000")
)


def put(folder, data: bytes) -> Path:
    path = folder / "t"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "text", [OLD, NEW, gzip.compress(OLD), NEW[:-1], OLD.replace(b"\n", b"\r\n")]
)
@pytest.mark.parametrize("hold", [100, 1])
def test_a_snapshot_is_as_many_rounds_as_accesses(tmp_path, text, hold):
    path = put(tmp_path, text)
    assert guess_format(str(path)) == "damo"
    trace = open_trace(path, hold=hold)
    #                              three rounds    the next snapshot
    assert trace.refs.tolist() == [0, 1, 2, 2, 2, 2]
    assert trace.addresses.tolist() == [0x10, 0x11, 0x7FFF66B0A]
    assert (trace.kind, trace.writes) == ("sampled", 0)
    assert len(open_trace(path, collapse=True)) == 3


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (b"x", "t:18: is not 'START-END"),
        (b"target_id: 7", "t:18: regions of another target"),
        (b"1000-2000", "t:18: is not 'START-END"),
        (b"2000-1000 ( 1 B) 1", "t:18: the region does not end beyond its start"),
        (b"1000-2000 ( 1 B) x", "t:18: the accesses are no number"),
        (b"1000-2000 ( 1 B) 65537", "t:18: the accesses are no number up to 65536"),
        (b"0-ffffffffffffffff ( 1 B) 1", "t: snapshot 2: 4503599627370497 references; 1073741824 "),
    ],
)
def test_regions_that_are_refused(tmp_path, line, cause):
    with pytest.raises(ValueError, match=cause):
        open_trace(put(tmp_path, OLD + line + b"\n"))


def test_regions_without_accesses(tmp_path):
    with pytest.raises(ValueError, match="t: no memory reference in it; is it a text of damo"):
        open_trace(put(tmp_path, b"monitoring_start: 0\n1000-2000 ( 4 KiB) 0\n"))


lines = st.lists(st.sampled_from([*OLD.splitlines(), *NEW.splitlines(), b"1-2 (", b"1-2)"]))


@given(lines.map(b"\n".join) | st.binary(max_size=200), st.integers(1, 60))
def test_where_chunks_end_does_not_matter(text, size):
    parts, whole = (
        fed(RegionParser(), text, step, lambda parser: parser.regions().tolist())
        for step in (size, len(text) + 1)
    )
    assert parts == whole
