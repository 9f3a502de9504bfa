"""One checkpoint on its way to the disk; `commit` has the order of its steps.

- ``Attempt``: into the swapfile that is on.
- ``Snapshot``: into a copy of the slots, which belongs to the image alone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from swapfast.checkpoint.disk import Disk
from swapfast.checkpoint.freeze import Frozen, facts_of
from swapfast.checkpoint.image import image_parts
from swapfast.errors import system_error
from swapfast.swapfile.header import PAGE_SIZE, UUID_AT
from swapfast.swapfile.stamp import Stamp, put_stamp

__all__ = ["Attempt", "Kind", "Snapshot"]

Kind = Literal["in-place", "pinned", "snapshot"]
U32 = NDArray[np.uint32]
CHUNK = 1024  # pages copied at a time


class Attempt:
    """One checkpoint on its way to the disk."""

    def __init__(
        self, frozen: Frozen, path: str, kind: Kind, disk: Disk, identity: bytes | None
    ) -> None:
        self.frozen, self.path, self.kind, self.disk = frozen, path, kind, disk
        self.backing = backing = frozen.backing
        self.before = backing.stamp
        slots = frozen.area.info["slots"]
        self.stamp = self.before or Stamp(slots, identity or os.urandom(16), 0)
        self.generation = max(self.stamp.generation, backing.last_generation) + 1
        self.page = os.pread(backing.fileno(), PAGE_SIZE, 0)
        self.slots: U32 = np.empty(0, dtype=np.uint32)
        self.area_path = frozen.area.path

    def image(self, checksums: bool) -> list[bytes | memoryview]:
        """The bytes of the image."""
        frozen = self.frozen
        core, area = frozen.machine.core, frozen.area
        pte, self.slots, shadow, zero, ring, lengths = core.image_dump(frozen.numbers, area.number)
        sums = None
        if checksums:
            try:
                sums = core.area_sums(area.number, self.slots)
            except OSError as error:
                raise system_error(
                    errno.EIO, f"slot {error.args[0]}: cannot be read", area.path
                ) from None
            if not frozen.machine.contents:
                sums = sums[:0]
        state, unused, partly, limbo = core.area_state(area.number)
        info = area.info
        facts = facts_of(
            frozen,
            kind=self.kind,
            checksums=checksums,
            area={
                "path": self.area_path,
                "identity": self.stamp.identity.hex(),
                "generation": self.generation,
                "swap_uuid": self.page[UUID_AT : UUID_AT + 16].hex(),
                "last_page": self.backing.last_page,
                "slots": info["slots"],
                "pages": info["pages"],
                "priority": area.priority,
                "state": state,
            },
        )
        arrays: dict[str, Any] = {
            "pte": pte,
            "slot": self.slots,
            "shadow": shadow,
            "zero": zero,
            "sums": sums,
            "ring": ring,
            "ring_length": lengths,
            "unused": unused,
            "partly": partly,
            "limbo": limbo,
        }
        try:
            return image_parts(facts, arrays)
        except ValueError as error:
            raise system_error(errno.EFBIG, str(error), self.path) from None

    def store_slots(self) -> None:
        """Slots and stamp are on the disk afterwards."""
        self._put_header(self.stamp, at_rest=self.kind == "in-place")
        self.backing.sync(self.disk.sync_data)

    def _put_header(self, stamp: Stamp | None, *, at_rest: bool) -> None:
        page = put_stamp(self.page, stamp, at_rest=at_rest)
        self.disk.write(self.backing.fileno(), page, 0)

    def write_image(self, parts: list[bytes | memoryview]) -> None:
        """The image is in its place afterwards; see the module for what a failure leaves."""
        temporary = f"{self.path}.tmp"
        folder = os.path.dirname(os.path.abspath(self.path))
        fd = self.disk.create(temporary)
        try:
            try:
                at = 0
                for part in parts:
                    self.disk.write(fd, part, at)
                    at += len(part)
                self.disk.sync(fd)
            except BaseException:
                with contextlib.suppress(OSError):
                    self.disk.remove(temporary)
                raise
            self._about_to_commit()
            try:
                self.disk.rename(temporary, self.path)
                self.disk.sync_folder(folder)
            except BaseException:
                self._keep_both()
                with contextlib.suppress(OSError):
                    self.disk.remove(temporary)
                raise
        finally:
            self.disk.close(fd)

    def _about_to_commit(self) -> None:
        self.backing.last_generation = self.generation

    def _keep_both(self) -> None:
        core, number = self.frozen.machine.core, self.frozen.area.number
        core.area_pin(number, np.union1d(core.area_pinned(number), self.slots).astype(np.uint32))
        # The stamp says that a checkpoint may be there, of a generation not older than the last.
        self.backing.stamp = self.stamp

    def give_up(self, written: U32 | None) -> None:
        """Not committed: the file is on again, and pages that may be lost are in memory again."""
        with contextlib.suppress(OSError):
            self._put_header(self.backing.stamp, at_rest=False)
        if written is not None:
            self.frozen.machine.core.image_pull(self.frozen.area.number, written)

    def commit(self) -> None:
        """It is on the disk: the older image's slots are free."""
        self.backing.stamp = replace(self.stamp, generation=self.generation)
        # Without a sync: an older stamp on the disk means the same, that the newest image counts.
        with contextlib.suppress(OSError):
            self._put_header(self.backing.stamp, at_rest=self.kind == "in-place")
        self.frozen.machine.core.area_pin(self.frozen.area.number, self.slots)


class Snapshot(Attempt):
    """The slots are copied; the file they came from is not touched.

    The copy is named ``IMAGE.<identity>.swap``, another name each time, so that the older image has
    its own until it is replaced. Copies that no image names are removed then.
    """

    def __init__(
        self, frozen: Frozen, path: str, kind: Kind, disk: Disk, identity: bytes | None
    ) -> None:
        super().__init__(frozen, path, kind, disk, identity)
        slots = self.stamp.slots
        self.stamp = Stamp(slots, identity or os.urandom(16), 0)
        self.generation = 1
        self.area_path = f"{os.path.realpath(path)}.{self.stamp.identity.hex()}.swap"
        self.committing = False

    def store_slots(self) -> None:
        """The copy is on the disk afterwards, at rest; its name is so with the image's."""
        disk, source = self.disk, self.backing.fileno()
        fd = disk.create(self.area_path)
        try:
            disk.allocate(fd, self.stamp.slots * PAGE_SIZE)
            disk.write(fd, put_stamp(self.page, self.stamp, at_rest=True), 0)
            slots = np.sort(self.slots).astype(np.int64)
            for run in np.split(slots, np.flatnonzero(np.diff(slots) != 1) + 1):
                for i in range(0, run.size, CHUNK):
                    at, size = int(run[i]) * PAGE_SIZE, run[i : i + CHUNK].size * PAGE_SIZE
                    data = os.pread(source, size, at)
                    if len(data) != size:
                        raise system_error(
                            errno.EIO, f"ends at byte {at + len(data)}", self.backing.path
                        )
                    disk.write(fd, data, at)
            disk.sync(fd)
        finally:
            disk.close(fd)

    def _about_to_commit(self) -> None:
        self.committing = True

    def _keep_both(self) -> None:
        """Both copies are there."""

    def give_up(self, written: U32 | None) -> None:
        """The copy goes, unless the image that names it may be there."""
        if not self.committing:
            with contextlib.suppress(OSError):
                self.disk.remove(self.area_path)

    def commit(self) -> None:
        """Copies of older images of this name go, and those that a crash left."""
        folder, name = os.path.split(os.path.realpath(self.path))
        ours = re.compile(re.escape(name) + r"\.[0-9a-f]{32}\.swap")
        for other in os.listdir(folder):
            path = os.path.join(folder, other)
            if ours.fullmatch(other) and path != self.area_path:
                with contextlib.suppress(OSError):
                    self.disk.remove(path)
