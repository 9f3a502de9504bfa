"""The linux-6.18-mglru policy against its description, and against a real kernel.

What was measured, and where: data/README.md. All counts are equal to the last digit.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import swapfast as sf
from swapfast.core import memcg_table
from swapfast.traces import Trace, open_trace
from swapfast.units import PAGE_SIZE

DATA = Path(__file__).parent / "data"
MORE = Path(__file__).parents[3] / "shared" / "traces"
NO_DEVICE = {"write_request": 0, "write_page": 0, "write_latency": 0}
# Our names of the counters, where they are others.
OURS = {"majflt": "pgmajfault", "pgscan": "pgscan_direct"}


@cache
def trace(name: str) -> Trace:
    found = [folder / f"{name}.npz" for folder in (DATA, MORE) if (folder / f"{name}.npz").exists()]
    if not found:
        pytest.skip(f"the trace {name} is not here")
    return open_trace(found[0])


def counted(
    name: str, limit: int, *, swap: str, off: int = 0, slots: int = 131_071, **options: Any
) -> dict[str, int]:
    """What a program under a limit counts; its mapping begins ``off`` pages into a page table."""
    times = {"reference": 20, **(NO_DEVICE if swap == "instant" else {})}
    one = trace(name)
    machine = sf.Machine(
        (2 * limit + 65536) * PAGE_SIZE,
        "6.18-mglru",
        contents=False,
        cache=0,
        overcommit=1,
        page_cluster=0,
        times=times,
        **options,
    )
    device = machine.device(swap, "zram") if swap == "zram" else None
    machine.add_swap(slots * PAGE_SIZE, device=device)
    task = machine.init.fork()
    group = machine.memory_group(limit * PAGE_SIZE)
    group.add(task)
    if off:
        task.mmap((off - 1) * PAGE_SIZE)  # and a guard page behind it
    machine.replay(one, task.mmap(one.pages * PAGE_SIZE))
    machine.verify()
    count = machine.core.counters()
    count["minflt"] = count["pgfault"] - count["pgmajfault"]
    generations = memcg_table.generations(machine.core, group.number)
    assert generations is not None
    count["agings"] = generations["max_seq"] - 3
    return count


def rows(name: str) -> list[dict[str, str]]:
    with open(DATA / name, newline="") as file:
        return list(csv.DictReader(file))


def label(row: dict[str, str]) -> str:
    return "-".join(list(row.values())[:7])


def compare(row: dict[str, str], names: list[str], count: dict[str, int]) -> None:
    assert {n: count[OURS.get(n, n)] for n in names} == {n: int(row[n]) for n in names}


@pytest.mark.parametrize("row", rows("mglru_model.csv"), ids=label)
def test_check_values(row: dict[str, str]) -> None:
    count = counted(
        row["trace"],
        int(trace(row["trace"]).pages * float(row["frac"])),
        swap=row["swap"],
        off=int(row["off"]),
        slots=int(row["slots"]),
        lru_gen_rule=row["rule"],
        lru_drain=int(row["drain"]),
    )
    compare(row, list(row)[7:], count)


@pytest.mark.parametrize("row", rows("mglru_zram.csv"), ids=label)
def test_the_kernel_without_walks(row: dict[str, str]) -> None:
    """No time of a device, and no chance in who is walked: nothing that is not known."""
    pages = trace(row["trace"]).pages
    # The kernel charged one page of its own to the group.
    limit = int(pages * float(row["frac"])) - 1
    count = counted(row["trace"], limit, swap="zram", off=int(row["off"]), lru_gen=1, lru_drain=64)
    compare(row, list(row)[3:], count)
