"""Scenarios: a machine, its swapfiles, its logins and what they run, from a TOML file.

- ``load(path)``, ``bundled(full)``: a ``Scenario``, or a ``ScenarioError`` with every mistake.
- ``with_profile(scenario, profile)``: the same programs on another kernel.
- ``execute(scenario, ...)``: run it on real swapfiles; a ``Report`` of facts.
- ``render.render(report, console)``: the report for a person, with rich.
"""

from swapfast.scenario.execute import execute
from swapfast.scenario.load import ScenarioError, bundled, load, with_profile
from swapfast.scenario.report import Report
from swapfast.scenario.tables import Scenario

__all__ = ["Report", "Scenario", "ScenarioError", "bundled", "execute", "load", "with_profile"]
