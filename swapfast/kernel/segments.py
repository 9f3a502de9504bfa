"""The life of shared memory: objects, references to them, and the segments that name them.

- ``new_object``, ``get``, ``put``: a shared object goes with its last reference.
- ``detached``, ``remove``, ``clear``: a segment goes with its last mapping, or its last task.

Source: ipc/shm.c (shm_close, shm_destroy, shm_exit_ns).
"""

from __future__ import annotations

from swapfast import _core
from swapfast.core import mapping_table
from swapfast.kernel.shared import IpcNamespace, Segment, SharedObject
from swapfast.kernel.state import Kernel

__all__ = ["clear", "detached", "get", "new_object", "put", "remove"]


def new_object(kernel: Kernel, pages: int, scope: int, group: int) -> SharedObject:
    """An object that nobody refers to yet.

    Raises
    ------
    MemoryError
        The page indexes are used up.
    """
    base = kernel.page_space.take(pages)
    try:
        number = mapping_table.add(kernel.core, _core.OBJECT, base, pages, 0, scope, group)
    except BaseException:
        kernel.page_space.give(base, pages)
        raise
    one = SharedObject(pages, base, number)
    kernel.objects.add(one)
    return one


def get(one: SharedObject) -> SharedObject:
    """One more reference."""
    one.references += 1
    return one


def put(kernel: Kernel, one: SharedObject) -> None:
    """One reference less; the last one frees pages and slots."""
    one.references -= 1
    if one.references == 0:
        mapping_table.remove(kernel.core, one.number)
        kernel.page_space.give(one.base, one.pages)
        kernel.objects.discard(one)


def detached(kernel: Kernel, ipc: IpcNamespace, segment: Segment, pid: int) -> None:
    """A mapping of it is gone (pid 0: it never was); a removed segment goes with the last."""
    segment.status.nattch -= 1
    segment.status.lpid = pid or segment.status.lpid
    if segment.removed and segment.status.nattch == 0:
        _destroy(kernel, ipc, segment)


def remove(kernel: Kernel, ipc: IpcNamespace, segment: Segment) -> None:
    """It goes now, or with its last mapping."""
    segment.removed = True
    if segment.status.nattch == 0:
        _destroy(kernel, ipc, segment)


def clear(kernel: Kernel, ipc: IpcNamespace) -> None:
    """The last task left: its segments go (ipc/shm.c, shm_exit_ns)."""
    for segment in list(ipc.segments.values()):
        remove(kernel, ipc, segment)


def _destroy(kernel: Kernel, ipc: IpcNamespace, segment: Segment) -> None:
    if ipc.segments.pop(segment.shmid, None) is not None:
        put(kernel, segment.object)
