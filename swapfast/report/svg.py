"""Pictures of matplotlib as SVG within a page.

- ``drawing(...)``: a block that makes a figure; ``inline(figure, ...)``: its markup.
- ``INK``, ``SOFT``, ``GRID``, ``color(n)``: colours that follow the page's palette.

Equal figures give equal bytes: the salt of names is fixed, and no date is written. Texts stay texts
that can be found and read aloud.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from swapfast.report.html import Markup
from swapfast.report.style import SERIES
from swapfast.visible import visible

__all__ = ["GRID", "INK", "SOFT", "color", "drawing", "inline"]

# Colours that nobody draws with: what stands in their place is a variable of the page.
INK, SOFT, GRID = "#0a0b0c", "#0a0b0d", "#0a0b0e"
_NAMES = {INK: "ink", SOFT: "soft", GRID: "grid"}
_NAMES |= {f"#0a0c{number:02x}": f"s{number}" for number in range(SERIES)}

_SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "swapfast",
    "text.parse_math": False,  # a dollar in a name is a dollar
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "legend.frameon": False,
    "path.simplify": True,
}


def color(number: int) -> str:
    """The colour of a line, a bar or a point."""
    return f"#0a0c{number % SERIES:02x}"


@contextmanager
def drawing(width: float, height: float) -> Iterator[tuple[Any, Any]]:
    """A figure of so many inches and its one panel, closed at the end of the block.

    Raises
    ------
    ValueError
        matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise ValueError(
            "a report needs the package matplotlib, which is not installed; `make setup` installs "
            "it into .venv"
        ) from None
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        yield figure, figure.subplots()


def inline(figure: Any, number: int, label: str, hovers: Mapping[str, str]) -> Markup:
    """The markup of a figure.

    Parameters
    ----------
    figure : matplotlib figure
        Within the block of `drawing`.
    number : int
        Of the picture on its page, so that no two names are the same there.
    label : str
        What the picture shows, for those who do not see it.
    hovers : mapping
        What is said of an artist when the pointer is over it, by its gid.
    """
    raw = io.BytesIO()
    figure.savefig(raw, format="svg", transparent=True, metadata={"Date": None})
    text = raw.getvalue().decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.S)
    for sentinel, name in _NAMES.items():
        text = text.replace(sentinel, f"var(--{name})")
    text = re.sub(r'font: ([^;"]*?px) [^;"]*', r"font: \1 system-ui, sans-serif", text)
    text = _own_names(text, f"p{number}-")
    for gid, said in hovers.items():
        mark = f'<g id="p{number}-{gid}">'
        text = text.replace(mark, f"{mark}<title>{html.escape(visible(said))}</title>", 1)
    head = re.match(r'<svg [^>]*?viewBox="([^"]*)"', text)
    assert head is not None, "matplotlib writes a viewBox"
    body = text[text.index(">") + 1 :].replace("xlink:href", "href")
    told = html.escape(visible(label))
    return Markup(f'<svg viewBox="{head[1]}" role="img" aria-label="{told}">{_thin(body)}')


def _own_names(text: str, prefix: str) -> str:
    """Names of one picture, which the next one would use again."""
    text = re.sub(r'\bid="', f'id="{prefix}', text)
    text = re.sub(r"url\(#", f"url(#{prefix}", text)
    return re.sub(r'href="#', f'href="#{prefix}', text)


def _thin(text: str) -> str:
    """Without blanks at the ends of lines, and digits of places that nobody sees."""
    text = re.sub(r' (?:d|x|y)="[^"]*"', lambda place: _DIGITS.sub(r"\1", place[0]), text)
    return re.sub(r"\s*\n\s*", "\n", text)


_DIGITS = re.compile(r"(\.\d\d)\d+")
