"""Checkpoint and restart on a disk: the new image is there whole, or the older one still is.

- ``checkpoint(machine, namespace, path, ...)``, ``restart(path, ...)``, ``release(machine, ns)``.

The order of a checkpoint:

1. pages are copied into slots that no committed image names
2. header page with the stamp; fdatasync of the swapfile
3. image written beside its place, fsync, rename, fsync of the folder: committed
4. the new slots are pinned, those that only the older image named are free

Up to the rename the older image is untouched, and so are its slots. If the rename or the sync of
the folder fails, nobody knows which of the two is there; the slots of both stay pinned. A failed
sync is never tried again on the same file: the system reports lost pages once.
"""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from swapfast import flags as f
from swapfast.checkpoint.disk import Disk
from swapfast.checkpoint.freeze import Frozen, facts_of, push_out
from swapfast.checkpoint.image import Image, image_parts, read_image
from swapfast.checkpoint.rebuild import rebuild
from swapfast.errors import system_error
from swapfast.swapfile import SwapBacking
from swapfast.swapfile.header import PAGE_SIZE, SIGNATURE, UUID_AT
from swapfast.swapfile.stamp import AT_REST, Stamp, put_stamp, read_stamp
from swapfast.swapping import turn_off

if TYPE_CHECKING:
    from swapfast.machine import Machine
    from swapfast.namespaces import SwapNamespace

__all__ = ["area_path", "checkpoint", "judge_header", "release", "restart"]

Kind = Literal["in-place", "pinned"]
U32 = NDArray[np.uint32]


def checkpoint(
    machine: Machine,
    namespace: SwapNamespace,
    path: str | os.PathLike[str],
    *,
    kind: Kind = "in-place",
    checksums: bool = True,
    disk: Disk | None = None,
    identity: bytes | None = None,
) -> None:
    """Checkpoint a child swap namespace into its own swapfile and an image of the rest.

    Parameters
    ----------
    machine : Machine
    namespace : SwapNamespace
    path : path
        The image; one that is there is replaced, at once or not at all.
    kind : {"in-place", "pinned"}
        The tasks end, and the swapfile is at rest; or they go on, and slots that the image names
        are not overwritten until the next checkpoint, or `release`.
    checksums : bool
        A checksum a page.
    disk : Disk, optional
        For tests.
    identity : bytes, optional
        16 bytes instead of random ones, at the first checkpoint of an area.

    Raises
    ------
    OSError
        EINVAL: no child namespace, or no swapfile on; ESRCH: no task in it; EBUSY: a part of it is
        used outside as well; ENOSPC: not enough free slots, or the disk is full; EIO, ...: of the
        disk. The older image is as it was, and the namespace goes on.
    """
    frozen = Frozen(machine, namespace)
    machine.check_files()
    machine.check_area(frozen.area)
    written = push_out(frozen)
    machine.check_files()  # pages that were written beside a file that was cut off are lost
    machine.check_area(frozen.area)
    attempt = _Attempt(frozen, os.fspath(path), kind, disk or Disk(), identity)
    try:
        parts = attempt.image(checksums)
        attempt.sync_area()
    except BaseException:
        attempt.give_up(written)
        raise
    try:
        attempt.write_image(parts)
    except BaseException:
        attempt.give_up(None)
        raise
    attempt.commit()
    if kind == "in-place":
        _end(frozen)


class _Attempt:
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
                "path": area.path,
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

    def sync_area(self) -> None:
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
            self.backing.last_generation = self.generation
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


def _end(frozen: Frozen) -> None:
    """The tasks are gone; the file is not touched any more."""
    machine, area, namespace = frozen.machine, frozen.area, frozen.namespace
    machine.core.area_release_file(area.number)
    for task in frozen.tasks:
        if task.alive:
            task._die(0, f.SIGKILL)
    if machine.areas.get(area.type) is area:  # rule last_exit="orphan"
        turn_off(machine, area, None)
        machine.drop_swap_namespace(namespace)


def release(machine: Machine, namespace: SwapNamespace, *, disk: Disk | None = None) -> None:
    """Give up the last checkpoint: its slots may be overwritten, and it cannot be restarted.

    Raises
    ------
    OSError
        EINVAL: no swapfile is on there; EIO, ...: of the disk. It is still kept then.
    """
    if not namespace.areas or not isinstance(namespace.areas[0].backing, SwapBacking):
        raise system_error(errno.EINVAL, "no swapfile is on in this swap namespace")
    area, backing = namespace.areas[0], namespace.areas[0].backing
    if backing.stamp is not None:
        _put_on(backing, None, disk or Disk())
    machine.core.area_unpin(area.number)


def _put_on(backing: SwapBacking, stamp: Stamp | None, disk: Disk) -> None:
    page = os.pread(backing.fileno(), PAGE_SIZE, 0)
    disk.write(backing.fileno(), put_stamp(page, stamp, at_rest=False), 0)
    backing.sync(disk.sync_data)
    backing.stamp = stamp


# ---------------------------------------------------------------- restart


def area_path(image: Image, path: str | os.PathLike[str]) -> str:
    """Where the swapfile of an image is: where it was, or else beside the image."""
    name: str = image.facts["area"]["path"]
    beside = os.path.join(os.path.dirname(os.path.abspath(path)), os.path.basename(name))
    return name if os.path.exists(name) or not os.path.exists(beside) else beside


def judge_header(image: Image, head: bytes, path: str) -> bytes:
    """The header page of the swapfile of an image, as it is when the file is on.

    Raises
    ------
    ValueError
        The file is not that swapfile, or has been used since.
    """
    area = image.facts["area"]
    if len(head) < PAGE_SIZE or head[PAGE_SIZE - 10 : PAGE_SIZE] not in (AT_REST, SIGNATURE):
        raise ValueError(f"{path}: byte {PAGE_SIZE - 10}: no signature of a checkpoint's swapfile")
    stamp = read_stamp(head)
    if stamp is None:
        raise ValueError(f"{path}: byte 0: holds no checkpoint; it was given up, or mkswap ran")
    if stamp.identity.hex() != area["identity"] or stamp.slots != area["slots"]:
        raise ValueError(f"{path}: byte 16: holds another checkpoint than the image is of")
    if image.generation < stamp.generation:
        raise ValueError(
            f"{path}: byte 32: holds generation {stamp.generation}, the image is generation "
            f"{image.generation}; use the newer image"
        )
    words = head[UUID_AT : UUID_AT + 16].hex(), int.from_bytes(head[1028:1032], "little")
    if words[0] != area["swap_uuid"]:
        raise ValueError(f"{path}: byte {UUID_AT}: the UUID is not the one that the image names")
    return head[: PAGE_SIZE - 10] + SIGNATURE + head[PAGE_SIZE:]


def restart(
    path: str | os.PathLike[str],
    *,
    swapfile: str | os.PathLike[str] | None = None,
    keep: bool = True,
    disk: Disk | None = None,
) -> Machine:
    """A machine in which the tasks of a checkpoint go on.

    Parameters
    ----------
    path : path
        The image.
    swapfile : path, optional
        The swapfile, if it is neither where it was nor beside the image.
    keep : bool
        The checkpoint stays valid: its slots are not overwritten until the next one, or `release`.
        That takes free slots; without, it is given up before the first task runs.
    disk : Disk, optional
        For tests.

    Returns
    -------
    Machine
        Its init is new; pids are those of the checkpoint.

    Raises
    ------
    OSError
        A file cannot be read, or is in use (EBUSY).
    ValueError
        A file is not what it should be: its name, the place, the cause. Nothing was changed.
    """
    image = read_image(path)
    area = image.facts["area"]
    name = area_path(image, path) if swapfile is None else os.fspath(swapfile)
    rules = _rules_of(image)
    backing = SwapBacking.open(name, rules, accept=lambda head: judge_header(image, head, name))
    try:
        if (backing.end, backing.pages) != (area["slots"], area["pages"]):
            raise ValueError(f"{name}: byte 1028: has {backing.end} slots, not {area['slots']}")
        try:
            machine, namespace = rebuild(image, backing)
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)}: {error}") from None
        stamp = Stamp(area["slots"], bytes.fromhex(area["identity"]), image.generation)
        if keep:
            machine.core.area_pin(namespace.areas[0].number, image.slot.values())
        _put_on(backing, stamp if keep else None, disk or Disk())
        backing.last_generation = image.generation
    except BaseException:
        backing.close()
        raise
    return machine


def _rules_of(image: Image) -> Any:
    from swapfast.profiles import find_profile

    return find_profile(image.facts["machine"]["profile"]).header
