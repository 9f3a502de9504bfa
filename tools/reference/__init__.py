"""Pages of reference, written from the code itself when the site is built.

- ``pages()``: path in the site -> Markdown, of every page.
- ``Undocumented``: something has no text; it names all that have none.

One module a page: ``commands``, ``keys``, ``counters``, ``formats``, ``library``. Each has
``page()``, and ``untold()``: what has no text. `tests/docs/test_reference.py` asks for the latter.
"""

from __future__ import annotations

from types import ModuleType

from tools.reference import commands, counters, devices, formats, keys, library

__all__ = ["MODULES", "Undocumented", "pages"]

MODULES: dict[str, ModuleType] = {
    "reference/commands.md": commands,
    "reference/scenario.md": keys,
    "reference/counters.md": counters,
    "reference/formats.md": formats,
    "reference/devices.md": devices,
}


class Undocumented(ValueError):
    """Something that people use has no text."""


def pages() -> dict[str, str]:
    """Every page by its path.

    Raises
    ------
    Undocumented
        Something on them has no text.
    """
    missing = [name for module in (*MODULES.values(), library) for name in module.untold()]
    if missing:
        raise Undocumented(f"without a text: {', '.join(missing)}")
    return {path: module.page() for path, module in MODULES.items()} | library.pages()
