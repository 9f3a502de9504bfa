"""Row P1: faults of a real program whose memory is simulated.

A program of our own writes to every word of twice as many pages as there are frames, several times.
The time is that of its processor and of the machine's process, without their start; the faults are
those that the kernel handed over. It needs root, and is left out where that is not allowed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.row import Row, Size
from swapfast.shell.memory.engine import check
from swapfast.swapfile import mkswap
from swapfast.units import PAGE_SIZE

__all__ = ["ROWS"]

PROGRAM = Path(__file__).parents[1] / "tests" / "shell" / "programs" / "words.c"
GOAL = 15_000  # ns a fault
TICK = 10_000_000  # ns, of /proc/PID/stat
# Ticks of the machine's process, before and after; of the program, in between.
LINE = """
machine() { cut -d' ' -f14,15 /proc/$PPID/stat; }
program() { cut -d' ' -f16,17 /proc/$$/stat; }
%(words)s 1 1 > /dev/null; machine; program
%(words)s %(pages)d %(rounds)d > /dev/null; machine; program
"""


def real(size: Size) -> Iterator[Row]:
    """P1: a fault with an eviction and its bytes."""
    try:
        check()
    except OSError:
        return
    frames, rounds = (1024, 2) if size.smoke else (8192, 6)
    with tempfile.TemporaryDirectory() as folder:
        words, swap = Path(folder) / "words", Path(folder) / "s"
        subprocess.run(["cc", "-O2", "-o", words, PROGRAM], check=True)
        mkswap(swap, size=4 * frames * PAGE_SIZE)
        line = LINE % {"words": words, "pages": 2 * frames, "rounds": rounds}
        options = ["--own-memory", "--memory", f"{frames * 4}KiB", "--swap", swap]
        command = [sys.executable, "-m", "swapfast", "shell", *options, "--", "sh", "-c", line]
        costs = sorted(cost(command, 2 * frames, rounds) for _ in range(min(size.rounds, 3)))
    ns = costs[len(costs) // 2]
    yield Row("P1 fault of a real program, CPU", ns, GOAL, "ns", "goal", ns / GOAL, 1, "lower")


def cost(command: list[object], pages: int, rounds: int) -> float:
    """ns of CPU a fault: a first write, then a read and a write of each page in each round."""
    told = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True).stdout
    ticks = [int(word) for word in told.split()]
    before, after = sum(ticks[:4]), sum(ticks[4:8])
    return (after - before) * TICK / (pages * (2 * rounds - 1))


ROWS: dict[str, Callable[[Size], Iterator[Row]]] = {"P1": real}
