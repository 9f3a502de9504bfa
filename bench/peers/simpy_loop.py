"""Programs that compute, fault and wait for one device: the closed loop, in SimPy.

- ``closed_loop(programs, service, units)``: what somebody writes who knows SimPy and wants it right

What is counted is the work that any such simulation has to do: a program that comes back from the
processor, a request that gets a unit, a request that is done.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

import simpy

__all__ = ["Loop", "closed_loop"]

FIRST = simpy.events.NORMAL + 1  # priorities of programs, behind those of the resource


@dataclass(frozen=True)
class Loop:
    """What came of it.

    Parameters
    ----------
    ends_ns : tuple of int
        When each program was done, in their order.
    waited_ns : tuple of int
        How long each was in the queue, without the service.
    events : int
        Events that SimPy processed.
    """

    ends_ns: tuple[int, ...]
    waited_ns: tuple[int, ...]
    events: int


class Due(simpy.Event):
    """A timeout that comes in the order of numbers among those of the same ns.

    SimPy's own come in the order in which they were made.
    """

    def __init__(self, env: simpy.Environment, delay: int, number: int) -> None:
        super().__init__(env)
        self._ok, self._value = True, None
        env.schedule(self, FIRST + number, delay)


def closed_loop(
    programs: Sequence[Sequence[int]],
    service: int | Callable[[int, int], int],
    units: int = 1,
) -> Loop:
    """Run programs side by side until all are done.

    Parameters
    ----------
    programs : sequence of sequences of int
        For each program the ns it computes before each of its faults.
    service : int or callable
        ns that a request holds a unit; or a function of the program's number and the fault's.
    units : int
        Requests served at a time, first come first served. Among those that come at the same ns,
        the program with the lower number is first.
    """
    env = simpy.Environment()
    device = simpy.Resource(env, capacity=units)
    ends, waited = [0] * len(programs), [0] * len(programs)

    def program(number: int, computes: Sequence[int]) -> Generator[Any, Any, None]:
        for fault, cpu_ns in enumerate(computes):
            yield Due(env, cpu_ns, number)
            came = env.now
            with device.request() as request:
                yield request
                waited[number] += env.now - came
                held = service if isinstance(service, int) else service(number, fault)
                yield Due(env, held, number)
        ends[number] = env.now

    for number, computes in enumerate(programs):
        env.process(program(number, computes))
    events = 0
    while env.peek() != float("inf"):
        env.step()
        events += 1
    return Loop(tuple(ends), tuple(waited), events)
