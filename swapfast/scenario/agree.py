"""Whether the tables of a scenario agree with each other.

- ``disagreements(scenario)``: places and sentences; none where it can be run.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches

from pydantic import BaseModel

from swapfast.kernel.profile import PROFILES
from swapfast.scenario.plan import Plan, expanded, plan
from swapfast.scenario.tables import Scenario
from swapfast.scenario.tables.programs import SIDE_BY_SIDE, LtpProgram, Program
from swapfast.scenario.tables.scope import ScopeTable

__all__ = ["Disagreement", "disagreements"]

Disagreement = tuple[tuple[str | int, ...], str]
MOST_PAGES = 1 << 31  # of all programs together
_ONLY_SIDE_BY_SIDE = ("device", "cgroup", "tier", "scope", "action", "expect", "plot")
_PLACEHOLDER = re.compile(r"\{([^{}|]+)\|[^{}]*\}")


def disagreements(scenario: Scenario) -> list[Disagreement]:
    """All that does not fit together, with its place in the file."""
    found = [*_counts(scenario), *_twice(scenario)]
    if found:
        return found
    found += _swapfiles(scenario)
    if scenario.run is None:
        return found + list(_without_run(scenario))
    found += _with_run(scenario)
    whole = plan(scenario)
    for part in (_names, _programs, _scopes, _actions, _expectations):
        found += part(scenario, whole)
    return found


def _near(name: str, names: Collection[str], what: str) -> str:
    if not names:
        return f"there is no {what}"
    close = get_close_matches(name, names, 1, 0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    shown = ", ".join(sorted(names)[:20])
    return f"there are {shown}"


def _unknown(
    at: tuple[str | int, ...], names: Iterable[str], known: Collection[str], what: str
) -> Iterator[Disagreement]:
    for name in names:
        if name not in known:
            yield at, f"no {what} {name!r:.70}; {_near(name, known, what)}"


def _counts(scenario: Scenario) -> Iterator[Disagreement]:
    counted = [
        *(("swapfile", i, one.name, one.count) for i, one in enumerate(scenario.swapfile)),
        *(("cgroup", i, one.path, one.count) for i, one in enumerate(scenario.cgroup)),
        *(("login", i, one.name, one.count) for i, one in enumerate(scenario.login)),
    ]
    for table, i, name, count in counted:
        if count is not None and count > 1 and "{i}" not in name:
            yield (table, i, "count"), f"{count} copies of {name} need '{{i}}' in their name"
        if count is None and "{i}" in name:
            yield (table, i), f"{name} counts copies, and there is no count"


def _twice(scenario: Scenario) -> Iterator[Disagreement]:
    lists: dict[str, list[str]] = {
        "device": [one.name for one in scenario.device],
        "swapfile": [n for one in scenario.swapfile for n in expanded(one.name, one.count)],
        "cgroup": [n for one in scenario.cgroup for n in expanded(one.path, one.count)],
        "tier": [one.name for one in scenario.tier],
        "login": [n for one in scenario.login for n in expanded(one.name, one.count)],
        "scope": [one.name for one in scenario.scope],
    }
    for what, names in lists.items():
        twice = sorted(name for name, times in Counter(names).items() if times > 1)
        if twice:
            yield (what,), f"{what} {', '.join(twice[:10])} is there more than once"


def _swapfiles(scenario: Scenario) -> Iterator[Disagreement]:
    files = [n for one in scenario.swapfile for n in expanded(one.name, one.count)]
    known = set(files)
    for i, login in enumerate(scenario.login):
        missing = [
            name
            for pattern in login.swapon
            for name in expanded(pattern, login.count)
            if name not in known
        ]
        if missing:
            shown = ", ".join(files[:20]) or "none"
            yield (
                ("login", i, "swapon"),
                f"login {login.name} turns on {', '.join(missing[:10])}; the swapfiles are {shown}",
            )
    most = scenario.machine.max_swapfiles or PROFILES[scenario.machine.profile].max_swapfiles
    if len(files) > most:
        yield (
            ("swapfile",),
            f"more swapfiles than Linux {scenario.machine.profile} can turn on: {len(files)} of "
            f"{most}; machine.max_swapfiles is another number",
        )


def _said(table: BaseModel, names: Iterable[str]) -> list[str]:
    """Those keys of a table that say something else than the default."""
    fields = type(table).model_fields
    return [n for n in names if n in fields and getattr(table, n) != fields[n].default]


def _without_run(scenario: Scenario) -> Iterator[Disagreement]:
    """A key that would do nothing is refused."""
    needs = "means something only to programs side by side: add a [run] table with stop"
    for name in _ONLY_SIDE_BY_SIDE:
        if getattr(scenario, name):
            yield (name,), needs
    for i, one in enumerate(scenario.swapfile):
        for name in _said(one, ("count", "device", "priority")):
            yield ("swapfile", i, name), needs
    for i, login in enumerate(scenario.login):
        for name in _said(login, ("cgroup", "count", "start", "stop")):
            yield ("login", i, name), needs
        for k, program in enumerate(login.program):
            yield from _program_without_run(("login", i, "program", k), program, needs)


def _with_run(scenario: Scenario) -> Iterator[Disagreement]:
    """What means something only where programs run in turn."""
    for i, one in enumerate(scenario.swapfile):
        for name in _said(one, ("label", "wipe")):
            yield ("swapfile", i, name), "means nothing to programs side by side: take it out"
    for i, login in enumerate(scenario.login):
        for name in _said(login, ("priority",)):
            yield ("login", i, name), "side by side it is a key of [[swapfile]]"
        for k, program in enumerate(login.program):
            for name in _said(program, ("expect",)):
                yield ("login", i, "program", k, name), "side by side there is [[expect]]"


def _program_without_run(
    at: tuple[str | int, ...], program: Program, needs: str
) -> Iterator[Disagreement]:
    if program.kind in ("phases", "launch"):
        yield (*at, "kind"), f"{program.kind} {needs}"
        return
    for name in _said(program, SIDE_BY_SIDE):
        yield (*at, name), needs


def _names(scenario: Scenario, whole: Plan) -> Iterator[Disagreement]:
    devices = {one.name for one in scenario.device}
    groups = {one.path for one in whole.groups}
    for i, one in enumerate(scenario.swapfile):
        if one.device is not None:
            yield from _unknown(("swapfile", i, "device"), [one.device], devices, "device")
    for i, login in enumerate(scenario.login):
        if login.cgroup is not None:
            paths = expanded(login.cgroup, login.count)
            yield from _unknown(("login", i, "cgroup"), paths[:1], groups, "cgroup")
    if (whole.groups or any(r.cgroup for r in whole.runners)) and not _modern(scenario):
        yield ("machine", "profile"), "Linux 2.6.25 has no cgroup v2; take 6.18 or 6.18-mglru"
    inner = {path.rpartition("/")[0] for path in groups | {r.cgroup or "" for r in whole.runners}}
    for runner in whole.runners:
        if runner.cgroup in inner - {""}:
            yield (
                ("login", runner.place[0], "cgroup"),
                f"program {runner.name} is in {runner.cgroup}, which has cgroups below it; then it "
                "has no tasks of its own",
            )
    starts = [one.priority for one in scenario.tier]
    if starts and -1 not in starts:
        yield ("tier",), f"the lowest tier begins at -1, not at {min(starts)}"
    if len(set(starts)) < len(starts):
        yield ("tier",), "two tiers begin at the same priority"


def _modern(scenario: Scenario) -> bool:
    return PROFILES[scenario.machine.profile].modern


def _programs(scenario: Scenario, whole: Plan) -> Iterator[Disagreement]:
    for i, login in enumerate(scenario.login):
        for k, table in enumerate(login.program):
            if isinstance(table, LtpProgram):
                yield ("login", i, "program", k), "LTP runs alone: take the [run] table out"
    if not whole.runners:
        yield ("login",), "there is no program: nothing would run"
    names = Counter(one.name for one in whole.runners)
    twice = sorted(name for name, times in names.items() if times > 1)
    if twice:
        yield ("login",), f"program {', '.join(twice[:10])} is there more than once"
    for one in whole.runners:
        at = ("login", one.place[0], "program", one.place[1])
        if one.table.after is not None:
            others = set(names) - {one.name}
            yield from _unknown((*at, "after"), [one.table.after], others, "program")
        if one.start[0] >= one.stop:
            yield (*at, "start"), f"program {one.name} starts after its end"
    yield from _after_each_other(whole)
    pages = sum(_pages(one.table) for one in whole.runners)
    if pages > MOST_PAGES:
        yield (
            ("login",),
            f"{len(whole.runners)} programs of {pages} pages in all; a machine has {MOST_PAGES} "
            "page indexes",
        )


def _pages(table: object) -> int:
    pages = getattr(table, "pages", 0)
    return pages if isinstance(pages, int) else 0


def _after_each_other(whole: Plan) -> Iterator[Disagreement]:
    after = {one.name: one.table.after for one in whole.runners if one.table.after}
    for name in after:
        seen, at = {name}, after.get(name)
        while at is not None and at not in seen:
            seen.add(at)
            at = after.get(at)
        if at == name:
            yield ("login",), f"program {name} would begin after itself"
            return


def _scopes(scenario: Scenario, whole: Plan) -> Iterator[Disagreement]:
    assert scenario.run is not None
    if scenario.run.scope is not None:
        yield from _unknown(("run", "scope"), [scenario.run.scope], scenario.scopes, "scope")
    for found in _PLACEHOLDER.findall(scenario.run.answer):
        yield from _unknown(("run", "answer"), found.split("/"), scenario.scopes, "scope")
    for i, scope in enumerate(scenario.scope):
        yield from _scope(scenario, whole, ("scope", i), scope)


def _scope(
    scenario: Scenario, whole: Plan, at: tuple[str | int, ...], scope: ScopeTable
) -> Iterator[Disagreement]:
    areas = {one.name for one in whole.areas}
    tiers = {one.name for one in scenario.tier}
    # A table of copies is named by its pattern, a copy by its own name.
    paths = {one.path for one in scenario.cgroup} | {one.path for one in whole.groups}
    logins = {one.name for one in scenario.login} | {one.name for one in whole.members}
    yield from _unknown((*at, "set"), scope.files, paths, "cgroup")
    yield from _unknown((*at, "order"), scope.order, paths, "cgroup")
    yield from _unknown((*at, "tiers"), scope.tiers, paths, "cgroup")
    for inner in scope.tiers.values():
        yield from _unknown((*at, "tiers"), inner, tiers, "tier")
    if isinstance(scope.map, dict):
        known, what = (logins, "login") if scope.kind == "swap_ns" else (paths, "cgroup")
        yield from _unknown((*at, "map"), scope.map, known, what)
        for name, files in scope.map.items():
            yield from _unknown((*at, "map"), files, areas, "swapfile")
            if len(files) != 1:
                yield (*at, "map"), f"{name} has one swapfile, not {len(files)}"
    if scope.kind == "swap_ns" and scope.map is None:
        yield from _own_swapfiles(whole, at)
    for order in scope.order.values():
        names = [part.partition(":")[0].strip() for part in order.split(",")]
        yield from _unknown((*at, "order"), names, areas, "swapfile")
    if scope.kind.startswith("tiers") and not tiers:
        yield (*at, "kind"), "there is no [[tier]]"
    if scope.demote is not None:
        ends = (scope.demote.source, scope.demote.target)
        yield from _unknown((*at, "demote"), ends, areas | tiers, "tier or swapfile")


def _own_swapfiles(whole: Plan, at: tuple[str | int, ...]) -> Iterator[Disagreement]:
    """Each login with a namespace turns on its own swapfile, where the scope has no map."""
    own = [one for one in whole.members if one.namespace and one.swapon]
    if not own:
        yield at, "no login has a namespace and a swapfile: say map, or swapon of logins"
    for one in own:
        if len(one.swapon) > 1:
            yield at, f"login {one.name} has one swapfile in a namespace of its own; say map"
            return
    twice = [name for name, n in Counter(one.swapon[0] for one in own).items() if n > 1]
    if twice:
        yield at, f"{twice[0]} is the swapfile of several logins; map = 'each' cuts it in parts"


def _actions(scenario: Scenario, whole: Plan) -> Iterator[Disagreement]:
    assert scenario.run is not None
    known = {
        "cgroup": {one.path for one in whole.groups},
        "swapfile": {one.name for one in whole.areas},
        "program": {one.name for one in whole.runners},
        "login": {one.name for one in whole.members},
    }
    for i, one in enumerate(scenario.action):
        at = ("action", i)
        if one.at >= scenario.run.stop:
            yield (*at, "at"), "it comes after the end of the run"
        for thing in (one.set, one.reclaim):
            if thing is not None:
                yield from _unknown((*at, one.what), [thing.cgroup], known["cgroup"], "cgroup")
        for what, name in (("swapon", one.swapon), ("swapoff", one.swapoff)):
            if name is not None:
                yield from _unknown((*at, what), [name], known["swapfile"], "swapfile")
        if one.kill is not None:
            yield from _unknown((*at, "kill"), [one.kill], known["program"], "program")
        if one.checkpoint is not None:
            yield from _unknown(
                (*at, "checkpoint"), [one.checkpoint.login], known["login"], "login"
            )
            if not scenario.run.contents:
                yield (*at, "checkpoint"), "a checkpoint is of bytes: say contents = true in [run]"


def _expectations(scenario: Scenario, whole: Plan) -> Iterator[Disagreement]:
    for i, one in enumerate(scenario.expect):
        if one.order is not None:
            yield from _unknown(("expect", i, "order"), one.order, scenario.scopes, "scope")
        if one.scope is not None:
            yield from _unknown(("expect", i, "scope"), [one.scope], scenario.scopes, "scope")
