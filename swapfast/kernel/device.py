"""What stands under a swap area that has no file.

- ``SimulatedDevice``: slots, and no bytes.
"""

from __future__ import annotations

__all__ = ["SimulatedDevice"]


class SimulatedDevice:
    """An ideal device: slots that cost nothing and hold nothing, for machines without contents.

    Attributes
    ----------
    path : str
        Its name in /proc/swaps.
    pages : int
        Usable slots; one more is the header.
    """

    __slots__ = ("bad_pages", "pages", "path")

    def __init__(self, path: str, pages: int, bad_pages: tuple[int, ...] = ()) -> None:
        self.path = path
        self.pages = pages
        self.bad_pages = bad_pages

    @property
    def identity(self) -> str:
        """What swapoff finds it by: its name."""
        return self.path

    @property
    def end(self) -> int:
        """One past the highest slot."""
        return self.pages + 1

    def verify(self) -> None:
        """Nothing can happen to it."""

    def close(self) -> None:
        """Nothing to let go."""
