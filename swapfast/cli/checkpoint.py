"""``swapfast checkpoint``, ``restart``, ``compact``: a job outlives its machine.

`swapfast.cli.images` has the commands that only look at an image.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import click

from swapfast import flags as f
from swapfast._core import policy_names
from swapfast.checkpoint import compact as fold
from swapfast.checkpoint import inspect as look
from swapfast.checkpoint.facts import MOST_PARENTS
from swapfast.cli.options import no_stream, profile_option, share_of
from swapfast.cli.output import (
    EXIT_INTERRUPT,
    JSON,
    Step,
    echo,
    emit_json,
    progress,
    reported,
)
from swapfast.core import mapping_table
from swapfast.errors import system_error
from swapfast.kernel import batches
from swapfast.kernel.options import LEAST_PAGES
from swapfast.kernel.records import Kind
from swapfast.kernel.state import Mapping, SwapNamespace, Task
from swapfast.machine import Machine
from swapfast.publish import target
from swapfast.traces import Trace, open_trace
from swapfast.units import PAGE_SIZE, format_count
from swapfast.visible import visible

__all__ = ["checkpoint", "compact", "restart"]

POSITION = re.compile(r"trace at ([0-9]{1,18})")  # the name of the mapping that a trace runs in
NUMBERED = re.compile(r"(.+)\.([0-9]{1,9})", re.DOTALL)
EVERY = click.option(
    "--every", type=click.IntRange(1), metavar="N", help="Checkpoint each N references, and go on."
)
KIND = click.option(
    "--kind",
    type=click.Choice(["in-place", "snapshot", "incremental"]),
    default="in-place",
    show_default=True,
    help="The pages stay in SWAPFILE; are copied beside IMAGE; or only those that changed are.",
)
QUIET = click.option("--quiet", "-q", is_flag=True, help="No progress.")


@click.command()
@click.argument("trace", type=click.Path(path_type=Path))
@click.argument("swapfile", type=click.Path(path_type=Path))
@click.argument("image", type=click.Path(path_type=Path), callback=no_stream)
@click.option("--memory", "-m", required=True, metavar="SIZE", help="RAM, or '50%' of the trace.")
@click.option("--at", type=click.IntRange(0), metavar="N", help="Stop after N references.")
@EVERY
@KIND
@profile_option("6.18")
@click.option(
    "--policy",
    "-p",
    type=click.Choice(policy_names()),
    help="Replacement policy; default: the profile's.",
)
@click.option("--no-checksums", is_flag=True, help="Save 4 bytes a page, and notice no damage.")
@JSON
@QUIET
def checkpoint(
    trace: Path,
    swapfile: Path,
    image: Path,
    memory: str,
    at: int | None,
    every: int | None,
    kind: str,
    profile: str,
    policy: str | None,
    no_checksums: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run TRACE in a swap namespace on SWAPFILE, and checkpoint it into SWAPFILE and IMAGE.

    The job runs to its end, or to --at; then its memory is in SWAPFILE, and the rest in IMAGE. With
    --every it may be killed at any time: the last checkpoint is there whole. A snapshot leaves
    SWAPFILE alone. Incremental ones are IMAGE, IMAGE.1, IMAGE.2, ...: each needs those before it,
    until `swapfast compact` folds them.

    \b
    Examples:
      swapfast mkswap s1 64MiB
      swapfast checkpoint sort.npz s1 job.ckpt --memory 4MiB --at 100000
      swapfast checkpoint sort.npz s1 job.ckpt --memory 50% --every 50000
      swapfast checkpoint sort.npz s1 job.ckpt -m 50% --every 50000 --kind incremental

    Exit code: 0 done, 2 bad trace or option, 3 the system refused, 130 ended by Ctrl-C; the last
    checkpoint, or an older IMAGE, is then whole.
    """
    with reported(), progress(quiet or as_json) as step:
        _check_place(image, SWAPFILE=swapfile, TRACE=trace)
        loaded = open_trace(trace)
        pages = loaded.pages
        size = share_of("--memory", memory, pages) * PAGE_SIZE
        if memory.strip().endswith("%"):
            size = max(size, LEAST_PAGES * PAGE_SIZE)
        try:
            machine = Machine(size, profile, policy=policy)
        except ValueError as error:
            raise ValueError(f"--memory {memory}: {error}") from None
        job = machine.init.clone(f.CLONE_NEWSWAP | f.CLONE_NEWIPC, "job")
        job.swapon(swapfile)
        mapping = job.mmap(pages * PAGE_SIZE, name="trace at 0")
        end = len(loaded) if at is None else min(at, len(loaded))
        series = _Series(image, kind, checksums=not no_checksums)
        with _told(series):
            _run(mapping, loaded, (0, end), every, series, step)
            facts = _facts(machine, mapping, end)
            series.take(mapping, last=True)
        machine.close()
        _show({"image": str(series.last), "swapfile": str(swapfile), **facts}, as_json)


@click.command()
@click.argument("image", type=click.Path(path_type=Path))
@click.argument("trace", required=False, type=click.Path(path_type=Path))
@click.option("--swapfile", type=click.Path(path_type=Path), help="If it is somewhere else now.")
@click.option("--at", type=click.IntRange(0), metavar="N", help="Stop at reference N.")
@EVERY
@KIND
@click.option("--give-up", is_flag=True, help="Let the job overwrite the checkpoint's pages.")
@JSON
@QUIET
def restart(
    image: Path,
    trace: Path | None,
    swapfile: Path | None,
    at: int | None,
    every: int | None,
    kind: str,
    give_up: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Restart the job of IMAGE; with TRACE, let it go on from where it was.

    Nothing is read but IMAGE until the job touches a page. IMAGE stays valid whatever the job does,
    unless --give-up is given. Copies of an incremental IMAGE are put together in a swapfile first,
    IMAGE.<identity>.swap or --swapfile; checkpoints of --kind incremental then go on in a series.

    \b
    Examples:
      swapfast restart job.ckpt sort.npz
      swapfast restart job.ckpt sort.npz --every 50000
      swapfast restart job.ckpt --swapfile /mnt/s1 --json
      swapfast restart job.ckpt.3 sort.npz --every 50000 --kind incremental

    Exit code: 0 done, 2 IMAGE or the swapfile is damaged, or belongs to another checkpoint, 3 the
    system refused, 130 ended by Ctrl-C; the last checkpoint is then whole.
    """
    if trace is None and (at is not None or every is not None):
        option = "--at" if at is not None else "--every"
        raise click.UsageError(f"{option} counts references of a TRACE; name it")
    with reported(), progress(quiet or as_json) as step:
        if every is not None:
            _check_place(image, SWAPFILE=swapfile, TRACE=trace)
        machine = Machine.restart(image, swapfile=swapfile, keep=not give_up)
        mapping, done = _position(machine, image)
        end = done
        if trace is not None:
            loaded = open_trace(trace)
            end = len(loaded) if at is None else min(at, len(loaded))
            series: _Series = _After(image, kind, give_up=give_up)
            if not give_up:
                series.made = image, done
            with _told(series):
                _run(mapping, loaded, (done, end), every, series, step)
        facts = _facts(machine, mapping, max(end, done))
        facts["restarted_at"] = done
        machine.close()
        _show({"image": str(image), **facts}, as_json)


def _check_place(image: Path, **inputs: Path | None) -> None:
    """Where an image cannot be written is better known before the job runs than afterwards.

    A series writes IMAGE.1, IMAGE.2, ... as well, and each under a temporary name at first.
    """
    ours = re.compile(re.escape(os.path.realpath(image)) + r"(\.[0-9]{1,9})?(\.tmp)?")
    for label, path in inputs.items():
        if path is None:
            continue
        same = os.path.exists(image) and os.path.exists(path) and os.path.samefile(image, path)
        found = ours.fullmatch(os.path.realpath(path))
        if same or (found and not found[1] and not found[2]):
            raise ValueError(f"{image}: IMAGE and {label} are one file; give IMAGE another name")
        if found:
            raise ValueError(
                f"{image}: {label} {path} has a name that is needed beside IMAGE; give IMAGE "
                "another name"
            )
    folder = Path(os.path.realpath(image)).parent
    if not folder.is_dir():
        raise system_error(errno.ENOENT, "no such folder; make it first", folder)
    target(image)


@contextmanager
def _told(series: _Series) -> Iterator[None]:
    """Ctrl-C ends the job; which checkpoint of it is there?"""
    try:
        yield
    except KeyboardInterrupt:
        if series.made is None:
            told = "interrupted before the first checkpoint; nothing was written to IMAGE"
        else:
            image, reference = series.made
            told = f"interrupted; {image} has the job at reference {reference}: restart it"
        click.echo(f"swapfast: {visible(told)}", err=True)
        sys.exit(EXIT_INTERRUPT)


class _Series:
    """Where the next checkpoint of a job goes: IMAGE, or IMAGE, IMAGE.1, IMAGE.2, ...

    After a restart it goes on with the first number that nobody has.
    """

    def __init__(
        self, image: Path, kind: str, *, after: Path | None = None, checksums: bool = True
    ) -> None:
        self.image, self.kind, self.checksums = image, kind, checksums
        self.last, self.parent, self.length = image, after, 0
        self.made: tuple[Path, int] | None = None  # the last image, and its reference
        root, first = str(image), 1
        if kind == "incremental" and after is not None:
            self.length = len(look(after)["builds_on"]) + 1
            found = NUMBERED.fullmatch(root)
            if found and self.length > 1:
                root, first = found[1], int(found[2]) + 1
        self.names = (Path(f"{root}.{number}") for number in count(first))

    def take(self, mapping: Mapping, *, last: bool = False) -> None:
        """One more; none goes on after the last one."""
        namespace, name = mapping.mm.swap_ns, self.image
        if self.kind == "incremental":
            if self.length > MOST_PARENTS:
                self.parent = None  # a series of its own
            name = self.image if self.length == 0 else next(self.names)
        reference, before = _reference(mapping), _inode(name)
        try:
            self._write(namespace, name, last)
        finally:
            if _inode(name) != before:  # Ctrl-C waits until it is there
                self.made = name, reference
        if self.kind == "incremental":
            self.length = self.length + 1 if self.parent is not None else 1
            self.parent = self.last = name

    def _write(self, namespace: SwapNamespace, name: Path, last: bool) -> None:
        if self.kind == "incremental":
            namespace.checkpoint(
                name, kind="incremental", parent=self.parent, checksums=self.checksums
            )
            return
        kind: Kind = "snapshot" if self.kind == "snapshot" else "pinned"
        kind = "in-place" if last and kind == "pinned" else kind
        namespace.checkpoint(name, kind=kind, checksums=self.checksums)


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


class _After(_Series):
    """Those of a job that was restarted."""

    def __init__(self, image: Path, kind: str, *, give_up: bool) -> None:
        super().__init__(image, kind, after=image)
        self.names = (name for name in self.names if not os.path.lexists(name))
        if give_up:
            self.parent = None


def _run(
    mapping: Mapping,
    trace: Trace,
    span: tuple[int, int],
    every: int | None,
    series: _Series,
    step: Step,
) -> None:
    """References of a span; checkpoints where their number is a multiple of ``every``."""
    if trace.pages > mapping.pages:
        raise ValueError(f"a trace of {trace.pages} pages; the job has {mapping.pages}")
    at, end = span
    while at < end:
        stop = min(end, (at // every + 1) * every if every else at + (1 << 20))
        batches.run(mapping, trace.refs[at:stop], tag="job", first_number=at, checked=True)
        at = stop
        mapping.name = f"trace at {at}"
        if every and at % every == 0 and at < end:
            series.take(mapping)
        step("running", at, end, "references")
    mapping.name = f"trace at {max(at, end)}"


def _reference(mapping: Mapping) -> int:
    """Where a mapping's job is in its trace, as its name says."""
    found = POSITION.fullmatch(mapping.name)
    return int(found[1]) if found else 0


def _position(machine: Machine, image: Path) -> tuple[Mapping, int]:
    jobs: list[Task] = [t for t in machine.tasks.values() if t.parent is not None and t.alive]
    for mapping in (m for task in jobs for m in task.mappings):
        found = POSITION.fullmatch(mapping.name)
        if found:
            return mapping, int(found[1])
    raise system_error(
        errno.EINVAL, "is not of a job that `swapfast checkpoint` ran; use the library", image
    )


def _facts(machine: Machine, mapping: Mapping, references: int) -> dict[str, Any]:
    """Counters, before the memory is read for its digest, which swaps."""
    facts = {"references": references, "now_ns": machine.now, **machine.core.counters()}
    probe = hashlib.sha256()
    state = mapping_table.state(machine.core, mapping.number, 0, mapping.pages)[0]
    probe.update(state.tobytes())
    return {**facts, "page_table": probe.hexdigest()[:16]}


def _show(facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        emit_json(facts)
        return
    for name, value in facts.items():
        shown = format_count(value) if isinstance(value, int) else value
        echo(f"{name:22} {shown}")


@click.command()
@click.argument("image", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path), callback=no_stream)
@JSON
def compact(image: Path, out: Path, as_json: bool) -> None:
    """Make one checkpoint OUT of the incremental IMAGE and those that it builds on.

    Pages that were copied are copied to a file beside OUT, and compared with their checksums on the
    way. The older images are not needed any more then.

    \b
    Examples:
      swapfast compact job.ckpt.7 whole.ckpt
      swapfast compact job.ckpt.7 whole.ckpt --json

    Exit code: 0 done, 2 an image is damaged, or another one has its name, 3 an image is missing, a
    page is wrong, or the system refused; what was at OUT is then whole.
    """
    with reported():
        before = look(image)
        fold(image, out)
        after = look(out)
        names = ("image", "image_bytes", "kind", "pages_with_data", "swapfile")
        facts = {name: after[name] for name in names}
        _show({**facts, "images_folded": len(before["builds_on"]) + 1}, as_json)
