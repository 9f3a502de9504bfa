"""System calls in random order against a slow model (``tests.support.swap_machine``).

SWAPFAST_EXAMPLES=2000 looks longer, and elsewhere each time.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

from tests.support.swap_machine import EXAMPLES, SwapMachine

SwapMachine.TestCase.settings = settings(
    max_examples=EXAMPLES,
    derandomize="SWAPFAST_EXAMPLES" not in os.environ,
    stateful_step_count=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestSwapMachine = SwapMachine.TestCase
