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
    end : int
        One past the highest slot.
    """

    __slots__ = ("bad_pages", "end", "pages", "path")

    def __init__(self, path: str, pages: int, bad_pages: tuple[int, ...] = ()) -> None:
        self.path = path
        self.pages = pages
        self.end = pages + 1
        self.bad_pages = bad_pages

    @property
    def identity(self) -> str:
        """What swapoff finds it by: its name."""
        return self.path

    def verify(self) -> None:
        """Nothing can happen to it."""

    def close(self) -> None:
        """Nothing to let go."""
