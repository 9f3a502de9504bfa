"""What a scenario file may say: a module for each table.

- ``Scenario``: the whole file, in `swapfast.scenario.tables.whole`.
- ``LAYOUT``: which models there are, by the names of their tables.

Every key, its type, its default and its meaning are in these models; ``swapfast scenario schema``
prints them.
"""

from __future__ import annotations

from swapfast.scenario.tables.whole import LAYOUT, Scenario

__all__ = ["LAYOUT", "Scenario"]
