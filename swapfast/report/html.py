"""Elements of a page, every text in them escaped.

- ``tag(name, *children, **attributes)``: an element; ``Markup``: text that is markup already.
- ``table(caption, titles, rows)``: a table whose heads say what they are heads of.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from swapfast.visible import visible

__all__ = ["Child", "Markup", "join", "table", "tag"]

_EMPTY = frozenset(("meta", "br"))


class Markup(str):
    """Text that is markup already, and is not escaped again."""

    __slots__ = ()


Child = str | Markup


def join(children: Iterable[Child]) -> Markup:
    """Children one after the other; plain text is escaped, and hidden characters written out."""
    return Markup(
        "".join(
            one if isinstance(one, Markup) else html.escape(visible(one, lines=True))
            for one in children
        )
    )


def tag(name: str, /, *children: Child, **attributes: str) -> Markup:
    """An element.

    Parameters
    ----------
    name : str
    *children : str
        Text, or `Markup`.
    **attributes : str
        A trailing underscore is dropped (``class_``), others become hyphens (``aria_label``).
    """
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(visible(value))}"'
        for key, value in attributes.items()
    )
    if name in _EMPTY:
        return Markup(f"<{name}{told}>")
    return Markup(f"<{name}{told}>{join(children)}</{name}>")


def table(
    caption: str, titles: Sequence[str], rows: Iterable[Sequence[Child]], *, text: int = 1
) -> Markup:
    """A table; the first cell of a row is its head.

    Parameters
    ----------
    caption : str
    titles : sequence of str
    rows : iterable of sequence of str
    text : int
        So many columns, from the left, hold text; the others hold figures.
    """
    kinds = ["text" if number < text else "figure" for number in range(len(titles))]
    head = tag(
        "tr",
        *(tag("th", t, scope="col", class_=k) for t, k in zip(titles, kinds, strict=True)),
    )
    body = [
        tag(
            "tr",
            tag("th", row[0], scope="row", class_="text"),
            *(tag("td", c, class_=k) for c, k in zip(row[1:], kinds[1:], strict=True)),
        )
        for row in rows
    ]
    whole = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *body))
    # A table that is wider than the screen is moved by itself, also with the keyboard.
    return tag("div", whole, class_="wide", tabindex="0", role="region", aria_label=caption)
