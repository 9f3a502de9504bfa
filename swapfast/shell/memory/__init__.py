"""The memory of real programs is that of a simulated machine.

- ``Memory``: programs whose private memory is under the machine's limit, and in its swapfiles.

Their pages are real. A userfaultfd says where one is missing, ptrace(2) what they do with their
mappings; what the simulated machine evicts is taken from them, and given back when they touch it.
"""

from swapfast.shell.memory.engine import Memory

__all__ = ["Memory"]
