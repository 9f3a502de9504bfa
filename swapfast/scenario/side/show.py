"""The outcome of one run, for a person.

- ``show(outcome, screen)``: programs, devices, kills, what was expected, and the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from swapfast.scenario.metrics import shown
from swapfast.scenario.side.outcome import Outcome
from swapfast.screen import Screen
from swapfast.units import format_count, format_ns

__all__ = ["show"]

MOST_ROWS, MOST_KILLS = 24, 6
_PROGRAM = (
    ("references_per_s", "references"),
    ("majors", "major faults"),
    ("p50_us", "p50"),
    ("p99_us", "p99"),
    ("max_us", "longest"),
    ("waited_share", "waits"),
    ("reclaim_share", "reclaims"),
)
_DEVICE = (
    ("reads", "reads"),
    ("writes", "writes"),
    ("bytes_written", "written"),
    ("busy_share", "busy"),
    ("read_p99_us", "read p99"),
)


def show(outcome: Outcome, screen: Screen) -> None:
    """Print an outcome."""
    screen.say((outcome.title, "bold"))
    drawn = f", seed {outcome.seed}" if outcome.drawn else ", nothing drawn"
    screen.say(
        f"scope {outcome.scope}{drawn}: {format_ns(outcome.simulated_ns)} simulated in "
        f"{format_ns(outcome.wall_s * 1e9)}"
    )
    screen.say()
    names = list(_items(outcome.metrics, "programs")) or list(_items(outcome.metrics, "logins"))
    kind = "programs" if any(k.startswith("programs.") for k in outcome.metrics) else "logins"
    _table(screen, outcome.metrics, kind, names, _PROGRAM, _fate(outcome.metrics, kind))
    _table(screen, outcome.metrics, "devices", list(_items(outcome.metrics, "devices")), _DEVICE)
    guesses = [one["name"] for one in outcome.devices if not one["calibrated"]]
    if guesses:
        presets = ", ".join(f"{d['name']} ({d['preset']})" for d in outcome.devices)
        screen.say((f"not calibrated: {presets}: guesses within a factor of two", "yellow"))
    _phases(screen, outcome.metrics)
    _kills(screen, outcome)
    _events(screen, outcome)
    for one in outcome.expectations:
        if one["held"] is not None:
            word = ("held", "green") if one["held"] else ("NOT held", "red")
            value = "none" if one["value"] is None else shown(one["metric"], one["value"])
            screen.say(word, f": {one['metric']} {one['rule']}, and it is {value}: {one['why']}")
    if outcome.sentence:
        screen.say()
        screen.say((outcome.sentence, "bold"))


def _items(metrics: Mapping[str, float], table: str) -> Iterable[str]:
    """Names of the items of a table, in order."""
    seen: dict[str, None] = {}
    for key in metrics:
        head, _, rest = key.partition(".")
        if head == table:
            seen[rest.rpartition(".")[0]] = None
    return seen


def _fate(metrics: Mapping[str, float], kind: str) -> dict[str, str]:
    told = {}
    for name in _items(metrics, kind):
        killed = metrics.get(f"{kind}.{name}.killed", 0)
        told[name] = f"killed {format_count(killed)}" if killed else ""
    return told


def _table(
    screen: Screen,
    metrics: Mapping[str, float],
    kind: str,
    names: list[str],
    columns: tuple[tuple[str, str], ...],
    fate: Mapping[str, str] | None = None,
) -> None:
    rows = []
    for name in names[:MOST_ROWS]:
        values = [f"{kind}.{name}.{key}" for key, _ in columns]
        row = [name, *(shown(v, metrics[v]) if v in metrics else "" for v in values)]
        rows.append(tuple(row) if fate is None else (*row, fate.get(name, "")))
    if not rows:
        return
    head = (kind[:-1], *(title for _, title in columns))
    screen.table(head if fate is None else (*head, ""), rows, left=(kind[:-1],))
    if len(names) > MOST_ROWS:
        screen.say(f"and {len(names) - MOST_ROWS} {kind} more: --json has them")
    screen.say()


def _phases(screen: Screen, metrics: Mapping[str, float]) -> None:
    for name in _items(metrics, "phases"):
        share = metrics[f"phases.{name}.finished_share"]
        times = [
            f"{what} {shown(key, metrics[key])}"
            for what in ("p50", "p99")
            if (key := f"phases.{name}.{what}_s") in metrics
        ]
        line = f"phase {name}: {100 * share:.3g} % of the programs finished it"
        screen.say(line + (f", after {', '.join(times)}" if times else ""))


def _kills(screen: Screen, outcome: Outcome) -> None:
    for one in outcome.kills[:MOST_KILLS]:
        screen.say(
            (f"killed at {format_ns(one['time_s'] * 1e9)}: {one['victim']}", "red"),
            f" of {one['cgroup']}, by the OOM killer of {one['level']}: {one['rss_pages']} pages "
            f"in memory and {one['swap_pages']} in swap; {one['trigger']} asked, "
            f"{one['free_pages']} pages and {one['free_slots']} slots were free, "
            f"{one['free_slots_allowed']} of them allowed",
        )
    if len(outcome.kills) > MOST_KILLS:
        screen.say(f"and {len(outcome.kills) - MOST_KILLS} kills more: --json has them")


def _events(screen: Screen, outcome: Outcome) -> None:
    for one in outcome.events:
        told = [
            f"{key.rpartition('_')[0].replace('_', ' ')} {shown(key, value)}"
            for key, value in one.get("metrics", {}).items()
        ]
        what = one.get("error") or ", ".join(told) or "done"
        screen.say(f"{format_ns(one['time_s'] * 1e9)}: {one['name']}: {what}")
