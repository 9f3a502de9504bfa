"""The curves of all axes in one picture: cost of a unit against the count, log by log."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.scale.axis import Axis, Point

__all__ = ["draw"]

COLUMNS = 3


def draw(found: Mapping[str, Sequence[Point]], axes: Mapping[str, Axis], path: Path) -> None:
    """Write an SVG with a panel for each axis; all have a range of three decades."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    matplotlib.rcParams.update({"svg.hashsalt": "swapfast", "svg.fonttype": "none"})
    rows = math.ceil(len(found) / COLUMNS)
    figure, panels = pyplot.subplots(
        rows, COLUMNS, figsize=(12, 2.9 * rows), squeeze=False, layout="constrained"
    )
    for panel in panels.flat[len(found) :]:
        panel.set_visible(False)
    for panel, (name, points) in zip(panels.flat, found.items(), strict=False):
        cost = [point.ns for point in points]
        panel.loglog([point.count for point in points], cost, marker="o", linewidth=1.5)
        middle = math.sqrt(min(cost) * max(cost))
        panel.set_ylim(middle / 32, middle * 32)
        panel.set_title(axes[name].title, fontsize=10)
        panel.set_ylabel(f"ns, one {axes[name].unit}", fontsize=9)
        panel.minorticks_off()
        panel.grid(visible=True, which="major", alpha=0.3)
    figure.savefig(path, format="svg", metadata={"Date": None})
    pyplot.close(figure)
