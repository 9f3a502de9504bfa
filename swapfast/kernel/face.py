"""The face in front of a kernel, for those below it that are given one, or hand one out.

- ``kernel_of(machine)``: the kernel behind a face.
- ``restarter(make)``: the face says how a restarted kernel becomes what users hold.
- ``restart(path, ...)``: a checkpoint goes on, behind that face.

A checkpoint works on kernels and knows no face. `swapfast.machine` registers itself when it is
imported, and ``import swapfast`` imports it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from swapfast.kernel.state import Kernel

__all__ = ["Booted", "kernel_of", "restart", "restarter"]


class Booted(Protocol):
    """What has a kernel: `swapfast.Machine`."""

    @property
    def kernel(self) -> Kernel:
        """The kernel that runs."""


def kernel_of(machine: Kernel | Booted) -> Kernel:
    """The kernel of a machine; of a kernel, itself."""
    return machine if isinstance(machine, Kernel) else machine.kernel


_made: list[Callable[..., Any]] = []


def restarter(make: Callable[..., Any]) -> None:
    """Say how a checkpoint is restarted; the last one counts."""
    _made[:] = [make]


def restart(path: Any, **options: Any) -> Any:
    """The machine of a checkpoint goes on; parameters and errors as `swapfast.Machine.restart`."""
    return _made[0](path, **options)
