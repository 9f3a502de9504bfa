"""Rows H1 to H4: system calls in `swapfast shell`, against the same calls without it.

- H1 sysinfo(2), answered by the machine; H2 an open that is let through; H3 an open of /proc/swaps.
- H4 a call that nobody asks about: what the filter costs.

The calls are made by a small C program, natively and in a shell in turns; wall time of each call.
Without a compiler, or where a shell is not allowed, the rows are left out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from bench.row import Row, Size, rates
from swapfast.shell import Ended, Unable, Wish, run

__all__ = ["ROWS"]

PROGRAM = r"""
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>
int main(int n, char **v) {
    struct timespec a, b;
    struct sysinfo info;
    long calls = atol(v[2]), i;
    FILE *out = fopen(v[3], "w");
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (i = 0; i < calls; i++)
        switch (*v[1]) {
        case 's': sysinfo(&info); break;
        case 'o': close(open("/dev/null", O_RDONLY)); break;
        case 'p': close(open("/proc/swaps", O_RDONLY)); break;
        default: syscall(SYS_getppid);
        }
    clock_gettime(CLOCK_MONOTONIC, &b);
    fprintf(out, "%.9f\n", ((b.tv_sec - a.tv_sec) + (b.tv_nsec - a.tv_nsec) / 1e9) / calls);
    return n != 4;
}
"""
BUDGET = 100  # us of a call that is answered


def seconds(command: list[str], out: Path, shell: bool) -> float:
    """Of one call, as the program measured it."""
    code = run(Wish(command)) if shell else subprocess.run(command).returncode
    assert code == 0, code
    return float(out.read_text())


def calls(
    row: str, what: str, number: int, most: float, *, answered: bool = True
) -> Callable[[Size], Iterator[Row]]:
    """A call in a shell against the kernel's; one that is answered has a budget, too."""
    name = f"{NAMES[what]} in a shell"

    def measure(size: Size) -> Iterator[Row]:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            return
        with tempfile.TemporaryDirectory() as folder:
            program, out = os.path.join(folder, "calls"), Path(folder) / "out"
            source = Path(folder) / "calls.c"
            source.write_text(PROGRAM)
            subprocess.run([compiler, "-O2", "-o", program, source], check=True)
            n = max(100, number * size.rounds // 5)
            command = [program, what, str(n), str(out)]
            try:
                seconds(command, out, True)
            except (Ended, Unable):
                return
            times = [partial(seconds, command, out, shell) for shell in (True, False)]
            a, b, ratio = rates(1, size.rounds, *times)
        ours, native = 1e6 / a, 1e6 / b
        yield Row(f"{row} {name}", ours, native, "us", "native", 1 / ratio, most, "lower")
        if answered:
            budget = ours / BUDGET
            yield Row(f"{row} {name}", ours, BUDGET, "us", "budget", budget, 1, "lower")

    return measure


NAMES = {
    "sysinfo": "sysinfo",
    "open": "open and close of /dev/null",
    "proc": "open and close of /proc/swaps",
    "getppid": "getppid",
}
ROWS: dict[str, Callable[[Size], Iterator[Row]]] = {
    "H1": calls("H1", "sysinfo", 20_000, 100),
    "H2": calls("H2", "open", 50_000, 10, answered=False),
    "H3": calls("H3", "proc", 20_000, 50),
    "H4": calls("H4", "getppid", 1_000_000, 1.5, answered=False),
}
