"""Text traces from files: compressed, cut short, damaged, from pipes, broken at a line."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import struct
import subprocess
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
    "bz2": bz2.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
}
COMPRESSED = [k for k in COMPRESS if k != "plain"]
CHECKED = [k for k in COMPRESSED if k != "lzma"]  # with checksums; and more than one member


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


@pytest.mark.parametrize("kind", CHECKED)
def test_streams_one_after_the_other_are_one(tmp_path, kind):
    pack = COMPRESS[kind]
    path = put(tmp_path, pack(LOG[:7000]) + pack(LOG[7000:]))
    assert b"".join(chunks(path)) == LOG


# --------------------------------------------------------------------- what follows a member

TOOLS = {"gz": "gzip", "xz": "xz", "zst": "zstd", "bz2": "bzip2", "lzma": "xz"}
FIRST, SECOND = LOG[:9000], LOG[9000:]


def damaged(data: bytes) -> bytes:
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]


def skippable(size: int = 5, nibble: int = 0) -> bytes:
    return struct.pack("<II", 0x184D2A50 | nibble, size) + b"x" * size


# What follows the first member, made from the second.
AFTER = {
    "nothing": lambda second: b"",
    "a good one": lambda second: second,
    "a damaged one": damaged,
    "one cut short": lambda second: second[:-5],
    "one cut short in its header": lambda second: second[:5],
    "one byte of one": lambda second: second[:1],
    "foreign bytes": lambda second: b" L 1000,4\n",
    "another compression": lambda second: COMPRESS["gz" if second[:2] != b"\x1f\x8b" else "xz"](
        LOG
    ),
    "four zeros": lambda second: bytes(4),
    "three zeros": lambda second: bytes(3),
    "many zeros": lambda second: bytes(1 << 17),
    "four zeros and a good one": lambda second: bytes(4) + second,
    "two zeros and a good one": lambda second: bytes(2) + second,
    "zeros around a good one": lambda second: bytes(8) + second + bytes(12),
    "zeros and foreign bytes": lambda second: bytes(4) + b"hello",
    "a skippable frame": lambda second: skippable(),
    "a skippable frame and a good one": lambda second: skippable(200_000, 15) + second,
    "a skippable frame cut short": lambda second: second + skippable()[:-1],
    "the header of a skippable frame cut short": lambda second: second + skippable()[:6],
    "an empty one and a good one": None,
}


def as_the_tool_says(path: str, kind: str) -> bytes | None:
    """What the tool decompresses; None if it says anything but that."""
    tool = TOOLS[kind]
    if shutil.which(tool) is None:
        pytest.skip(f"there is no {tool} here")
    options = ["--format=lzma"] if kind == "lzma" else []
    with open(path, "rb") as file:
        done = subprocess.run([tool, *options, "-dc"], stdin=file, capture_output=True)
    return done.stdout if done.returncode == 0 and not done.stderr else None


@pytest.mark.parametrize("kind", COMPRESSED)
@pytest.mark.parametrize("after", AFTER)
def test_what_follows_is_read_as_its_tool_does_or_refused(tmp_path, kind, after):
    pack, make = COMPRESS[kind], AFTER[after]
    follows = pack(b"") + pack(SECOND) if make is None else make(pack(SECOND))
    path = put(tmp_path, pack(FIRST) + follows)
    expected = as_the_tool_says(path, kind)
    if (kind, after) == ("zst", "another compression"):
        expected = None  # zstd(1) reads gzip and xz too, where it was built so
    if expected is not None:
        assert b"".join(chunks(path)) == expected
        return
    with pytest.raises(ValueError) as error:
        b"".join(chunks(path))
    assert str(error.value).startswith(f"{path}: byte ")


READ = {
    ("gz", "four zeros"): FIRST,
    ("gz", "three zeros"): FIRST,
    ("xz", "four zeros"): FIRST,
    ("xz", "zeros around a good one"): LOG,
    ("zst", "a skippable frame and a good one"): LOG,
    ("bz2", "an empty one and a good one"): LOG,
}


@pytest.mark.parametrize(("kind", "after"), READ)
def test_what_is_no_error_is_read_whole(tmp_path, kind, after):
    pack, make = COMPRESS[kind], AFTER[after]
    follows = pack(b"") + pack(SECOND) if make is None else make(pack(SECOND))
    assert b"".join(chunks(put(tmp_path, pack(FIRST) + follows))) == READ[kind, after]


@pytest.mark.parametrize("kind", COMPRESSED)
def test_foreign_bytes_are_named_with_their_place(tmp_path, kind):
    first = COMPRESS[kind](LOG)
    path = put(tmp_path, first + b"hello")
    with pytest.raises(ValueError, match="what follows member 1") as error:
        read_lackey(path)
    assert str(error.value).startswith(f"{path}: byte {len(first)}: ")
    assert str(error.value).endswith("68 65 6c 6c 6f")


def test_padding_of_xz_comes_in_fours(tmp_path):
    first = COMPRESS["xz"](LOG)
    path = put(tmp_path, first + bytes(6))
    with pytest.raises(ValueError, match=rf"byte {len(first)}: 6 zero bytes after member 1"):
        read_lackey(path)


@pytest.mark.parametrize("nibble", range(16))
def test_zstd_may_begin_with_a_frame_to_skip(tmp_path, nibble):
    path = put(tmp_path, skippable(4, nibble) + COMPRESS["zst"](LOG))
    assert b"".join(chunks(path)) == LOG
    assert len(open_trace(path)) == 3000


def test_zstd_frames_of_every_size_meet_every_border(tmp_path):
    # Headers of frames at the end of a piece that is fed, and of a block that is read.
    pack = zstandard.ZstdCompressor(write_content_size=False).compress
    frames = [pack(LOG[i : i + 17]) for i in range(0, 4000, 17)]
    path = put(tmp_path, b"".join(frames) + skippable(70_000) + b"".join(frames))
    assert b"".join(chunks(path)) == LOG[: 17 * len(frames)] * 2


def framed(window_log: int) -> bytes:
    """A frame that says it needs a window of 2**window_log bytes, one raw block."""
    block = b" L 1000,4\n"
    return (
        b"\x28\xb5\x2f\xfd\0"
        + bytes([(window_log - 10) << 3])
        + (len(block) << 3 | 1).to_bytes(3, "little")
        + block
    )


def test_zstd_windows_are_taken_up_to_128_mib(tmp_path):
    assert len(read_lackey(put(tmp_path, framed(27)))) == 1
    for bits, size in ((28, 256), (31, 2048)):
        path = put(tmp_path, COMPRESS["zst"](LOG) + framed(bits))
        at = len(COMPRESS["zst"](LOG))
        with pytest.raises(ValueError, match=rf"--long={bits}$") as error:
            read_lackey(path)
        assert str(error.value).startswith(f"{path}: byte {at}: needs a window of {size} MiB")


def test_zstd_with_a_dictionary_says_so(tmp_path):
    samples = [LOG[i : i + 400] for i in range(0, 30_000, 400)]
    dictionary = zstandard.train_dictionary(2000, samples)
    data = zstandard.ZstdCompressor(dict_data=dictionary).compress(LOG)
    with pytest.raises(ValueError, match=f"needs the dictionary {dictionary.dict_id()}"):
        read_lackey(put(tmp_path, data))


def test_a_dictionary_of_lzma_that_is_too_large_is_refused(tmp_path):
    for form in (lzma.FORMAT_XZ, lzma.FORMAT_ALONE):
        big = {"id": lzma.FILTER_LZMA2 if form == lzma.FORMAT_XZ else lzma.FILTER_LZMA1}
        data = lzma.compress(LOG, form, filters=[{**big, "dict_size": 3 << 26, "mode": 1,
                                                  "mf": lzma.MF_HC3}])  # fmt: skip
        path = put(tmp_path, data)
        with pytest.raises(ValueError, match="more than 128 MiB: decompress it first: xz -d"):
            read_lackey(path)


# --------------------------------------------------------------------- damage


@pytest.mark.parametrize("kind", COMPRESSED)
@pytest.mark.parametrize("left", [0.02, 0.5, 0.99, -1, -4])
def test_a_stream_cut_short_is_an_error(tmp_path, kind, left):
    data = COMPRESS[kind](LOG)
    keep = left if left < 0 else int(len(data) * left)
    path = put(tmp_path, data[:keep])
    with pytest.raises(ValueError, match="damaged or cut short") as error:
        read_lackey(path)
    assert str(error.value).startswith(f"{path}: byte ")


@pytest.mark.parametrize("kind", CHECKED)
def test_a_damaged_byte_is_an_error(tmp_path, kind):
    data = bytearray(COMPRESS[kind](LOG))
    data[len(data) // 2] ^= 0x55
    with pytest.raises(ValueError, match=r"log: byte \d+: the compressed stream is damaged"):
        list(chunks(put(tmp_path, bytes(data))))


@settings(max_examples=60)
@given(st.sampled_from(CHECKED), st.integers(0, 1 << 20), st.integers(1, 255))
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
    path = put(tmp_path, zstandard.ZstdCompressor().compress(b"x" * (1 << 28)))
    assert os.path.getsize(path) < 1 << 16
    for number, chunk in enumerate(chunks(path)):
        assert len(chunk) <= 1 << 26
        if number == 2:
            break
    with pytest.raises(ValueError, match=r"log:1: the line has more than 4096 bytes"):
        read_lackey(path)


def test_zstd_without_its_module_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(ValueError, match=r"log: byte 0: is zstd: install the Python package"):
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
@pytest.mark.parametrize(("text", "line", "cause"), BROKEN)
def test_a_broken_line_names_file_and_line(tmp_path, kind, text, line, cause):
    path = put(tmp_path, COMPRESS[kind](text))
    with pytest.raises(ValueError, match=cause) as error:
        read_lackey(path)
    assert str(error.value).startswith(f"{path}:{line}: ")


CSV_BROKEN = [
    (b"", 1, "no header line; a CSV begins with the names of its columns, 'page,write'"),
    (b"\n# page\n\n", 4, "no header line"),
    (b"p" * 5000 + b"\n1,0\n", 1, "no header line, but one of more than 4096 bytes"),
    (b"a,b\n1,0\n", 1, r"needs 'page' or 'address', and only one \(found: a, b\)"),
    (b"1,0\n", 1, r"no header line: data comes first \(1, 0\); a CSV begins with"),
    (b"1,0\r2,0\r\n", 1, "lines end with a carriage return alone"),
    (b"page,address,write\n", 1, "needs 'page' or 'address', and only one"),
    (b"page,page,write\n", 1, "needs 'page' or 'address', and only one"),
    (b"page\n1\n", 1, "needs 'write' or 'op', and only one"),
    (b"page,write,op\n", 1, "needs 'write' or 'op', and only one"),
    (b"page,write,size,size\n", 1, "'size' twice"),
    (b"page,write" + b",x" * 15 + b"\n", 1, "more than 16 columns"),
    (b"# by me\n\npage;write\n1;0\n\n2;2\n", 6, "write is not 0 or 1: '2;2'"),
    (b"# page,write\n1,0\n2,2\n", 3, "write is not 0 or 1: '2,2'"),
    (b"R,0x10\nX,0x10\n", 2, "op is not one of"),
    (b"page,write\n1,0\n2,2\n", 3, "write is not 0 or 1: '2,2'"),
    (b"page,write\n1\n", 2, "not as many fields as the header"),
    (b"page,write\n1,0,0\n", 2, "not as many fields as the header"),
    (b"page,write\n-1,0\n", 2, "is not a number"),
    (b"page,write\n4503599627370496,0\n", 2, r"pages are below 2\*\*52"),
    (b"op,address\nR,99999999999999999999\n", 2, r"all others below 2\*\*64"),
    (b"op,address\nX,1\n", 2, "op is not one of"),
]


@pytest.mark.parametrize(("text", "line", "cause"), CSV_BROKEN)
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
