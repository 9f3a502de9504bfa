"""What a machine shows of itself: its files below /proc.

- ``ProcFiles``: a part of `Machine`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from swapfast.kernel import procfs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from swapfast.kernel.state import Kernel, Mapping, Task

__all__ = ["ProcFiles"]


class ProcFiles:
    """Files below /proc, as the kernel of the profile has them."""

    kernel: Kernel

    def vmstat(self) -> dict[str, int]:
        """Counters by the kernel's names, those of the profile."""
        return procfs.vmstat(self.kernel)

    def proc_vmstat(self) -> str:
        """/proc/vmstat."""
        return procfs.render_vmstat(self.vmstat())

    def proc_swaps(self, task: Task | None = None) -> str:
        """/proc/swaps, as ``task`` sees it (rule ``proc_swaps``), or the host."""
        self.kernel.check_usable()
        return procfs.swaps(self.kernel, task)

    def meminfo(self) -> dict[str, int]:
        """/proc/meminfo, kB."""
        return procfs.meminfo(self.kernel)

    def smaps(self, task: Task) -> str:
        """/proc/PID/smaps."""
        return procfs.smaps(self.kernel, task)

    def pagemap(self, mapping: Mapping) -> NDArray[np.uint64]:
        """/proc/PID/pagemap, one word a page of the mapping."""
        return procfs.pagemap(self.kernel, mapping)
