"""``swapfast measure --device``: what it prints and writes."""

from __future__ import annotations

import datetime
import io
from pathlib import Path

import numpy as np

from swapfast.cli.output import console, echo, progress
from swapfast.measure import Host
from swapfast.measure.device import (
    Fit,
    Point,
    Target,
    fit,
    measure_device,
    open_target,
    samples,
    toml,
)
from swapfast.publish import publish, target
from swapfast.units import format_ns, format_size

__all__ = ["ask_device"]

QUANTILES = (0.5, 0.99)


def ask_device(
    path: Path, out: Path | None, *, size: int, seconds: float, dry_run: bool, quiet: bool
) -> None:
    """Measure a device; print a table and its settings, and write them with their samples."""
    host = Host()
    files = None if out is None else _files(out)
    if files is not None:
        for one in files:
            target(one, inputs=[path] if path.is_file() else [])  # known before, not after
    with open_target(path, size, host) as found:
        _show_target(found)
        if dry_run:
            echo("nothing was sent: --dry-run")
            return
        with progress(quiet) as step:
            service = measure_device(found, seconds=seconds, progress=step)
    settings = fit(service)
    _show_points(service.points, settings)
    for write, rate in service.bandwidth.items():
        echo(f"large {'writes' if write else 'reads'}: {rate / 1e6:,.0f} MB/s")
    day = datetime.date.today().isoformat()
    when = f"Measured {day} on Linux {host.running().kernel}, {_device(found)}"
    if files is None:
        echo("")
        for line in toml(settings, found.facts, size=size, when=when).splitlines():
            echo(line)
        return
    whole, read, write_file = files
    names = (str(read), str(write_file if settings.wrote else read))
    _put(read, samples(service.of(False)[0], settings.read))
    if settings.wrote:
        _put(write_file, samples(service.of(True)[0], settings.write))
    _put(whole, toml(settings, found.facts, size=size, when=when, files=names))
    echo(f"{whole}: a [[disk]]; its samples are in {', '.join(dict.fromkeys(names))}")


def _files(out: Path) -> tuple[Path, Path, Path]:
    stem = out.with_suffix("")
    return out, Path(f"{stem}.read.csv"), Path(f"{stem}.write.csv")


def _device(found: Target) -> str:
    return f"/dev/{found.facts.name}" if found.facts.name else f"the device of {found.path}"


def _show_target(found: Target) -> None:
    what = (
        "a file of its own there, which has no name"
        if found.own
        else "which is there already and is only read"
    )
    echo(f"{found.path}: {format_size(found.size)} on {_device(found)}, {what}")


def _show_points(points: tuple[Point, ...], settings: Fit) -> None:
    rows = []
    for point in points:
        way = settings.write if point.write else settings.read
        times = np.quantile(point.took, QUANTILES)
        rows.append(
            (
                "write" if point.write else "read",
                str(point.depth),
                f"{point.rate:,.0f}",
                f"{way.rate(point.depth):,.0f}",
                *map(format_ns, (float(point.took.mean()), *times, float(point.took.max()))),
            )
        )
    titles = ("4 KiB", "depth", "a second", "as set", "mean", "p50", "p99", "max")
    console.table(titles, rows, left=titles[:1])
    console.say("as set: what a device with these settings serves at most")


def _put(path: Path, text: str) -> None:
    with publish(path) as raw, io.TextIOWrapper(raw, encoding="utf-8", newline="") as file:
        file.write(text)
