"""Which reader reads this file?

- ``open_trace(path, format=None)``: by its first bytes, then by its suffix.
- ``FORMATS``: name -> reader; one line a format.
- ``bundled_trace()``: the real program's trace that comes with the package.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.resources import as_file, files

from swapfast.traces.dialect import is_table
from swapfast.traces.flat import read_npy, read_raw
from swapfast.traces.magics import HEAD, found
from swapfast.traces.npz import read_npz
from swapfast.traces.streamed import rereadable
from swapfast.traces.streams import Progress, chunks
from swapfast.traces.text import read_csv, read_lackey
from swapfast.traces.trace import HOLD, Trace

__all__ = ["FORMATS", "bundled_trace", "open_trace"]

FORMATS: dict[str, Callable[..., Trace]] = {
    "lackey": read_lackey,
    "csv": read_csv,
    "npz": read_npz,
    "npy": read_npy,
    "raw": read_raw,
}
RAW_SUFFIXES = (".raw", ".u32")


def open_trace(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    instructions: bool = False,
    collapse: bool = False,
    pid: int | None = None,
    hold: int = HOLD,
    progress: Progress | None = None,
) -> Trace:
    """Read a trace.

    Parameters
    ----------
    path : path
    format : str, optional
        One of ``FORMATS``; guessed by default.
    instructions, collapse : bool
        For text formats, see `read_lackey`.
    pid : int, optional
        For a lackey log of several processes: the one to read, see `read_lackey`.
    hold : int
        References kept in memory; a longer trace is a `StreamedTrace`, read again for each replay,
        as .npy and raw files always are.
    progress : callable, optional
        For text formats: called as ``progress(bytes read, bytes in all)``.

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
    if chosen == "lackey":
        return read_lackey(
            name,
            instructions=instructions,
            collapse=collapse,
            pid=pid,
            hold=hold,
            progress=progress,
        )
    if pid is not None:
        raise ValueError(f"{name}: pid is for lackey logs, and this is {chosen}")
    if chosen == "csv":
        return read_csv(name, collapse=collapse, hold=hold, progress=progress)
    if chosen == "npz":
        return read_npz(name, hold=hold)
    return FORMATS[chosen](name)


def guess_format(name: str) -> str:
    """The format of a file: npz and npy by their magic, raw by suffix, text by its first line."""
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
    return "csv" if is_table(name, next(chunks(name), b"")) else "lackey"


def bundled_trace() -> Trace:
    """GNU sort on 4 MB of text, its data references; see swapfast/data/README.md."""
    with as_file(files("swapfast") / "data" / "sort.npz") as path:
        return read_npz(path)
