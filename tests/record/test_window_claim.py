"""What a window misses is enough to know what LRU memories of 8 windows or more need.

Held against exact traces, by the product's own curves: of a program that is recorded in both ways,
and of programs whose exact trace is put through a window that is simulated here.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from swapfast.mrc import miss_ratio_curve
from swapfast.record import record
from swapfast.record.windows import BATCH_MOST, PARTS
from swapfast.traces import WRITE, Trace
from swapfast.traces.kinds import least_memory
from tests.support.emulators import compiled, need
from tests.support.own_memory import WHY_NOT

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent


def check(exact: Trace, ours: Trace, window: int) -> None:
    """At every memory: within the bound from 2 windows on, and close to it from 8 windows on.

    The order of pages in the window is unknown, and nothing else. So what LRU misses with M pages
    lies between what it really misses with a window more and with a window less.
    """
    pages, below, above = exact.pages, 2 * window, least_memory(window)
    assert above + window < pages
    right, found = (
        miss_ratio_curve(t, "lru", sizes=range(1, pages + 1)).faults for t in (exact, ours)
    )
    memory = np.arange(below, pages - window)
    assert (found[memory - 1] >= right[memory + window - 1]).all()
    assert (found[memory - 1] <= right[memory - window - 1]).all()
    memory = memory[memory >= above]
    errors = np.abs(found[memory - 1] - right[memory - 1]) / right[memory - 1]
    assert np.median(errors) <= 0.005  # more only where the curve is steep: see above


def windowed(trace: Trace, window: int) -> Trace:
    """What a window misses of an exact trace."""
    batch, there, found = min(window // PARTS, BATCH_MOST), dict[int, None](), []
    for ref in trace.refs.tolist():
        page = ref & ~int(WRITE)
        if page not in there:
            if len(there) == window:
                for oldest in list(there)[:batch]:
                    del there[oldest]
            there[page] = None
            found.append(ref)
    return Trace(np.array(found, dtype=np.uint32), trace.pages)


def of_mapping(trace: Trace, first: int, pages: int) -> Trace:
    """The references to one mapping."""
    assert trace.addresses is not None
    at = trace.addresses[trace.refs & ~WRITE] - np.uint64(first)
    mine = at < pages
    refs = at[mine].astype(np.uint32) | (trace.refs[mine] & WRITE)
    return Trace(refs, pages)


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "it is possible")
@pytest.mark.parametrize("window", [16, 32])
def test_recorded_in_both_ways(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], window: int
) -> None:
    need("qemu")
    pages = 400
    command = [str(compiled(HERE / "heapsort.c", tmp_path / "heapsort")), str(pages)]
    traces = []
    for options in ({}, {"window": window}):
        found = record(command, cache=tmp_path / "cache", **options)  # type: ignore[arg-type]
        assert found.status == 0
        assert found.trace is not None
        traces.append(of_mapping(found.trace, int(capfd.readouterr().out) >> 12, pages))
    exact, ours = traces
    assert len(ours) < len(exact) / 4
    check(exact, ours, window)


@pytest.mark.parametrize("what", ["sort", "awk", "python", "cc1"])
def test_programs(tmp_path: Path, what: str) -> None:
    need("qemu")
    text = tmp_path / "text"
    text.write_text("".join(f"{i * 7919 % 10007:060d}\n" for i in range(8000)), "utf-8")
    source = tmp_path / "source.c"
    source.write_text("".join(f"int f{i}(int a) {{ return a / {i + 1}; }}\n" for i in range(9)))
    asked = ["cc", "-print-prog-name=cc1"]
    commands = {
        "sort": ["sort", "-o", str(tmp_path / "out"), str(text)],
        "awk": ["awk", "{ a[$1] = NR; b[NR] = $1 } END { print length(b) }", str(text)],
        "python": [sys.executable, "-S", "-c", "import json; json.loads(json.dumps([[1]] * 2000))"],
        "cc1": [subprocess.run(asked, capture_output=True, text=True).stdout.strip(), "-quiet"],
    }
    command = commands[what]
    if what == "cc1":
        command += ["-O1", "-o", str(tmp_path / "out"), str(source)]
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no {what}")
    found = record(command, by="qemu", cache=tmp_path / "cache")
    assert found.status == 0
    exact = found.trace
    assert exact is not None
    window = 16
    ours = windowed(exact, window)
    assert len(ours) < len(exact) / 5
    check(exact, ours, window)
