"""A kernel from an image: the reverse of `freeze`.

- ``Rebuilding(image, calls)``: the kernel and its tasks, before their pages have a file.
- ``Rebuilding.load(backing)``: the tasks go on in it.
- ``options_of(facts)``: which computer it was.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from swapfast import _core
from swapfast import flags as f
from swapfast.checkpoint.facts import PLAIN
from swapfast.checkpoint.groups import make_groups
from swapfast.checkpoint.image import Image
from swapfast.core import images, slot_pins
from swapfast.kernel import areas, mmap, segments
from swapfast.kernel.boot import boot
from swapfast.kernel.options import KernelOptions
from swapfast.kernel.records import ShmidDs
from swapfast.kernel.rules import Rules
from swapfast.kernel.scopes import new_swap_namespace
from swapfast.kernel.shared import IpcNamespace, Segment, SharedObject
from swapfast.kernel.state import Calls, Kernel, Mm, SwapNamespace, Task
from swapfast.swapfile import SwapBacking
from swapfast.units import PAGE_SIZE

__all__ = ["Rebuilding", "options_of"]


def options_of(facts: dict[str, Any]) -> KernelOptions:
    """The computer that an image is of.

    Raises
    ------
    ValueError
        Settings that no machine has; the first group is not the machine's own.
    """
    machine, settings = facts["machine"], facts["core"]["settings"]
    root = facts["groups"][0]
    if root["policy"] != machine["policy"] or root["limit"]:
        raise ValueError("facts.groups[0]: not the group of the whole machine")
    return KernelOptions(
        settings["memory"] * PAGE_SIZE,
        machine["profile"],
        contents=machine["contents"],
        rules=Rules(**facts["rules"]),
        cache=machine["cache_at_boot"] * PAGE_SIZE,
        bits=machine["bits"],
        overcommit=machine["overcommit"],
        policy=machine["policy"],
        page_cluster=settings["page_cluster"],
        swappiness=settings["swappiness"],
        max_swapfiles=machine["max_swapfiles"],
        times=settings["times"],
        # Images of older versions are of machines with a plug for each reclaim.
        **machine.get("options", {"plug": "own"}),
    )


class Rebuilding:
    """One image on its way into one kernel.

    Parameters
    ----------
    image : Image
        As `read_image` checked it.
    calls : SystemCalls

    Raises
    ------
    ValueError
        Settings that no machine has.
    MemoryError
        This computer cannot hold it.
    """

    def __init__(self, image: Image, calls: Calls) -> None:
        self.image = image
        facts = image.facts
        self.facts = facts
        self.kernel = kernel = boot(options_of(facts), calls)
        self.groups = make_groups(kernel, facts["groups"])
        self.namespace = new_swap_namespace(kernel, facts["namespace"]["number"])
        self.ipcs = [IpcNamespace(i["number"], sequence=i["sequence"]) for i in facts["ipc"]]
        self.objects = [self._object(o) for o in facts["objects"]]
        for ipc, its in zip(self.ipcs, facts["ipc"], strict=True):
            for segment in its["segments"]:
                self._segment(ipc, segment)
        self.mms = [self._mm(mm) for mm in facts["mms"]]
        self._tasks()

    def _object(self, facts: dict[str, Any]) -> SharedObject:
        scope = {
            "namespace": self.namespace.scope,
            "initial": self.kernel.init.swap_ns.scope,
            "unset": _core.UNSET,
            "nowhere": _core.NOWHERE,
        }[facts["owner"]]
        return segments.new_object(self.kernel, facts["pages"], scope, self.groups[facts["group"]])

    def _segment(self, ipc: IpcNamespace, facts: dict[str, Any]) -> None:
        attached = sum(
            m["segment"] == facts["shmid"] and self.ipcs[m["ipc"]] is ipc
            for mm in self.facts["mms"]
            for m in mm["mappings"]
            if m["ipc"] is not None
        )
        status = ShmidDs(
            facts["size"],
            attached,
            facts["cpid"],
            facts["lpid"],
            facts["mode"],
            facts["uid"],
            facts["key"],
        )
        object_ = segments.get(self.objects[facts["object"]])
        ipc.segments[facts["shmid"]] = Segment(facts["shmid"], object_, status, facts["removed"])

    def _mm(self, facts: dict[str, Any]) -> Mm:
        mm = mmap.new_mm(self.kernel, self.namespace, self.groups[facts["group"]])
        for one in facts["mappings"]:
            ipc = None if one["ipc"] is None else self.ipcs[one["ipc"]]
            mm.group = self.groups[one["group"]]
            mapping = mmap.new_mapping(
                mm,
                one["pages"],
                one["addr"],
                name=one["name"],
                shared=None if one["object"] is None else self.objects[one["object"]],
                readonly=one["readonly"],
                segment=None if ipc is None else ipc.segments[one["segment"]],
                ipc=ipc,
            )
            if "readahead" in one:
                images.readahead_load(self.kernel.core, mapping.number, one["readahead"])
            mapping.ranges = tuple((first, end) for first, end in one["ranges"])
        mm.group = self.groups[facts["group"]]
        mm.next_address = facts["next_address"]
        images.mm_load(self.kernel.core, mm.number, facts["token"])
        return mm

    def _tasks(self) -> None:
        kernel = self.kernel
        for facts in self.facts["tasks"]:
            zombie = facts["mm"] is None
            mm = Mm(kernel, 0, self.namespace, 0) if zombie else self.mms[facts["mm"]]
            ipc = self.ipcs[facts["ipc"]]
            task = Task(kernel, facts["pid"], facts["name"], None, mm, self.namespace, ipc)
            for name in PLAIN:
                setattr(task, name, facts[name])
            task.capabilities = frozenset(facts["capabilities"])
            task.namespaces = dict(facts["namespaces"])
            if not zombie:  # the memory of a zombie is gone, and it counts in no namespace
                mm.users.add(task)
                self.namespace.tasks += 1
                ipc.tasks += 1
            kernel.tasks[task.pid] = task
        for facts in self.facts["tasks"]:
            task = kernel.tasks[facts["pid"]]
            task.parent = kernel.tasks[facts["parent"]]
            for pid in facts["children"]:
                task.offspring[pid] = kernel.tasks[pid]
            if task.parent is kernel.init:
                kernel.init.offspring[task.pid] = task

    def load(self, backing: SwapBacking) -> tuple[Kernel, SwapNamespace]:
        """A kernel in which the tasks go on, and their swap namespace.

        Parameters
        ----------
        backing : SwapBacking
            The image's swapfile; the machine's from now on.

        Raises
        ------
        ValueError
            What can only be seen now: clusters of the area that its slots contradict.
        """
        image = self.image
        kernel, area = self.kernel, self.facts["area"]
        flags = f.SWAP_FLAG_PREFER | area["priority"] if area["priority"] >= 0 else 0
        added = areas.add(kernel, self.namespace, backing, flags)
        added.priority = area["priority"]
        self.namespace.swapped_on = self.facts["namespace"]["swapped_on"]
        numbers = [m.number for mm in self.mms for m in mm.mappings.values()]
        numbers += [o.number for o in self.objects]
        slots = image.slot.values()
        images.load(
            kernel.core,
            numbers,
            added.number,
            image.pte.values(),
            slots,
            image.shadow.values(),
            image.zero if image.zero.size else np.zeros(slots.size, dtype=np.uint8),
            image.ring,
            image.ring_length,
        )
        images.area_load(
            kernel.core,
            added.number,
            area["state"],
            image.unused.values(),
            image.partly.values(),
            image.limbo.values(),
        )
        if image.sums is not None and kernel.contents:
            slot_pins.set_sums(kernel.core, added.number, slots, image.sums)
        for number, state in zip(self.groups, self.facts["groups"], strict=True):
            images.memcg_load(kernel.core, number, state)
        images.machine_load(kernel.core, self.facts["core"])
        boot_facts = self.facts["machine"]
        kernel.oom_kills = boot_facts["oom_kills"]
        kernel.next_pid = boot_facts["next_pid"]
        kernel.next_namespace = boot_facts["next_namespace"]
        kernel.ranks.least = boot_facts["least_priority"]
        return kernel, self.namespace
