"""Programs alone: the same program on the same machine with the same limits, and nobody else.

- ``rates_alone(stage)``: references a second, by the place of a program in the file.
"""

from __future__ import annotations

from dataclasses import replace

from swapfast.scenario.plan import Runner
from swapfast.scenario.side.cast import Cast, rate_of
from swapfast.scenario.side.stage import Stage, set_stage

__all__ = ["MOST_ALONE", "rates_alone"]

MOST_ALONE = 16  # programs of the file; copies share a rate


def rates_alone(stage: Stage) -> dict[tuple[int, int], float]:
    """References a second of each program of the file when it is alone, for as long as it runs.

    Actions do not happen, and nobody is waited for.
    """
    first: dict[tuple[int, int], Runner] = {}
    for runner in stage.plan.runners:
        first.setdefault(runner.place, runner)
    return {place: _rate(stage, first[place]) for place in list(first)[:MOST_ALONE]}


def _rate(stage: Stage, runner: Runner) -> float:
    table = runner.table.model_copy(update={"after": None, "barrier": None})
    only = replace(stage.plan, runners=(replace(runner, table=table),))
    quiet = stage.scenario.model_copy(update={"action": ()})
    assert quiet.run is not None
    alone = set_stage(quiet, only, stage.scope, stage.seed, None)
    with alone.machine:
        run = alone.machine.together(
            seed=alone.seed, quantum=quiet.run.quantum, cpus=quiet.machine.cpus
        )
        cast = Cast(alone, run, watched=False)
        cast.begin()
        run.until(quiet.run.stop)
        return rate_of(cast.parts[0].lives)
