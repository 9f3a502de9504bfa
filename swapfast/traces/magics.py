"""Files that are no traces, known by their first bytes.

- ``found(head)``: what a file is and what to do with it, or None.
- ``READ``: what is read, for messages.
"""

from __future__ import annotations

__all__ = ["HEAD", "READ", "found"]

HEAD = 512  # bytes that are looked at
READ = "swapfast trace --formats has the formats of traces"
UNPACK = "unpack it first, and give the trace that is in it"
CAPTURE = "capture the program's references with swapfast record"

# Offset, bytes, what it is, what to do.
MAGICS: tuple[tuple[int, bytes, str, str], ...] = (
    # compressed
    (0, b"\x1f\x8b\x08", "is gzip", "decompress it first: gzip -d"),
    (0, b"\xfd7zXZ\0", "is xz", "decompress it first: xz -d"),
    (0, b"\x28\xb5\x2f\xfd", "is zstd", "decompress it first: zstd -d"),
    *((0, b"%c\x2a\x4d\x18" % n, "is zstd", "decompress it first: zstd -d") for n in range(80, 96)),
    *((0, b"%c\xb5\x2f\xfd" % n, "is zstd of before 1.0", "decompress it first: zstd -d")
      for n in (0x1E, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27)),
    (0, b"BZh", "is bzip2", "decompress it first: bzip2 -d"),
    (0, b"LZIP", "is lzip", "decompress it first: lzip -d"),
    (0, b"\x04\x22\x4d\x18", "is lz4", "decompress it first: lz4 -d"),
    (0, b"\x02\x21\x4c\x18", "is lz4 of the old kind", "decompress it first: lz4 -d"),
    (0, b"\x89LZO\0\r\n\x1a\n", "is lzop", "decompress it first: lzop -d"),
    (0, b"\x1f\x9d", "is compressed with compress(1), .Z", "decompress it first: gzip -d"),
    (0, b"\x1f\xa0", "is compressed with compress(1), .Z", "decompress it first: gzip -d"),
    (0, b"\x1f\x1e", "is compressed with pack(1), .z", "decompress it first: gzip -d"),
    (0, b"\xff\x06\0\0sNaPpY", "is a snappy stream", "decompress it first"),
    # archives
    (257, b"ustar", "is a tar archive", UNPACK),
    (0, b"PK\x03\x04", "is a zip archive or an .npz", UNPACK),
    (0, b"PK\x05\x06", "is an empty zip archive", "it holds no trace"),
    (0, b"7z\xbc\xaf\x27\x1c", "is a 7z archive", UNPACK),
    (0, b"Rar!\x1a\x07", "is a rar archive", UNPACK),
    (0, b"!<arch>\n", "is an ar archive", UNPACK),
    (0, b"070701", "is a cpio archive", UNPACK),
    (0, b"070707", "is a cpio archive", UNPACK),
    (0, b"\xc7\x71", "is a cpio archive", UNPACK),
    (0, b"MSCF\0\0\0\0", "is a cabinet archive", UNPACK),
    (0, b"\xed\xab\xee\xdb", "is an rpm package", UNPACK),
    (0, b"hsqs", "is a squashfs image", UNPACK),
    # programs, and what was recorded of them
    (0, b"\x7fELF", "is a program, a library or a core dump (ELF)", CAPTURE),
    (0, b"MZ\x90\0", "is a program for Windows", CAPTURE),
    (0, b"\xcf\xfa\xed\xfe", "is a program for macOS", CAPTURE),
    (0, b"\xca\xfe\xba\xbe", "is a Java class or a program for macOS", CAPTURE),
    (0, b"\0asm", "is a WebAssembly module", CAPTURE),
    (0, b"#!/", "is a script", CAPTURE),
    (0, b"PERFILE2", "is perf.data", "print it: perf script -F +addr"),
    (0, b"2ELIFREP", "is perf.data", "print it: perf script -F +addr"),
    (0, b"\x17\x08\x44tracing", "is trace.dat of trace-cmd", "write CSV from trace-cmd report"),
    (0, b"\xc1\x1f\xfc\xc1", "is a CTF trace (LTTng)", "write CSV from babeltrace2"),
    (0, b"# callgrind format", "is callgrind's output", CAPTURE),
    (0, b"\xd4\xc3\xb2\xa1", "is a pcap capture of a network", CAPTURE),
    (0, b"\xa1\xb2\xc3\xd4", "is a pcap capture of a network", CAPTURE),
    (0, b"\x4d\x3c\xb2\xa1", "is a pcap capture of a network", CAPTURE),
    (0, b"\xa1\xb2\x3c\x4d", "is a pcap capture of a network", CAPTURE),
    (0, b"\x0a\x0d\x0d\x0a", "is a pcapng capture of a network", CAPTURE),
    # tables and arrays
    (0, b"\x93NUMPY", "is an .npy array", "give it as a file of its own"),
    (0, b"SQLite format 3\0", "is an SQLite database", "write CSV from its table"),
    (0, b"PAR1", "is a Parquet file", "write CSV from its columns"),
    (0, b"ARROW1", "is an Arrow file", "write CSV from its columns"),
    (0, b"FEA1", "is a Feather file", "write CSV from its columns"),
    (0, b"Obj\x01", "is an Avro file", "write CSV from its columns"),
    (0, b"\x89HDF\r\n\x1a\n", "is an HDF5 file", "write CSV or .npy from its data set"),
    (0, b"CDF\x01", "is a NetCDF file", "write CSV or .npy from its variable"),
    (0, b"CDF\x02", "is a NetCDF file", "write CSV or .npy from its variable"),
    (0, b"MATLAB 5.0 MAT-file", "is a MATLAB file", "write CSV from its variables"),
    (0, b"RDX3\n", "is an R data file", "write CSV from it"),
    *((0, b"\x80%c\x95" % n, "is a Python pickle", "write .npy, .npz or CSV") for n in (4, 5)),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an old Office document", "write CSV from it"),
    # documents
    (0, b"%PDF-", "is a PDF document", "it holds no trace"),
    (0, b"%!PS", "is a PostScript document", "it holds no trace"),
    (0, b"\x89PNG\r\n\x1a\n", "is a PNG picture", "it holds no trace"),
    (0, b"\xff\xd8\xff", "is a JPEG picture", "it holds no trace"),
    (0, b"GIF8", "is a GIF picture", "it holds no trace"),
    (0, b"<?xml", "is XML", "valgrind writes a log without --xml=yes"),
    (0, b"<!DOCTYPE", "is a web page", "was it meant to be downloaded?"),
    (0, b"<!doctype", "is a web page", "was it meant to be downloaded?"),
    (0, b"<html", "is a web page", "was it meant to be downloaded?"),
    (0, b"{", "is JSON", "write CSV from it"),
    *((0, b"[" + c, "is JSON", "write CSV from it") for c in (b"{", b"[", b"\n", b" ", b'"')),
    *((0, b"[%d" % n, "is JSON", "write CSV from it") for n in range(10)),
    (0, b"version https://git-lfs.github.com/spec/", "is a pointer of Git LFS", "run git lfs pull"),
    # text in wide characters
    (0, b"\xff\xfe\0\0", "is UTF-32 text", "convert it: iconv -f UTF-32 -t UTF-8"),
    (0, b"\0\0\xfe\xff", "is UTF-32 text", "convert it: iconv -f UTF-32 -t UTF-8"),
    (0, b"\xff\xfe", "is UTF-16 text", "convert it: iconv -f UTF-16 -t UTF-8"),
    (0, b"\xfe\xff", "is UTF-16 text", "convert it: iconv -f UTF-16 -t UTF-8"),
)  # fmt: skip
CERTAIN = 3  # bytes of a magic, none of them zero, that an array of references has not by chance


def found(head: bytes, *, text: bool = True) -> str | None:
    """What begins so, if it is no trace.

    Parameters
    ----------
    head : bytes
        The first ``HEAD`` bytes, or all.
    text : bool
        Text is expected; otherwise numbers, which may look like a short magic.

    Returns
    -------
    str or None
        "is a tar archive: unpack it first, ...; traces are ...".
    """
    for at, magic, what, advice in MAGICS:
        if head[at : at + len(magic)] == magic and (text or _certain(magic)):
            return f"{what}: {advice}; {READ}"
    if not text:
        return None
    for at, order in ((1, "UTF-16LE"), (0, "UTF-16BE")):
        zeros, others = head[at:40:2], head[1 - at : 40 : 2]
        if len(zeros) > 1 and not any(zeros) and all(others):
            return f"is UTF-16 text: convert it: iconv -f {order} -t UTF-8; {READ}"
    if b"\0" in head:
        return f"is no text, and of no kind that is known; {READ}"
    return None


def _certain(magic: bytes) -> bool:
    return len(magic) >= CERTAIN and b"\0" not in magic[:CERTAIN]
