"""swapfast: a fast simulator of Linux swap, with the swap namespaces of the 2008 RFC.

The public names; ``import swapfast`` imports numpy and nothing else.
"""

from swapfast import start

start.begin()

from swapfast.build import check_built  # noqa: E402

check_built()

from swapfast import flags  # noqa: E402
from swapfast.errors import KernelPanic, TaskKilled  # noqa: E402
from swapfast.flags import *  # noqa: E402, F403
from swapfast.kernel.control import Cgroup, MemoryGroup  # noqa: E402
from swapfast.kernel.profile import PROFILES, Profile  # noqa: E402
from swapfast.kernel.records import OomRecord, SysInfo  # noqa: E402
from swapfast.kernel.rules import Rules  # noqa: E402
from swapfast.kernel.state import SwapNamespace, Task  # noqa: E402
from swapfast.machine import Machine  # noqa: E402

__version__ = "0.1.0"
__all__ = [
    *flags.__all__,
    "PROFILES",
    "Cgroup",
    "KernelPanic",
    "Machine",
    "MemoryGroup",
    "OomRecord",
    "Profile",
    "Rules",
    "SwapNamespace",
    "SysInfo",
    "Task",
    "TaskKilled",
]
