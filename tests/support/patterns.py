"""Page after page, each with its own bytes: ``fill`` writes them, ``check`` reads them."""

from __future__ import annotations

from swapfast.kernel.state import Mapping
from tests.support.swapfiles import PAGE


def content(mark: str, page: int) -> bytes:
    return f"<{mark} page {page}>".encode().ljust(32, b".")


def fill(mapping: Mapping, mark: str) -> None:
    for page in range(mapping.pages):
        mapping.write(page * PAGE, content(mark, page))


def check(mapping: Mapping, mark: str) -> None:
    for page in range(mapping.pages):
        assert mapping.read(page * PAGE, 32) == content(mark, page)
