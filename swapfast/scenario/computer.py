"""The machine that a scenario asks for.

- ``make_machine(model, contents, scope)``.
"""

from __future__ import annotations

from typing import Any

from swapfast.kernel.rules import Rules
from swapfast.machine import Machine
from swapfast.scenario.tables.machine import MachineModel
from swapfast.scenario.tables.scope import ScopeTable

__all__ = ["make_machine"]


def make_machine(
    model: MachineModel, *, contents: bool = True, scope: ScopeTable | None = None
) -> Machine:
    """A machine with the options of ``[machine]``, and what a scope makes of them.

    Raises
    ------
    ValueError
        They do not go together.
    """
    return Machine(
        model.memory,
        model.profile,
        contents=contents,
        rules=Rules(**model.rules),  # type: ignore[arg-type]  # validated with the file
        cache=model.cache,
        bits=model.bits,
        overcommit=model.overcommit,
        swappiness=model.swappiness,
        page_cluster=model.page_cluster,
        lru_gen=model.lru_gen,
        lru_gen_rule=model.lru_gen_rule,
        max_swapfiles=model.max_swapfiles,
        watermark_scale_factor=model.watermark_scale_factor,
        statistics=model.statistics,
        readahead=model.readahead,
        plug=model.plug,
        times=model.times,
        **_of_scope(model, scope),
    )


def _of_scope(model: MachineModel, scope: ScopeTable | None) -> dict[str, Any]:
    if scope is None:
        return {}
    told = {
        "swap_scope": "shared" if scope.kind == "swap_ns" else scope.kind,
        "allowed_aware": model.allowed_aware,
        "swap_cluster": model.swap_cluster,
        "oom_scope": model.oom_scope,
    }
    for name in ("allowed_aware", "swap_cluster", "oom_scope"):
        if getattr(scope, name) is not None:
            told[name] = getattr(scope, name)
    return told
