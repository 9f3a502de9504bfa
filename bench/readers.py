"""Rows of the readers of traces: text against 100 MB/s, records against a copy of the file.

- ``ROWS``: L1, a row for each format of text; L2, one for each of records.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from bench.row import Row, Size, cpu, rates, trace
from swapfast.traces import open_trace
from swapfast.traces.champsim import RECORD
from swapfast.traces.libcachesim import RECORD as OBJECT
from swapfast.traces.vscsi import LAYOUTS
from swapfast.units import PAGE_SIZE

__all__ = ["ROWS"]

BASE = 0x4000000  # address of page 0


def _pages(size: Size, share: int) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    refs = trace("zipf", size.pages, size.refs).refs[: max(1000, size.refs // share)]
    return refs & np.uint32(0x7FFFFFFF)


def _perf(at: int) -> str:
    where = "f+0x1 (/usr/bin/sort)"
    return f"    sort  5810/5810   4956.69:  1 page-faults:  {at:x} {where}  55c5a40d4548 {where}\n"


def _ftrace(at: int) -> str:
    told = f"address=0x{at:x} ip=0x7fa6aeb81ed6 error_code=0x7"
    return f"    sort-16017   (  16017) [001] d....  5952.648831: page_fault_user: {told}\n"


def _view(at: int) -> str:
    pc = "0x0000000000401012"
    return f"  4   1:      296231 read         8 byte(s) @ 0x{at:016x} by PC {pc}\n"


LINES: dict[str, Callable[[int], str]] = {
    "perf": _perf,
    "ftrace": _ftrace,
    "drmemtrace": _view,
    "damo": lambda at: f"{at:012x}-{at + PAGE_SIZE:012x} (   4.000 KiB)           1     7\n",
    "pin": lambda at: f"0x7f58b95b2b70: R 0x{at:x}\n",
    "msr": lambda at: f"128166372003061629,hm,0,Read,{at},8192,413\n",
    "alibaba": lambda at: f"419,R,{at},4096,1577808144360767\n",
    "tencent": lambda at: f"1538323200,{at // 512},8,0,1283\n",
}


def text(size: Size) -> Iterator[Row]:
    """L1: lines of each recorder."""
    places = (_pages(size, 50).astype(np.int64) * PAGE_SIZE + BASE).tolist()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        for name, line in LINES.items():
            path.write_text("".join(map(line, places)))
            length = path.stat().st_size
            a, b, _ = rates(
                length,
                size.rounds,
                lambda name=name: cpu(lambda: open_trace(path, format=name))[1],
                lambda: cpu(path.read_bytes)[1],
            )
            same = len(open_trace(path, format=name)) >= len(places)
            row = f"L1 {name}"
            yield Row(row, a / 1e6, b / 1e6, "MB/s", "read", a / 1e8, 1.0, same=same)


def _champsim(pages: np.ndarray[tuple[int], np.dtype[np.uint32]]) -> np.ndarray:
    """Every third instruction reads, every ninth writes too."""
    records = np.zeros(3 * len(pages), RECORD)
    records["ip"] = 0x401000 + 4 * (np.arange(len(records)) % 1000)
    at = pages.astype(np.uint64) * np.uint64(PAGE_SIZE) + np.uint64(BASE)
    records["source_memory"][::3, 0] = at
    records["destination_memory"][::9, 0] = at[::3]
    return records


def _oracle(pages: np.ndarray[tuple[int], np.dtype[np.uint32]]) -> np.ndarray:
    records = np.zeros(len(pages), OBJECT)
    records["object"], records["next"] = pages, -1
    return records


def _vscsi(pages: np.ndarray[tuple[int], np.dtype[np.uint32]]) -> np.ndarray:
    records = np.zeros(len(pages), LAYOUTS[2])
    records["command"], records["version"], records["bytes"] = 0x28, 0x200, PAGE_SIZE
    records["block"] = pages.astype(np.uint64) * np.uint64(8)
    return records


def records(size: Size) -> Iterator[Row]:
    """L2: records of each, against reading the file and copying it once in memory."""
    pages = _pages(size, 10)
    made = {"champsim": _champsim, "oracleGeneral": _oracle, "vscsi": _vscsi}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "records"
        for name, make in made.items():
            data = make(pages)
            data.tofile(path)
            goal = np.empty_like(data.view(np.uint8))
            source = data.view(np.uint8)
            a, b, ratio = rates(
                data.nbytes,
                size.rounds,
                lambda name=name: cpu(lambda: open_trace(path, format=name))[1],
                lambda source=source, goal=goal: cpu(lambda: np.copyto(goal, source))[1],
            )
            same = len(open_trace(path, format=name)) >= len(pages)
            yield Row(f"L2 {name}", a / 1e6, b / 1e6, "MB/s", "memory copy", ratio, 0.5, same=same)


ROWS: dict[str, Callable[[Size], Iterator[Row]]] = {"L1": text, "L2": records}
