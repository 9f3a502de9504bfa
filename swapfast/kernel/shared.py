"""Shared memory: objects that several tasks map, and System V segments in IPC namespaces.

- ``SharedObject``: the pages behind MAP_SHARED|MAP_ANONYMOUS and behind a segment.
- ``Segment``: a System V segment.
- ``IpcNamespace``: segments by id; ids are valid inside only.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from swapfast.kernel.records import ShmidDs

__all__ = ["IpcNamespace", "Segment", "SharedObject"]


@dataclass(eq=False, slots=True)
class SharedObject:
    """Pages that belong to an inode, not to an mm; they live as long as somebody refers to them.

    Attributes
    ----------
    pages : int
    base : int
        Page index of its first page.
    number : int
        Its mapping number in the core.
    references : int
        Mappings, plus one while a segment names it.
    """

    pages: int
    base: int
    number: int
    references: int = 0


@dataclass(eq=False, slots=True)
class Segment:
    """A System V shared memory segment.

    Attributes
    ----------
    shmid : int
    object : SharedObject
    status : ShmidDs
    removed : bool
        It goes with its last mapping.
    """

    shmid: int
    object: SharedObject
    status: ShmidDs
    removed: bool = False


@dataclass(eq=False, slots=True)
class IpcNamespace:
    """System V segments; a task in another namespace sees none of them.

    Attributes
    ----------
    number : int
        0 is the initial namespace.
    sequence : int
        Segments ever made in it.
    tasks : int
        Live tasks in it.
    segments : dict of int to Segment
        By id.
    """

    number: int
    sequence: int = 0
    tasks: int = 0
    segments: dict[int, Segment] = field(default_factory=dict)
