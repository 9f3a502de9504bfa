"""``swapfast size``: how much RAM and swap programs need."""

from __future__ import annotations

from pathlib import Path

import click

from swapfast.capacity import Need, Point, Setting, Shared, alone, side_by_side
from swapfast.cli.cautions import warn, warn_below
from swapfast.cli.opening import BUNDLED, opened
from swapfast.cli.options import no_stream
from swapfast.cli.output import JSON, console, emit_json, progress, reported
from swapfast.devices import PRESETS
from swapfast.kernel.profile import PROFILES
from swapfast.traces import Trace
from swapfast.units import PAGE_SIZE, format_count, format_ns, format_size

__all__ = ["size"]


@click.command()
@click.argument("traces", metavar="TRACE...", nargs=-1, required=True)
@click.option(
    "--slowdown",
    default="1%",
    show_default=True,
    metavar="SHARE",
    help="How much longer a program may take than with all its memory.",
)
@click.option(
    "--device",
    type=click.Choice(list(PRESETS)),
    default="nvme",
    show_default=True,
    help="Under the swap area.",
)
@click.option("--together", "shared", is_flag=True, help="Also the least RAM for all side by side.")
@click.option("--think", metavar="TIME", help="Time of a reference, such as 1us; default 20ns.")
@click.option(
    "--profile",
    type=click.Choice([name for name in PROFILES if name != "2.6.25"]),
    default="6.18",
    show_default=True,
    help="Kernel.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="For device times."
)
@click.option(
    "--plot", type=click.Path(path_type=Path), callback=no_stream, help="Picture of the curves."
)
@JSON
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def size(
    traces: tuple[str, ...],
    slowdown: str,
    device: str,
    shared: bool,
    think: str | None,
    profile: str,
    seed: int,
    plot: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """How much memory, and how much swap beside it, does each program of TRACE... need?

    A program runs alone under memory limits of a cgroup; the least limit under which it takes at
    most so much longer than with all its memory is its need. With --together all programs share
    one machine without limits, and its least RAM is found. TRACE is a file, or "bundled": sort(1),
    which comes with swapfast.

    Short traces are mostly first touches, and their times are all user time: give the time that a
    reference really takes with --think.

    \b
    Examples:
      swapfast size sort.npz
      swapfast size bundled --slowdown 5% --think 1us
      swapfast size web.npz batch.npz --slowdown 5% --device sata-ssd --together
      swapfast size sort.npz --plot need.png

    Exit code: 0 done, 2 bad trace or option, 3 a file cannot be read or written, 130 ended by
    Ctrl-C: programs that were done are shown.
    """
    with reported():
        allowed = _share(slowdown)
        if plot is not None:
            from swapfast.plots import check_plot

            check_plot(plot, inputs=[name for name in traces if name != BUNDLED])
        needs: list[Need] = []
        found: Shared | None = None
        stopped = False
        setting = Setting(device, profile, think, seed)
        try:
            with progress(quiet or as_json) as step:
                loaded = {name: _open(name) for name in dict.fromkeys(traces)}
                for name, trace in loaded.items():
                    needs.append(
                        alone(name, trace, slowdown=allowed, setting=setting, progress=step)
                    )
                    warn_below(trace, needs[-1].least.pages)
                if shared:
                    found = side_by_side(loaded, slowdown=allowed, setting=setting, progress=step)
        except KeyboardInterrupt:
            stopped = True
            if not needs:
                raise
        if as_json:
            emit_json(
                {
                    "slowdown": allowed,
                    "device": device,
                    "profile": profile,
                    "calibrated": PRESETS[device].calibrated,
                    "programs": [need.as_dict() for need in needs],
                    "together": None if found is None else found.as_dict(),
                }
            )
        else:
            _show(needs, found, allowed, device)
        if plot is not None:
            from swapfast.plots import plot_needs

            plot_needs(needs, found, plot, slowdown=allowed)
        if stopped:
            raise KeyboardInterrupt


def _share(text: str) -> float:
    try:
        value = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value < float("inf"):
        raise ValueError(f"--slowdown {text:.40}: is not a share such as 1% or 0.01")
    return value


def _open(name: str) -> Trace:
    loaded = opened(name)
    warn(loaded, "replay")
    return loaded


def _show(needs: list[Need], found: Shared | None, allowed: float, device: str) -> None:
    console.say(f"at most {100 * allowed:g} % slower than with all memory; swap on {device}")
    rows = [
        (
            need.name,
            format_size(need.pages * PAGE_SIZE),
            format_ns(need.wall_ns),
            *_cells(need.least),
        )
        for need in needs
    ]
    titles = ("program", "touches", "takes", "memory", "swap", "slower by", "major faults")
    if len(needs) > 1:
        memory, swap = (sum(getattr(n.least, k) for n in needs) for k in ("pages", "swap_pages"))
        touched = sum(need.pages for need in needs)
        sums = (format_size(pages * PAGE_SIZE) for pages in (memory, swap))
        rows.append(("sum", format_size(touched * PAGE_SIZE), "", *sums, "", ""))
    console.table(titles, rows, left=("program",))
    for need in needs:
        _curve(need.name, need.curve)
    if found is not None:
        console.say()
        console.say(
            ("side by side", "bold"),
            f": a machine of {format_size(found.least.pages * PAGE_SIZE)} and "
            f"{format_size(found.least.swap_pages * PAGE_SIZE)} of swap for all {len(found.names)}",
        )
        for name, slower in found.slowdowns.items():
            console.say(f"  {name}: slower by {_percent(slower)}")
        _curve("side by side", found.curve)
    if not PRESETS[device].calibrated:
        console.say(f"The device preset {device} is not calibrated: its times are guesses.")


def _curve(name: str, curve: tuple[Point, ...]) -> None:
    console.say()
    rows = [_cells(point) for point in curve]
    console.say((name, "bold"), ": slowdown against memory")
    console.table(("memory", "swap", "slower by", "major faults"), rows)


def _cells(point: Point) -> tuple[str, ...]:
    slower = "killed" if point.slowdown is None else _percent(point.slowdown)
    sizes = (format_size(pages * PAGE_SIZE) for pages in (point.pages, point.swap_pages))
    return (*sizes, slower, format_count(point.majors))


def _percent(share: float) -> str:
    return f"{100 * share:,.3g} %" if share < 10 else f"x {1 + share:,.3g}"
