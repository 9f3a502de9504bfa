"""Programs alone: the same program on the same machine with the same limits, and nobody else.

- ``rates_alone(stage)``: references a second, by the place of a program in the file.
"""

from __future__ import annotations

from dataclasses import replace

from swapfast.scenario.plan import Runner
from swapfast.scenario.side.cast import Cast
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


def _per_second(references: int, times: dict[str, int]) -> float:
    """References a second, of the time in which a program did not rest."""
    awake = sum(ns for what, ns in times.items() if what not in ("idle", "barrier"))
    return references * 1e9 / max(awake, 1)


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
        lives = cast.parts[0].lives
        times = {what: sum(one.times[what] for one in lives) for what in lives[0].times}
        return _per_second(sum(one.references for one in lives), times)
