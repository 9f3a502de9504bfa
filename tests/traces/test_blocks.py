"""Requests to disks: MSR Cambridge, Alibaba 2020 and Tencent CBS.

The lines are written by hand from the public definitions:

- MSR: the README of http://iotta.snia.org/traces/block-io/388
- Alibaba: https://github.com/alibaba/block-traces
- Tencent: the README of http://iotta.snia.org/traces/parallel/27917
"""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapfast.traces import open_trace
from swapfast.traces._blocks import BlockParser
from swapfast.traces.formats import FORMATS, guess_format
from tests.support.chunked import fed

W = 1 << 31
# The same requests each time: pages 5 and 6 of a volume are read, page 5 of another is written, and
# page 5 of the first.
FILES = {
    "msr": b"128166372003061629,hm,0,Read,20480,8192,413\n"
    b"128166372016382155,hm,1,Write,20480,512,22325\n"
    b"128166372026382245,hm,0,Write,24064,512,56\n",
    "alibaba": b"419,R,20480,8192,1577808144360767\n"
    b"725,W,20480,512,1577808144360768\n"
    b"419,W,24064,512,1577808144360769\n",
    "tencent": b"1538323200,40,16,0,1283\n1538323200,40,1,1,1360\n1538323201,47,1,1,1283\n",
}


def put(folder, data: bytes, name: str = "t") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("format", FILES)
@pytest.mark.parametrize("name", ["t", "t.csv"])
@pytest.mark.parametrize("hold", [100, 1])
def test_requests_are_references_to_their_pages(tmp_path, format, name, hold):
    for data in (FILES[format], gzip.compress(FILES[format]), FILES[format][:-1]):
        path = put(tmp_path, data, name)
        assert guess_format(str(path)) == format
        trace = open_trace(path, hold=hold)
        assert trace.refs.tolist() == [0, 1, 2 | W, 0 | W]
        assert trace.addresses.tolist() == [5, 6, 5 | 1 << 40]
        assert trace.kind == "sectors"


def test_a_header_is_passed_over(tmp_path):
    head = b"device_id,opcode,offset,length,timestamp\r\n"
    path = put(tmp_path, head + FILES["alibaba"].replace(b"\n", b"\r\n"))
    assert guess_format(str(path)) == "alibaba"
    assert len(open_trace(path)) == 4
    with pytest.raises(ValueError, match="t:4: the operation is no read and no write"):
        open_trace(put(tmp_path, FILES["alibaba"] + head))


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (b"1,W,1,1", "has not the columns"),
        (b"1,W,1,1,1,1", "has not the columns"),
        (b"1,D,1,1,1", "no read and no write"),
        (b"1,Wr,1,1,1", "no read and no write"),
        (b"1,R,x,1,1", "an offset or a size is no number"),
        (b"1,R,1,-1,1", "an offset or a size is no number"),
        (b"1,R,1,67108865,1", "the request has more than 67108864 bytes"),
        (b"1,R,4503599627370496,1,1", "beyond 4 PiB"),
        (b"1" * 5000, "the line has more than 4096 bytes"),
    ],
)
def test_requests_that_are_refused(tmp_path, line, cause):
    with pytest.raises(ValueError, match=f"t:4: .*{cause}"):
        open_trace(put(tmp_path, FILES["alibaba"] + line + b"\n"))


def test_the_largest_request_and_none(tmp_path):
    lines = b"1,R,1,67108864,1577808144360767\n1,R,9,0,1577808144360767\n"
    assert len(open_trace(put(tmp_path, lines))) == (1 << 14) + 1
    with pytest.raises(ValueError, match="no memory reference"):
        open_trace(put(tmp_path, b"1,R,9,0,1577808144360767\n"))


def test_the_other_table_stays_a_csv(tmp_path):
    assert guess_format(str(put(tmp_path, b"page,write\n1538323200,0\n"))) == "csv"
    assert all(FORMATS[name].kind == "sectors" for name in FILES)


fields = st.sampled_from(["", "0", "1", "R", "w", "Read", "4096", "67108864", str(1 << 63), "-1"])
table = st.lists(st.lists(fields, min_size=4, max_size=6).map(",".join)).map("\n".join)


@given(table.map(str.encode) | st.binary(max_size=200), st.integers(1, 40))
def test_where_chunks_end_does_not_matter(text, size):
    columns = ("volume", "op", "offset", "write", "time")
    parts, whole = (fed(BlockParser(columns, 512), text, step) for step in (size, len(text) + 1))
    assert parts == whole
