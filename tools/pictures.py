"""Pictures of the documentation, made by swapfast itself: ``make pictures`` writes them anew.

- ``docs/curves.svg``: miss-ratio curves of the trace that comes with swapfast.
- ``docs/isolation.svg``: what a report of the scenario ``isolation`` draws; README.md shows it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from swapfast.mrc import miss_ratio_curve
from swapfast.plots import plot_curves
from swapfast.report.style import PALETTES
from swapfast.traces import bundled_trace

DOCS = Path(__file__).parents[1] / "docs"
SHOWN = "programs.db.p99_us against programs.batch.references"


def alone(svg: str) -> str:
    """A picture of a report as a file of its own: its colours come with it."""
    light, dark = (
        "".join(f"--{key}:{value};" for key, value in PALETTES[name].items())
        for name in ("light", "dark")
    )
    style = (
        f"<style>svg{{{light}background:var(--paper)}}"
        f"@media (prefers-color-scheme:dark){{svg{{{dark}}}}}</style>"
    )
    head, body = svg.split(">", 1)
    return f'{head} xmlns="http://www.w3.org/2000/svg">{style}{body}\n'


def isolation() -> str:
    """The scatter of a report: the database's latency against the batch job's life."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        command = [sys.executable, "-m", "swapfast", "report", "isolation", "-q", "-o", str(page)]
        subprocess.run(command, check=True)
        found = re.findall(r"<svg [^>]*>.*?</svg>", page.read_text("utf-8"), re.S)
    (picture,) = [svg for svg in found if f'aria-label="{SHOWN}' in svg[:400]]
    return alone(picture)


def main() -> None:
    """Write all of them."""
    trace = bundled_trace()
    plot_curves(
        [miss_ratio_curve(trace, policy) for policy in ("lru", "sieve", "opt")],
        DOCS / "curves.svg",
    )
    (DOCS / "isolation.svg").write_text(isolation(), "utf-8")


if __name__ == "__main__":
    main()
