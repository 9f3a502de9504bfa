"""Binary records: ChampSim, libCacheSim, vscsi, DynamoRIO.

libCacheSim's files in ``data`` were written by libCacheSim. The others are written by hand from

- https://github.com/ChampSim/ChampSim/blob/master/inc/trace_instruction.h
- https://github.com/DynamoRIO/dynamorio/blob/master/clients/drcachesim/common/trace_entry.h
- vscsi.h and lcs.h in libCacheSim/traceReader/customizedReader of
  https://github.com/1a1a11a/libCacheSim
"""

from __future__ import annotations

import gzip
import lzma
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapfast.traces import open_trace
from swapfast.traces._records import Entries, Instructions, Objects, Requests
from swapfast.traces.champsim import RECORD
from swapfast.traces.formats import guess_format
from swapfast.traces.libcachesim import HEADER, MAGIC
from swapfast.traces.libcachesim import RECORD as OBJECT
from swapfast.traces.vscsi import LAYOUTS
from tests.support.chunked import fed

DATA = Path(__file__).parent / "data"
W = 1 << 31


def put(folder, data: bytes, name: str = "t") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def seen(trace) -> list[tuple[int, bool]]:
    return [(int(trace.addresses[ref & ~W]), bool(ref & W)) for ref in trace.refs.tolist()]


# --------------------------------------------------------------------- ChampSim


def program(count: int = 4) -> np.ndarray:
    """The first reads page 7 and page 8 and writes page 9; the last but one is a branch."""
    records = np.zeros(count, RECORD)
    records["ip"] = 0x401000 + 4 * np.arange(count)
    records["source_memory"][0, :2] = 0x7008, 0x8010
    records["destination_memory"][0, 1] = 0x9000
    records["is_branch"][-2:] = 1
    records["branch_taken"][-2] = 1
    return records


def test_the_record_of_champsim():
    assert RECORD.itemsize == 64
    places = {name: RECORD.fields[name][1] for name in RECORD.names}
    assert places["is_branch"] == 8 and places["destination_memory"] == 16
    assert places["source_memory"] == 32


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress])
@pytest.mark.parametrize("hold", [100, 1])
def test_instructions_read_then_write(tmp_path, pack, hold):
    path = put(tmp_path, pack(program().tobytes()))
    assert guess_format(str(path)) == "champsim"
    trace = open_trace(path, hold=hold)
    assert seen(trace) == [(7, False), (8, False), (9, True)]
    assert trace.kind == "full"
    assert seen(open_trace(path, instructions=True))[0] == (0x401, False)
    assert len(open_trace(path, instructions=True, collapse=True)) == 5


def test_instructions_that_are_none(tmp_path):
    for change in ({"branch_taken": 1}, {"is_branch": 2}):
        records = program(400)
        for key, value in change.items():
            records[key][300] = value
        with pytest.raises(ValueError, match="t: record 300, byte 19200: is_branch and branch_tak"):
            open_trace(put(tmp_path, records.tobytes()))
    with pytest.raises(ValueError, match="t: record 4, byte 256: the file ends inside a record"):
        open_trace(put(tmp_path, program().tobytes() + b"1"), format="champsim")
    with pytest.raises(ValueError, match="no memory reference in it; is it a ChampSim trace"):
        open_trace(put(tmp_path, program()[1:].tobytes()))


# --------------------------------------------------------------------- libCacheSim


@pytest.mark.parametrize("hold", [100, 1])
@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("requests.oracleGeneral", "oracleGeneral"),
        *((f"requests.v{n}.lcs.xz", "lcs") for n in (1, 2, 3)),
    ],
)
def test_what_libcachesim_wrote(name, format, hold):
    assert guess_format(str(DATA / name)) == format
    trace = open_trace(DATA / name, hold=hold)
    assert seen(trace) == [(n, False) for n in (100, 101, 100, 102, 101)]
    assert trace.kind == "objects"


def header(version: int) -> bytes:
    return MAGIC + version.to_bytes(8, "little") + bytes(HEADER - 24) + MAGIC


@pytest.mark.parametrize(("version", "size", "op"), [(2, 28, 16), (3, 36, 20), (8, 100, 20)])
def test_operations_of_lcs(tmp_path, version, size, op):
    records = np.zeros((4, size), np.uint8)
    records[:, 4] = 5, 6, 7, 8
    records[:, op] = 1, 3, 9, 13  # get, set, delete, write
    path = put(tmp_path, header(version) + records.tobytes())
    assert seen(open_trace(path)) == [(5, False), (6, True), (8, True)]
    with pytest.raises(ValueError, match=f"t: record 4, byte {HEADER + 4 * size}: the file ends"):
        open_trace(put(tmp_path, path.read_bytes() + b"1"))
    records[3, 4:12] = 255
    with pytest.raises(ValueError, match=f"t: record 3, byte {HEADER + 3 * size}: an object has"):
        open_trace(put(tmp_path, header(version) + records.tobytes()))


def test_headers_that_are_none(tmp_path):
    with pytest.raises(ValueError, match="t: byte 8: lcs of version 9; 1 to 8 are read"):
        open_trace(put(tmp_path, header(9)))
    for bad in (header(1)[:-1], header(1)[:-8] + bytes(8), MAGIC):
        with pytest.raises(ValueError, match="t: byte 0: no header of lcs: 8192 bytes"):
            open_trace(put(tmp_path, bad))


def test_what_looks_like_no_oracle(tmp_path):
    good = np.frombuffer((DATA / "requests.oracleGeneral").read_bytes(), OBJECT)
    assert OBJECT.itemsize == 24
    for key, value in (("time", 1 << 30), ("next", 0), ("next", 1 << 50)):
        records = good.copy()
        records[key][1] = value
        path = put(tmp_path, records.tobytes())
        with pytest.raises(ValueError, match="t: byte 0: is no text, and of no kind that is known"):
            open_trace(path)
        assert len(open_trace(path, format="oracleGeneral")) == 5


# --------------------------------------------------------------------- vscsi


def commands(version: int) -> np.ndarray:
    """Pages 3 and 4 are read, page 3 is written, and what else there is touches nothing."""
    records = np.zeros(4, LAYOUTS[version])
    records["version"] = version << 8
    records["command"] = 0x28, 0x8A, 0x00, 0x12
    records["block"] = 31, 24, 99, 99
    records["bytes"] = 1024, 512, 0, 36
    return records


@pytest.mark.parametrize("version", LAYOUTS)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_commands_are_references_to_their_pages(tmp_path, version, pack):
    assert LAYOUTS[version].itemsize == {1: 32, 2: 40}[version]
    path = put(tmp_path, pack(commands(version).tobytes()))
    assert guess_format(str(path)) == "vscsi"
    trace = open_trace(path)
    assert seen(trace) == [(3, False), (4, False), (3, True)]
    assert trace.kind == "sectors"
    assert seen(open_trace(path, hold=1)) == seen(trace)


def test_commands_that_are_refused(tmp_path):
    for key, value, cause in (
        ("version", 0x300, "the version is not that of the records before"),
        ("bytes", (1 << 26) + 1, "the request has more than 64 MiB"),
        ("block", 1 << 55, "the block number is beyond the address space"),
    ):
        records = np.concatenate([commands(2)] * 30)
        records[key][101] = value
        with pytest.raises(ValueError, match=f"t: record 101, byte 4040: {cause}"):
            open_trace(put(tmp_path, records.tobytes()))
    with pytest.raises(ValueError, match="t: byte 0: no records of vscsi, of neither version"):
        open_trace(put(tmp_path, b"x" * 80), format="vscsi")


# --------------------------------------------------------------------- DynamoRIO


def entries(*found: tuple[int, int, int]) -> bytes:
    """Header, version 5, process 7; then these; a footer."""
    whole = [(25, 0, 5), (28, 9, 0x40), (22, 8, 8), (24, 8, 7), *found, (26, 0, 0)]
    return b"".join(struct.pack("<HHQ", *entry) for entry in whole)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_entries_of_drmemtrace(tmp_path, pack):
    found = [(47, 3, 0x90), (10, 3, 0x401000), (0, 8, 0x1FFC), (4, 1, 0x9000), (1, 4, 0x3000)]
    path = put(tmp_path, pack(entries(*found, (48, 2, 0x401003))))
    assert guess_format(str(path)) == "memrefs"
    trace = open_trace(path)
    assert seen(trace) == [(1, False), (2, False), (3, True)]
    assert trace.kind == "full"
    assert len(open_trace(path, instructions=True)) == 5
    filtered = put(tmp_path, entries((28, 9, 0x140), *found))
    assert open_trace(filtered).kind == "faults"


@pytest.mark.parametrize(
    ("entry", "cause"),
    [
        ((50, 0, 0), "an entry of a type above 49"),
        ((24, 8, 8), "another process, which has an address space of its own"),
        ((0, 8, (1 << 64) - 1), "an access goes beyond the address space"),
    ],
)
def test_entries_that_are_refused(tmp_path, entry, cause):
    with pytest.raises(ValueError, match=f"t: record 5, byte 60: {cause}"):
        open_trace(put(tmp_path, entries((0, 8, 0x1000), entry)))


# --------------------------------------------------------------------- any bytes

GOOD = [
    entries((0, 8, 0x1000)),
    program().tobytes(),
    commands(1).tobytes(),
    commands(2).tobytes(),
    bytes(range(48)),
]


@given(st.sampled_from(GOOD) | st.binary(max_size=300), st.integers(1, 130))
def test_where_chunks_end_does_not_matter(data, size):
    made = [
        *(lambda: Instructions(True), Instructions, lambda: Requests(1), lambda: Requests(2)),
        *(Entries, lambda: Entries(True)),
        *(lambda: Objects(24), lambda: Objects(28, 16), lambda: Objects(100, 20, True)),
    ]
    for make in made:
        assert fed(make(), data, size) == fed(make(), data, len(data) + 1)
