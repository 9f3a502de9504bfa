"""The kernels that a machine can be: constants and the names of their rules.

- ``PROFILES``: "2.6.25", the RFC's kernel; "6.18", today's with the classic LRU; "6.18-mglru", the
  same with the multi-generational one, as most distributions ship it.
- ``CLASSIC``, ``MGLRU``: policies of the last two.
- ``find_profile(name)``.

Sources: mm/page_alloc.c (init_per_zone_pages_min, setup_per_zone_wmarks), mm/swapfile.c,
include/linux/swap.h, mm/oom_kill.c of these kernels.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING

from swapfast.units import PAGE_SIZE

if TYPE_CHECKING:
    from swapfast.swapfile import HeaderRules

__all__ = ["CLASSIC", "MGLRU", "PROFILES", "WATERMARK_SCALE", "Profile", "find_profile"]

CLASSIC, MGLRU = "linux-6.18", "linux-6.18-mglru"
WATERMARK_SCALE = 10  # /proc/sys/vm/watermark_scale_factor, ten-thousandths of the memory


@dataclass(frozen=True, slots=True)
class Profile:
    """Constants of one kernel.

    Attributes
    ----------
    name : str
    modern : bool
        Rules of 6.18 where the two differ.
    policy : str
        Replacement policy of its memory groups.
    max_swapfiles : int
        MAX_SWAPFILES: 30 with CONFIG_MIGRATION in 2.6.25, 24 in a full 6.18 configuration.
    default_priority : int
        The first area that is turned on without SWAP_FLAG_PREFER: -1 and -2.
    min_free_kbytes_max : int
        Upper clamp of min_free_kbytes, kB.
    page_cluster : int
        Default of /proc/sys/vm/page-cluster: read-ahead of 8 pages.
    """

    name: str
    modern: bool
    policy: str
    max_swapfiles: int
    default_priority: int
    min_free_kbytes_max: int
    page_cluster: int = 3

    @property
    def header(self) -> HeaderRules:
        """How swapon reads a header."""
        from swapfast.swapfile import RULES_2_6_25, RULES_6_18  # not before a file is looked at

        return RULES_6_18 if self.modern else RULES_2_6_25

    def watermarks(self, pages: int, scale_factor: int = WATERMARK_SCALE) -> tuple[int, int, int]:
        """min, low and high watermark of a machine with ``pages`` pages of RAM, in pages."""
        kbytes = min(max(isqrt(16 * pages * (PAGE_SIZE // 1024)), 128), self.min_free_kbytes_max)
        low = kbytes * 1024 // PAGE_SIZE
        if not self.modern:
            return low, low + low // 4, low + low // 2
        step = max(low // 4, pages * scale_factor // 10000)
        return low, low + step, low + 2 * step


PROFILES = {
    "2.6.25": Profile("2.6.25", False, "linux-2.6.25", 30, -1, 65536),
    "6.18": Profile("6.18", True, CLASSIC, 24, -2, 262144),
    "6.18-mglru": Profile("6.18-mglru", True, MGLRU, 24, -2, 262144),
}


def find_profile(name: str) -> Profile:
    """The profile of that name.

    Raises
    ------
    ValueError
        No such profile.
    """
    try:
        return PROFILES[name]
    except KeyError:
        known = ", ".join(repr(p) for p in PROFILES)
        raise ValueError(f"no profile {name!r}; there are {known}") from None
