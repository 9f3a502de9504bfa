"""All that is chosen about a kernel before it boots, as one value.

- ``KernelOptions``: checked once; what was left out is filled in. ``Keywords``: the same names for
  functions that pass them on. ``not_default(keywords)``: which of them choose something.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from swapfast.kernel.choices import (
    CGROUP,
    CHOICES,
    LRU_GEN_RULES,
    OOM_SCOPES,
    PLUG,
    READAHEAD,
    STATISTICS,
    STATISTICS_PERIOD,
    SWAP_CLUSTER,
    SWAP_SCOPE,
    TIMES,
    TLB,
)
from swapfast.kernel.profile import CLASSIC, MGLRU, WATERMARK_SCALE, Profile, find_profile
from swapfast.kernel.rules import Rules
from swapfast.units import PAGE_SIZE, parse_size, without_unit

if TYPE_CHECKING:
    from random import Random

__all__ = ["DEFAULTS", "LEAST_PAGES", "KernelOptions", "Keywords", "not_default"]

LEAST_PAGES = 64  # of RAM


class Keywords(TypedDict, total=False):
    """Options by name, without the memory and the profile; see `KernelOptions`."""

    contents: bool
    rules: Rules | str | None
    cache: int | str | None
    bits: int
    overcommit: int
    policy: str | None
    page_cluster: int | None
    swappiness: int
    checksums: bool
    max_swapfiles: int | None
    watermark_scale_factor: int
    times: Mapping[str, int] | None
    statistics: str
    statistics_phase: int | None
    tlb: str
    readahead: str
    plug: str | None
    cgroup: str
    lru_gen: int | None
    lru_gen_rule: str
    lru_drain: int
    swap_scope: str
    swap_cluster: str
    allowed_aware: bool
    oom_scope: str
    seed: int


DEFAULTS: Keywords = {
    "contents": True,
    "rules": None,
    "cache": None,
    "bits": 64,
    "overcommit": 0,
    "policy": None,
    "page_cluster": None,
    "swappiness": 60,
    "checksums": False,
    "max_swapfiles": None,
    "watermark_scale_factor": WATERMARK_SCALE,
    "times": None,
    "statistics": STATISTICS[0],
    "statistics_phase": None,
    "tlb": "off",
    "readahead": READAHEAD[0],
    "plug": None,
    "cgroup": CGROUP[0],
    "lru_gen": None,
    "lru_gen_rule": LRU_GEN_RULES[0],
    "lru_drain": 0,
    "swap_scope": SWAP_SCOPE[0],
    "swap_cluster": SWAP_CLUSTER[0],
    "allowed_aware": False,
    "oom_scope": OOM_SCOPES[0],
    "seed": 0,
}
"""What each option is by default; None: what the profile has, or what follows from others."""


@dataclass(frozen=True, init=False)
class KernelOptions:
    """A computer and its kernel.

    Parameters
    ----------
    memory : int or str
        RAM: bytes, or "2GiB"; at least 256 KiB.
    profile : {"6.18", "6.18-mglru", "2.6.25"}
        The kernel.
    contents : bool
        Whether pages hold real bytes. Without, every counter is kept and nothing is copied.
    rules : Rules or "strict", optional
        What the RFC leaves open.
    cache : int or str, optional
        Clean page cache at boot, given back before anything is swapped; a 32nd of the memory by
        default.
    bits : {64, 32}
        Word size that programs see.
    overcommit : {0, 1, 2}
        /proc/sys/vm/overcommit_memory: heuristic, always, never.
    policy : str, optional
        Replacement policy of the machine's memory; the profile's by default.
    page_cluster : int, optional
        log2 of the swap read-ahead window, 0 to 5.
    swappiness : int
        0 to 200.
    checksums : bool
        A checksum of each page that is written to a swapfile, compared when it is read back: EIO if
        the bytes are others. 4 bytes a slot, and a third of a microsecond a page each way. Areas of
        a machine that was restarted from an image with checksums have them anyway.
    max_swapfiles : int, optional
        MAX_SWAPFILES, if not the profile's.
    watermark_scale_factor : int
        6.18: how far apart the watermarks are, in ten-thousandths of the memory, 1 to 3000
        (mm/page_alloc.c, __setup_per_zone_wmarks).
    times : dict, optional
        Simulated costs in nanoseconds, by the names of ``TIMES``.
    statistics : {"exact", "stale"}
        Whether reclaim of 6.18 sees the sizes of its lists as they are, or as they were at the last
        refresh, which comes every 2 s (mm/memcontrol.c, flush_memcg_stats_dwork).
    statistics_phase : int, optional
        Nanoseconds until the first refresh, less than 2 s; drawn from ``seed`` by default.
    tlb : {"off", "natural", "fresh"}
        6.18: a processor that remembers translations, so that reclaim takes for idle what is used
        through them. They are lost every 10 ms as in a program left alone ("natural"), or every
        50 ms ("fresh", measured while the statistics were kept current); the first time is drawn
        from ``seed``.
    readahead : {"cluster", "vma"}
        6.18: read ahead what is near in the swap area, as where an area is on a rotating disk, or
        what is near in the address space (mm/swap_state.c, swap_vma_readahead).
    plug : {"nested", "own"}, optional
        6.18: where read-ahead called reclaim, what it writes is sent only with the reads, as the
        block layer does (block/blk-core.c, blk_start_plug), which is the default; or when reclaim
        is done. "nested" predicts the swap-outs of programs under read-ahead several times better.
    cgroup : {"v1", "v2"}
        6.18: a scan for a limit that meets a page under writeback waits for it under cgroup v1, and
        activates it under v2 (mm/vmscan.c, shrink_folio_list). `Machine.cgroup` switches to v2.
    lru_gen : int, optional
        6.18-mglru: the mask in /sys/kernel/mm/lru_gen/enabled, 0 to 7. Bit 0 is the
        multi-generational LRU itself: without it memory groups have the classic one. Bit 1: an
        aging walks page tables. Bit 2 changes nothing here. 7 by default.
    lru_gen_rule : {"always", "fault", "ticks"}
        6.18-mglru: which programs an aging walks. The kernel takes those that were scheduled since
        the last one (lru_gen_use_mm), which depends on what else the machine does. All; those that
        waited for a swap-in; or all when the timer ticked meanwhile, every 4 ms.
    lru_drain : int
        6.18-mglru: the batches of pages to be moved are emptied after so many references of a
        program that runs alone (mm/swap.c, lru_add_drain), as where somebody reads its statistics
        so often; 64 where the policy was held against the kernel. 0: never.
    swap_scope : {"shared", "private", "priority", "tiers", "tiers-amount"}
        6.18: which patch the kernel has, and so which files say where the pages of a cgroup go.
        None; memory.swapfile, as proposed in 2014; memory.swap.priority, in 2025;
        memory.swap.tiers.max, in 2026; the same with amounts, which no patch has.
    swap_cluster : {"per-owner", "per-cpu", "per-cpu-device", "per-cpu-tier"}
        6.18: whose the current cluster of slots is. Of a swap namespace, or of cgroups that may use
        the same areas; of a processor, whatever the area, as the kernel has it (mm/swapfile.c,
        swap_alloc_fast, swap_alloc_slow); of a processor in each area, or in each tier.
    allowed_aware : bool
        6.18: usable swap of a cgroup is what is free where its pages may go, which no kernel
        counts; it decides whether they are scanned, which refaults are activated, and when there is
        nothing left to reclaim.
    oom_scope : {"kernel", "namespace", "owner-of-full-area"}
        Among whom the OOM killer chooses when the machine has no page: everybody, as the kernel
        does; the swap namespace of the task that asked; or those whose pages fill the areas that
        this task may use, most slots there first. Where that is nobody, everybody.
    seed : int
        What the drawn options are drawn from.

    Attributes
    ----------
    pages, cached : int
        Pages of RAM, and of clean page cache at boot. The other attributes have the names of the
        parameters, with what was left out filled in.

    Raises
    ------
    ValueError
        A parameter out of range, with its name.
    """

    pages: int
    profile: Profile
    contents: bool
    rules: Rules
    cached: int
    bits: int
    overcommit: int
    policy: str
    page_cluster: int
    swappiness: int
    checksums: bool
    max_swapfiles: int
    watermark_scale_factor: int
    times: Mapping[str, int]
    statistics: str
    statistics_phase: int | None
    tlb: str
    readahead: str
    plug: str
    cgroup: str
    lru_gen: int
    lru_gen_rule: str
    lru_drain: int
    swap_scope: str
    swap_cluster: str
    allowed_aware: bool
    oom_scope: str
    seed: int

    def __init__(
        self, memory: int | str, profile: str | Profile = "6.18", **keywords: Unpack[Keywords]
    ) -> None:
        for name in keywords:
            if name not in DEFAULTS:
                raise TypeError(f"no option {name!r}; there are {', '.join(DEFAULTS)}")
        kernel = profile if isinstance(profile, Profile) else find_profile(profile)
        hint = without_unit(memory, share=False)
        if hint is not None:
            raise ValueError(f"memory: {hint}")
        pages = parse_size(memory) // PAGE_SIZE
        given: dict[str, Any] = {**DEFAULTS, **keywords}
        cache, lru_gen = given.pop("cache"), given["lru_gen"]
        policy = _policy(given["policy"] or kernel.policy, lru_gen)
        values = given | {
            "pages": pages,
            "profile": kernel,
            "rules": _rules(given["rules"]),
            "cached": pages // 32 if cache is None else parse_size(cache) // PAGE_SIZE,
            "policy": policy,
            "page_cluster": (
                kernel.page_cluster if given["page_cluster"] is None else given["page_cluster"]
            ),
            "max_swapfiles": given["max_swapfiles"] or kernel.max_swapfiles,
            "times": {**TIMES, **(given["times"] or {})},
            "plug": given["plug"] or (PLUG[1] if kernel.modern else PLUG[0]),
            "lru_gen": 7 * (policy == MGLRU) if lru_gen is None else lru_gen,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        self._check(memory, cache)

    def _check(self, memory: int | str, cache: int | str | None) -> None:
        if self.bits not in (32, 64):
            raise ValueError(f"bits is 32 or 64, not {self.bits}")
        if self.overcommit not in (0, 1, 2):
            raise ValueError(f"overcommit is 0, 1 or 2, not {self.overcommit}")
        if self.pages < LEAST_PAGES:
            raise ValueError(
                f"memory is {LEAST_PAGES} pages of {PAGE_SIZE} bytes at least, not {memory!r}"
            )
        if not 0 <= self.cached < self.pages:
            raise ValueError(f"cache is less than the memory, not {cache!r}")
        self._check_choices()
        self._check_generations()
        self._check_watermarks()
        if self.oom_scope not in OOM_SCOPES:
            known = ", ".join(OOM_SCOPES)
            raise ValueError(f"oom_scope is one of {known}; not {self.oom_scope!r}")
        if self.seed < 0:
            raise ValueError(f"seed is 0 or more, not {self.seed}")
        phase = self.statistics_phase
        if phase is not None and not 0 <= phase < STATISTICS_PERIOD:
            raise ValueError(f"statistics_phase is 0 to {STATISTICS_PERIOD - 1} ns, not {phase}")

    def _check_choices(self) -> None:
        for option, choices in CHOICES.items():
            value = getattr(self, option)
            if value not in choices:
                raise ValueError(
                    f"{option} is one of {', '.join(map(str, choices))}; not {value!r}"
                )
            if value != choices[0] and not self.profile.modern:
                raise ValueError(
                    f"{option}={value!r} is a rule of 6.18, not of {self.profile.name}"
                )

    def _check_watermarks(self) -> None:
        scale = self.watermark_scale_factor
        if not 1 <= scale <= 3000:
            raise ValueError(f"watermark_scale_factor is 1 to 3000, not {scale}")
        if scale != WATERMARK_SCALE and not self.profile.modern:
            raise ValueError(f"watermark_scale_factor is of 6.18, not of {self.profile.name}")

    def _check_generations(self) -> None:
        if not isinstance(self.lru_gen, int) or not 0 <= self.lru_gen <= 7:
            raise ValueError(f"lru_gen is a mask from 0 to 7, not {self.lru_gen!r}")
        if self.lru_drain < 0:
            raise ValueError(f"lru_drain is a number of references, not {self.lru_drain}")
        if self.lru_gen and self.policy != MGLRU and self.profile.policy != MGLRU:
            raise ValueError(f"lru_gen={self.lru_gen} is of {MGLRU}, not of {self.policy}")
        walks = self.policy == MGLRU and self.lru_gen & 2
        if self.lru_gen_rule != LRU_GEN_RULES[0] and not walks:
            raise ValueError(
                f"lru_gen_rule={self.lru_gen_rule!r} says whose page tables are walked; "
                f"{self.policy} with lru_gen={self.lru_gen} walks none"
            )
        if self.lru_drain and self.policy != MGLRU:
            raise ValueError(f"lru_drain={self.lru_drain} is of {MGLRU}, not of {self.policy}")

    @property
    def watermarks(self) -> tuple[int, int, int]:
        """min, low and high watermark, in pages."""
        return self.profile.watermarks(self.pages, self.watermark_scale_factor)

    @property
    def first_refresh(self) -> int:
        """Nanoseconds until the statistics are refreshed for the first time."""
        if self.statistics_phase is not None:
            return self.statistics_phase
        return self._drawn().randrange(STATISTICS_PERIOD)

    def _drawn(self) -> Random:
        from random import Random  # here, for a quick import of the package

        return Random(self.seed)

    def of_core(self) -> dict[str, Any]:
        """The keywords of `_core.Core`."""
        drawn = self._drawn()
        drawn.randrange(STATISTICS_PERIOD)  # `first_refresh` has it
        with_tlb = self.tlb != "off"
        return {
            "mixed_rule": self.rules.mixed_pages,
            "shared_strict": self.rules.shared_pages == "strict",
            "page_cluster": self.page_cluster,
            "swappiness": self.swappiness,
            "watermarks": self.watermarks,
            "file_cache": self.cached,
            "times": self.times,
            "stat_period": STATISTICS_PERIOD if self.statistics == "stale" else 0,
            "stat_phase": self.first_refresh,
            "tlb_period": TLB[self.tlb],
            "tlb_phase": drawn.randrange(TLB[self.tlb]) if with_tlb else 0,
            "vma_readahead": self.readahead == "vma",
            "nested_plug": self.plug == "nested",
            "cgroup_v2": self.cgroup == "v2",
            "allowed_aware": self.allowed_aware,
            "turn": SWAP_CLUSTER.index(self.swap_cluster),
            "mglru_mask": self.lru_gen,
            "mglru_rule": LRU_GEN_RULES.index(self.lru_gen_rule),
        }


def _policy(policy: str, lru_gen: int | None) -> str:
    # Without bit 0 groups have the classic LRU.
    return CLASSIC if policy == MGLRU and lru_gen is not None and not lru_gen & 1 else policy


def _rules(rules: Rules | str | None) -> Rules:
    if isinstance(rules, str):
        if rules != "strict":
            raise ValueError(f"rules is a Rules object or 'strict', not {rules!r}")
        return Rules.strict()
    return rules or Rules()


def not_default(keywords: Keywords) -> set[str]:
    """Names of options that are given, and not as they are by default.

    Raises
    ------
    TypeError
        No such option.
    """
    for name in keywords:
        if name not in DEFAULTS:
            raise TypeError(f"no option {name!r}; there are {', '.join(DEFAULTS)}")
    usual: Mapping[str, Any] = DEFAULTS
    return {name for name, value in keywords.items() if value != usual[name]}
