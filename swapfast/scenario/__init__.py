"""Scenarios: a machine, its swapfiles, its logins and what they run, from a TOML file.

- ``open_scenario(name)``: a ``Source``: a file, or one that comes with swapfast, by its name.
- ``load(path)``, ``bundled(full)``: a ``Scenario``, or a ``ScenarioError`` with every mistake.
- ``with_profile(scenario, profile)``: the same programs on another kernel.
- ``execute(scenario, ...)``: its programs in turn, on real swapfiles; a ``Report`` of facts.
- ``play(scenario, scope, seed)``: its programs side by side; an ``Outcome``.
- ``metric_unit``, ``metric_better``, ``shown``, ``named``: what the metrics of an outcome are.
- ``render.render(report, console)``: the report for a person, with rich.
"""

from swapfast.scenario.execute import execute
from swapfast.scenario.load import (
    ScenarioError,
    Source,
    bundled,
    bundled_names,
    load,
    open_scenario,
    with_profile,
)
from swapfast.scenario.metrics import metric_better, metric_unit, named, shown
from swapfast.scenario.report import Report
from swapfast.scenario.side import Outcome, play
from swapfast.scenario.tables import Scenario

__all__ = [
    "Outcome",
    "Report",
    "Scenario",
    "ScenarioError",
    "Source",
    "bundled",
    "bundled_names",
    "execute",
    "load",
    "metric_better",
    "metric_unit",
    "named",
    "open_scenario",
    "play",
    "shown",
    "with_profile",
]
