"""What results have in common: a table in a notebook, and a data frame.

- ``Shown``: a base of results. ``table()`` is what a class says itself; ``to_frame()`` and
  ``_repr_html_()`` follow.

A notebook asks ``_repr_html_``; a picture is in it where matplotlib is there.
"""

from __future__ import annotations

import html
import io
from collections.abc import Iterable
from typing import Any

__all__ = ["Shown"]

MOST_ROWS = 60  # of a table in a notebook; a data frame has all
Line = tuple[str, str, Iterable[float], Iterable[float]]  # names of the axes, and their values


class Shown:
    """A result that is a table."""

    __slots__ = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        raise NotImplementedError

    def table(self) -> list[dict[str, Any]]:
        """The table, each row by the names of its columns."""
        return [{k: v for k, v in self.as_dict().items() if not isinstance(v, dict | list | tuple)}]

    def line(self) -> Line | None:
        """What a picture of it shows, if there is one."""
        return None

    def to_frame(self) -> Any:
        """The table as a data frame of pandas or, without it, of polars.

        Raises
        ------
        ValueError
            Neither is installed.
        """
        rows = self.table()
        columns = {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}
        try:
            import pandas
        except ModuleNotFoundError:
            pass
        else:
            return pandas.DataFrame(columns)
        try:
            import polars
        except ModuleNotFoundError:
            raise ValueError(
                "a data frame needs pandas or polars: pip install 'swapfast[frame]'"
            ) from None
        return polars.DataFrame(columns)

    def _repr_html_(self) -> str:
        rows = self.table()
        if len(rows) == 1:  # a column is read more easily
            rows = [{"": name, "value": value} for name, value in rows[0].items()]
        step = -(-len(rows) // MOST_ROWS) or 1
        head = "".join(f"<th>{_text(name)}</th>" for name in (rows[0] if rows else ()))
        body = "".join(
            f"<tr>{''.join(f'<td>{_text(value)}</td>' for value in row.values())}</tr>"
            for row in rows[::step]
        )
        left = f"<p>every {step}th of {len(rows)} rows</p>" if step > 1 else ""
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        title = f"<p><b>{_text(type(self).__name__)}</b></p>"
        return f"<div>{title}{_picture(self.line())}{table}{left}</div>"


def _text(value: object) -> str:
    if value is None:
        return ""
    return html.escape(f"{value:.6g}" if isinstance(value, float) else str(value))


def _picture(line: Line | None) -> str:
    if line is None:
        return ""
    try:
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        return ""
    xlabel, ylabel, x, y = line
    figure = Figure(figsize=(6, 3), layout="constrained")
    FigureCanvasSVG(figure)
    panel = figure.subplots()
    panel.plot(list(x), list(y))
    panel.set(xlabel=xlabel, ylabel=ylabel)
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()[text.getvalue().index("<svg") :]
