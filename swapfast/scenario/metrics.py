"""Names of metrics: what their numbers are, and which way is better.

- ``metric_unit(name)``: "us", "pages", "1/s", "share", ...
- ``metric_better(name)``: "less", "more", or None.
- ``shown(name, value)``: a number with its unit, for a person.
- ``named(pattern, names)``: those that a pattern like "programs.*.p99_us" means.

A metric is named by the table that it is about, the item, and what it counts:
``programs.db.p99_us``. The end of the name tells its unit.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from swapfast.units import PAGE_SIZE, format_count, format_ns, format_size

__all__ = ["metric_better", "metric_unit", "named", "shown"]

_ENDINGS = (
    ("_per_s", "1/s"),
    ("_us", "us"),
    ("_ms", "ms"),
    ("_s", "s"),
    ("_pages", "pages"),
    ("_bytes", "B"),
    ("bytes_written", "B"),
    ("_share", "share"),
    ("slowdown", "x"),
    ("wear", "share"),
    ("wear_a_year", "share"),
    ("jain_references", "share"),
    ("jain_majors", "share"),
    ("pages_in", "pages"),
    ("pages_out", "pages"),
    ("pswpin", "pages"),
    ("pswpout", "pages"),
    ("pgscan", "pages"),
    ("pgsteal", "pages"),
    ("demoted", "pages"),
    ("promoted", "pages"),
    ("pages_read", "pages"),
    ("pages_written", "pages"),
)
_MORE = (
    *("references", "references_per_s", "jain_references", "jain_majors", "rounds"),
    *("user_share", "alive_share", "finished_share", "swapin_share", "fast_hit_share"),
    *("ra_hit_share", "saved_pages", "pages_a_write"),
)
_LESS = (
    *("majors", "slowdown", "wear", "wear_a_year", "bytes_written", "pgscan", "allocstall"),
    *("scanned_per_freed", "killed", "total", "pswpin", "pswpout", "reads", "writes"),
    *("waited_share", "reclaim_share", "high_share", "stall_share", "cpu_share", "busy_share"),
    *("memory_some_share", "memory_full_share", "io_some_share", "io_full_share", "wall_s"),
    *("kswapd_s", "freeze_s", "written_bytes"),
)


def metric_unit(name: str) -> str:
    """The unit of a metric: "us", "ms", "s", "1/s", "pages", "B", "share", "x", or "count"."""
    for ending, unit in _ENDINGS:
        if name.endswith(ending):
            return unit
    return "count"


def metric_better(name: str) -> str | None:
    """Whether "less" or "more" of it is better, or None where that depends."""
    last = name.rpartition(".")[2]
    if name.startswith("oom_kills."):
        return "less"
    if last in _MORE:
        return "more"
    if last in _LESS or last.endswith("_us"):
        return "less"
    return None


def shown(name: str, value: float) -> str:
    """A number of a metric with its unit, three digits of it."""
    unit = metric_unit(name)
    if unit in ("us", "ms", "s"):
        return format_ns(value * {"us": 1e3, "ms": 1e6, "s": 1e9}[unit])
    if unit == "share":
        return f"{value:.3g}" if ".jain_" in name else f"{100 * value:.3g} %"
    if unit == "B":
        return format_size(int(value))
    if unit == "pages":
        return format_size(int(value) * PAGE_SIZE)
    text = f"{value:.3g}" if abs(value) < 1000 and value != int(value) else format_count(value)
    return f"{text}/s" if unit == "1/s" else f"x {text}" if unit == "x" else text


def named(pattern: str, names: Iterable[str]) -> list[str]:
    """Names that a pattern means, in their order; ``*`` is any part."""
    return [name for name in names if name == pattern or fnmatchcase(name, pattern)]
