"""Which reader reads this file?

- ``open_trace(path, format=None)``: by its first bytes, then by its suffix.
- ``FORMATS``: name -> ``Format``; one line a format, in the order in which files are looked at.
- ``bundled_trace()``: the real program's trace that comes with the package.
"""

from __future__ import annotations

import os
from importlib.resources import as_file, files

from swapfast.traces.blocks import ALIBABA, MSR, TENCENT
from swapfast.traces.champsim import CHAMPSIM
from swapfast.traces.damo import DAMO
from swapfast.traces.dialect import is_table
from swapfast.traces.drmemtrace import VIEW
from swapfast.traces.events import FTRACE, PERF
from swapfast.traces.flat import NPY, RAW
from swapfast.traces.format import Format, Head, Options, Pid
from swapfast.traces.libcachesim import LCS, ORACLE
from swapfast.traces.magics import HEAD, found
from swapfast.traces.memrefs import MEMREFS
from swapfast.traces.npz import NPZ, read_npz
from swapfast.traces.pin import PIN
from swapfast.traces.streamed import rereadable
from swapfast.traces.streams import PACKINGS, Progress, chunks
from swapfast.traces.text import CSV, LACKEY
from swapfast.traces.trace import HOLD, Trace
from swapfast.traces.vscsi import VSCSI

__all__ = ["FORMATS", "bundled_trace", "open_trace"]

FORMATS: dict[str, Format] = {
    format.name: format
    for format in (
        LACKEY,
        CSV,
        NPZ,
        NPY,
        RAW,
        PERF,
        FTRACE,
        DAMO,
        PIN,
        VIEW,
        MSR,
        ALIBABA,
        TENCENT,
        MEMREFS,
        LCS,
        VSCSI,
        CHAMPSIM,
        ORACLE,
    )
}
RAW_SUFFIXES = (".raw", ".u32")


def open_trace(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    instructions: bool = False,
    collapse: bool = False,
    pid: Pid | None = None,
    hold: int = HOLD,
    progress: Progress | None = None,
) -> Trace:
    """Read a trace.

    Parameters
    ----------
    path : path
    format : str, optional
        One of ``FORMATS``; guessed by default.
    instructions : bool
        Keep instruction fetches, of formats that have them.
    collapse : bool
        Merge runs of references to one page, see `read_lackey`; not for arrays.
    pid : int or "all", optional
        For a log of several processes: the one to read, or each with pages of its own.
    hold : int
        References kept in memory; a longer trace is a `StreamedTrace`, read again for each replay,
        as .npy and raw files always are.
    progress : callable, optional
        Called as ``progress(bytes read, bytes in all)``.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It is no trace: file, position and cause.
    """
    name = os.fspath(path)
    chosen = guess_format(name) if format is None else format
    if chosen not in FORMATS:
        raise ValueError(f"no trace format {chosen!r}; there are {', '.join(FORMATS)}")
    if pid is not None and not FORMATS[chosen].pids:
        with_pids = ", ".join(known.name for known in FORMATS.values() if known.pids)
        raise ValueError(f"{name}: pid is for {with_pids}, and this is {chosen}")
    return FORMATS[chosen].read(name, Options(instructions, collapse, pid, hold, progress))


def guess_format(name: str) -> str:
    """The format of a file: by its magic or its first records; raw by suffix."""
    if not rereadable(name) and not os.path.isdir(name):
        raise ValueError(f"{name}: is no file whose first bytes can be read twice: name its format")
    with open(name, "rb") as file:
        magic = file.read(HEAD)
    if magic[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return "npz"
    if magic[:6] == b"\x93NUMPY":
        return "npy"
    if name.endswith((*RAW_SUFFIXES, ".npz", ".npy")):
        raw = name.endswith(RAW_SUFFIXES)
        what = found(magic, text=not raw)
        if what is not None:
            anyway = " (if it is raw references all the same: format raw)" if raw else ""
            raise ValueError(f"{name}: byte 0: {what}{anyway}")
        if raw:
            return "raw"
        raise ValueError(f"{name}: byte 0: is not an {name[-4:]} file")
    return _by_content(name, magic)


def _by_content(name: str, magic: bytes) -> str:
    packed = any(packing.begins(magic) for packing in PACKINGS)
    data = next(chunks(name, text=False), b"")
    if found(data[:HEAD], text=False) is None:
        head = Head(data, None if packed else os.stat(name).st_size)
        for format in FORMATS.values():
            if format.begins(head):
                return format.name
    return "csv" if is_table(name, next(chunks(name), b"")) else "lackey"


def bundled_trace() -> Trace:
    """GNU sort on 4 MB of text, its data references; see swapfast/data/README.md."""
    with as_file(files("swapfast") / "data" / "sort.npz") as path:
        return read_npz(path)
