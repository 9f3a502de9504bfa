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

import errno
import os
from typing import TYPE_CHECKING, Any

from swapfast import flags as f
from swapfast.checkpoint.attempt import Attempt, Kind, Snapshot
from swapfast.checkpoint.disk import Disk
from swapfast.checkpoint.freeze import Frozen, push_out
from swapfast.checkpoint.image import Image, read_image
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
    kind : {"in-place", "pinned", "snapshot"}
        The tasks end, and the swapfile is at rest. Or they go on, and slots that the image names
        are not overwritten until the next checkpoint, or `release`. Or they go on, and the slots
        are copied to a swapfile of the image's own, beside it.
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
        disk; EOPNOTSUPP: the machine has options that an image does not hold. The older image is as
        it was, and the namespace goes on.
    """
    if machine.unusual:
        raise system_error(
            errno.EOPNOTSUPP,
            "a checkpoint holds no stale statistics, TLB or read-ahead by addresses; "
            "make the machine without these options",
        )
    frozen = Frozen(machine, namespace)
    machine.check_files()
    machine.check_area(frozen.area)
    written = push_out(frozen)
    machine.check_files()  # pages that were written beside a file that was cut off are lost
    machine.check_area(frozen.area)
    make = Snapshot if kind == "snapshot" else Attempt
    attempt = make(frozen, os.fspath(path), kind, disk or Disk(), identity)
    try:
        parts = attempt.image(checksums)
        attempt.store_slots()
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


def _end(frozen: Frozen) -> None:
    """The tasks are gone; the file is not touched any more."""
    machine, area, namespace = frozen.machine, frozen.area, frozen.namespace
    area.wipe = "none"
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
