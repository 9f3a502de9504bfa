"""Measure programs side by side: the scenarios of a file, played to the kernel of this machine.

The file is the one that ``swapfast validate --scenarios`` reads, and the result is a truth for it.

- ``make_several(scenarios, traces, out, ...)``: what would be done, as data: a ``SeveralPlan``.
- ``refusals(plan, host)``: why it must not be done here, one sentence each.
- ``measure_several(plan, host)``: do it, and undo everything whatever happens. Needs root.
"""

from swapfast.measure.several.checks import refusals
from swapfast.measure.several.plan import SeveralPlan, make_several
from swapfast.measure.several.run import measure_several

__all__ = ["SeveralPlan", "make_several", "measure_several", "refusals"]
