"""Rows X1, X2: what it costs to record a program, against the program alone and against lackey.

CPU seconds of the program, of what it runs in and of this process, which reads the references. The
program is sort(1); its output has to be the same in both. Without qemu-user there are no rows.
"""

from __future__ import annotations

import resource
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from bench.row import Row, Size
from swapfast.record import record
from swapfast.record.lackey import find_valgrind
from swapfast.record.qemu import find_qemu

__all__ = ["ROWS"]

WINDOW = 256
LINE = 60
REPEATED = 5  # for a clock that ticks in milliseconds


def spent(call: Callable[[], object]) -> float:
    """CPU seconds of this process and of children that it waited for."""

    def now() -> float:
        both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, both))

    before = now()
    call()
    return now() - before


def text(path: Path, lines: int) -> None:
    """Random lines of letters."""
    letters = np.random.default_rng(1).integers(97, 123, (lines, LINE + 1), dtype=np.uint8)
    letters[:, LINE] = 10
    path.write_bytes(letters.tobytes())


def sorting(folder: str, lines: int) -> tuple[list[str], Path]:
    """A command, and where it puts what it has sorted."""
    given, out = Path(folder) / "lines.txt", Path(folder) / "sorted.txt"
    text(given, lines)
    sort = shutil.which("sort") or "sort"
    return [sort, "-S", "32M", "--parallel=1", "-o", str(out), str(given)], out


def recording(size: Size) -> Iterator[Row]:
    """X1: sort of 4.9 MB."""
    if find_qemu() is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        command, out = sorting(folder, size.refs // 625)
        record(
            command, by="qemu", reduce=WINDOW, cache=out.parent
        )  # compiles the plugin, if need be
        ours, alone, ratios = [], [], []
        for _ in range(size.rounds):
            alone.append(
                spent(lambda: [subprocess.run(command) for _ in range(REPEATED)]) / REPEATED
            )
            whole = out.read_bytes()
            ours.append(spent(lambda: record(command, by="qemu", reduce=WINDOW, cache=out.parent)))
            ratios.append(ours[-1] / alone[-1])
            same = out.read_bytes() == whole
    a, b = 1e3 * statistics.median(ours), 1e3 * statistics.median(alone)
    ratio = statistics.median(ratios)
    yield Row("X1 record sort", a, b, "ms CPU", "sort", ratio, 15, "lower", same=same)


def against_lackey(size: Size) -> Iterator[Row]:
    """X2: the same by lackey; a tenth of the file, for its sake."""
    if find_qemu() is None or find_valgrind() is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        command, out = sorting(folder, size.refs // 6250)
        record(command, by="qemu", reduce=WINDOW, cache=out.parent)
        whole = out.read_bytes()
        ours = spent(lambda: record(command, by="qemu", reduce=WINDOW, cache=out.parent))
        lackey = spent(lambda: record(command, by="lackey", reduce=WINDOW))
        same = out.read_bytes() == whole
    a, b = 1e3 * ours, 1e3 * lackey
    yield Row("X2 record sort", a, b, "ms CPU", "lackey", b / a, 50, same=same)


ROWS: dict[str, Callable[[Size], Iterator[Row]]] = {"X1": recording, "X2": against_lackey}
