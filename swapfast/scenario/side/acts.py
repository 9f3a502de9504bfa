"""What happens in a run by somebody else's hand: files written, areas turned on and off, kills.

- ``Acts``: the actions of a scenario, at their times; ``events`` says what each did.

What the system calls refuse is an event too, and the run goes on: a container's daemon would read
the error and go on as well.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from swapfast.errors import TaskKilled
from swapfast.kernel.exit import die
from swapfast.scenario.side.cast import Cast
from swapfast.scenario.side.saving import Saver
from swapfast.scenario.side.stage import Stage
from swapfast.scenario.tables.action import ActionTable
from swapfast.together import Together
from swapfast.units import PAGE_SIZE

__all__ = ["Acts"]


class Acts:
    """The actions of a scenario.

    Parameters
    ----------
    stage : Stage
    cast : Cast
    run : Together

    Attributes
    ----------
    events : list of dict
        Time, name, and what came of it; ``error`` where it was refused.
    """

    def __init__(self, stage: Stage, cast: Cast, run: Together) -> None:
        self._stage, self._cast, self._run = stage, cast, run
        self._saver = Saver(stage)
        self.events: list[dict[str, Any]] = []
        for number, action in enumerate(stage.scenario.action):
            run.at(action.at, self._later(number, action))

    def _later(self, number: int, action: ActionTable) -> Callable[[], None]:
        def act() -> None:
            event: dict[str, Any] = {
                "time_s": (self._run.now - self._run.begin) / 1e9,
                "name": f"{action.what}-{number}",
            }
            try:
                self._act(action, event)
            except OSError as error:
                event["error"] = str(error)
            except TaskKilled as killed:
                event["error"] = f"killed: {killed}"
            self.events.append(event)

        return act

    def _act(self, action: ActionTable, event: dict[str, Any]) -> None:
        stage = self._stage
        if action.set is not None:
            stage.write(action.set.cgroup, action.set.file, action.set.value)
        elif action.reclaim is not None:
            pages = action.reclaim.amount // PAGE_SIZE
            freed = stage.cgroups[action.reclaim.cgroup].reclaim(pages * PAGE_SIZE)
            event["metrics"] = {"freed_bytes": freed}
        elif action.swapon is not None:
            area = next(one for one in stage.plan.areas if one.name == action.swapon)
            stage.turn_on(area)
        elif action.swapoff is not None:
            area_on = stage.areas.pop(action.swapoff)
            owner = next(t for t in stage.machine.tasks.values() if t.swap_ns is area_on.namespace)
            owner.swapoff(area_on.path)
        elif action.kill is not None:
            for part in self._cast.parts:
                if part.name == action.kill and part.lives and part.lives[-1].alive:
                    die(part.lives[-1].task, 0, signal.SIGKILL)
        elif action.checkpoint is not None:
            told = action.checkpoint
            kind, event["metrics"] = self._saver.save(told.login, told.kind)
            event["name"] = f"checkpoint-{kind}"
