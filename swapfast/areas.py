"""Swap areas that are on.

- ``SwapArea``: one area: its file, its number in the kernel's table, its priority.
- ``SimulatedDevice``: what stands under an area that has no file: slots, and no bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from swapfast.core import area_table
from swapfast.units import PAGE_SIZE

if TYPE_CHECKING:
    from swapfast._core import Core
    from swapfast.core.area_table import AreaInfo
    from swapfast.namespaces import SwapNamespace
    from swapfast.swapfile import SwapBacking
    from swapfast.wiping import Wipe

__all__ = ["SimulatedDevice", "SwapArea"]


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


class SwapArea:
    """One swap area that is on.

    Attributes
    ----------
    type : int
        Its number in the kernel's table of areas, the type of its swap entries.
    number : int
        Its number in the core.
    base : int
        The core's entry of its slot 0.
    backing : SwapBacking or SimulatedDevice
    standing : int
        Its priority, before ranks are closed: see `Machine.close_ranks`.
    namespace : SwapNamespace
    orphaned : bool
        Its namespace is gone; the host may swap it off.
    wipe : {"none", "on-free", "on-swapoff"}
        Whether old bytes in the file are overwritten; `set_wipe` changes it.
    """

    __slots__ = (
        "backing",
        "base",
        "core",
        "namespace",
        "number",
        "orphaned",
        "standing",
        "type",
        "wipe",
    )

    def __init__(
        self,
        core: Core,
        type: int,
        number: int,
        base: int,
        backing: SwapBacking | SimulatedDevice,
        standing: int,
        namespace: SwapNamespace,
        wipe: Wipe = "none",
    ) -> None:
        self.core = core
        self.type = type
        self.number = number
        self.base = base
        self.backing = backing
        self.standing = standing
        self.namespace = namespace
        self.orphaned = False
        self.wipe: Wipe = wipe

    @property
    def priority(self) -> int:
        """Where it stands among the others, as /proc/swaps shows it."""
        self.namespace.machine.close_ranks()
        return self.standing

    @priority.setter
    def priority(self, value: int) -> None:
        self.standing = value
        area_table.set_prio(self.core, self.number, value)

    @property
    def path(self) -> str:
        """The file's name as /proc/swaps shows it."""
        return self.backing.path

    @property
    def kind(self) -> str:
        """``file``, or ``partition`` for a device."""
        return "partition" if isinstance(self.backing, SimulatedDevice) else "file"

    @property
    def info(self) -> AreaInfo:
        """pages, inuse, pswpin, pswpout, ... of the core."""
        return area_table.info(self.core, self.number)

    @property
    def size(self) -> int:
        """Usable bytes."""
        return self.info["pages"] * PAGE_SIZE

    @property
    def used(self) -> int:
        """Bytes in slots that are in use."""
        return self.info["inuse"] * PAGE_SIZE

    def set_wipe(self, wipe: Wipe) -> None:
        """Wipe it from now on, or not any more; an image does not say so, a restart begins anew.

        Raises
        ------
        ValueError, OSError
            As `wiping.begin`.
        """
        from swapfast.wiping import begin

        begin(self, wipe)

    def __repr__(self) -> str:
        return f"<SwapArea {self.type} {self.path} priority {self.standing}>"
