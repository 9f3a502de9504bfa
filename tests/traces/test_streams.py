"""Text traces from files: compressed, cut short, damaged, from pipes, broken at a line."""

from __future__ import annotations

import gzip
import lzma
import os
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swapfast.traces import open_trace
from swapfast.traces.streams import chunks
from swapfast.traces.text import read_csv, read_lackey

zstandard = pytest.importorskip("zstandard")

RNG = np.random.default_rng(11)
OPS = RNG.choice([76, 83, 77], 3000)
ADDRESSES = RNG.integers(0, 1 << 22, 3000) * 16
LOG = b"==1== Lackey\n" + b"".join(
    b" %c %08x,8\n" % pair for pair in zip(OPS, ADDRESSES, strict=True)
)
COMPRESS = {
    "plain": bytes,
    "gz": gzip.compress,
    "xz": lzma.compress,
    "zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}
COMPRESSED = [k for k in COMPRESS if k != "plain"]


def put(folder, data: bytes, name: str = "log") -> str:
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        file.write(data)
    return path


@pytest.mark.parametrize("kind", COMPRESS)
def test_every_compression_gives_the_same_trace(tmp_path, kind):
    plain = read_lackey(put(tmp_path, LOG))
    trace = open_trace(put(tmp_path, COMPRESS[kind](LOG), "log." + kind))
    assert trace.refs.tolist() == plain.refs.tolist()
    assert trace.addresses.tolist() == plain.addresses.tolist()
    assert trace.origin == "log." + kind
    assert len(trace) == 3000


@pytest.mark.parametrize("kind", COMPRESSED)
def test_streams_one_after_the_other_are_one(tmp_path, kind):
    pack = COMPRESS[kind]
    path = put(tmp_path, pack(LOG[:7000]) + pack(LOG[7000:]))
    assert b"".join(chunks(path)) == LOG


def test_zstd_skips_frames_that_say_so(tmp_path):
    skippable = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"hello"
    pack = COMPRESS["zst"]
    path = put(tmp_path, pack(LOG[:7000]) + skippable + pack(LOG[7000:]))
    assert b"".join(chunks(path)) == LOG


@pytest.mark.parametrize("kind", COMPRESSED)
@pytest.mark.parametrize("left", [0.02, 0.5, 0.99, -1, -4])
def test_a_stream_cut_short_is_an_error(tmp_path, kind, left):
    data = COMPRESS[kind](LOG)
    keep = left if left < 0 else int(len(data) * left)
    path = put(tmp_path, data[:keep])
    with pytest.raises(ValueError, match="damaged or cut short") as error:
        read_lackey(path)
    assert str(error.value).startswith(f"{path}: byte ")


@pytest.mark.parametrize("kind", COMPRESSED)
def test_a_damaged_byte_is_an_error(tmp_path, kind):
    data = bytearray(COMPRESS[kind](LOG))
    data[len(data) // 2] ^= 0x55
    with pytest.raises(ValueError, match=r"log: byte \d+: the compressed stream is damaged"):
        list(chunks(put(tmp_path, bytes(data))))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(COMPRESSED), st.integers(0, 1 << 20), st.integers(1, 255))
def test_whatever_byte_is_damaged_nothing_else_is_raised(tmp_path_factory, kind, at, change):
    data = bytearray(COMPRESS[kind](LOG))
    data[at % len(data)] ^= change
    path = put(tmp_path_factory.getbasetemp(), bytes(data))
    try:
        text = b"".join(chunks(path))
    except ValueError as error:
        assert str(error).startswith(path)
    else:  # the text is right, or the file does not begin as a compressed one any more
        assert text == LOG or data[:6] != COMPRESS[kind](LOG)[:6]


def test_zstd_bomb_comes_in_bounded_pieces(tmp_path):
    path = put(tmp_path, zstandard.ZstdCompressor().compress(bytes(1 << 28)))
    assert os.path.getsize(path) < 1 << 16
    for number, chunk in enumerate(chunks(path)):
        assert len(chunk) <= 1 << 26
        if number == 2:
            break
    with pytest.raises(ValueError, match=r"log:1: the line has more than 4096 bytes"):
        read_lackey(path)


def test_zstd_without_its_module_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(ValueError, match=r"log: is zstd: pip install 'swapfast\[zstd\]'"):
        read_lackey(put(tmp_path, COMPRESS["zst"](LOG)))


@pytest.mark.parametrize("kind", COMPRESS)
def test_progress_ends_at_the_size_of_the_file(tmp_path, kind):
    path = put(tmp_path, COMPRESS[kind](LOG))
    calls = []
    read_lackey(path, progress=lambda done, of: calls.append((done, of)))
    size = os.path.getsize(path)
    assert calls[-1] == (size, size)
    assert calls == sorted(calls)


def test_a_pipe_is_read_once_and_kept_whole(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_bytes(LOG))
    writer.start()
    calls = []
    # More than it may hold; yet it cannot be read again.
    trace = open_trace(path, format="lackey", hold=10, progress=lambda *a: calls.append(a))
    writer.join()
    assert trace.refs.tolist() == read_lackey(put(tmp_path, LOG)).refs.tolist()
    assert calls == []


# --------------------------------------------------------------------- errors

BROKEN = [
    (b" L 10,4\nL 10,4\n", 2, "is not 'I  addr,size' or ' L addr,size'"),
    (b"\n\n L 10;4\n", 3, "the address is not 1 to 16 hexadecimal digits"),
    (b" L 10,4\r\n L 10,9999999", 2, "the size is not 1 to 1048576 bytes"),
    (b" S ffffffffffffffff,2\n", 1, "inside the address space"),
    (b"==1== x\n" + b"y" * 5000, 2, "the line has more than 4096 bytes"),
    (b" L 10,4\nhello from the program\n", 2, r"'hello from the program'$"),
]


@pytest.mark.parametrize("kind", COMPRESS)
@pytest.mark.parametrize("text, line, cause", BROKEN)
def test_a_broken_line_names_file_and_line(tmp_path, kind, text, line, cause):
    path = put(tmp_path, COMPRESS[kind](text))
    with pytest.raises(ValueError, match=cause) as error:
        read_lackey(path)
    assert str(error.value).startswith(f"{path}:{line}: ")


CSV_BROKEN = [
    (b"", 1, "no header line; begin with 'page,write'"),
    (b"page,write", 1, "no header line"),
    (b"p" * 5000 + b"\n1,0\n", 1, "no header line"),
    (b"a,b\n1,0\n", 1, "needs 'page' or 'address', and only one"),
    (b"page,address,write\n", 1, "needs 'page' or 'address', and only one"),
    (b"page,page,write\n", 1, "needs 'page' or 'address', and only one"),
    (b"page\n1\n", 1, "needs 'write' or 'op', and only one"),
    (b"page,write,op\n", 1, "needs 'write' or 'op', and only one"),
    (b"page,write,size,size\n", 1, "'size' twice"),
    (b"page,write" + b",x" * 15 + b"\n", 1, "more than 16 columns"),
    (b"page,write\n1,0\n2,2\n", 3, "write is not 0 or 1: '2,2'"),
    (b"page,write\n1\n", 2, "not as many fields as the header"),
    (b"page,write\n1,0,0\n", 2, "not as many fields as the header"),
    (b"page,write\n-1,0\n", 2, "is not a number"),
    (b"page,write\n4503599627370496,0\n", 2, r"pages are below 2\*\*52"),
    (b"op,address\nR,99999999999999999999\n", 2, r"all others below 2\*\*64"),
    (b"op,address\nX,1\n", 2, "op is not one of"),
]


@pytest.mark.parametrize("text, line, cause", CSV_BROKEN)
def test_a_broken_csv_names_file_and_line(tmp_path, text, line, cause):
    path = put(tmp_path, text, "t.csv")
    with pytest.raises(ValueError, match=cause) as error:
        read_csv(path)
    assert str(error.value).startswith(f"{path}:{line}: ")


@pytest.mark.parametrize("text", [b"", b"\n", b"==1== nothing\n", b"I  0400,3\n"])
def test_no_reference_is_an_error(tmp_path, text):
    path = put(tmp_path, text)
    with pytest.raises(ValueError, match="no memory reference in it; is it a lackey log") as error:
        read_lackey(path)
    assert str(error.value).startswith(f"{path}: ")


@pytest.mark.parametrize("read", [read_lackey, read_csv, open_trace])
def test_files_that_cannot_be_read_are_os_errors(tmp_path, read):
    with pytest.raises(FileNotFoundError, match="none"):
        read(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        read(tmp_path)


def test_csv_as_it_comes_from_elsewhere(tmp_path):
    # Byte order mark, capitals, blanks in the header, DOS lines, a column of no interest.
    text = b"\xef\xbb\xbfTime, OP, Address ,SIZE\r\n1.5,r,0x1FFF,2\r\n2.5,W,8192,1\r\n"
    trace = open_trace(put(tmp_path, text, "t.csv"))
    assert trace.refs.tolist() == [0, 1, 1 | 1 << 31]
    assert trace.addresses.tolist() == [1, 2]
