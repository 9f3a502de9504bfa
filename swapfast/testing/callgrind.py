"""Instructions and last-level misses of calls, as callgrind counts them.

- ``Count``: of one call. ``Counted``: of all that were to be counted, and what failed.
- ``count(tree, order)``: run benchmarks of a source tree under callgrind.

A cache of fixed geometry is simulated, so that the figures are the same whatever else the machine
does. Source: Valgrind's manual, "Callgrind: a call-graph generating cache and branch prediction
profiler" (client requests, --toggle-collect).
"""

from __future__ import annotations

import errno
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from swapfast.errors import system_error

__all__ = ["Count", "Counted", "Order", "count", "parse"]

CACHE = ("--cache-sim=yes", "--I1=32768,8,64", "--D1=32768,8,64", "--LL=2097152,16,64")
PROGRAM = Path(__file__).with_name("counted.py")
SENTENCE = (
    "valgrind and its headers are needed (Debian/Ubuntu: apt-get install valgrind; Fedora: dnf "
    "install valgrind valgrind-devel), and a C compiler"
)
# What a benchmark says to callgrind; outside, the process runs several times faster.
SWITCHES = """
#include <valgrind/callgrind.h>
void begin(void) { CALLGRIND_START_INSTRUMENTATION; CALLGRIND_ZERO_STATS; }
void end(const char *name) { CALLGRIND_DUMP_STATS_AT(name); CALLGRIND_STOP_INSTRUMENTATION; }
"""


@dataclass(frozen=True, order=True)
class Count:
    """Of one call.

    Attributes
    ----------
    instructions : int
        Machine instructions executed (Ir).
    misses : int
        Of the simulated last-level cache, 2 MiB: instructions, reads and writes.
    """

    instructions: int
    misses: int


@dataclass(frozen=True)
class Order:
    """What is to be counted.

    Attributes
    ----------
    targets : sequence of str
        Files or tests, as pytest takes them, or functions: ``module:function`` and
        ``file.py:function``.
    inside : sequence of str
        Patterns of C functions: only what happens within them is counted. None: the whole call,
        with Python's own instructions.
    pytest : sequence of str
        More arguments for pytest.
    warmup : int
        Calls before those that are counted.
    repeat : int
        Calls that are counted; the least is told.
    """

    targets: Sequence[str]
    inside: Sequence[str] = ()
    pytest: Sequence[str] = ()
    warmup: int = 1
    repeat: int = 5


@dataclass(frozen=True)
class Counted:
    """What was counted in a tree.

    Attributes
    ----------
    counts : dict of str to Count
        By name, in the order in which they ran.
    failed : dict of str to str
        Why others have no count.
    """

    counts: dict[str, Count] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def import_paths(tree: Path) -> list[str]:
    """Where a tree's packages are: its ``src`` folder, if it has one, and itself."""
    return [str(path) for path in (tree / "src", tree) if path.is_dir()]


def count(tree: Path, order: Order) -> Counted:
    """Run the benchmarks of a source tree under callgrind, in one process.

    Raises
    ------
    OSError
        ENOENT: valgrind, its headers or a C compiler are not installed.
    ValueError
        The program ended early, or a package of the tree was imported from somewhere else.
    """
    with tempfile.TemporaryDirectory(prefix="swapfast-gate-") as name:
        folder, paths = Path(name), import_paths(tree)
        answer = folder / "answer.json"
        places = {"tree": tree, "library": _switches(folder), "answer": answer}
        told = {**asdict(order), **{k: str(v) for k, v in places.items()}, "paths": paths}
        (folder / "order.json").write_text(json.dumps(told))
        command = [
            *("valgrind", "--tool=callgrind", "--instr-atstart=no", *CACHE),
            *(f"--toggle-collect={pattern}" for pattern in order.inside),
            f"--callgrind-out-file={folder / 'part'}",
            *(sys.executable, "-P", str(PROGRAM), str(folder / "order.json")),
        ]
        path = os.pathsep.join(paths)
        surroundings = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": path}
        done = subprocess.run(command, cwd=tree, env=surroundings, capture_output=True, text=True)
        if not answer.exists():
            raise ValueError(f"{tree}: the benchmarks ended early: {_last(done.stderr)}")
        found = json.loads(answer.read_text())
        for package, file in found["strangers"].items():
            raise ValueError(
                f"{tree}: {package} was imported from {file}, so another version would be "
                "measured; remove that installation, or make it an editable one by path"
            )
        parts = dict(_part(path) for path in folder.glob("part.*"))
        counts: dict[str, Count] = {}
        for number, name in enumerate(found["names"], 1):
            one = parts.get(number, Count(0, 0))
            counts[name] = min(counts.get(name, one), one)
        failed = {name: why or _last(done.stdout) for name, why in found["failed"].items()}
        return Counted(counts, failed)


def _switches(folder: Path) -> Path:
    """A library with the switches."""
    source, library = folder / "switches.c", folder / "switches.so"
    source.write_text(SWITCHES)
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
    command = [compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(source)]
    try:
        built = subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        built = False
    if not built or shutil.which("valgrind") is None:
        raise system_error(errno.ENOENT, SENTENCE)
    return library


def _part(path: Path) -> tuple[int, Count]:
    """The number of a part of a profile, and its totals; 0: what came after the last one."""
    text = path.read_text()
    found = re.search(r"^desc: Trigger: Client Request: (\d+)$", text, re.MULTILINE)
    return (int(found[1]), parse(text)) if found else (0, Count(0, 0))


def parse(text: str) -> Count:
    """Totals of a callgrind file: the line of events names the columns.

    Raises
    ------
    ValueError
        It is none.
    """
    events = re.search(r"^events: (.*)$", text, re.MULTILINE)
    totals = re.search(r"^(?:totals|summary): (.*)$", text, re.MULTILINE)
    if events is None or totals is None:
        raise ValueError("this is no callgrind file")
    figures = dict(zip(events[1].split(), map(int, totals[1].split()), strict=False))
    return Count(figures.get("Ir", 0), sum(figures.get(k, 0) for k in ("ILmr", "DLmr", "DLmw")))


def _last(text: str) -> str:
    """The last lines of what a program said."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("==")]
    return "\n".join(lines[-8:]) or "it said nothing"
