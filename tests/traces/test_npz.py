"""Traces that are arrays: what is written is read; whatever else is in the file is an error.

- Nothing is unpickled, no size is believed, no name leads anywhere.
- Errors are ``ValueError`` with the file's name.
"""

from __future__ import annotations

import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swapfast.traces import StreamedTrace, Trace, generate, open_trace, save_npz
from swapfast.traces.npz import PIECE, read_npz
from swapfast.traces.trace import HOLD
from tests.support.npy import OBJECTS, REFS, header, packed


def archive(path, members, method=zipfile.ZIP_DEFLATED) -> str:
    """A zip of these members: arrays or bytes; a list may name one twice."""
    pairs = members.items() if isinstance(members, dict) else members
    with zipfile.ZipFile(path, "w", method) as out:
        for name, content in pairs:
            data = content if isinstance(content, bytes) else packed(content)
            out.writestr(name, data)
    return str(path)


GOOD = {"refs.npy": REFS, "pages.npy": np.int64(3)}


# --------------------------------------------------------------------- round trips


def test_what_is_saved_is_read(tmp_path):
    addresses = np.array([7, 9, 8], dtype=np.uint64)
    trace = Trace(REFS, 3, "a trace — of mine", addresses)
    save_npz(tmp_path / "t.npz", trace)
    again = read_npz(tmp_path / "t.npz")
    assert again.refs.tolist() == REFS.tolist()
    assert again.pages == 3
    assert again.origin == "a trace — of mine"
    assert again.addresses.tolist() == [7, 9, 8]
    assert [p.name for p in tmp_path.iterdir()] == ["t.npz"]


def test_numpy_reads_what_is_saved(tmp_path):
    trace = generate("uniform", pages=5, refs=100)
    save_npz(tmp_path / "t.npz", trace)
    with np.load(tmp_path / "t.npz", allow_pickle=False) as arrays:
        assert set(arrays) == {"refs", "pages", "origin"}
        assert (arrays["refs"] == trace.refs).all()
        assert arrays["pages"] == 5


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("pages", [3, np.int64(3), np.array([3], np.uint16)])
def test_what_numpy_saves_is_read(tmp_path, save, pages):
    save(tmp_path / "t.npz", refs=REFS, pages=pages)
    trace = open_trace(tmp_path / "t.npz")
    assert (trace.refs.tolist(), trace.pages, trace.origin) == (REFS.tolist(), 3, "t.npz")


def test_saving_twice_gives_the_same_bytes(tmp_path):
    trace = generate("zipf", pages=50, refs=500)
    save_npz(tmp_path / "a.npz", trace)
    save_npz(tmp_path / "b.npz", trace)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_failed_save_leaves_what_was_there(tmp_path, monkeypatch):
    save_npz(tmp_path / "t.npz", Trace(REFS))
    before = (tmp_path / "t.npz").read_bytes()

    class Torn(Trace):
        def chunks(self, most=0):
            yield self.refs[:2]
            raise OSError("gone")

    torn = Torn.__new__(Torn)
    torn.__dict__.update(Trace(REFS).__dict__)
    with pytest.raises(OSError, match="gone"):
        save_npz(tmp_path / "t.npz", torn)
    assert (tmp_path / "t.npz").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["t.npz"]
    with pytest.raises(FileNotFoundError):
        save_npz(tmp_path / "none" / "t.npz", torn)


def test_a_hostile_origin_does_not_reach_a_terminal(tmp_path):
    path = archive(tmp_path / "t.npz", {**GOOD, "origin.npy": np.array("a\x1b[2Jb\nc")})
    assert read_npz(path).origin == "a?[2Jb?c"


# --------------------------------------------------------------------- hostile archives


HOSTILE = {
    "no refs": ({"pages.npy": np.int64(3)}, "no array 'refs' in it"),
    "no pages": ({"refs.npy": REFS}, "no array 'pages' in it"),
    "empty zip": ({}, "no array 'refs' in it"),
    "another array": ({**GOOD, "more.npy": REFS}, "unexpected member 'more.npy'"),
    "traversal": ({**GOOD, "../../etc/refs.npy": REFS}, "unexpected member '../../etc/refs.npy'"),
    "absolute": ({**GOOD, "/refs.npy": REFS}, "unexpected member '/refs.npy'"),
    "folder": ({**GOOD, "refs/": b""}, "unexpected member 'refs/'"),
    "same twice": ([*GOOD.items(), ("refs", packed(REFS))], "unexpected member 'refs'"),
    "objects": ({**GOOD, "refs.npy": OBJECTS}, "refs.npy: dtype object"),
    "pickle": ({**GOOD, "pages.npy": pickle.dumps(3)}, "pages.npy: not an .npy array"),
    "float refs": ({**GOOD, "refs.npy": REFS.astype(float)}, "refs.npy: dtype float64"),
    "signed refs": ({**GOOD, "refs.npy": REFS.astype("i4")}, "uint32 of one .*not int32"),
    "wide refs": ({**GOOD, "refs.npy": REFS.astype("u8")}, "uint32 of one .*not uint64"),
    "foreign refs": ({**GOOD, "refs.npy": REFS.astype(">u4")}, "uint32 of one .*not >u4"),
    "fields": ({**GOOD, "refs.npy": np.zeros(2, "u4,u4")}, "integers and text only"),
    "text refs": ({**GOOD, "refs.npy": np.array(["x"])}, "uint32 of one .*not <U1"),
    "table": ({**GOOD, "refs.npy": REFS.reshape(2, 2)}, r"shape \(2, 2\); .* one dimension"),
    "scalar refs": ({**GOOD, "refs.npy": np.uint32(1)}, r"dimension, not uint32 \(\)"),
    "no references": ({**GOOD, "refs.npy": REFS[:0]}, "no references"),
    "pages too few": ({**GOOD, "pages.npy": np.int64(2)}, "reference 2: page 2 of 2 pages"),
    "no pages at all": ({**GOOD, "pages.npy": np.int64(0)}, "0 pages; a trace has 1 to 2147483647"),
    "pages negative": ({**GOOD, "pages.npy": np.int64(-1)}, "-1 pages"),
    "pages too many": ({**GOOD, "pages.npy": np.uint64(1 << 31)}, "2147483648 pages"),
    "pages float": ({**GOOD, "pages.npy": np.float64(3)}, "integers and text only"),
    "pages text": ({**GOOD, "pages.npy": np.array("3")}, "pages.npy: is one integer"),
    "pages many": ({**GOOD, "pages.npy": np.array([3, 3])}, "pages.npy: is one integer"),
    "pages none": ({**GOOD, "pages.npy": np.zeros(0, int)}, "pages.npy: is one integer"),
    "addresses short": ({**GOOD, "addresses.npy": np.zeros(2, "u8")}, "one for each of 3 pages"),
    "addresses signed": ({**GOOD, "addresses.npy": np.zeros(3, "i8")}, "is uint64, one for each"),
    "origin number": ({**GOOD, "origin.npy": np.int64(3)}, "origin.npy: is one text"),
    "origin two": ({**GOOD, "origin.npy": np.array(["a", "b"])}, "origin.npy: is one text"),
    "origin long": ({**GOOD, "origin.npy": np.array("x" * 1001)}, "has 1000 characters at most"),
    "origin void": ({**GOOD, "origin.npy": header("'<U0'", "(1,)")}, "integers and text only"),
    "origin no unicode": (
        {**GOOD, "origin.npy": header("'<U1'", "()") + b"\xff" * 4},
        "origin.npy: is no text",
    ),
    "empty member": ({**GOOD, "refs.npy": b""}, "refs.npy: not an .npy array"),
    "version 3": ({**GOOD, "refs.npy": b"\x93NUMPY\x03\x00"}, "refs.npy: not an .npy array"),
    "version 9": ({**GOOD, "refs.npy": b"\x93NUMPY\x09\x00"}, "refs.npy: not an .npy array"),
    "code": ({**GOOD, "refs.npy": header("__import__('os')", "(1,)")}, "not an .npy array"),
    "deep": ({**GOOD, "refs.npy": header("'<u4'", "(" * 3000 + ")" * 3000)}, "not an .npy array"),
    "long header": (
        {**GOOD, "refs.npy": header("'<u4'", "(1,)" + " " * 70000, version=(2, 0))},
        "not an .npy array",
    ),
    "unclosed": ({**GOOD, "refs.npy": header("'<u4'", "(1,")}, "not an .npy array"),
    "negative shape": ({**GOOD, "refs.npy": header("'<u4'", "(-1,)")}, r"shape \(-1,\)"),
    "more announced": (
        {**GOOD, "refs.npy": header("'<u4'", f"({1 << 60},)")},
        "0 bytes of data where its header says 4611686018427387904",
    ),
    "less announced": (
        {**GOOD, "refs.npy": header("'<u4'", "(1,)") + bytes(8)},
        "8 bytes of data where its header says 4",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_hostile_archives_are_refused(tmp_path, case, method):
    members, cause = HOSTILE[case]
    path = archive(tmp_path / "t.npz", members, method)
    with pytest.raises(ValueError, match=cause) as error:
        open_trace(path)
    assert str(error.value).startswith(f"{path}: ")
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(tmp_path, method):
    path = archive(tmp_path / "t.npz", GOOD, method)
    with pytest.raises(ValueError, match="use stored or deflate"):
        read_npz(path)


def test_encrypted_members_are_refused(tmp_path):
    path = tmp_path / "t.npz"
    data = bytearray((archive(path, GOOD), path.read_bytes())[1])
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + at] |= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"refs.npy: is encrypted"):
        read_npz(path)


def lie(path, compressed: int, size: int) -> None:
    """Write other sizes of the first member into the directory."""
    data = bytearray(path.read_bytes())
    struct.pack_into("<II", data, data.index(b"PK\x01\x02") + 20, compressed, size)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("compressed", "size"), [(100, 1 << 31), (1 << 31, 1 << 31), (3 << 30, 3 << 30), (0, 1 << 20)]
)
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_sizes_that_cannot_be_take_no_memory(tmp_path, method, compressed, size):
    path = tmp_path / "t.npz"
    count = (size - 128) // 4
    refs = header("'<u4'", f"({count},)").ljust(128, b" ")
    archive(path, {"refs.npy": refs, "pages.npy": np.int64(1)}, method)
    lie(path, compressed, size)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"claims|lies outside|not a readable|not an .npy"):
            read_npz(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("offset", [1 << 20, 0xFFFFFFF0])
def test_a_member_outside_the_file(tmp_path, offset):
    path = tmp_path / "t.npz"
    archive(path, GOOD)
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 42, offset)
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"refs.npy: lies outside the file"):
        read_npz(path)


@pytest.mark.parametrize("shift", [-8, 8])
def test_a_directory_that_is_shifted(tmp_path, shift):
    # zipfile takes the difference for data before the archive: offsets become negative.
    path = tmp_path / "t.npz"
    archive(path, GOOD)
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x05\x06") + 16
    struct.pack_into("<I", data, at, struct.unpack_from("<I", data, at)[0] + shift)
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"t.npz: "):
        read_npz(path)


def test_an_archive_full_of_nothing_is_refused_before_it_is_unpacked(tmp_path):
    # 32 MiB of zeros where one number belongs.
    bomb = header("'<i8'", f"({1 << 22},)") + bytes(1 << 25)
    path = archive(tmp_path / "t.npz", {**GOOD, "pages.npy": bomb})
    del bomb
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"pages.npy: is one integer"):
            read_npz(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 21
    finally:
        tracemalloc.stop()


def test_a_wrong_checksum_is_found(tmp_path):
    path = tmp_path / "t.npz"
    archive(path, GOOD, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    at = data.index(REFS.tobytes())
    data[at + 4] ^= 1  # page 0 instead of 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"Bad CRC-32 for file 'refs.npy'"):
        read_npz(path)


@pytest.fixture(scope="module")
def good_bytes(tmp_path_factory):
    path = tmp_path_factory.mktemp("npz") / "t.npz"
    trace = generate("zipf", pages=20, refs=50)
    trace.addresses = np.arange(20, dtype=np.uint64)
    save_npz(path, trace)
    return path.read_bytes(), trace


@settings(max_examples=150)
@given(data=st.data())
def test_damage_anywhere_is_an_error_or_harmless(good_bytes, tmp_path_factory, data):
    whole, trace = good_bytes
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    damaged = damaged[: data.draw(st.one_of(st.just(len(whole)), st.integers(4, len(whole))))]
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    path.write_bytes(damaged)
    try:
        found = open_trace(path)
    except ValueError as error:
        assert str(error).startswith(str(path))
    else:
        assert found.refs.tolist() == trace.refs.tolist()
        assert found.pages == trace.pages


def bomb(path, pages: int, count: int = 1) -> str:
    """So many addresses and references, all zero, in a small file."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("pages.npy", packed(np.uint64(pages)))
        for name, descr, n in (("refs", "'<u4'", 4 * count), ("addresses", "'<u8'", 8 * pages)):
            with out.open(f"{name}.npy", "w", force_zip64=True) as member:
                member.write(header(descr, f"({n // int(descr[3])},)"))
                for at in range(0, n, 1 << 20):
                    member.write(bytes(min(1 << 20, n - at)))
    return str(path)


@pytest.mark.parametrize(
    ("pages", "count", "hold"),
    [
        (1 << 22, 1, HOLD),  # more pages than references, 32 MiB
        (1 << 22, 1 << 22, 1 << 22),  # each fits, both do not
        (1 << 20, 1 << 20, 1000),
    ],
)
def test_many_addresses_stay_in_the_file(tmp_path, pages, count, hold):
    path = bomb(tmp_path / "t.npz", pages, count)
    tracemalloc.start()
    try:
        trace = read_npz(path, hold=hold)
        assert sum(map(len, trace.chunks())) == count
        save_npz(tmp_path / "again.npz", trace)
        assert tracemalloc.get_traced_memory()[1] < 5 * PIECE
    finally:
        tracemalloc.stop()
    assert isinstance(trace, StreamedTrace)
    assert trace.addresses.shape == (pages,)
    assert read_npz(tmp_path / "again.npz").addresses.shape == (pages,)


def test_addresses_of_a_file_that_changed_are_refused(tmp_path):
    path = bomb(tmp_path / "t.npz", 5000, 5000)
    trace = read_npz(path, hold=10)
    bomb(tmp_path / "t.npz", 5001, 5000)
    with pytest.raises(ValueError, match=r"t.npz: was changed since it was opened"):
        assert trace.addresses is None


def test_addresses_are_checked_though_they_are_not_held(tmp_path):
    members = {**GOOD, "addresses.npy": np.zeros(2, "u8")}
    path = archive(tmp_path / "t.npz", members)
    with pytest.raises(ValueError, match=r"addresses.npy: is uint64, one for each of 3 pages"):
        read_npz(path, hold=1)


def test_a_directory_full_of_members_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "t.npz"
    with zipfile.ZipFile(path, "w") as out:
        for number in range(3000):
            out.writestr(f"{number}.npy", b"")
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"t.npz: byte \d+: the directory of the archive has"):
            read_npz(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 19
    finally:
        tracemalloc.stop()


def test_a_zip_of_something_else(tmp_path):
    path = archive(tmp_path / "t.zip", {"a.log": b" L 1000,4\n"})
    with pytest.raises(ValueError, match=r"t.zip: is a zip archive .'a.log' is its first member"):
        open_trace(path)


# --------------------------------------------------------------------- longer than memory


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_long_npz_is_streamed(tmp_path, save):
    whole = generate("hotspot", pages=300, refs=20_000)
    save(tmp_path / "t.npz", refs=whole.refs, pages=300)
    trace = read_npz(tmp_path / "t.npz", hold=19_999)
    assert isinstance(trace, StreamedTrace)
    assert not isinstance(read_npz(tmp_path / "t.npz", hold=20_000), StreamedTrace)
    assert trace.describe() == {**whole.describe(), "origin": "t.npz"}
    assert (np.concatenate(list(trace.chunks(777))) == whole.refs).all()


def test_a_streamed_npz_is_checked_when_it_is_opened(tmp_path):
    path = archive(tmp_path / "t.npz", {**GOOD, "pages.npy": np.int64(2)})
    with pytest.raises(ValueError, match=r"t.npz: reference 2: page 2 of 2 pages"):
        read_npz(path, hold=1)
