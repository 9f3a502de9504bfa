"""What one reads of a machine.

- ``Readings``: the part of `swapfast.Machine` that only shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from swapfast.core import area_table
from swapfast.kernel import procfs
from swapfast.kernel.state import Kernel, Mapping, Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Readings"]


class Readings:
    """Counters and files of /proc.

    Attributes
    ----------
    kernel : Kernel
    """

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

    def slot_counters(self) -> dict[str, int]:
        """How slots were given, on the whole machine since boot.

        Returns
        -------
        dict of str to int
            fast_hits: out of the processor's current cluster; missed_mask: its area was not
            allowed, or its tier's amount was reached; missed_use: it was used up, or there was
            none; turns: an area went behind its equals. These four stay 0 with
            ``swap_cluster="per-owner"``, which has no clusters of processors. And as it is now:
            partly_used: clusters in which some slots are free and some are not; free_in_partly:
            slots that are free in them.
        """
        return area_table.slot_counts(self.kernel.core)
