"""System calls and broken swapfiles in random order (``tests.support.file_machine``).

SWAPFAST_EXAMPLES=2000 looks longer, and elsewhere each time.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

from tests.support.file_machine import FileMachine
from tests.support.swap_machine import EXAMPLES

FileMachine.TestCase.settings = settings(
    max_examples=EXAMPLES,
    derandomize="SWAPFAST_EXAMPLES" not in os.environ,
    stateful_step_count=50,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestFileMachine = FileMachine.TestCase
