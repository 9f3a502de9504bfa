"""Measure a device: how long it takes over a request of 4 KiB, at depth 1 and more.

- ``open_target(path, ...)``: a file of its own in a folder, or somebody's to read: a ``Target``.
- ``measure_device(target, ...)``: the ``Service`` of the device below it.
- ``fit(service)``: the settings of a device of this package; ``toml(...)``: the same as a file.

Requests go past the page cache (O_DIRECT) to random places, as those of swap do. Each thread sends
one after another: so many threads are the depth.

Source: contention.md 2.6; fio(1), ioengine=psync.
"""

from swapfast.measure.device.fit import Fit, fit, samples, toml
from swapfast.measure.device.service import Point, Service, measure_device
from swapfast.measure.device.target import Target, open_target

__all__ = [
    "Fit",
    "Point",
    "Service",
    "Target",
    "fit",
    "measure_device",
    "open_target",
    "samples",
    "toml",
]
