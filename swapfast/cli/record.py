"""``swapfast record``: the pages that a program touches."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from swapfast.cli.options import no_stream, npz_name
from swapfast.cli.output import progress, reported, tell
from swapfast.publish import target
from swapfast.record import TOOLS, Program, Recording, Unbound, find
from swapfast.record import record as run_program
from swapfast.record.run import LEAST_WINDOW, MOST_WINDOW
from swapfast.traces import Trace, save_npz
from swapfast.units import PAGE_SIZE, format_count, parse_size

__all__ = ["record"]

PATH = click.Path(path_type=Path)
EXIT_NOT_RUN, EXIT_NOT_THERE = 126, 127  # as shells have it
SHOWN_AFTER_S = 1.0


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND...")
@click.option(
    "--output", "-o", type=PATH, required=True, callback=no_stream, help="Trace to write, an .npz."
)
@click.option(
    "--reduce",
    type=click.IntRange(0, (1 << 31) - 1),
    default=0,
    metavar="PAGES",
    help="Leave out what an LRU memory of at least so many pages would not notice.",
)
@click.option(
    "--window",
    metavar="PAGES",
    help="At nearly its own speed: what a FIFO memory of so many pages, or KiB or MiB, misses.",
)
@click.option("--unbound", is_flag=True, help="With --window: on all processors, not on one.")
@click.option("--by", type=click.Choice(TOOLS), help="Default: qemu, or lackey if it is not there.")
@click.option("--instructions", is_flag=True, help="Instruction fetches too.")
@click.option(
    "--keep-reads", is_flag=True, help="Do not make the first reference to each page a write."
)
@click.option("--cache", type=PATH, metavar="FOLDER", help="For the compiled plugin of qemu.")
@click.option("--quiet", "-q", is_flag=True, help="No progress, and no line at the end.")
def record(
    command: tuple[str, ...],
    output: Path,
    reduce: int,
    window: str | None,
    unbound: bool,
    by: str | None,
    instructions: bool,
    keep_reads: bool,
    cache: Path | None,
    quiet: bool,
) -> None:
    """Run COMMAND and write the pages that it touches, in order, to a trace.

    The program runs in qemu-user, some ten times slower than by itself, or under valgrind's lackey,
    a thousand times slower. Its input and output are its own; what there is to say goes to stderr.
    Ctrl-C and other signals are for the program, and what it touched until its end is kept.

    Each process that it starts is a trace of its own, beside OUTPUT: sort.npz, sort.4711.npz. What
    the kernel reads and writes for the program, in read(2) for instance, is not seen.

    --window needs no emulator: the program runs by itself, with so many pages of its anonymous
    memory present at once, and each page that it then asks for, or the kernel for it, is a
    reference. Such a trace is for memories of 8 times as many pages or more. It needs root, or the
    sysctl vm.unprivileged_userfaultfd=1.

    Without --reduce every change from a page to another is kept, at 4 bytes of memory each; a
    program makes 100 million in a second or two.

    \b
    Examples:
      swapfast record -o sort.npz --reduce 256 -- sort big.txt > /dev/null
      swapfast mrc sort.npz
      swapfast replay sort.npz --memory 50%
      swapfast record -o sort.npz --window 256 -- sort huge.txt > /dev/null
      swapfast record -o py.npz --reduce 64 -- python3 -c 'print(sum(range(1000)))'

    Exit code: that of the program, or 128 and the signal that ended it; if it could not be run 126,
    if it is not there 127; 2 wrong usage, 3 there is nothing to record it with, or the system
    failed.
    """
    with reported():
        pages = 0 if window is None else _pages(window, bool(reduce or by or instructions))
        if unbound and window is None:
            raise click.UsageError("--unbound goes with --window only")
        npz_name("--output", output)
        target(output)
        program = _program(command)
        if program.loses_rights:
            tell(f"swapfast: {program.file}: runs without the rights of its owner, being recorded")
        with _shown(command[0], quiet) as step:
            found = run_program(
                command,
                reduce=reduce,
                window=Unbound(pages) if unbound else pages,
                by=by,
                instructions=instructions,
                keep_reads=keep_reads,
                cache=cache,
                progress=step,
            )
        say: Callable[[str], None] = (lambda line: None) if quiet else tell
        if found.trace is None:
            raise ValueError(f"{command[0]}: touched nothing that was seen; there is no trace")
        _save(output, found.trace, found.seen, say, "")
        for child in found.children:
            name = f" ({os.path.basename(child.command[0])})" if child.command else ""
            _save(output.with_suffix(f".{child.pid}.npz"), child.trace, child.seen, say, name)
        _say_missing(found, say)
    sys.exit(found.status)


def _save(path: Path, trace: Trace, seen: int, say: Callable[[str], None], of: str) -> None:
    save_npz(path, trace)
    say(
        f"swapfast: {path}{of}: {format_count(len(trace))} of {format_count(seen)} references to "
        f"{format_count(trace.pages)} pages"
    )


def _say_missing(found: Recording, say: Callable[[str], None]) -> None:
    """What is in no trace."""
    if found.status > 128:
        say(f"swapfast: signal {found.status - 128} ended the program; the trace goes until then")
    if found.replaced:
        say("swapfast: it went on as another program by execve, which was not recorded")
    others = found.unrecorded - found.replaced
    if others:
        say(f"swapfast: {_many(others, 'program')} that it started {_were(others)} not recorded")
    if found.lost:
        what = "thread or forked process"
        say(f"swapfast: {found.lost} {what} could not be recorded")


def _many(count: int, what: str) -> str:
    return f"{format_count(count)} {what}{'' if count == 1 else 's'}"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _pages(text: str, others: bool) -> int:
    """Of a window."""
    if others:
        raise click.UsageError("--window goes with none of --reduce, --by and --instructions")
    try:
        pages = int(text) if text.isdecimal() else parse_size(text) // PAGE_SIZE
    except ValueError:
        pages = 0
    if not LEAST_WINDOW <= pages <= MOST_WINDOW:
        raise click.UsageError(
            f"--window {text:.40}: a number of pages such as 256, or a size such as 1MiB; from "
            f"{LEAST_WINDOW} to {MOST_WINDOW} pages"
        )
    return pages


def _program(command: tuple[str, ...]) -> Program:
    """What is to be run; if it cannot be, end as a shell does."""
    try:
        return find(command)
    except OSError as error:
        tell(f"swapfast: {error.filename}: {error.strerror}")
        sys.exit(EXIT_NOT_THERE if error.errno == errno.ENOENT else EXIT_NOT_RUN)


def _rate(seen: int, seconds: float) -> str:
    if seen < seconds * 1e6:  # of a window
        return f"{format_count(seen)} references, {seen / seconds / 1e3:,.0f} thousand/s"
    return f"{seen / 1e6:,.0f} M references, {seen / seconds / 1e6:.0f} M/s"


@contextmanager
def _shown(name: str, quiet: bool) -> Iterator[Callable[[int, float], None]]:
    """Rate and time on a terminal, from the second second on.

    Not where the program's output goes to the same terminal, as far as that can be told.
    """
    quiet = quiet or sys.stdout is None or sys.stdout.isatty()
    with ExitStack() as stack:
        bar: list[Callable[[str, int, int], None]] = []

        def step(seen: int, seconds: float) -> None:
            if seconds < SHOWN_AFTER_S:
                return
            if not bar:
                bar.append(stack.enter_context(progress(quiet)))
            bar[0](f"{name}: {_rate(seen, seconds)}", 0, 0)

        yield step
