"""Reasons not to measure programs side by side here, beside those of every measurement.

- ``refusals(plan, host)``: all that apply, one sentence each; empty means go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from swapfast.contention.setup import GroupSetup
from swapfast.measure.checks import refusals as ground_refusals
from swapfast.measure.host import Host
from swapfast.measure.several.limits import FILES_V2
from swapfast.measure.several.plan import SeveralPlan

__all__ = ["refusals"]


def no_such_limit(plan: SeveralPlan, host: Host) -> str | None:
    """Cgroup v1 has a limit of memory, and nothing else that a scenario may ask for."""
    if plan.group is None or plan.group.version == 2:
        return None
    wanted: dict[str, None] = {}
    where = []
    for one in plan.scenarios:
        files = [FILES_V2[name] for group in one.cgroup for name in _only_v2(group)]
        wanted |= dict.fromkeys(files)
        if files:
            where.append(one.name)
    if not where:
        return None
    return (
        f"{', '.join(wanted)} are of cgroup v2, and the memory controller here is v1; measure "
        f"other scenarios than {', '.join(where)} (--only), or boot with cgroup_no_v1=memory"
    )


def too_few_cpus(plan: SeveralPlan, host: Host) -> str | None:
    """Programs that share a processor wait for it."""
    most = max(plan.cpus(one) for one in plan.scenarios)
    if most <= len(host.cpus):
        return None
    here = len(host.cpus)
    return (
        f"a scenario has {most} processors, and there {'are' if here > 1 else 'is'} {here} here; "
        f"say cpus = {here} in [machine] of {plan.file}"
    )


def programs_above_groups(plan: SeveralPlan, host: Host) -> str | None:
    """Cgroup v2 has processes at the ends of its tree alone."""
    if plan.group is None or plan.group.version == 1:
        return None
    for one in plan.scenarios:
        for program in one.program:
            if any(group.path.startswith(f"{program.cgroup}/") for group in one.cgroup):
                return (
                    f"{one.name}: program {program.name} is in {program.cgroup}, which has groups "
                    "below it, and cgroup v2 has no programs there; give it a group of its own"
                )
    return None


def no_swap(plan: SeveralPlan, host: Host) -> str | None:
    """Without swap nothing is measured."""
    for one in plan.scenarios:
        if not plan.setup.swap_of(one):
            return f"{one.name} swaps to no disk; give it a swap in {plan.file}"
    return None


Check = Callable[[SeveralPlan, Host], str | None]
CHECKS: tuple[Check, ...] = (no_such_limit, too_few_cpus, programs_above_groups, no_swap)


def refusals(plan: SeveralPlan, host: Host | None = None) -> list[str]:
    """Why the plan must not be carried out on this host, one sentence each; empty: it may."""
    host = host or Host()
    own = (check(plan, host) for check in CHECKS)
    return [*ground_refusals(plan, host), *(sentence for sentence in own if sentence is not None)]


def _only_v2(group: GroupSetup) -> Iterable[str]:
    """Names of what a group asks for and v1 lacks."""
    for name in FILES_V2:
        if name != "max" and getattr(group, name) not in (None, False):
            yield name
