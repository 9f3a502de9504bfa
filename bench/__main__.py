"""The benchmark table: ``python -m bench [--json FILE] [--only R1,R2] [--smoke]``."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

import swapfast
from bench.row import FULL, SMOKE, Row
from bench.rows import ROWS
from bench.where import machine

PEERS = ("numpy", "cython", "libcachesim", "cachetools")


def versions() -> dict[str, str]:
    """Of what was measured; "not installed" where rows are left out."""
    found = {"swapfast": swapfast.__version__}
    for name in PEERS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def table(rows: list[Row], smoke: bool) -> Table:
    """For people; a smoke run says nothing about goals."""
    made = Table(box=None, pad_edge=False)
    for title in ("row", "swapfast", "reference", "unit", "against", "ratio", "goal", ""):
        made.add_column(title, justify="left" if title in ("row", "unit", "against") else "right")
    for r in rows:
        sign = ">=" if r.better == "higher" else "<="
        short = "" if r.met or smoke else "short"
        verdict = short if r.same else "DIFFERENT WORK"
        cells = (f"{r.ours:.4g}", f"{r.reference:.4g}", r.unit, r.against, f"{r.ratio:.3g}")
        made.add_row(r.name, *cells, f"{sign} {r.goal:g}", verdict)
    return made


@click.command()
@click.option("--json", "out", type=click.Path(path_type=Path), help="Write all figures there.")
@click.option("--only", metavar="A,B", help=f"Rows: {', '.join(ROWS)}.")
@click.option("--smoke", is_flag=True, help="As little work as shows that it runs.")
def main(out: Path | None, only: str | None, smoke: bool) -> None:
    """Measure swapfast beside its references. Exit code 1 if a row did other work than its peer."""
    chosen = only.split(",") if only else list(ROWS)
    unknown = [name for name in chosen if name not in ROWS]
    if unknown:
        raise click.UsageError(f"no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    console = Console(width=None if Console().is_terminal else 110)
    about = {**machine(), "versions": versions()}
    rows: list[Row] = []
    with console.status("measuring") as status:
        for name in chosen:
            status.update(f"measuring {name}")
            begin = time.monotonic()
            rows.extend(ROWS[name](SMOKE if smoke else FULL))
            seconds = time.monotonic() - begin
            if not console.is_terminal:
                print(f"{name} {seconds:.1f} s", file=sys.stderr, flush=True)
            if out is not None:  # what is measured is kept, whatever happens to the rest
                rounded = [{**asdict(r), "met": r.met} for r in rows]
                out.write_text(json.dumps({"machine": about, "rows": rounded}, indent=1) + "\n")
    console.print(table(rows, smoke))
    console.print(", ".join(f"{k} {v}" for k, v in about.items() if k != "versions"))
    console.print(", ".join(f"{k} {v}" for k, v in versions().items()))
    if not all(r.same for r in rows):
        raise SystemExit(1)


main()
