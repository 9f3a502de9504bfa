"""The machine that a scenario asks for.

- ``make_machine(model, contents)``.
"""

from __future__ import annotations

from swapfast.kernel.rules import Rules
from swapfast.machine import Machine
from swapfast.scenario.tables.machine import MachineModel

__all__ = ["make_machine"]


def make_machine(model: MachineModel, *, contents: bool = True) -> Machine:
    """A machine with the options of ``[machine]``.

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
    )
