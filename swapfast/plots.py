"""Pictures, with matplotlib, which ``make setup`` installs.

- ``check_plot(path)``: whether a picture could be written, before what it shows is computed.
- ``plot_validation(validation, path)``: predicted against measured, a panel a count.
- ``plot_curves(curves, path)``: miss ratio against memory size.
- ``plot_needs(needs, path)``: slowdown against memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from swapfast.publish import AnyPath, publish, target
from swapfast.units import PAGE_SIZE

if TYPE_CHECKING:
    from swapfast.capacity import Need, Point, Shared
    from swapfast.mrc import Curve
    from swapfast.validate import Validation

__all__ = ["check_plot", "plot_curves", "plot_needs", "plot_validation"]

MARKS = "ox^sdv*+"
NAMES = {"majflt": "major faults", "pswpin": "pages swapped in", "pswpout": "pages swapped out"}


def _pyplot() -> Any:
    try:
        import matplotlib
    except ModuleNotFoundError:
        raise ValueError(
            "plots need the package matplotlib, which is not installed; `make setup` installs it "
            "into .venv"
        ) from None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def check_plot(path: str | os.PathLike[str], *, inputs: Iterable[AnyPath] = ()) -> None:
    """Refuse a picture that could not be written.

    Raises
    ------
    ValueError
        matplotlib is not installed, or does not know the file's suffix.
    OSError
        As `swapfast.publish.target`.
    """
    _kind(_pyplot(), path)
    target(path, inputs=inputs)


def _kind(plt: Any, path: str | os.PathLike[str]) -> str:
    """The format that the name's suffix asks for."""
    name = os.fsdecode(path)
    kind = os.path.splitext(name)[1].removeprefix(".").lower()
    known = sorted(plt.gcf().canvas.get_supported_filetypes())
    plt.close()
    if kind not in known:
        raise ValueError(f"{name}: a picture's name ends in one of .{', .'.join(known)}")
    return kind


def plot_validation(
    validation: Validation, path: str | os.PathLike[str], *, inputs: Iterable[AnyPath] = ()
) -> None:
    """Predicted against measured on logarithmic axes; the band is 10 % either way.

    A line is the range of the rules, where a policy has some.

    Raises
    ------
    ValueError
        matplotlib is not installed, or does not know the file's suffix.
    OSError
        The file cannot be written; ``inputs`` are files that it may not be.
    """
    plt = _pyplot()
    counts = ("majflt", "pswpout")
    figure, panels = plt.subplots(1, len(counts), figsize=(12, 6), layout="constrained")
    for panel, count in zip(panels, counts, strict=True):
        highest = 100.0
        for mark, policy in zip(MARKS * 8, validation.policies, strict=False):
            chosen = validation.of(policy)
            measured = [max(p.cell.measured[count], 1) for p in chosen]
            predicted = [max(p.predicted[count], 1) for p in chosen]
            median = validation.summary(policy)[count]["median"]
            label = f"{policy}: median error {100 * median:.2g} %"
            panel.plot(measured, predicted, mark, ms=5, mfc="none", label=label)
            highest = max(highest, *measured, *predicted)
            said = [[one[count] for one in p.rules.values()] for p in chosen]
            ranges = [(x, min(s), max(s)) for x, s in zip(measured, said, strict=True) if s]
            if ranges:
                panel.vlines(*zip(*ranges, strict=True), color="0.4", lw=1, zorder=0)
        line = [50.0, highest * 1.3]
        panel.plot(line, line, color="0.5", lw=1)
        panel.fill_between(line, [v * 0.9 for v in line], [v * 1.1 for v in line], color="0.9")
        panel.set(
            xscale="log",
            yscale="log",
            xlim=line,
            ylim=line,
            aspect="equal",
            xlabel=f"measured {NAMES[count]} (kernel)",
            ylabel=f"predicted {NAMES[count]}",
        )
        panel.legend(loc="upper left", fontsize="small")
    figure.suptitle(f"{os.path.basename(validation.truth)}, page-cluster {validation.page_cluster}")
    _save(plt, figure, path, inputs)


def plot_curves(
    curves: Sequence[Curve], path: str | os.PathLike[str], *, inputs: Iterable[AnyPath] = ()
) -> None:
    """Misses in per cent of the references against memory; a band of two standard errors.

    Raises
    ------
    ValueError
        matplotlib is not installed, or does not know the file's suffix.
    OSError
        The file cannot be written; ``inputs`` are files that it may not be.
    """
    plt = _pyplot()
    figure, panel = plt.subplots(figsize=(9, 5.5), layout="constrained")
    for curve in curves:
        mib = curve.sizes * PAGE_SIZE / 2**20
        percent = 100 * curve.miss_ratio
        marker = "." if len(mib) < 80 else None
        panel.plot(mib, percent, marker=marker, lw=1.3, label=curve.policy)
        if curve.error is not None:
            low, high = percent - 200 * curve.error, percent + 200 * curve.error
            panel.fill_between(mib, low.clip(min=0), high, alpha=0.2, lw=0)
    panel.axhline(100 * curves[0].first / curves[0].refs, color="0.6", lw=1, ls=":")
    panel.set(
        xlabel="memory, MiB",
        ylabel="misses, % of references",
        title=f"{curves[0].origin} (dotted: first touches)",
        xlim=(0, None),
        ylim=(0, None),
    )
    panel.legend()
    _save(plt, figure, path, inputs)


def plot_needs(
    needs: Sequence[Need],
    shared: Shared | None,
    path: str | os.PathLike[str],
    *,
    slowdown: float,
    inputs: Iterable[AnyPath] = (),
) -> None:
    """How many times longer programs take, against their memory; the least that is enough marked.

    Raises
    ------
    ValueError
        matplotlib is not installed, or does not know the file's suffix.
    OSError
        The file cannot be written; ``inputs`` are files that it may not be.
    """
    plt = _pyplot()
    figure, panel = plt.subplots(figsize=(9, 5.5), layout="constrained")
    lines: list[tuple[str, tuple[Point, ...], Point]] = [
        (need.name, need.curve, need.least) for need in needs
    ]
    if shared is not None:
        lines.append(("side by side", shared.curve, shared.least))
    for number, (name, curve, least) in enumerate(lines):
        there = [
            (p.pages * PAGE_SIZE / 2**20, 1 + p.slowdown) for p in curve if p.slowdown is not None
        ]
        panel.plot(*zip(*there, strict=True), marker=".", lw=1.3, color=f"C{number}", label=name)
        panel.plot(
            [least.pages * PAGE_SIZE / 2**20],
            [1 + (least.slowdown or 0)],
            "o",
            mfc="none",
            ms=9,
            color=f"C{number}",
        )
    panel.axhline(1 + slowdown, color="0.6", lw=1, ls=":")
    panel.set(
        xlabel="memory, MiB (circle: the least that is enough)",
        ylabel="time, as a multiple of that with all memory",
        xlim=(0, None),
        yscale="log",
    )
    panel.legend()
    _save(plt, figure, path, inputs)


def _save(plt: Any, figure: Any, path: str | os.PathLike[str], inputs: Iterable[AnyPath]) -> None:
    try:
        kind = _kind(plt, path)
        with publish(path, inputs=inputs) as file:
            figure.savefig(file, dpi=120, format=kind)
    finally:
        plt.close(figure)
