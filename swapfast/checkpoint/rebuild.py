"""A machine from an image: the reverse of `freeze`.

- ``Rebuilding(image)``: the machine and its tasks, before their pages have a file.
- ``Rebuilding.load(backing)``: a new machine in which the tasks go on.
- ``machine_of(facts)``: the empty machine alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from swapfast import _core
from swapfast import flags as f
from swapfast.checkpoint.facts import PLAIN
from swapfast.checkpoint.image import Image
from swapfast.core import images, scope_table, slot_pins
from swapfast.ipc import IpcNamespace, Segment, SharedObject, ShmidDs
from swapfast.machine import Machine
from swapfast.mappings import Mapping, Mm
from swapfast.memcg import MemoryGroup
from swapfast.namespaces import Rules, SwapNamespace
from swapfast.swapfile import SwapBacking
from swapfast.swapping import add_area
from swapfast.tasks import Task
from swapfast.units import PAGE_SIZE

__all__ = ["Rebuilding", "machine_of"]


def machine_of(facts: dict[str, Any]) -> Machine:
    """The machine that an image is of, with nobody in it but init.

    Raises
    ------
    ValueError
        Settings that no machine has; the first group is not the machine's own.
    """
    machine, settings = facts["machine"], facts["core"]["settings"]
    root = facts["groups"][0]
    if root["policy"] != machine["policy"] or root["limit"]:
        raise ValueError("facts.groups[0]: not the group of the whole machine")
    return Machine(
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
    )


class Rebuilding:
    """One image on its way into one machine.

    Parameters
    ----------
    image : Image
        As `read_image` checked it.

    Raises
    ------
    ValueError
        Settings that no machine has.
    MemoryError
        This computer cannot hold it.
    """

    def __init__(self, image: Image) -> None:
        self.image = image
        facts = image.facts
        self.facts = facts
        self.machine = machine = machine_of(facts)
        self.groups = [machine.root_group.number]
        self.groups += [
            MemoryGroup(machine, g["limit"], g["policy"]).number for g in facts["groups"][1:]
        ]
        self.namespace = SwapNamespace(
            facts["namespace"]["number"], scope_table.add(machine.core), machine=machine
        )
        self.ipcs = [IpcNamespace(i["number"], _sequence=i["sequence"]) for i in facts["ipc"]]
        self.objects = [self._object(o) for o in facts["objects"]]
        for ipc, its in zip(self.ipcs, facts["ipc"], strict=True):
            for segment in its["segments"]:
                self._segment(ipc, segment)
        self.mms = [self._mm(mm) for mm in facts["mms"]]
        self._tasks()

    def _object(self, facts: dict[str, Any]) -> SharedObject:
        owner = {
            "namespace": self.namespace.owner,
            "initial": self.machine.init.swap_ns.owner,
            "unset": _core.UNSET,
            "nowhere": _core.NOWHERE,
        }[facts["owner"]]
        return SharedObject(self.machine, facts["pages"], owner, self.groups[facts["group"]])

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
        object_ = self.objects[facts["object"]].get()
        ipc.segments[facts["shmid"]] = Segment(facts["shmid"], object_, status, facts["removed"])

    def _mm(self, facts: dict[str, Any]) -> Mm:
        mm = Mm(self.machine, self.namespace, self.groups[facts["group"]])
        for one in facts["mappings"]:
            ipc = None if one["ipc"] is None else self.ipcs[one["ipc"]]
            mm.group = self.groups[one["group"]]
            mapping = Mapping(
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
                images.readahead_load(self.machine.core, mapping.number, one["readahead"])
            mapping._mapped = [(first, end) for first, end in one["ranges"]]
        mm.group = self.groups[facts["group"]]
        mm._next_address = facts["next_address"]
        images.mm_load(self.machine.core, mm.number, facts["token"])
        return mm

    def _tasks(self) -> None:
        machine = self.machine
        for facts in self.facts["tasks"]:
            zombie = facts["mm"] is None
            mm = Mm(machine, self.namespace, self.groups[0]) if zombie else self.mms[facts["mm"]]
            ipc = self.ipcs[facts["ipc"]]
            task = Task(machine, facts["pid"], facts["name"], None, mm, self.namespace, ipc)
            for name in PLAIN:
                setattr(task, name, facts[name])
            task.capabilities = frozenset(facts["capabilities"])
            task.namespaces = dict(facts["namespaces"])
            if zombie:
                mm.users.clear()
                mm.teardown(0)
                self.namespace.tasks -= 1
                ipc.tasks -= 1
            machine.tasks[task.pid] = task
        for facts in self.facts["tasks"]:
            task = machine.tasks[facts["pid"]]
            task.parent = machine.tasks[facts["parent"]]
            for pid in facts["children"]:
                task.adopt(machine.tasks[pid])
            if task.parent is machine.init:
                machine.init.adopt(task)

    def load(self, backing: SwapBacking) -> tuple[Machine, SwapNamespace]:
        """A machine in which the tasks go on, and their swap namespace.

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
        machine, area = self.machine, self.facts["area"]
        flags = f.SWAP_FLAG_PREFER | area["priority"] if area["priority"] >= 0 else 0
        added = add_area(machine, self.namespace, backing, flags)
        added.priority = area["priority"]
        self.namespace.swapped_on = self.facts["namespace"]["swapped_on"]
        numbers = [m.number for mm in self.mms for m in mm.mappings.values()]
        numbers += [o.number for o in self.objects]
        slots = image.slot.values()
        images.load(
            machine.core,
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
            machine.core,
            added.number,
            area["state"],
            image.unused.values(),
            image.partly.values(),
            image.limbo.values(),
        )
        if image.sums is not None and machine.contents:
            slot_pins.set_sums(machine.core, added.number, slots, image.sums)
        for number, state in zip(self.groups, self.facts["groups"], strict=True):
            images.memcg_load(machine.core, number, state)
        images.machine_load(machine.core, self.facts["core"])
        machine.load_boot_facts(self.facts["machine"])
        return machine, self.namespace
