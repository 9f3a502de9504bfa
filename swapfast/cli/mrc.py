"""``swapfast mrc``: faults at every memory size."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from swapfast.cli.cautions import warn, warn_below
from swapfast.cli.names import POLICIES_ALONE
from swapfast.cli.opening import FORMAT_OPTION, PID_OPTION, opened
from swapfast.cli.options import shares_of
from swapfast.cli.output import console, emit_json, progress, reported
from swapfast.mrc import Curve, miss_ratio_curve
from swapfast.publish import target
from swapfast.replacement import POLICIES, is_own
from swapfast.traces.format import Pid
from swapfast.units import PAGE_SIZE, format_count, format_size

__all__ = ["mrc"]

ROWS = (1, 2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)  # % of the pages, as a table


@click.command()
@click.argument("trace", type=click.Path(path_type=Path))
@click.option(
    "--policy",
    "-p",
    default="lru",
    show_default=True,
    metavar="A,B,C",
    shell_complete=POLICIES_ALONE,
    help=f"Of {', '.join(POLICIES)}; or file.py:Class, module:Class.",
)
@click.option(
    "--sizes",
    metavar="A,B,C",
    help="Memory sizes: '64MiB', or '50%' of the trace's pages. Default: all for lru, else 50.",
)
@click.option(
    "--sample",
    metavar="SHARE",
    help="lru only: look at this share of the pages ('1%', 1000 pages or more), and state the "
    "error.",
)
@click.option("--threads", type=click.IntRange(1, 1024), help="For policies other than lru.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    help="Picture of the curves; needs the Python package matplotlib.",
)
@FORMAT_OPTION
@PID_OPTION
@click.option("--json", "as_json", is_flag=True, help="Every point as JSON on stdout.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def mrc(
    trace: Path,
    policy: str,
    sizes: str | None,
    sample: str | None,
    threads: int | None,
    plot: Path | None,
    format_: str | None,
    pid: Pid | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Miss-ratio curve of TRACE: how many references fault at which memory size.

    For lru it is exact at every size, in one pass. Other policies are replayed at many sizes side
    by side, on all cores. A sample is quicker and says how far off it may be; 100% is exact.

    \b
    Examples:
      swapfast mrc sort.npz
      swapfast mrc sort.npz --policy lru,sieve,opt --plot curves.png
      swapfast mrc sort.npz --policy lru,mine.py:Mru --sizes 25%,50%
      swapfast mrc huge.npy --sample 1% --json

    Exit code: 0 done, 2 bad trace or option, 3 a file is missing.
    """
    with reported():
        rate = None if sample is None else _rate(sample)
        if plot is not None:
            _check_plot(plot, trace)
        with progress(quiet or as_json) as step:
            loaded = opened(
                trace,
                format=format_,
                pid=pid,
                progress=lambda done, of: step(f"reading {trace.name}", done, of),
            )
            warn(loaded, "curve")
            wanted = None
            if sizes is not None:
                wanted = shares_of("--sizes", sizes, loaded.pages)
            warn_below(loaded, min(wanted or [1]))
            curves = []
            for name in (p.strip() for p in policy.split(",")):
                what = f"{name}, {trace.name}"
                curves.append(
                    miss_ratio_curve(
                        loaded,
                        name,
                        sizes=wanted,
                        rate=rate,
                        threads=threads,
                        progress=lambda done, of, what=what: step(what, done, of, "references"),  # type: ignore[misc]
                    )
                )
        if plot is not None:
            from swapfast.plots import plot_curves

            plot_curves(curves, plot)
        if as_json:
            emit_json({"curves": [c.as_dict() for c in curves]})
        else:
            _show(curves, wanted)


def _rate(text: str) -> float:
    try:
        value = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value <= 1:
        raise ValueError(
            f"--sample {text:.40}: a sample is a share of the pages, above 0 and at most 100%, "
            "like '1%'"
        )
    return value


def _check_plot(plot: Path, trace: Path) -> None:
    """Before hours are spent on what it shows."""
    if str(plot) == "-":
        raise ValueError("--plot -: a picture is not written to standard output; name a file")
    target(plot, inputs=(trace,))


def _show(curves: list[Curve], wanted: list[int] | None) -> None:
    first = curves[0]
    console.say((first.origin, "bold"))
    console.say(
        f"{format_count(first.refs)} references to {format_count(first.pages)} pages "
        f"({format_size(first.pages * PAGE_SIZE)})"
    )
    sizes = wanted or [max(1, first.pages * r // 100) for r in ROWS]
    lowest = max(int(c.sizes[0]) for c in curves)
    sizes = sorted({s for s in sizes if s >= lowest})
    columns = [c.at(sizes) for c in curves]
    console.table(
        ["memory", "pages", *(f"{curve.policy}, misses in %" for curve in curves)],
        [
            [format_size(size * PAGE_SIZE), format_count(size), *(_cell(c, row) for c in columns)]
            for row, size in enumerate(sizes)
        ],
    )
    for curve in curves:
        how = f"; {curve.rate:.3g} of the pages looked at" if curve.rate < 1 else ""
        touches = f"{format_count(curve.first)} first touches among the misses"
        console.say(f"{curve.policy}: {touches}; {curve.wall_s:.3f} s{how}{_rate_of(curve)}")


def _rate_of(curve: Curve) -> str:
    """Of a policy in Python, which is slow."""
    if not is_own(curve.policy) or curve.wall_s <= 0:
        return ""
    refs = curve.refs * len(curve.sizes)
    return f", {refs / curve.wall_s / 1e6:.3g} M references/s in Python"


def _cell(curve: Curve, row: int) -> str:
    text = f"{100 * curve.miss_ratio[row]:.3f}"
    if curve.error is not None and not np.isnan(curve.error[row]):
        text += f" ± {100 * curve.error[row]:.3f}"
    return text
