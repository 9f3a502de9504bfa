"""Tables of the multi-generational LRU, computed again: docs/mglru.md and docs/fidelity.md.

The truths and most traces lie beside the checkout; what is not there is not compared.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from swapfast.replay import replay
from swapfast.traces import Trace, open_trace
from swapfast.validate import RULES, Validation, read_truth, validate

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SHARED = HERE.parents[2] / "shared"
needs_truth = pytest.mark.skipif(
    not (SHARED / "truth" / "mglru_zram_pc0.csv").exists(), reason="the truths are not here"
)


def table(page: Path, head: str) -> list[list[str]]:
    """The cells of the table whose first line begins so, without its head."""
    lines = page.read_text("utf-8").splitlines()
    begin = next(i for i, line in enumerate(lines) if line.startswith(f"| {head} |"))
    rows = []
    for line in lines[begin + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([re.sub(r"\s+", " ", cell).strip() for cell in line.strip("|").split("|")])
    return rows


# ---------------------------------------------------------------- against the kernel

TRUTHS = {  # label: file, how it was measured, which kernel
    "zram, no walks": ("mglru_zram_pc0.csv", {"charged": 1}, "mglru, no walks"),
    "zram": ("mglru_zram_pc0.csv", {"charged": 1}, "mglru"),
    "disk": ("mglru_exact_pc0.csv", {}, "mglru"),
    "disk, not observed": ("mglru_natural_pc0.csv", {"reference_ns": 20}, "mglru"),
    "disk, read-ahead": ("mglru_exact_pc3.csv", {"page_cluster": 3}, "mglru"),
    "disk, classic LRU, v2": ("classic_v2_exact_pc0.csv", {}, "classic"),
}


@cache
def judged(file: str, **how: int) -> Validation:
    return validate(SHARED / "truth" / file, SHARED / "traces", **how)  # type: ignore[arg-type]


def errors() -> list[list[str]]:
    """Rows of docs/mglru.md."""
    rows = []
    for label, (file, how, kernel) in TRUTHS.items():
        found = judged(file, **how)
        (policy,) = found.policies
        for kind in ("synthetic", "real"):
            told = [found.by_rule(rule).summary(policy, kind, kernel) for rule in RULES]
            row = [f"{label}: {kind}", f"{told[0]['majflt']['cells']:.0f}"]
            for count in ("majflt", "pswpout"):
                pairs = [
                    f"{100 * s[count]['median']:.2f} / {100 * s[count]['p90']:.2f}" for s in told
                ]
                ranged = "in_range" in told[0][count]
                row += pairs if ranged else [pairs[0], ""]
                row.append(f"{100 * told[0][count]['in_range']:.0f} %" if ranged else "")
            rows.append(row)
    return rows


@needs_truth
@pytest.mark.slow
def test_the_page_of_errors() -> None:
    rows = errors()
    assert table(ROOT / "docs" / "mglru.md", "measured on") == rows
    fidelity = (ROOT / "docs" / "fidelity.md").read_text("utf-8")
    told = {row[0]: row[2:4] for row in rows}
    for label, rule in (("zram", 0), ("disk", 1)):
        for kind in ("synthetic", "real"):
            assert told[f"{label}: {kind}"][rule] in fidelity


@needs_truth
@pytest.mark.slow
def test_loops_on_a_disk() -> None:
    """Under rule fault all faults, to the last one; what the kernel did lies at an end of it."""
    found = judged("mglru_exact_pc0.csv").by_rule("fault")
    loops = [p for p in found.predictions if p.cell.trace.startswith("seqloop")]
    assert len(loops) == 12
    assert [p.predicted["majflt"] for p in loops] == [p.cell.measured["majflt"] for p in loops]


# ---------------------------------------------------------------- beside the classic LRU

TRACES = ("real-sort", "zipf1.0-w30", "hotspot-w30", "drift-w30", "seqloop-w30")
LIMITS = ("25%", "50%", "75%")
SWAP: dict[str, tuple[str | None, str]] = {  # device, and the rule that is nearer to the kernel
    "zram": ("zram", "always"),
    "disk": (None, "fault"),
}


def faults(trace: Trace, limit: str, where: str) -> tuple[int, int]:
    """Major faults of the classic LRU, and of the multi-generational one."""
    device, rule = SWAP[where]
    one = replay(trace, limit, policy="linux-6.18", page_cluster=0, device=device)
    two = replay(
        trace, limit, policy="linux-6.18-mglru", page_cluster=0, device=device, lru_gen_rule=rule
    )
    return one.pgmajfault, two.pgmajfault


@cache
def trace(name: str) -> Trace:
    found = [folder / f"{name}.npz" for folder in (HERE / "data", SHARED / "traces")]
    return open_trace(next(path for path in found if path.exists()))


def beside() -> list[list[str]]:
    """Rows of docs/fidelity.md."""
    return [
        [
            name,
            *(
                f"{a:,} / {b:,}"
                for a, b in (faults(trace(name), m, s) for s in SWAP for m in LIMITS)
            ),
        ]
        for name in TRACES
    ]


@needs_truth
@pytest.mark.slow
def test_the_table_of_both() -> None:
    assert table(ROOT / "docs" / "fidelity.md", "trace") == beside()


@needs_truth
@pytest.mark.slow
def test_who_wins_where() -> None:
    """The two sentences below that table, and the kernel's own word."""
    told = {
        row[0]: [tuple(map(_number, cell.split(" / "))) for cell in row[1:]] for row in beside()
    }
    for classic, generations in told["zipf1.0-w30"][:2] + told["real-sort"][1:3]:
        assert generations < classic
    assert all(g > c for c, g in (told["hotspot-w30"][1], told["drift-w30"][1]))
    assert told["seqloop-w30"][2][1] < 0.8 * told["seqloop-w30"][2][0]


@needs_truth
@pytest.mark.slow
def test_the_kernel_has_the_same_winner() -> None:
    measured = {}
    for file in ("exact_pc0", "mglru_exact_pc0"):
        for cell in read_truth(SHARED / "truth" / f"{file}.csv")[0]:
            measured[cell.lru, cell.trace, float(cell.frac)] = cell.measured["majflt"]
    compared = 0
    for name in TRACES:
        for limit in LIMITS:
            ours = faults(trace(name), limit, "disk")
            share = int(limit[:-1]) / 100
            theirs = [measured[lru, name, share] for lru in ("classic", "mglru")]
            if abs(ours[0] - ours[1]) > 0.01 * max(ours):
                assert (ours[0] < ours[1]) == (theirs[0] < theirs[1]), (name, limit)
                compared += 1
    assert compared == 9


def _number(text: str) -> int:
    return int(text.replace(",", ""))
