"""Series of a run: what happened between two samples, and what there was at each.

- ``Samples``: a recorder that is called at each sample.
"""

from __future__ import annotations

from collections.abc import Mapping

from swapfast.core import memcg_table
from swapfast.scenario.side.cast import Cast
from swapfast.scenario.side.scopes import areas_of_tiers
from swapfast.scenario.side.stage import Stage
from swapfast.together import Program, Together

__all__ = ["MOST_WATCHED", "Samples"]

MOST_WATCHED = 16  # programs and cgroups with a series of their own

Row = dict[str, float]


class Samples:
    """Series by name: ``programs.db``, ``cgroups./db``, ``devices.d0``, ``tiers.fast``, and so on.

    Parameters
    ----------
    stage : Stage
    cast : Cast
    run : Together

    Attributes
    ----------
    series : dict
        Name -> column -> a number a sample.
    """

    def __init__(self, stage: Stage, cast: Cast, run: Together) -> None:
        self._stage, self._cast, self._run = stage, cast, run
        self.series: dict[str, dict[str, list[float]]] = {}
        self._before: dict[str, Row] = {}
        self._tiers: dict[str, list[str]] = {}
        run.on_sample(self.note)

    def note(self, since: int) -> None:
        """One sample more, ``since`` ns after the beginning."""
        self._tiers = areas_of_tiers(self._stage.scenario, self._stage.areas)
        self._note("machine", since, *self._machine())
        for part in self._cast.parts[:MOST_WATCHED]:
            if part.lives:
                name = f"programs.{part.name}"
                self._note(name, since, *_program(part.lives, self._run))
                self._mean_fault(self.series[name])
        for group in self._stage.plan.watched[:MOST_WATCHED]:
            self._note(f"cgroups.{group.path}", since, *self._cgroup(group.path))
        for name, device in self._stage.devices.items():
            told = device.counters()
            counted = {k: float(told[k]) for k in ("reads", "writes", "pages_in", "pages_out")}
            counted["busy_s"] = told["busy_ns"] / 1e9
            self._note(f"devices.{name}", since, counted, {})
        for kind, of in (("areas", {n: [n] for n in self._stage.areas}), ("tiers", self._tiers)):
            for name, areas in list(of.items())[:MOST_WATCHED]:
                self._note(f"{kind}.{name}", since, *self._areas(areas))
        self._shares()

    def _note(self, name: str, since: int, counted: Row, held: Row) -> None:
        columns = self.series.setdefault(name, {"t_s": []})
        before = self._before.get(name, {})
        columns["t_s"].append(since / 1e9)
        for key, value in counted.items():
            columns.setdefault(key, []).append(value - before.get(key, 0.0))
        for key, value in held.items():
            columns.setdefault(key, []).append(value)
        self._before[name] = counted

    def _mean_fault(self, columns: dict[str, list[float]]) -> None:
        """us that a major fault of the sample took, all that a program waited for by it."""
        majors, spent = columns["majors"][-1], columns["fault_s"][-1]
        columns.setdefault("fault_us", []).append(1e6 * spent / majors if majors else 0.0)

    def _machine(self) -> tuple[Row, Row]:
        core = self._stage.machine.core
        counters, memory = core.counters(), core.memory()
        counted = {
            "pgscan": float(counters["pgscan_kswapd"] + counters["pgscan_direct"]),
            "pgsteal": float(counters["pgsteal_kswapd"] + counters["pgsteal_direct"]),
            "majors": float(counters["pgmajfault"]),
        }
        return counted, {
            "free_pages": float(memory["free"]),
            "free_slots": float(memory["free_swap"]),
            "alive": float(sum(1 for _ in self._cast.living())),
        }

    def _cgroup(self, path: str) -> tuple[Row, Row]:
        usage, swap = memcg_table.usage(self._stage.machine.core, self._stage.cgroups[path].number)
        return {}, {"usage_pages": float(usage), "swap_pages": float(swap)}

    def _areas(self, names: list[str]) -> tuple[Row, Row]:
        infos = [self._stage.areas[name].info for name in names if name in self._stage.areas]
        counted = {key: float(sum(one[key] for one in infos)) for key in ("pswpin", "pswpout")}
        return counted, {"used_pages": float(sum(one["inuse"] for one in infos))}

    def _shares(self) -> None:
        """Which share of all swap-ins each tier served."""
        for kind in ("tiers", "areas"):
            rows = {n: c for n, c in self.series.items() if n.startswith(f"{kind}.")}
            total = sum(columns["pswpin"][-1] for columns in rows.values())
            for columns in rows.values():
                share = columns["pswpin"][-1] / total if total else 0.0
                columns.setdefault("swapin_share", []).append(share)


def _program(lives: list[Program], run: Together) -> tuple[Row, Row]:
    counted = {
        "references": float(sum(p.references for p in lives)),
        "majors": float(sum(p.majors for p in lives)),
        "minors": float(sum(p.minors for p in lives)),
        "fault_s": sum(_fault_ns(p.times) for p in lives) / 1e9,
    }
    return counted, {"alive": float(lives[-1].alive)}


def _fault_ns(times: Mapping[str, int]) -> int:
    return sum(ns for name, ns in times.items() if name not in ("user", "cpu", "barrier", "idle"))
