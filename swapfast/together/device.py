"""A device of a machine: settings, and what it counted.

- ``Device(kernel, name, preset, **keys)``: settings as `swapfast.devices.DeviceConfig.of` takes
  them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from swapfast.core import device_table
from swapfast.devices import DeviceConfig
from swapfast.latency import Latency
from swapfast.units import PAGE_SIZE

if TYPE_CHECKING:
    from swapfast.kernel.state import Kernel, SwapArea

__all__ = ["Device"]


class Device:
    """What swap areas lie on: a queue of requests, served in order.

    Parameters
    ----------
    kernel : Kernel
    name : str
    preset : str
        A row of `swapfast.devices.PRESETS`.
    **keys
        Settings that replace the preset's; see `swapfast.devices.DeviceConfig.of`.

    Attributes
    ----------
    name : str
    number : int
        Its number in the core.
    config : DeviceConfig
        ``config.calibrated`` says whether its times were measured, or are a guess.
    areas : list of SwapArea
        In the order in which they were placed, end to end.

    Raises
    ------
    ValueError
        A setting that cannot be.
    """

    def __init__(
        self, kernel: Kernel, name: str, preset: str = "lab", *, seed: int = 0, **keys: Any
    ) -> None:
        self.kernel = kernel
        self.name = name
        self.config = DeviceConfig.of(preset, **keys)
        self.number = device_table.add(kernel.core, self.config, seed=seed)
        self.areas: list[SwapArea] = []
        self._end = 0

    def carry(self, area: SwapArea) -> None:
        """Say that an area lies here, behind those that do already.

        Raises
        ------
        ValueError
            It lies on a device, or belongs to another machine.
        """
        if self.kernel is not area.namespace.kernel:
            raise ValueError(f"device {self.name!r} belongs to another machine")
        device_table.place(self.kernel.core, area.number, self.number, self._end)
        self._end += area.backing.end
        self.areas.append(area)

    def counters(self) -> dict[str, int]:
        """What it did: requests, pages, bytes, and times in ns.

        ``in_system`` is the sum of the times from submission to completion: depth times time, so
        that Little's law holds exactly. ``merged`` are pages that joined a request before them.

        A synchronous device (zram) has its memory here too, as mm_stat says it: ``stored_pages``
        (pages of zeroes are none), ``compressed_bytes`` of them, ``pool_bytes`` of whole pages,
        ``limit_hits`` and ``no_memory``: pages that it did not take, and ``saved_pages``, those
        stored less those of the pool.
        """
        info = device_table.info(self.kernel.core, self.number)
        told = {"busy_ns": info["busy"]}
        for way, out in (("read", "reads"), ("write", "writes")):
            one = info[way]
            told[out] = one["requests"]
            told[f"pages_{'in' if way == 'read' else 'out'}"] = one["pages"]
            told[f"{way}_merged"] = one["pages"] - one["requests"]
            told[f"{way}_waited_ns"] = one["waited"]
            told[f"{way}_in_system_ns"] = one["in_system"]
        told["bytes_written"] = told["pages_out"] * PAGE_SIZE
        return {**told, **info.get("pool", {})}

    def latency(self, way: str = "read", *, waiting: bool = False) -> Latency:
        """How long requests took, or how long they waited for their turn.

        Parameters
        ----------
        way : {"read", "write"}
        waiting : bool
            Only the wait for a unit and the pipe.
        """
        counts, total, most = device_table.histogram(
            self.kernel.core, self.number, way, "wait" if waiting else "total"
        )
        return Latency(counts, sum=total, max=most)

    @property
    def wear(self) -> float | None:
        """Share of its life that was written, None where its endurance is not known."""
        if not self.config.endurance:
            return None
        return self.counters()["bytes_written"] / self.config.endurance

    def __repr__(self) -> str:
        guess = "" if self.config.calibrated else ", not calibrated"
        return f"<Device {self.name!r}: {self.config.preset}{guess}>"
