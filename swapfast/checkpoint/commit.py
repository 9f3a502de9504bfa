"""Checkpoint and restart on a disk: the new image is there whole, or the older one still is.

- ``checkpoint(machine, namespace, path, ...)``, ``release(machine, namespace)``,
  ``restart_kernel(path, ...)``.

The order of a checkpoint:

1. pages are copied into slots that no committed image names
2. header page with the stamp; fdatasync of the swapfile
3. image written beside its place, fsync, rename, fsync of the folder: committed
4. the new slots are pinned, those that only the older image named are free

All of it while the name of the image is held, see `place`. Up to the rename the older image is
untouched, and so are its slots. If the rename or the sync of
the folder fails, nobody knows which of the two is there; the slots of both stay pinned. A failed
sync is never tried again on the same file: the system reports lost pages once.

An incremental checkpoint has another name than the image that it builds on, which stays as it is.
Its rows are what differs from that image's columns, which are kept in memory for it; a slot that
both name has the same bytes, for it was pinned all the time.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os

from swapfast import flags as f
from swapfast.checkpoint.attempt import U32, Attempt, Parent, Snapshot, put_on
from swapfast.checkpoint.chain import Chain, judge_header, read_chain, read_links
from swapfast.checkpoint.delta import columns_of
from swapfast.checkpoint.disk import Disk, opened_file
from swapfast.checkpoint.facts import MOST_PARENTS
from swapfast.checkpoint.freeze import Frozen, push_out
from swapfast.checkpoint.image import Image
from swapfast.checkpoint.pages import gather, open_data, unshare
from swapfast.checkpoint.patience import held_back
from swapfast.checkpoint.place import Place
from swapfast.checkpoint.rebuild import Rebuilding
from swapfast.checkpoint.steady import steady
from swapfast.core import area_table, slot_pins
from swapfast.errors import system_error
from swapfast.kernel.areas import nobody_dies, turn_off
from swapfast.kernel.exit import die
from swapfast.kernel.face import Booted, kernel_of
from swapfast.kernel.profile import find_profile
from swapfast.kernel.records import Kind
from swapfast.kernel.scopes import drop_swap_namespace
from swapfast.kernel.state import Calls, Kernel, SwapNamespace
from swapfast.swapfile import SwapBacking
from swapfast.swapfile.extents import same_inode
from swapfast.swapfile.files import named, read_at
from swapfast.swapfile.header import PAGE_SIZE
from swapfast.swapfile.stamp import Kept, Stamp, read_stamp

__all__ = ["checkpoint", "release", "restart_kernel", "swapfile_of"]


def checkpoint(
    machine: Kernel | Booted,
    namespace: SwapNamespace,
    path: str | os.PathLike[str],
    *,
    kind: Kind = "in-place",
    parent: str | os.PathLike[str] | None = None,
    checksums: bool = True,
    disk: Disk | None = None,
    identity: bytes | None = None,
) -> None:
    """Checkpoint a child swap namespace into its own swapfile and an image of the rest.

    Parameters
    ----------
    machine : Machine or Kernel
    namespace : SwapNamespace
    path : path
        The image; one that is there is replaced, at once or not at all.
    kind : {"in-place", "pinned", "snapshot", "incremental"}
        The tasks end, and the swapfile is at rest. Or they go on, and slots that the image names
        are not overwritten until the next checkpoint, or `release`. Or they go on, and the slots
        are copied to a swapfile of the image's own, beside it. Or only what changed since
        ``parent`` is written: of a pinned one rows of pages, of a snapshot their bytes too. An
        incremental one without a parent is a snapshot on which others can be built, which takes
        pinned slots.
    parent : path, optional
        The last checkpoint of the namespace, in the folder of the new one, which needs it from now
        on; `compact` makes one of both.
    checksums : bool
        A checksum a page.
    disk : Disk, optional
        For tests.
    identity : bytes, optional
        16 bytes instead of random ones, at the first checkpoint of an area.

    Raises
    ------
    OSError
        EINVAL: no child namespace, or no swapfile on, or ``parent`` is not its last checkpoint, or
        ``path`` is a file that is on, a part of the chain or not a regular file; EEXIST: ``path``
        is a swapfile; ESRCH: no task in it; EBUSY: a part of it is used outside as well, or another
        checkpoint of this name is being written; EMLINK: too many parents;
        ENOSPC: not enough free slots, or the disk is full; EIO, ...: of the disk; EOPNOTSUPP: the
        machine has options that an image does not hold. The older image is as it was, and the
        namespace goes on.
    ValueError
        ``parent`` is damaged, or an image that it builds on is.

    Notes
    -----
    A handler of a signal, such as Ctrl-C's, waits until the checkpoint is there or, while pages are
    copied, until it is given up.

    One checkpoint of a name is written at a time. ``path.tmp`` is its own while it is written. The
    image that it replaces may be another job's: that job's pages stay where they are, and what it
    keeps stays kept, but without its image it cannot be restarted. A job that shall not lose its
    checkpoint to another one needs a name of its own. The copy of a snapshot goes with the image
    that had its name: to keep a snapshot, `compact` it to another name, which copies its pages;
    renaming the image alone does not.

    What a checkpoint writes out is counted as any other swap-out, and those pages are read again
    later: the counters of two runs are equal if they made checkpoints at the same points.
    """
    kernel = kernel_of(machine)
    with held_back():
        frozen = Frozen(kernel, namespace)
        before = _parent_of(frozen, path, kind, parent, checksums)
        kernel.files.look(namespace.areas)
        kernel.files.check(frozen.area)
        with Place(disk or Disk(), path, _inputs(kernel, before)) as place:
            _commit(frozen, place, kind, checksums, identity, before)
        if kind == "in-place":
            _end(frozen)


def _inputs(kernel: Kernel, before: Parent | None) -> list[str]:
    """Files that an image would destroy: those that are on, and those that it builds on."""
    backings = (area.backing for area in kernel.areas.values())
    names = [one.path for one in backings if isinstance(one, SwapBacking)]
    for link in () if before is None else before.links:
        names += [link.path, link.data]
    return names


def _commit(
    frozen: Frozen,
    place: Place,
    kind: Kind,
    checksums: bool,
    identity: bytes | None,
    before: Parent | None,
) -> None:
    """Steps 1 to 4; after an error the namespace goes on as it was."""
    kernel, namespace = frozen.kernel, frozen.namespace
    if checksums and kernel.contents:
        slot_pins.keep_sums(kernel.core, frozen.area.number)  # while the pages are still in memory
    written: U32 | None = push_out(frozen)
    # Pages that were written beside a file that was cut off are lost.
    kernel.files.look(namespace.areas)
    kernel.files.check(frozen.area)
    copies = kind == "snapshot" or (
        kind == "incremental" and (before is None or before.links[0].facts["kind"] == "snapshot")
    )
    make = Snapshot if copies else Attempt
    attempt = make(frozen, place, kind, identity, before)
    try:
        parts = attempt.image(checksums)
        attempt.store_slots()
        written = None  # they are on the disk, and need not come back
        place.put(parts)
        attempt.commit()
    except BaseException:
        if place.committing:
            attempt.uncertain()
        attempt.give_up(written)
        raise
    finally:
        attempt.close()


def _parent_of(
    frozen: Frozen,
    path: str | os.PathLike[str],
    kind: Kind,
    parent: str | os.PathLike[str] | None,
    checksums: bool,
) -> Parent | None:
    """What an incremental image builds on, read again: it has to be there, and whole."""
    if kind != "incremental":
        if parent is not None:
            raise system_error(errno.EINVAL, f"a checkpoint of kind {kind!r} has no parent")
        return None
    if not checksums or not frozen.kernel.contents:
        raise system_error(errno.EINVAL, "an incremental checkpoint has checksums of pages")
    if parent is None:
        return None
    links = read_links(parent)
    last, target = os.path.realpath(parent), os.path.realpath(path)
    if os.path.dirname(last) != os.path.dirname(target):
        raise system_error(errno.EINVAL, "is in another folder than the checkpoint before it", path)
    if target in [os.path.realpath(link.path) for link in links]:
        raise system_error(
            errno.EINVAL, "the new checkpoint builds on it; give it another name", path
        )
    if len(links) > MOST_PARENTS:
        raise system_error(errno.EMLINK, f"builds on {MOST_PARENTS} others; compact it", parent)
    names = {links[-1].seal, links[-1].facts.get("folded")}
    for kept in (frozen.backing.kept, frozen.backing.copied):
        if kept is not None and kept.columns is not None and names & kept.seals:
            facts, columns = kept.columns
            if isinstance(columns, Image):
                columns = columns_of(columns) | {"pte": columns.pte.values()}
            return Parent(links, facts, columns)
    raise system_error(
        errno.EINVAL,
        "is not the last checkpoint of this job that others can be built on; make one of kind "
        "'pinned', or an incremental one without a parent",
        parent,
    )


def _end(frozen: Frozen) -> None:
    """The tasks are gone; the file is not touched any more."""
    kernel, area, namespace = frozen.kernel, frozen.area, frozen.namespace
    area.wipe = "none"
    area_table.release_file(kernel.core, area.number)
    for task in frozen.tasks:
        if task.alive:
            die(task, 0, f.SIGKILL)
    if kernel.areas.get(area.type) is area:  # rule last_exit="orphan"
        turn_off(kernel, area, nobody_dies)
        drop_swap_namespace(kernel, namespace)


def release(
    machine: Kernel | Booted, namespace: SwapNamespace, *, disk: Disk | None = None
) -> None:
    """Give up the last checkpoint: its slots may be overwritten, and it cannot be restarted.

    Raises
    ------
    OSError
        EINVAL: no swapfile is on there; EIO, ...: of the disk. It is still kept then.
    """
    kernel = kernel_of(machine)
    if not namespace.areas or not isinstance(namespace.areas[0].backing, SwapBacking):
        raise system_error(errno.EINVAL, "no swapfile is on in this swap namespace")
    area, backing = namespace.areas[0], namespace.areas[0].backing
    with held_back():
        if backing.stamp is not None:
            put_on(backing, None, disk or Disk())
        backing.kept = backing.copied = None
        slot_pins.unpin(kernel.core, area.number)


# ---------------------------------------------------------------- restart


def swapfile_of(chain: Chain) -> str:
    """The swapfile in which an image's job goes on.

    The copies of a chain are put together in one that is made for it.
    """
    name = chain.links[-1].data
    return f"{name.removesuffix('.pages')}.swap" if chain.copied else name


def _put_together(chain: Chain, name: str, disk: Disk) -> None:
    """Make the swapfile of a chain of copies; it is there whole, or not at all.

    Its temporary file is locked: of two restarts at the same time the second one finds it done.
    """
    temporary = f"{name}.{chain.image.facts['area']['identity']}.tmp"
    fd = -1
    try:
        fd = disk.create(temporary)
        if os.path.lexists(name) and not _worthless(name):
            disk.remove(temporary)
            return
        with named(name):
            gather(chain, fd, disk, compare=False)
            with open_data(chain.links[-1]) as (last, _):
                disk.write(fd, read_at(last, PAGE_SIZE, 0), 0)
            disk.sync(fd)
            disk.rename(temporary, name)
            disk.sync_folder(os.path.dirname(os.path.abspath(name)))
    except BaseException:
        if fd >= 0:
            with contextlib.suppress(OSError):
                disk.remove(temporary)
        raise
    finally:
        if fd >= 0:
            disk.close(fd)


def _worthless(name: str) -> bool:
    """A swapfile that an earlier restart made of a chain, and gave up: nobody needs its pages.

    An image decides which name this is, ``*.<identity>.swap`` in its folder. A file that is in use,
    or holds a checkpoint, be it this one or one that came later, is never taken for it.
    """
    try:
        with opened_file(name, os.O_RDWR) as fd:
            status = os.fstat(fd)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return (
                status.st_nlink == 1
                and same_inode(os.lstat(name), status)
                and read_stamp(read_at(fd, PAGE_SIZE, 0)) is None
            )
    except OSError:
        return False


def restart_kernel(
    path: str | os.PathLike[str],
    calls: Calls,
    *,
    swapfile: str | os.PathLike[str] | None = None,
    keep: bool = True,
    disk: Disk | None = None,
) -> Kernel:
    """A kernel in which the tasks of a checkpoint go on.

    Parameters
    ----------
    path : path
        The image; those that it builds on lie beside it.
    calls : SystemCalls
        What its tasks may ask for; `swapfast.Machine.restart` hands in all there is.
    swapfile : path, optional
        The swapfile, if it is neither where it was nor beside the image. Of a chain of snapshots
        the one to make if it is not there; ``IMAGE.<identity>.swap`` by default.
    keep : bool
        The checkpoint stays valid: its slots are not overwritten until the next one, or `release`.
        That takes free slots; without, it is given up before the first task runs. A snapshot's own
        copy is, that is: images that build on it are lost too.
    disk : Disk, optional
        For tests.

    Returns
    -------
    Kernel
        Its init is new; pids are those of the checkpoint.

    Raises
    ------
    OSError
        A file cannot be read, or is in use (EBUSY).
    ValueError
        A file is not what it should be: its name, the place, the cause. Nothing was changed.

    Notes
    -----
    The tasks go on as in a machine that was never stopped: with the same references, and later
    checkpoints of the same kind at the same points, every counter ends as there. A snapshot is the
    exception: its job went on without pinned slots, and after a restart, with ``keep``, the copy is
    the swapfile and its slots are pinned.

    An image may come from anywhere, and names its swapfile. Nothing is written to a file before it
    is known to be the swapfile of this image, and a file that holds another checkpoint, or a later
    one, is never replaced.
    """

    def again() -> Kernel:
        chain = read_chain(path)
        with held_back():
            return _restart(chain, calls, os.fspath(path), swapfile, keep, disk or Disk())

    return steady(path, again)


def _restart(
    chain: Chain,
    calls: Calls,
    path: str,
    swapfile: str | os.PathLike[str] | None,
    keep: bool,
    disk: Disk,
) -> Kernel:
    image = chain.image
    area = image.facts["area"]
    name = swapfile_of(chain) if swapfile is None else os.fspath(swapfile)
    rules = find_profile(image.facts["machine"]["profile"]).header
    try:
        half = Rebuilding(image, calls)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if chain.copied and (not os.path.lexists(name) or (swapfile is None and _worthless(name))):
        _put_together(chain, name, disk)
    if not os.path.lexists(name):
        raise system_error(
            errno.ENOENT, f"is not there, and has the pages of {path}; say where", name
        )
    unshare(name, disk, image.facts)
    backing = SwapBacking.open(
        name, rules, accept=lambda head: judge_header(image.facts, head, name)
    )
    try:
        if (backing.end, backing.pages) != (area["slots"], area["pages"]):
            raise ValueError(f"{name}: byte 1028: has {backing.end} slots, not {area['slots']}")
        try:
            kernel, namespace = half.load(backing)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        stamp = Stamp(area["slots"], bytes.fromhex(area["identity"]), image.generation)
        if keep:
            slots = image.slot.values()
            slot_pins.pin(kernel.core, namespace.areas[0].number, slots)
            folded = image.facts.get("folded")
            columns = (image.facts, image) if image.sums is not None and kernel.contents else None
            backing.kept = Kept(frozenset((chain.seal, folded or chain.seal)), slots, columns)
        put_on(backing, stamp if keep else None, disk)
        backing.last_generation = image.generation
    except BaseException:
        backing.close()
        raise
    return kernel
