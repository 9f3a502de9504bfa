"""The machine: what a user holds of a simulated computer.

- ``Machine``: boots a kernel, hands batches to it, and shows what one sees.
- ``restart(path)``: the machine of a checkpoint goes on.

``machine.init`` is the first task; others are cloned from it. The same calls give the same counts.
A machine belongs to one thread at a time; different machines run side by side without the GIL.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Unpack

from swapfast.kernel import areas, batches, cgroup, face
from swapfast.kernel.boot import boot
from swapfast.kernel.choices import PLUG, READAHEAD, STATISTICS, TIMES, TLB
from swapfast.kernel.control import Cgroup, Limits, MemoryGroup
from swapfast.kernel.lru_gen import LruGen
from swapfast.kernel.options import KernelOptions, Keywords
from swapfast.kernel.profile import Profile
from swapfast.kernel.readings import Readings
from swapfast.kernel.records import Kind
from swapfast.kernel.state import Kernel, Mapping, SwapArea, SwapNamespace, Task
from swapfast.kernel.tier_file import SwapTiers
from swapfast.syscalls import SYSTEM_CALLS
from swapfast.units import PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from swapfast.checkpoint.disk import Disk
    from swapfast.together import Demotion, Device, Timing, Together
    from swapfast.together.demotion import When
    from swapfast.traces import Trace

__all__ = ["PLUG", "READAHEAD", "STATISTICS", "TIMES", "TLB", "Machine", "restart"]


class Machine(Readings, AbstractContextManager["Machine"]):
    """A simulated computer.

    Parameters
    ----------
    memory : int or str
        RAM: bytes, or "2GiB"; at least 256 KiB.
    profile : {"6.18", "6.18-mglru", "2.6.25"}
        The kernel.
    **keywords
        ``contents``, ``rules``, ``cache``, ``bits``, ``overcommit``, ``policy``, ``page_cluster``,
        ``swappiness``, ``checksums``, ``max_swapfiles``, ``watermark_scale_factor``, ``times``,
        ``statistics``, ``statistics_phase``, ``tlb``, ``readahead``, ``plug``, ``cgroup``,
        ``lru_gen``, ``lru_gen_rule``, ``lru_drain``, ``swap_scope``, ``swap_cluster``,
        ``allowed_aware``, ``oom_scope``, ``seed``: see `swapfast.kernel.options.KernelOptions`.

    Attributes
    ----------
    kernel : Kernel
        All of its state.
    options : KernelOptions
    init : Task
        pid 1.
    tasks : dict of int to Task
        Live tasks and zombies.
    areas : dict of int to SwapArea
        Areas that are on, by type.
    log : list of str
        The console.
    oom_records : list of OomRecord
        Every kill of the OOM killer since it booted, or was restarted.
    lru_gen : LruGen
        The switch of the multi-generational LRU.
    swap_tiers : SwapTiers
        /sys/kernel/mm/swap/tiers, with ``swap_scope="tiers"`` or "tiers-amount".

    Raises
    ------
    ValueError
        A parameter out of range, with its name.

    Examples
    --------
    >>> machine = Machine("64MiB", profile="2.6.25")
    >>> login = machine.init.clone(f.NEWSWAP | f.NEWIPC)
    >>> heap = login.mmap("1MiB")
    >>> heap.write(0, b"secret")
    >>> heap.read(0, 6)
    b'secret'
    """

    page_size = PAGE_SIZE

    def __init__(
        self, memory: int | str, profile: str | Profile = "6.18", **keywords: Unpack[Keywords]
    ) -> None:
        self._take(boot(KernelOptions(memory, profile, **keywords), SYSTEM_CALLS))

    @classmethod
    def of(cls, kernel: Kernel) -> Machine:
        """The machine that a kernel runs on."""
        machine = cls.__new__(cls)
        machine._take(kernel)
        return machine

    def _take(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.options, self.profile, self.core = kernel.options, kernel.profile, kernel.core
        self.init, self.tasks, self.areas = kernel.init, kernel.tasks, kernel.areas
        self.log, self.rules, self.contents = kernel.log, kernel.rules, kernel.contents
        self.oom_records = kernel.oom_records
        self.lru_gen = LruGen(kernel)
        self.swap_tiers = SwapTiers(kernel)

    @property
    def overcommit(self) -> int:
        """/proc/sys/vm/overcommit_memory, which may change while the machine runs."""
        return self.kernel.overcommit

    @overcommit.setter
    def overcommit(self, value: int) -> None:
        if value not in (0, 1, 2):
            raise ValueError(f"overcommit is 0, 1 or 2, not {value}")
        self.kernel.overcommit = value

    def run(
        self,
        mapping: Mapping,
        refs: NDArray[np.uint32],
        *,
        tag: str | None = None,
        first_number: int = 0,
        checked: bool = False,
    ) -> None:
        """Replay references of one mapping; bit 31 is a write, the rest the page.

        Parameters and errors as `swapfast.kernel.batches.run`.
        """
        self.kernel.check_usable()
        batches.run(mapping, refs, tag=tag, first_number=first_number, checked=checked)

    def replay(
        self,
        trace: Trace,
        into: Mapping,
        *,
        tag: str | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Replay a trace into a mapping that has at least its pages.

        Parameters and errors as `swapfast.kernel.batches.replay`.
        """
        self.kernel.check_usable()
        batches.replay(trace, into, tag=tag, progress=progress)

    def memory_group(self, max: int | str = 0, *, policy: str | None = None) -> MemoryGroup:
        """A memory group with a limit (bytes, or "64MiB"; 0: none)."""
        return cgroup.new_group(self.kernel, max, policy)

    def cgroup(self, path: str, **limits: Unpack[Limits]) -> Cgroup:
        """A cgroup of version 2, made if it is not there; what is above it too, as ``mkdir -p``.

        From then on the machine has the rules of cgroup v2: see option ``cgroup``.

        Parameters
        ----------
        path : str
            From the root of all cgroups, which is "/".
        **limits
            ``min``, ``low``, ``high``, ``max``, ``swap_max``, ``swap_high``: bytes, or "64MiB";
            None: no limit. What is not given stays as it is.

        Raises
        ------
        ValueError
            Not a path, or not a size.
        OSError
            ENODEV: the kernel of the profile has no cgroup v2; EBUSY: tasks are in the cgroup
            above; EEXIST: a file has that name; EAGAIN: too many levels; ENOENT: the root has no
            limits.
        """
        return cgroup.make(self.kernel, path, **limits)

    def add_swap(
        self,
        size: int | str,
        *,
        priority: int | None = None,
        device: Device | None = None,
        task: Task | None = None,
        private: bool = False,
    ) -> SwapArea:
        """Turn on an area of ``size`` bytes: slots, no bytes.

        It lies on the ``device``, by default on a disk with the times of the machine, and belongs
        to the swap namespace of the ``task``, by default to the initial one. A ``private`` one is
        for the cgroups that name it in memory.swapfile (``swap_scope="private"``). Errors as
        `swapfast.kernel.areas.add_device`.
        """
        area = areas.add_device(self.kernel, size, priority=priority, task=task, private=private)
        if device is not None:
            device.carry(area)
        return area

    def device(self, name: str, preset: str = "lab", *, seed: int = 0, **keys: Any) -> Device:
        """A device that areas may lie on; see `swapfast.together.Device`."""
        from swapfast.together import Device  # not before a device is wanted

        return Device(self.kernel, name, preset, seed=seed, **keys)

    def demote(
        self,
        when: When,
        *,
        source: Sequence[SwapArea],
        target: Sequence[SwapArea],
        batch: int = 64,
        high: float = 0.9,
        low: float = 0.75,
        rate: int | str = "32MiB",
    ) -> Demotion:
        """Pages move from some swap areas to others; see `swapfast.together.Demotion`."""
        from swapfast.together import Demotion  # not before somebody asks

        return Demotion(
            self.kernel, when, source, target, batch=batch, high=high, low=low, rate=rate
        )

    def together(self, **timing: Unpack[Timing]) -> Together:
        """Programs side by side in virtual time; see `swapfast.together.Together`."""
        from swapfast.together import Together  # not before programs run

        return Together(self.kernel, **timing)

    def read_files(self) -> None:
        """A program is started: page cache that was dropped is read again, out of free memory."""
        self.kernel.read_files()

    @property
    def now(self) -> int:
        """Simulated nanoseconds since boot."""
        return self.kernel.now

    def verify(self) -> None:
        """Walk every structure the slow way; AssertionError names what does not agree."""
        self.core.verify()

    def checkpoint(
        self,
        namespace: SwapNamespace,
        path: str | os.PathLike[str],
        *,
        kind: Kind = "in-place",
        parent: str | os.PathLike[str] | None = None,
        checksums: bool = True,
    ) -> None:
        """Checkpoint a child swap namespace; see `swapfast.checkpoint.checkpoint`."""
        namespace.checkpoint(path, kind=kind, parent=parent, checksums=checksums)

    @staticmethod
    def restart(
        path: str | os.PathLike[str],
        *,
        swapfile: str | os.PathLike[str] | None = None,
        keep: bool = True,
    ) -> Machine:
        """The machine of a checkpoint goes on; see `swapfast.checkpoint.restart`."""
        return restart(path, swapfile=swapfile, keep=keep)

    def close(self) -> None:
        """Power off: every area's file is let go. A context manager does so too.

        What was counted can still be read (`vmstat`, `meminfo`, `now`, `log`); everything else
        fails with EBADF, in every object of the machine. Closing again is harmless.
        """
        self.kernel.give_up("the machine is powered off; make a new one")

    def check_usable(self) -> None:
        """Raise OSError (EBADF) if the machine is powered off or broken."""
        self.kernel.check_usable()

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        total = self.core.memory()["total"] * PAGE_SIZE
        return f"<Machine {total} bytes, Linux {self.profile.name}, {len(self.tasks)} tasks>"


def restart(
    path: str | os.PathLike[str],
    *,
    swapfile: str | os.PathLike[str] | None = None,
    keep: bool = True,
    disk: Disk | None = None,
) -> Machine:
    """The machine of a checkpoint goes on; see `swapfast.checkpoint.restart`."""
    from swapfast.checkpoint.commit import restart_kernel  # not before a machine is restarted

    return Machine.of(restart_kernel(path, SYSTEM_CALLS, swapfile=swapfile, keep=keep, disk=disk))


face.restarter(restart)
