"""A kernel with its first task.

- ``boot(options, calls)``: pid 1 in the initial namespaces, and nobody else.
"""

from __future__ import annotations

import os
import weakref

from swapfast.kernel import mmap, scopes
from swapfast.kernel.options import KernelOptions
from swapfast.kernel.shared import IpcNamespace
from swapfast.kernel.state import Calls, Kernel
from swapfast.kernel.tasks import new_task

__all__ = ["boot"]

_kernels: weakref.WeakSet[Kernel] = weakref.WeakSet()


def boot(options: KernelOptions, calls: Calls) -> Kernel:
    """A kernel with its first task.

    Parameters
    ----------
    options : KernelOptions
    calls : SystemCalls
        What its tasks may ask for.
    """
    kernel = Kernel(options, calls)
    _kernels.add(kernel)
    swap_ns = scopes.new_swap_namespace(kernel, 0)
    mm = mmap.new_mm(kernel, swap_ns, kernel.groups.root.number)
    kernel.init = new_task(kernel, "init", None, mm, swap_ns, IpcNamespace(0))
    return kernel


def _after_fork_in_child() -> None:
    # The mapped swapfiles are not in a forked child (MADV_DONTFORK), and belong to its parent.
    for kernel in list(_kernels):
        if kernel.files.watched:
            kernel.core.abandon(
                "the machine is the parent process's; it cannot be used after a fork"
            )


os.register_at_fork(after_in_child=_after_fork_in_child)
