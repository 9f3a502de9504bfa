"""``swapfast checkpoint``, ``restart``, ``inspect``, ``verify``: a job outlives its machine."""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from swapfast import flags as f
from swapfast.cli.output import EXIT_NO, Step, console, emit_json, progress, reported
from swapfast.errors import system_error
from swapfast.machine import Machine
from swapfast.mappings import Mapping
from swapfast.tasks import Task
from swapfast.traces import Trace, open_trace
from swapfast.units import PAGE_SIZE, format_count, format_size, parse_size

__all__ = ["checkpoint", "inspect", "restart", "verify"]

POSITION = re.compile(r"trace at ([0-9]{1,18})")  # the name of the mapping that a trace runs in
EVERY = click.option(
    "--every", type=click.IntRange(1), metavar="N", help="Checkpoint each N references, and go on."
)
JSON = click.option("--json", "as_json", is_flag=True, help="As JSON on stdout.")
QUIET = click.option("--quiet", "-q", is_flag=True, help="No progress.")


@click.command()
@click.argument("trace", type=click.Path(path_type=Path))
@click.argument("swapfile", type=click.Path(path_type=Path))
@click.argument("image", type=click.Path(path_type=Path))
@click.option("--memory", "-m", required=True, metavar="SIZE", help="RAM, or '50%' of the trace.")
@click.option("--at", type=click.IntRange(0), metavar="N", help="Stop after N references.")
@EVERY
@click.option("--profile", default="6.18", show_default=True, help="2.6.25 or 6.18.")
@click.option("--policy", "-p", metavar="NAME", help="Replacement policy; default: the profile's.")
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
    profile: str,
    policy: str | None,
    no_checksums: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run TRACE in a swap namespace on SWAPFILE, and checkpoint it into SWAPFILE and IMAGE.

    The job runs to its end, or to --at; then its memory is in SWAPFILE, and the rest in IMAGE. With
    --every it may be killed at any time: the last checkpoint is there whole.

    \b
    Examples:
      swapfast mkswap s1 64MiB
      swapfast checkpoint sort.npz s1 job.ckpt --memory 4MiB --at 100000
      swapfast checkpoint sort.npz s1 job.ckpt --memory 50% --every 50000

    Exit code: 0 done, 2 bad trace or option, 3 the system refused; an older IMAGE is then whole.
    """
    with reported(), progress(quiet or as_json) as step:
        loaded = open_trace(trace)
        pages = loaded.pages
        if memory.endswith("%"):
            size = max(int(float(memory[:-1]) / 100 * pages), 64) * PAGE_SIZE
        else:
            size = parse_size(memory)
        machine = Machine(size, profile, policy=policy)
        job = machine.init.clone(f.CLONE_NEWSWAP | f.CLONE_NEWIPC, "job")
        job.swapon(swapfile)
        mapping = job.mmap(pages * PAGE_SIZE, name="trace at 0")
        end = len(loaded) if at is None else min(at, len(loaded))
        _run(mapping, loaded, (0, end), every, image, step)
        facts = _facts(machine, mapping, end)
        job.swap_ns.checkpoint(image, checksums=not no_checksums)
        machine.close()
        _show({"image": str(image), "swapfile": str(swapfile), **facts}, as_json)


@click.command()
@click.argument("image", type=click.Path(path_type=Path))
@click.argument("trace", required=False, type=click.Path(path_type=Path))
@click.option("--swapfile", type=click.Path(path_type=Path), help="If it is somewhere else now.")
@click.option("--at", type=click.IntRange(0), metavar="N", help="Stop at reference N.")
@EVERY
@click.option("--give-up", is_flag=True, help="Let the job overwrite the checkpoint's pages.")
@JSON
@QUIET
def restart(
    image: Path,
    trace: Path | None,
    swapfile: Path | None,
    at: int | None,
    every: int | None,
    give_up: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Restart the job of IMAGE; with TRACE, let it go on from where it was.

    Nothing is read but IMAGE until the job touches a page. IMAGE stays valid whatever the job does,
    unless --give-up is given.

    \b
    Examples:
      swapfast restart job.ckpt sort.npz
      swapfast restart job.ckpt sort.npz --every 50000
      swapfast restart job.ckpt --swapfile /mnt/s1 --json

    Exit code: 0 done, 2 IMAGE or the swapfile is damaged, or belongs to another checkpoint, 3 the
    system refused.
    """
    with reported(), progress(quiet or as_json) as step:
        machine = Machine.restart(image, swapfile=swapfile, keep=not give_up)
        mapping, done = _position(machine, image)
        end = done
        if trace is not None:
            loaded = open_trace(trace)
            end = len(loaded) if at is None else min(at, len(loaded))
            _run(mapping, loaded, (done, end), every, image, step)
        facts = _facts(machine, mapping, max(end, done))
        facts["restarted_at"] = done
        machine.close()
        _show({"image": str(image), **facts}, as_json)


def _run(
    mapping: Mapping,
    trace: Trace,
    span: tuple[int, int],
    every: int | None,
    image: Path,
    step: Step,
) -> None:
    """References of a span; checkpoints where their number is a multiple of ``every``."""
    machine = mapping.mm.machine
    if trace.pages > mapping.pages:
        raise ValueError(f"a trace of {trace.pages} pages; the job has {mapping.pages}")
    at, end = span
    while at < end:
        stop = min(end, (at // every + 1) * every if every else at + (1 << 20))
        machine.run(mapping, trace.refs[at:stop], tag="job", first_number=at, checked=True)
        at = stop
        mapping.name = f"trace at {at}"
        if every and at % every == 0 and at < end:
            mapping.mm.swap_ns.checkpoint(image, kind="pinned")
        step("running", at, end)
    mapping.name = f"trace at {max(at, end)}"


def _position(machine: Machine, image: Path) -> tuple[Mapping, int]:
    jobs: list[Task] = [t for t in machine.tasks.values() if t.parent is not None and t.alive]
    for mapping in (m for task in jobs for m in task.mappings):
        found = POSITION.fullmatch(mapping.name)
        if found:
            return mapping, int(found[1])
    raise system_error(22, "is not of a job that `swapfast checkpoint` ran; use the library", image)


def _facts(machine: Machine, mapping: Mapping, references: int) -> dict[str, Any]:
    """Counters, before the memory is read for its digest, which swaps."""
    facts = {"references": references, "now_ns": machine.now, **machine.core.counters()}
    probe = hashlib.sha256()
    state = machine.core.mapping_state(mapping.number, 0, mapping.pages)[0]
    probe.update(state.tobytes())
    return {**facts, "page_table": probe.hexdigest()[:16]}


def _show(facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        emit_json(facts)
        return
    for name, value in facts.items():
        shown = format_count(value) if isinstance(value, int) else value
        console.print(f"{name:22} {shown}", markup=False)


@click.command()
@click.argument("image", type=click.Path(path_type=Path))
@JSON
def inspect(image: Path, as_json: bool) -> None:
    """Say what the checkpoint in IMAGE holds; no page is read.

    \b
    Examples:
      swapfast inspect job.ckpt
      swapfast inspect job.ckpt --json

    Exit code: 0 it is whole, 2 it is damaged, 3 it cannot be read.
    """
    from swapfast.checkpoint import inspect as look

    with reported():
        facts = look(image)
        if as_json:
            emit_json(facts)
            return
        console.print(
            f"[bold]{facts['image']}[/]  {facts['kind']}, generation {facts['generation']}, "
            f"Linux {facts['profile']}, {facts['policy']}, {format_size(facts['memory_bytes'])} RAM"
        )
        console.print(
            f"{format_count(facts['pages_with_data'])} pages with data of "
            f"{format_count(facts['mapped_pages'])} mapped, in {facts['slot_runs']} runs of slots "
            f"of {facts['swapfile']}; {facts['bytes_per_page']} bytes a page, checksums "
            f"{'on' if facts['checksums'] else 'off'}"
        )
        table = Table(box=None, pad_edge=False)
        for title in ("pid", "parent", "name", "state", "pages"):
            table.add_column(title, justify="left" if title in ("name", "state") else "right")
        for task in facts["tasks"]:
            table.add_row(*(str(task[k]) for k in ("pid", "parent", "name", "state", "pages")))
        console.print(table)


@click.command()
@click.argument("image", type=click.Path(path_type=Path))
@click.option("--swapfile", type=click.Path(path_type=Path), help="If it is somewhere else now.")
@JSON
def verify(image: Path, swapfile: Path | None, as_json: bool) -> None:
    """Read every page of the checkpoint in IMAGE and compare its checksum; nothing is changed.

    \b
    Examples:
      swapfast verify job.ckpt
      swapfast verify job.ckpt --swapfile /backup/s1

    Exit code: 0 all bytes are right, 1 some pages are wrong, 2 IMAGE or the header is damaged, 3 a
    file cannot be read.
    """
    from swapfast.checkpoint import inspect as look
    from swapfast.checkpoint import verify as compare

    with reported():
        wrong = compare(image, swapfile)
        pages = look(image)["pages_with_data"]
        if as_json:
            emit_json({"image": str(image), "pages": pages, "wrong_slots": wrong})
        elif wrong:
            some = ", ".join(map(str, wrong[:10])) + (", ..." if len(wrong) > 10 else "")
            console.print(f"{len(wrong)} of {pages} pages are wrong: slots {some}")
        else:
            console.print(f"{pages} pages, all right")
        if wrong:
            sys.exit(EXIT_NO)
