"""The gate: instructions and last-level misses of the kernels, counted, against a base.

    python -m bench.gate [--base REF] [--only clock,lru]

Each kernel runs under callgrind, which counts inside its compiled function alone and simulates a
cache of fixed geometry: the same figures whatever else the machine does. The base (by default the
merge base with origin/main, else the commit before) is checked out and built beside. More than 1 %
more instructions or 2 % more misses fails, and so does a count of 0, which means that a function
has another name now.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from bench.kernels import KERNELS

ROOT = Path(__file__).parents[1]
MORE_INSTRUCTIONS = 1.01
MORE_MISSES = 1.02
FEW_MISSES = 1000  # below, a miss more or less is chance
CACHE = ("--cache-sim=yes", "--I1=32768,8,64", "--D1=32768,8,64", "--LL=2097152,16,64")


# What a kernel says to callgrind; outside, the process runs several times faster.
SWITCHES = """
#include <valgrind/callgrind.h>
void begin(void) { CALLGRIND_START_INSTRUMENTATION; CALLGRIND_ZERO_STATS; }
void end(const char *name) { CALLGRIND_DUMP_STATS_AT(name); CALLGRIND_STOP_INSTRUMENTATION; }
"""


@dataclass(frozen=True)
class Count:
    """Of one kernel: instructions, and misses of the last-level cache."""

    instructions: int
    misses: int


def switches(folder: Path) -> Path:
    """A library with the switches.

    Raises
    ------
    RuntimeError
        valgrind or its headers are not installed.
    """
    source, library = folder / "switches.c", folder / "switches.so"
    source.write_text(SWITCHES)
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
    command = [compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    if shutil.which("valgrind") is None or done.returncode:
        raise RuntimeError("valgrind is not installed (Debian/Ubuntu: apt-get install valgrind)")
    return library


def count(tree: Path, names: Sequence[str]) -> dict[str, Count]:
    """Run kernels of a source tree under callgrind, in one process.

    Those that fail are left out.

    Raises
    ------
    RuntimeError
        As `switches`; or none of them could be run.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        patterns = dict.fromkeys(KERNELS[name][1] for name in names)
        done = subprocess.run(
            [
                "valgrind",
                "--tool=callgrind",
                "--instr-atstart=no",
                *(f"--toggle-collect={pattern}" for pattern in patterns),
                f"--callgrind-out-file={out}",
                *CACHE,
                sys.executable,
                "-m",
                "bench.kernels",
                "--callgrind",
                str(switches(Path(folder))),
                *names,
            ],
            cwd=tree,
            env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": str(tree)},
            capture_output=True,
            text=True,
        )
        parts = [p.read_text() for p in Path(folder).glob("callgrind.out.*")]
        found = {name: parse(text) for text in parts if (name := trigger(text)) in names}
        if done.returncode != 0 or not found:
            raise RuntimeError(f"the kernels failed under callgrind: {done.stderr[-2000:]}")
        return {name: found[name] for name in names if name in found}


def trigger(text: str) -> str:
    """The name that a part of a profile was given."""
    found = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.MULTILINE)
    return found[1] if found else ""


def parse(text: str) -> Count:
    """Totals of a callgrind file: the line of events names the columns."""
    events = re.search(r"^events: (.*)$", text, re.MULTILINE)
    totals = re.search(r"^(?:totals|summary): (.*)$", text, re.MULTILINE)
    if events is None or totals is None:
        raise RuntimeError("this is no callgrind file")
    figures = dict(zip(events[1].split(), map(int, totals[1].split()), strict=False))
    return Count(figures.get("Ir", 0), sum(figures.get(k, 0) for k in ("ILmr", "DLmr", "DLmw")))


def verdict(base: Count, now: Count) -> str:
    """Empty if all is well."""
    if now.instructions == 0:
        return "nothing counted"
    if base.instructions == 0:
        return ""  # the base did not have it
    if now.instructions > base.instructions * MORE_INSTRUCTIONS:
        return "more instructions"
    if now.misses > max(base.misses, FEW_MISSES) * MORE_MISSES:
        return "more misses"
    return ""


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def build_base(base: str, folder: Path) -> None:
    """Check out and compile the base; with today's kernels, so that the work is the same."""
    tree = subprocess.run(["git", "archive", base], cwd=ROOT, capture_output=True, check=True)
    subprocess.run(["tar", "-x", "-C", str(folder)], input=tree.stdout, check=True)
    shutil.rmtree(folder / "bench", ignore_errors=True)
    shutil.copytree(ROOT / "bench", folder / "bench")
    build = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    subprocess.run(build, cwd=folder, check=True)


@click.command()
@click.option("--base", metavar="REF", help="Commit to compare with.")
@click.option("--only", metavar="A,B", help=f"Kernels: {', '.join(KERNELS)}.")
def main(base: str | None, only: str | None) -> None:
    """Compare instruction counts with a base. Exit code 1 if a kernel got worse."""
    chosen = only.split(",") if only else list(KERNELS)
    ref = base or git("merge-base", "HEAD", "origin/main") or "HEAD~1"
    commit = git("rev-parse", "--short", ref)
    if not commit or not set(chosen) <= set(KERNELS):
        raise click.UsageError(f"no commit {ref!r}" if not commit else f"kernels: {list(KERNELS)}")
    console = Console(width=None if Console().is_terminal else 110)
    table = Table(box=None, pad_edge=False)
    for title in ("kernel", "instructions", "base", "ratio", "LL misses", "base", ""):
        table.add_column(title, justify="left" if title in ("kernel", "") else "right")
    bad = 0
    with tempfile.TemporaryDirectory(prefix="swapfast-gate-") as folder:
        build_base(commit, Path(folder))
        older, newer = count(Path(folder), chosen), count(ROOT, chosen)
    for name in chosen:
        now, before = newer.get(name, Count(0, 0)), older.get(name, Count(0, 0))
        why = verdict(before, now)
        bad += bool(why)
        ratio = now.instructions / before.instructions if before.instructions else float("nan")
        figures = (now.instructions, before.instructions)
        cells = (*(f"{n:,}" for n in figures), f"{ratio:.4f}")
        note = why or ("" if before.instructions else "new")
        table.add_row(name, *cells, f"{now.misses:,}", f"{before.misses:,}", note)
    console.print(f"against {commit}")
    console.print(table)
    raise SystemExit(1 if bad else 0)


if __name__ == "__main__":
    main()
