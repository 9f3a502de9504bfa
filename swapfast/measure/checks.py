"""Reasons not to measure here: each a function, each with a sentence that says what to do.

- ``refusals(plan, host)``: all that apply, in order; empty means go.
- ``CHECKS``: the functions, ``check(plan, host) -> sentence or None``.
- ``host_refusals(host)``: those that hold for any plan.

Nothing is changed by looking. Every check is there because the run would disturb others, or
because its counters would not be those of the trace alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from swapfast.measure.ground import LRU_NAME, Planned
from swapfast.measure.host import Host
from swapfast.publish import target
from swapfast.units import PAGE_SIZE, format_size

__all__ = ["CHECKS", "host_refusals", "refusals"]

SPARE_DISK = 256 << 20  # bytes left to others
SPARE_MEMORY = 512 << 20  # bytes left to others, and for the interpreter that replays
# btrfs wants a file made for swapping, in one piece; the others have no blocks of their own.
NO_SWAPFILE = {"9p", "btrfs", "cifs", "nfs", "nfs4", "overlay", "ramfs", "tmpfs", "virtiofs", "zfs"}


def not_root(plan: object, host: Host) -> str | None:
    """Swapon, sysctls and groups are root's."""
    return None if host.uid == 0 else "not root; run it with sudo"


def no_controller(plan: Planned, host: Host) -> str | None:
    """A limit needs a memory controller."""
    if plan.group is not None:
        return None
    return "no memory controller under /sys/fs/cgroup; boot a kernel with CONFIG_MEMCG, or mount it"


def wrong_page_size(plan: object, host: Host) -> str | None:
    """Traces are of 4096-byte pages."""
    if host.page_size == PAGE_SIZE:
        return None
    return f"pages of {host.page_size} bytes; use a kernel with pages of {PAGE_SIZE}"


def other_swap(plan: object, host: Host) -> str | None:
    """With a second area on, pages and counters would mix."""
    areas = host.swaps()
    if not areas:
        return None
    return f"other swap is on; turn it off for the measurement: swapoff {' '.join(areas)}"


def zswap(plan: object, host: Host) -> str | None:
    """Zswap keeps in memory what should be swapped out."""
    if host.text("sys/module/zswap/parameters/enabled") not in ("Y", "1"):
        return None
    return "zswap is on; echo N > /sys/module/zswap/parameters/enabled"


def no_multi_gen_lru(plan: Planned, host: Host) -> str | None:
    """What was not built in cannot be turned on."""
    if all(s.before is not None for s in plan.settings if s.name == LRU_NAME):
        return None
    return (
        "this kernel was built without the multi-generational LRU (no /sys/kernel/mm/lru_gen); "
        "use --lru classic, or boot one with CONFIG_LRU_GEN"
    )


def unknown_lru(plan: object, host: Host) -> str | None:
    """Without sysfs every kernel looks like one of the classic LRU."""
    if host.path("sys/kernel/mm").is_dir():
        return None
    return "no /sys/kernel/mm: it cannot be seen which LRU this kernel runs; mount sysfs"


def settings_missing(plan: Planned, host: Host) -> str | None:
    """What cannot be read cannot be put back."""
    missing = [s.name for s in plan.settings if s.before is None and s.name != LRU_NAME]
    if not missing:
        return None
    return f"no {', '.join(missing)} to save and put back; use a kernel with CONFIG_SWAP and /proc"


def group_exists(plan: Planned, host: Host) -> str | None:
    """Somebody else's group, or what an earlier run could not remove."""
    if plan.group is None or not plan.group.path.exists():
        return None
    return f"{plan.group.path} exists; choose another --group, or rmdir it if it is a leftover"


def swapfile_exists(plan: Planned, host: Host) -> str | None:
    """No file of the user is written over."""
    for path, _ in plan.files:
        if os.path.lexists(path):
            return f"{path} exists; choose another --swapfile, or remove it if it is a leftover"
    return None


def out_exists(plan: Planned, host: Host) -> str | None:
    """Nor an earlier result."""
    if not os.path.lexists(plan.out):
        return None
    return f"{plan.out} exists; choose another --out, or remove it"


def no_folder(plan: Planned, host: Host) -> str | None:
    """All files need a folder."""
    for path in (*(path for path, _ in plan.files), plan.out):
        if not path.parent.is_dir():
            return f"no folder {path.parent}; make it first"
    return None


def out_not_writable(plan: Planned, host: Host) -> str | None:
    """Better known now than after hours of measuring."""
    if os.path.lexists(plan.out) or not plan.out.parent.is_dir():
        return None  # said already
    try:
        target(plan.out)
    except OSError as error:
        return f"{plan.out}: {error.strerror}"
    return None


def file_system(plan: Planned, host: Host) -> str | None:
    """Not every file system can hold a swapfile."""
    for path, _ in plan.files:
        kind = host.file_system(path.parent)
        if kind in NO_SWAPFILE or kind.startswith("fuse"):
            return f"{path.parent} is on {kind}; choose a --swapfile on ext4 or xfs"
    return None


def disk_too_small(plan: Planned, host: Host) -> str | None:
    """Others keep some room."""
    needed: dict[Path, int] = {}
    for path, size in plan.files:
        if path.parent.is_dir():  # or it was said already
            needed[path.parent] = needed.get(path.parent, SPARE_DISK) + size
    for folder, need in needed.items():
        free = host.free_disk(folder)
        if free < need:
            return (
                f"{format_size(free)} free in {folder}, {format_size(need)} are needed; "
                "choose a --swapfile elsewhere"
            )
    return None


def memory_too_small(plan: Planned, host: Host) -> str | None:
    """Others must not be pushed out, least of all to the file that is measured."""
    need = plan.memory + SPARE_MEMORY
    free = host.available()
    if free >= need:
        return None
    return (
        f"{format_size(free)} of memory available, {format_size(need)} are needed; "
        "stop other programs, or measure a shorter trace"
    )


Check = Callable[[Planned, Host], str | None]
CHECKS: tuple[Check, ...] = (
    not_root,
    no_controller,
    wrong_page_size,
    other_swap,
    zswap,
    no_multi_gen_lru,
    unknown_lru,
    settings_missing,
    group_exists,
    swapfile_exists,
    out_exists,
    no_folder,
    out_not_writable,
    file_system,
    disk_too_small,
    memory_too_small,
)
# They ask the host alone.
OF_HOST: tuple[Callable[[object, Host], str | None], ...] = (
    not_root,
    wrong_page_size,
    other_swap,
    zswap,
    unknown_lru,
)


def host_refusals(host: Host | None = None) -> list[str]:
    """Why no plan may be carried out on this host, one sentence each; empty: some may."""
    found = (check(None, host or Host()) for check in OF_HOST)
    return [sentence for sentence in found if sentence is not None]


def refusals(plan: Planned, host: Host | None = None) -> list[str]:
    """Why the plan must not be carried out on this host, one sentence each; empty: it may."""
    found = (check(plan, host or Host()) for check in CHECKS)
    return [sentence for sentence in found if sentence is not None]
