"""``python -m bench.scale [--json FILE] [--plot FILE] [--only NAMES] [--quick]``."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.scale.axis import Axis, Point, measure, tell
from bench.scale.company import AXES as COMPANY
from bench.scale.draw import draw
from bench.scale.fit import exponent
from bench.scale.machines import AXES as MACHINES
from bench.where import machine

AXES: dict[str, Axis] = {**MACHINES, **COMPANY}
FLAT = 0.05  # exponent of cost per unit, where nothing but the count grows


def counted(count: int) -> str:
    """A count as a power of two or in digits."""
    if count >= 1 << 16 and count & (count - 1) == 0:
        return f"2^{count.bit_length() - 1}"
    return f"{count:,}"


def cost(ns: float) -> str:
    """Time of a unit with three digits."""
    for unit, size in (("ns", 1.0), ("us", 1e3), ("ms", 1e6)):
        if ns < 1000 * size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns / 1e9:.3g} s"


def table(found: Mapping[str, Sequence[Point]]) -> Table:
    """A line an axis: its ends, its exponent, its memory."""
    made = Table(box=None, pad_edge=False)
    for title in ("axis", "from", "to", "a unit is", "cost at first", "at last", "exponent", ""):
        made.add_column(title, justify="left" if title in ("axis", "a unit is") else "right")
    made.add_column("memory a unit", justify="right")
    for name, points in found.items():
        axis, fitted = AXES[name], exponent(points)
        told, verdict = "-", ""
        if fitted is not None:
            told = f"{fitted.value:+.3f} ({fitted.low:+.3f} to {fitted.high:+.3f})"
            verdict = "" if not axis.flat else "flat" if fitted.value <= FLAT else "grows"
        last = points[-1]
        made.add_row(
            axis.title,
            counted(points[0].count),
            counted(last.count),
            axis.unit,
            cost(points[0].ns),
            cost(last.ns),
            told,
            verdict,
            f"{last.mib * (1 << 20) / last.count:,.4g} B",
        )
    return made


def document(found: Mapping[str, Sequence[Point]], seconds: float) -> str:
    """All of it for machines."""
    axes = {}
    for name, points in found.items():
        axis, fitted = AXES[name], exponent(points)
        axes[name] = {
            "title": axis.title,
            "unit": axis.unit,
            "flat": axis.flat,
            "limit": axis.limit,
            "exponent": None if fitted is None else asdict(fitted),
            "points": [asdict(point) for point in points],
        }
    return json.dumps({"machine": machine(), "seconds": seconds, "axes": axes}, indent=1)


def run(names: Sequence[str], quick: bool, times: int, console: Console) -> dict[str, list[Point]]:
    """Measure axes; a point that fails ends its axis, and is told."""
    found: dict[str, list[Point]] = {}
    counts = {name: AXES[name].counts[: 4 if quick else None] for name in names}
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("", total=sum(map(len, counts.values())))
        for name, points in counts.items():
            for count in points:
                progress.update(bar, description=f"{name} {counted(count)}")
                try:
                    found.setdefault(name, []).append(measure(name, count, times))
                except (RuntimeError, OSError) as error:
                    console.print(f"{name} ends before {counted(count)}: {error}")
                    break
                finally:
                    progress.advance(bar)
    return {name: points for name, points in found.items() if points}


@click.command()
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write all points.")
@click.option("--plot", type=click.Path(path_type=Path), help="Write the curves as SVG.")
@click.option("--only", default="", help="Axes, with commas between them.")
@click.option("--quick", is_flag=True, help="The first four points of each.")
@click.option("--times", default=1, help="Measure each point so often; the quickest counts.")
@click.option("--point", nargs=2, type=(str, int), hidden=True)
def main(
    json_file: Path | None,
    plot: Path | None,
    only: str,
    quick: bool,
    times: int,
    point: tuple[str, int] | None,
) -> None:
    """What a unit costs where there are few, and where there are very many.

    Exit code 1: an axis that is to be flat grows.
    """
    if point is not None:
        print(tell(AXES[point[0]], point[1]))
        return
    names = [name.strip() for name in only.split(",") if name.strip()] or list(AXES)
    if unknown := [name for name in names if name not in AXES]:
        raise click.UsageError(f"no axis {', '.join(unknown)}; there are {', '.join(AXES)}")
    console, begin = Console(stderr=True), time.monotonic()
    found = run(names, quick, times, console)
    Console(width=None if Console().is_terminal else 150).print(table(found))
    for name in found:
        if AXES[name].limit:
            print(f"{AXES[name].title}: {AXES[name].limit}")
    if json_file is not None:
        json_file.write_text(document(found, time.monotonic() - begin), "utf-8")
    if plot is not None:
        draw(found, AXES, plot)
    fits = {name: exponent(points) for name, points in found.items() if AXES[name].flat}
    sys.exit(any(fit is not None and fit.value > FLAT for fit in fits.values()) and not quick)


if __name__ == "__main__":
    main()
