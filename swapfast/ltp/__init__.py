"""A simulated LTP, as of April 2008, over the system calls of the machine's tasks.

- ``run(task, tests=None, *, tmpdir, scale=1, progress=None)``: runltp from the shell of a login.
- `LtpReport`, `LtpResult`, `LtpMessage`: what came out.
- `LtpTest`, `ordered_tests()`: which tests there are.

Every test does the steps of the original and judges by what the system calls return; none knows
what namespace or kernel it runs in. Source: linux-test-project/ltp as of 26 Apr 2008, named by its
tags in runtest/syscalls, runtest/mm and runtest/containers.
"""

# mmap before memory, and memory before ipc: the order of the lines of runtest/mm.
from swapfast.ltp import swap as _swap  # noqa: F401, I001
from swapfast.ltp import process as _process  # noqa: F401
from swapfast.ltp import mmap as _mmap  # noqa: F401
from swapfast.ltp import memory as _memory  # noqa: F401
from swapfast.ltp import ipc as _ipc  # noqa: F401
from swapfast.ltp.lib import LtpMessage
from swapfast.ltp.registry import LtpTest, ordered_tests
from swapfast.ltp.runner import LtpReport, LtpResult, run

__all__ = ["LtpMessage", "LtpReport", "LtpResult", "LtpTest", "ordered_tests", "run"]
