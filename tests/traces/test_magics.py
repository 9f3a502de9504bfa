"""Files that are no traces are called what they are, packed or not."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sqlite3
import tarfile
import zipfile

import numpy as np
import pytest

from swapfast.traces import open_trace, save_npz
from swapfast.traces.magics import MAGICS, found
from swapfast.traces.text import read_csv, read_lackey
from swapfast.traces.trace import Trace

LOG = b"==1== Lackey\n L 1000,4\n S 2000,4\n"


def tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo("a.lackey")
        info.size = len(LOG)
        archive.addfile(info, io.BytesIO(LOG))
    return out.getvalue()


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.lackey", LOG)
    return out.getvalue()


def database(tmp_path) -> bytes:
    with sqlite3.connect(tmp_path / "db") as base:
        base.execute("create table t (page)")
    return (tmp_path / "db").read_bytes()


def saved() -> bytes:
    out = io.BytesIO()
    np.save(out, np.zeros(3, np.uint32))
    return out.getvalue()


FILES = {
    "tar": (tar(), "is a tar archive: unpack it first"),
    "tar.gz": (gzip.compress(tar()), "byte 0 inside the gzip: is a tar archive"),
    "tar.xz": (lzma.compress(tar()), "byte 0 inside the xz: is a tar archive"),
    "tar.bz2": (bz2.compress(tar()), "byte 0 inside the bzip2: is a tar archive"),
    "gz.gz": (gzip.compress(gzip.compress(LOG)), "byte 0 inside the gzip: is gzip: decompress it"),
    "xz.gz": (gzip.compress(lzma.compress(LOG)), "byte 0 inside the gzip: is xz"),
    "npy.gz": (gzip.compress(saved()), "inside the gzip: is an .npy array: give it as a file of"),
    "zip.gz": (gzip.compress(zipped()), "inside the gzip: is a zip archive or an .npz"),
    "zip": (zipped(), "is a zip archive .'a.lackey' is its first member., no .npz of a trace"),
    "7z": (b"7z\xbc\xaf\x27\x1c\0\x04", "is a 7z archive"),
    "rar": (b"Rar!\x1a\x07\x01\0", "is a rar archive"),
    "lz4": (b"\x04\x22\x4d\x18\x64\x40", "is lz4: decompress it first: lz4 -d"),
    "Z": (b"\x1f\x9d\x90abc", "is compressed with compress"),
    "lz": (b"LZIP\x01", "is lzip"),
    "elf": (b"\x7fELF\x02\x01\x01" + bytes(9), "is a program, a library or a core dump .ELF."),
    "pcap": (b"\xd4\xc3\xb2\xa1\x02\0\x04\0", "is a pcap capture"),
    "data": (b"PERFILE2" + bytes(8), "is perf.data: print it: perf script -F .addr"),
    "parquet": (b"PAR1\x15\x04", "is a Parquet file"),
    "h5": (b"\x89HDF\r\n\x1a\n\0", "is an HDF5 file"),
    "png": (b"\x89PNG\r\n\x1a\n\0\0", "is a PNG picture"),
    "pdf": (b"%PDF-1.7\n", "is a PDF document"),
    "json": (b'{"page": 1}\n', "is JSON"),
    "html": (b"<!DOCTYPE html>", "is a web page"),
    "utf16": ("page,write\n1,0\n".encode("utf-16"), "is UTF-16 text: convert it"),
    "utf16le": ("page,write\n1,0\n".encode("utf-16-le"), "iconv -f UTF-16LE"),
    "utf16be": ("page,write\n1,0\n".encode("utf-16-be"), "iconv -f UTF-16BE"),
    "utf32": ("page,write\n1,0\n".encode("utf-32"), "is UTF-32 text"),
    "bin": (b"\x01\x02\0\x03", "is no text, and of no kind that is known"),
}  # fmt: skip


@pytest.mark.parametrize("suffix", FILES)
def test_what_is_no_trace_is_called_what_it_is(tmp_path, suffix):
    data, cause = FILES[suffix]
    path = tmp_path / f"t.{suffix}"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=cause) as error:
        open_trace(path)
    assert str(error.value).startswith(f"{path}: ")
    if suffix != "zip":
        assert "swapfast trace --formats has the formats" in str(error.value)
        for read in (read_lackey, read_csv):
            with pytest.raises(ValueError, match=cause):
                read(path)


def test_a_database(tmp_path):
    path = tmp_path / "t.db"
    path.write_bytes(database(tmp_path))
    with pytest.raises(ValueError, match=r"t.db: byte 0: is an SQLite database: write CSV"):
        open_trace(path)


@pytest.mark.parametrize("suffix", ["npz", "npy", "raw", "u32"])
@pytest.mark.parametrize("kind", ["tar", "tar.gz", "lz4", "7z", "elf"])
def test_a_suffix_of_ours_hides_nothing(tmp_path, suffix, kind):
    path = tmp_path / f"t.{suffix}"
    path.write_bytes(FILES[kind][0])
    what = {"tar.gz": "is gzip"}.get(kind, FILES[kind][1])
    with pytest.raises(ValueError, match=f"t.{suffix}: byte 0: .*{what}"):
        open_trace(path)


def test_references_are_not_taken_for_something_else(tmp_path):
    path = tmp_path / "t.raw"
    for first in (0xFEFF, 0xFFFE, 0x5B, 0x7B, 0x8B1F, 0x4D5A):
        path.write_bytes(np.array([first, 1, 0], dtype="<u4").tobytes())
        assert open_trace(path).refs.tolist() == [first, 1, 0]


def test_a_trace_in_a_compressed_npz_is_named(tmp_path):
    save_npz(tmp_path / "t.npz", Trace(np.zeros(3, dtype=np.uint32)))
    path = tmp_path / "t.npz.gz"
    path.write_bytes(gzip.compress((tmp_path / "t.npz").read_bytes()))
    with pytest.raises(ValueError, match=r"inside the gzip: is a zip archive or an .npz"):
        open_trace(path)


def test_text_is_not_in_the_table():
    for text in (LOG, b"page,write\n", b"# made\npage;write\n", b"I  04000000,3\n", b" M 1,2\n",
                 b"\xef\xbb\xbfpage,write\r\n", b"op address\n", b"", b"\n\n",
                 b"[machine]\n"):  # fmt: skip
        assert found(text) is None


def test_every_magic_is_within_what_is_looked_at():
    for at, magic, what, advice in MAGICS:
        assert found(bytes(at) + magic + bytes(20)) is not None
        assert what.startswith("is ") and advice
