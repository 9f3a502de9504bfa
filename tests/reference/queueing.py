"""What queueing theory says a device has to do: means, exactly or between bounds.

- ``mm1_wait``, ``md1_wait``, ``mg1_wait``, ``mmc_wait``: mean time in the queue of an open one
- ``erlang_c``: how often somebody has to wait at all
- ``mean_value_analysis``: a closed one, programs that think and one station that serves
- ``repairman``: the same from its states, with several units
- ``throughput_bounds``: between which it lies whatever the distributions are

Times in any unit; ``arrivals`` and ``throughput`` are per unit of time. An open queue is stable
below a load of 1 alone, and a wait is without the service.

Sources: Kleinrock, Queueing Systems I (1975), chapters 3 and 5; Reiser and Lavenberg, JACM 27
(1980), for mean value analysis; Lazowska et al., Quantitative System Performance (1984), chapter 5,
for the bounds.
"""

from __future__ import annotations

import math
from typing import NamedTuple


def load(arrivals: float, service: float, units: int = 1) -> float:
    """Share of the time that a unit is busy."""
    rho = arrivals * service / units
    if not 0 <= rho < 1:
        raise ValueError(f"a load of {rho}: the queue grows for ever")
    return rho


def mg1_wait(arrivals: float, service: float, variance: float) -> float:
    """Pollaczek and Khinchine: any service time, of that mean and variance."""
    rho = load(arrivals, service)
    return arrivals * (service**2 + variance) / (2 * (1 - rho))


def mm1_wait(arrivals: float, service: float) -> float:
    """Exponential service: rho / (mu - lambda)."""
    rho = load(arrivals, service)
    return rho / (1 / service - arrivals)


def md1_wait(arrivals: float, service: float) -> float:
    """Constant service: half of that."""
    return mm1_wait(arrivals, service) / 2


def erlang_c(units: int, offered: float) -> float:
    """The share of arrivals that find all units busy; ``offered`` is arrivals x service."""
    if not 0 <= offered < units:
        raise ValueError(f"{units} units are offered {offered}: the queue grows for ever")
    blocked = 1.0  # Erlang B, one unit after the other: no factorial to overflow
    for n in range(1, units + 1):
        blocked = offered * blocked / (n + offered * blocked)
    return blocked / (1 - offered / units * (1 - blocked))


def mmc_wait(arrivals: float, service: float, units: int) -> float:
    """Exponential service by several units and one queue."""
    return erlang_c(units, arrivals * service) / (units / service - arrivals)


class Closed(NamedTuple):
    """Means of a closed network.

    ``throughput`` of requests, ``response`` in queue and service, ``queue``: how many are there.
    """

    throughput: float
    response: float
    queue: float


def mean_value_analysis(programs: int, think: float, service: float) -> Closed:
    """Programs that think for any time of that mean, and one unit of exponential service.

    One program more finds on its arrival what the network without it has on average.
    """
    found = Closed(0.0, service, 0.0)
    for n in range(1, programs + 1):
        response = service * (1 + found.queue)
        throughput = n / (think + response)
        found = Closed(throughput, response, throughput * response)
    return found


def repairman(programs: int, think: float, service: float, units: int = 1) -> Closed:
    """The same by how likely it is that k of the programs are at the device; several units."""
    log_weight, logs = 0.0, [0.0]
    for k in range(1, programs + 1):
        log_weight += math.log((programs - k + 1) / think * service / min(k, units))
        logs.append(log_weight)
    top = max(logs)
    weights = [math.exp(x - top) for x in logs]
    chance = [w / math.fsum(weights) for w in weights]
    queue = math.fsum(k * p for k, p in enumerate(chance))
    throughput = math.fsum(min(k, units) * p for k, p in enumerate(chance)) / service
    return Closed(throughput, queue / throughput, queue)


def throughput_bounds(
    programs: int, think: float, service: float, units: int = 1
) -> tuple[float, float]:
    """Least and most: each waits for all others every time, or nobody ever waits.

    The lower bound is for one unit; several do better.
    """
    least = programs / (think + programs * service)
    return least, min(programs / (think + service), units / service)
