"""The metrics of a run, by name.

- ``measure(stage, cast, run, events)``: all of them, sorted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from swapfast.core import memcg_table
from swapfast.kernel.choices import SWAP_CLUSTER
from swapfast.latency import Latency
from swapfast.scenario.side.cast import Cast, Part, awake_ns, rate_of, times_of
from swapfast.scenario.side.samples import MOST_WATCHED
from swapfast.scenario.side.scopes import areas_of_tiers
from swapfast.scenario.side.stage import Stage
from swapfast.scenario.tables.programs import PhasesProgram
from swapfast.together import Program, Together

__all__ = ["MOST_NAMED", "measure", "stem"]

MOST_NAMED = 64  # copies of a login whose programs are told one by one
YEAR = 365.25 * 86400  # s
_WAITS = {
    "waited_share": ("read", "workingset", "tags"),
    "reclaim_share": ("reclaim",),
    "high_share": ("high",),
    "stall_share": ("stall",),
    "cpu_share": ("cpu",),
    "user_share": ("user",),
}

Metrics = dict[str, int | float]


def stem(name: str) -> str:
    """What copies have in common: "sandbox{i}" is "sandbox"."""
    return name.replace("{i}", "").strip("-._") or name


def measure(
    stage: Stage, cast: Cast, run: Together, events: Sequence[Mapping[str, Any]]
) -> Metrics:
    """All metrics of a run that is over, sorted by name."""
    told: Metrics = {}
    seconds = max((run.now - run.begin) / 1e9, 1e-9)
    by_login: dict[str, list[Part]] = defaultdict(list)
    for part in cast.parts:
        by_login[stem(stage.scenario.login[part.runner.place[0]].name)].append(part)
    for name, parts in by_login.items():
        told |= _of_login(f"logins.{name}", parts)
        if len(parts) <= MOST_NAMED:
            for part in parts:
                if part.lives:
                    told |= _of_lives(f"programs.{part.name}", part.lives)
    told |= _kills(stage, cast, by_login)
    told |= _phases(cast)
    told |= _fairness(stage, cast)
    told |= _cgroups(stage, run, seconds)
    told |= _devices(stage, seconds)
    told |= _areas(stage, run)
    told |= _machine(stage, cast, run, seconds)
    if stage.demotion is not None:
        moved = stage.demotion.counters()
        told["demotion.spent_s"] = moved.pop("ns") / 1e9
        told |= {f"demotion.{what}": n for what, n in moved.items()}
    for event in events:
        for key, value in event.get("metrics", {}).items():
            told[f"events.{event['name']}.{key}"] = value
    return dict(sorted(told.items()))


# ---------------------------------------------------------------- programs


def _of_lives(name: str, lives: Sequence[Program]) -> Metrics:
    times, awake = times_of(lives), awake_ns(lives)
    told: Metrics = {
        f"{name}.references": sum(p.references for p in lives),
        f"{name}.references_per_s": rate_of(lives),
        f"{name}.majors": sum(p.majors for p in lives),
        f"{name}.minors": sum(p.minors for p in lives),
        f"{name}.wall_s": sum(p.wall for p in lives) / 1e9,
        f"{name}.killed": sum(p.killed for p in lives),
    }
    for share, of in _WAITS.items():
        told[f"{name}.{share}"] = sum(times[what] for what in of) / awake
    return told | _latency(name, lives)


def _latency(name: str, lives: Iterable[Program]) -> Metrics:
    try:
        return _quantiles(name, [p.latency for p in lives])
    except ValueError:  # nobody watches them
        return {}


def _quantiles(name: str, parts: Iterable[Latency]) -> Metrics:
    whole = sum(parts, Latency())
    if not whole.count:
        return {}
    return {
        f"{name}.mean_us": whole.mean / 1e3,
        f"{name}.p50_us": whole.p50 / 1e3,
        f"{name}.p90_us": whole.p90 / 1e3,
        f"{name}.p99_us": whole.p99 / 1e3,
        f"{name}.p999_us": whole.p999 / 1e3,
        f"{name}.max_us": whole.max / 1e3,
    }


def _of_login(name: str, parts: Sequence[Part]) -> Metrics:
    lives = [life for part in parts for life in part.lives]
    if not lives:
        return {f"{name}.programs": len(parts), f"{name}.alive_share": 0.0}
    told = _of_lives(name, lives)
    killed = sum(any(p.killed for p in part.lives) for part in parts)
    return told | {
        f"{name}.programs": len(parts),
        f"{name}.alive_share": 1 - killed / len(parts),
    }


def _kills(stage: Stage, cast: Cast, by_login: Mapping[str, Sequence[Part]]) -> Metrics:
    records = stage.machine.oom_records
    told: Metrics = {"oom_kills.total": len(records)}
    for name, parts in by_login.items():
        told[f"oom_kills.{name}"] = sum(p.killed for part in parts for p in part.lives)
    if records:
        told["machine.first_kill_s"] = records[0].time_ns / 1e9
        told["machine.scanned_before_kill_pages"] = records[0].scanned
    return told


def _phases(cast: Cast) -> Metrics:
    """How long it took from the start until a phase of that name was over, the first time."""
    first: dict[str, list[float]] = defaultdict(list)
    wanted: dict[str, int] = defaultdict(int)
    for part in cast.parts:
        table = part.runner.table
        names = {one.name for one in table.phase} if isinstance(table, PhasesProgram) else set()
        for name in names - {""}:
            wanted[name] += 1
            for life in part.lives[:1]:
                done = [one.end for one in life.phases.passed if one.name == name]
                first[name] += [(done[0] - life.start) / 1e9] if done else []
    told: Metrics = {}
    for name, many in wanted.items():
        told[f"phases.{name}.finished_share"] = len(first[name]) / many
        if first[name]:
            told[f"phases.{name}.p50_s"] = float(np.quantile(first[name], 0.5))
            told[f"phases.{name}.p99_s"] = float(np.quantile(first[name], 0.99))
    return told


def _fairness(stage: Stage, cast: Cast) -> Metrics:
    """Jain's index over the programs of cgroups of one class: 1 where all have the same."""
    kinds = {group.path: group.kind for group in stage.plan.groups if group.kind}
    members: dict[str, list[Sequence[Program]]] = defaultdict(list)
    for part in cast.parts:
        kind = kinds.get(part.runner.cgroup or "")
        if kind and part.lives:
            members[kind].append(part.lives)
    told: Metrics = {}
    for kind, all_lives in members.items():
        for what in ("references", "majors"):
            x = [float(sum(getattr(p, what) for p in lives)) for lives in all_lives]
            squares = sum(v * v for v in x)
            told[f"fairness.{kind}.jain_{what}"] = (
                sum(x) ** 2 / (len(x) * squares) if squares else 1.0
            )
            told[f"fairness.{kind}.least_{what}"] = min(x)
            told[f"fairness.{kind}.most_{what}"] = max(x)
    return told


# ---------------------------------------------------------------- the rest of the machine


def _cgroups(stage: Stage, run: Together, seconds: float) -> Metrics:
    told: Metrics = {}
    for path in (group.path for group in stage.plan.watched[:MOST_WATCHED]):
        cgroup, name = stage.cgroups[path], f"cgroups.{path}"
        info = memcg_table.info(stage.machine.core, cgroup.number)
        pressure = run.pressure(cgroup)
        for what in ("memory", "io", "cpu"):
            told[f"{name}.{what}_some_share"] = pressure[what].some / 1e9 / seconds
            told[f"{name}.{what}_full_share"] = pressure[what].full / 1e9 / seconds
        told[f"{name}.peak_pages"] = info["peak"]
        told[f"{name}.swap_peak_pages"] = info["swap_peak"]
        stat, events = info["stat"], info["events"]
        told[f"{name}.pgscan"] = sum(v for k, v in stat.items() if k.startswith("pgscan_"))
        told[f"{name}.pgsteal"] = sum(v for k, v in stat.items() if k.startswith("pgsteal_"))
        told[f"{name}.refaults"] = stat["workingset_refault_anon"]
        told[f"{name}.swap_fail"] = events["swap_fail"]
        told[f"{name}.high_events"] = events["high"]
    return told


def _devices(stage: Stage, seconds: float) -> Metrics:
    told: Metrics = {}
    for key, device in stage.devices.items():
        name, counted = f"devices.{key}", device.counters()
        for what in ("reads", "writes", "pages_in", "pages_out", "bytes_written"):
            told[f"{name}.{what}"] = counted[what]
        told[f"{name}.busy_share"] = counted["busy_ns"] / 1e9 / seconds
        in_system = counted["read_in_system_ns"] + counted["write_in_system_ns"]
        told[f"{name}.mean_depth"] = in_system / 1e9 / seconds
        if counted["writes"]:
            told[f"{name}.pages_a_write"] = counted["pages_out"] / counted["writes"]
        for way in ("read", "write"):
            latency = device.latency(way)
            if latency.count:
                told[f"{name}.{way}_p99_us"] = latency.p99 / 1e3
        if device.wear is not None:
            told[f"{name}.wear_a_year"] = device.wear / seconds * YEAR
        for more in ("stored_pages", "compressed_bytes", "pool_bytes", "limit_hits", "saved_pages"):
            if more in counted:
                told[f"{name}.{more}"] = counted[more]
    return told


def _areas(stage: Stage, run: Together) -> Metrics:
    told: Metrics = {}
    infos = {name: area.info for name, area in stage.areas.items()}
    swapins = sum(info["pswpin"] for info in infos.values())
    tiers = areas_of_tiers(stage.scenario, stage.areas)
    groups = {f"tiers.{tier}": names for tier, names in tiers.items()}
    if len(infos) <= MOST_NAMED:
        groups |= {f"areas.{name}": [name] for name in infos}
    for name, members in groups.items():
        for what in ("pswpin", "pswpout"):
            told[f"{name}.{what}"] = sum(infos[one][what] for one in members)
        told[f"{name}.used_pages"] = sum(infos[one]["inuse"] for one in members)
        told[f"{name}.swapin_share"] = told[f"{name}.pswpin"] / swapins if swapins else 0.0
    for tier, members in tiers.items():
        told |= _quantiles(f"tiers.{tier}", [run.latency_from(stage.areas[one]) for one in members])
    if stage.scope.kind.startswith("tiers") and stage.scenario.tier:
        for tier, counted in stage.machine.swap_tiers.counters().items():
            for what in ("refused_mask", "refused_amount", "full"):
                told[f"tiers.{tier}.{what}"] = counted[what]
    return told


def _machine(stage: Stage, cast: Cast, run: Together, seconds: float) -> Metrics:
    counters = stage.machine.core.counters()
    lives = [life for part in cast.parts for life in part.lives]
    references = sum(p.references for p in lives)
    scanned = counters["pgscan_kswapd"] + counters["pgscan_direct"]
    freed = counters["pgsteal_kswapd"] + counters["pgsteal_direct"]
    told: Metrics = {
        "machine.references": references,
        "machine.references_per_s": references / seconds,
        "machine.majors": sum(p.majors for p in lives),
        "machine.pgscan": scanned,
        "machine.pgsteal": freed,
        "machine.allocstall": counters["allocstall"],
        "machine.pswpin": counters["pswpin"],
        "machine.pswpout": counters["pswpout"],
        "machine.kswapd_s": run.kswapd_ns / 1e9,
        "machine.simulated_s": seconds,
    }
    if freed:
        told["machine.scanned_per_freed"] = scanned / freed
    if counters.get("swap_ra"):
        told["machine.ra_hit_share"] = counters["swap_ra_hit"] / counters["swap_ra"]
    return told | _slots(stage)


def _slots(stage: Stage) -> Metrics:
    """How slots were given, where processors have clusters of their own."""
    if stage.machine.options.swap_cluster == SWAP_CLUSTER[0]:
        return {}
    told: Metrics = {f"slots.{k}": v for k, v in stage.machine.slot_counters().items()}
    tried = sum(told[f"slots.{what}"] for what in ("fast_hits", "missed_mask", "missed_use"))
    if tried:
        told["slots.fast_hit_share"] = told["slots.fast_hits"] / tried
    return told
