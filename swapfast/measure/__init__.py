"""Measure: ask the kernel of this machine what `swapfast validate` compares with.

- ``Host``: where the kernel shows itself; a fake tree in tests.
- ``make_plan(traces, ...)``, ``Plan``: all that would be done, as data; ``Plan.lines()`` says it.
- ``refusals(plan, host)``: why it must not be done here, one sentence each.
- ``measure(plan, host)``: do it, and undo everything whatever happens. Needs root.
- ``write_truth(path, results)``: the truth file.
"""

from swapfast.measure.checks import refusals
from swapfast.measure.host import Group, Host
from swapfast.measure.plan import Cell, Plan, make_plan
from swapfast.measure.run import measure
from swapfast.measure.truth import Counts, Result, write_truth

__all__ = [
    "Cell",
    "Counts",
    "Group",
    "Host",
    "Plan",
    "Result",
    "make_plan",
    "measure",
    "refusals",
    "write_truth",
]
