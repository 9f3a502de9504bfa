"""What came out of one run.

- ``Outcome``: metrics, series, kills, devices; JSON there and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

__all__ = ["Outcome"]

Number = int | float


@dataclass(frozen=True)
class Outcome:
    """One run of a scenario, with one scope and one seed.

    Attributes
    ----------
    title, scope : str
    seed : int
    simulated_ns : int
    wall_s : float
        Real seconds that it took. Nothing else in here depends on the computer.
    metrics : dict of str to number
        By name, sorted; see `swapfast.scenario.metrics`.
    series : dict
        Name -> column -> a number a sample; ``t_s`` is its simulated time. What counts is counted
        from sample to sample.
    kills : list of dict
        Of the OOM killer, in order.
    devices : list of dict
        name, preset, whether its times were measured, and what it stands for.
    expectations : list of dict
        metric, rule, why, and whether it held; None: it takes other scopes to tell.
    events : list of dict
        What actions did.
    sentence : str
    drawn : bool
        Whether anything depends on the seed.
    interrupted : bool
        It ended early; everything is of the time until then.
    core : str
        Version of swapfast.
    """

    title: str
    scope: str
    seed: int
    simulated_ns: int
    wall_s: float
    metrics: dict[str, Number]
    series: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    kills: list[dict[str, Any]] = field(default_factory=list)
    devices: list[dict[str, Any]] = field(default_factory=list)
    expectations: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    sentence: str = ""
    drawn: bool = True
    interrupted: bool = False
    core: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The same, for JSON."""
        return asdict(self)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Outcome:
        """What `as_dict` gave.

        Raises
        ------
        ValueError
            It is something else.
        """
        known = {one.name for one in fields(cls)}
        try:
            return cls(**{name: value for name, value in told.items() if name in known})
        except TypeError as error:
            raise ValueError(f"not the outcome of a run: {error}") from None
