"""Programs side by side on one machine, in virtual time.

- ``Together``: a run: its programs, its clock, what was measured.
- ``Program``: one of them.
- ``Phase``: a part of a program's life.
- ``Pressure``: pressure stall information, as the kernel prints it.
- ``Device``: what swap areas lie on.
- ``Demotion``: pages move between them.
"""

from __future__ import annotations

from swapfast.together.demotion import Demotion
from swapfast.together.device import Device
from swapfast.together.phase import Phase
from swapfast.together.pressure import Pressure
from swapfast.together.program import Program
from swapfast.together.run import Timing, Together

__all__ = ["Demotion", "Device", "Phase", "Pressure", "Program", "Timing", "Together"]
