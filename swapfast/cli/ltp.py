"""``swapfast ltp``: the simulated LTP of 2008."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import click

from swapfast import flags as f
from swapfast.cli.names import TEST
from swapfast.cli.options import profile_option, size_of
from swapfast.cli.output import EXIT_NO, JSON, console, emit_json, progress, reported
from swapfast.kernel.options import LEAST_PAGES
from swapfast.kernel.rules import Rules
from swapfast.kernel.state import Task
from swapfast.ltp import LtpReport, ordered_tests, run
from swapfast.machine import Machine
from swapfast.screen import Cell
from swapfast.swapfile import mkswap, own_folder
from swapfast.units import PAGE_SIZE

__all__ = ["ltp"]

LETTER_MEMORY = 2 << 30
LETTER_SWAPFILE = 512 << 20


@click.command()
@click.option("--newswap", is_flag=True, help="In a child swap namespace, /s1 on, as the letter.")
@click.option("--no-swapon", is_flag=True, help="With --newswap: leave /s1 off.")
@click.option("--no-neighbour", is_flag=True, help="With --newswap: no second login with /s2 on.")
@click.option("--memory", default="2GiB", show_default=True, help="RAM; sizes scale with it.")
@profile_option("2.6.25")
@click.option(
    "--bits",
    type=click.Choice(["32", "64"]),
    default="64",
    show_default=True,
    help="Of an address.",
)
@click.option(
    "--sysinfo",
    type=click.Choice(["global", "namespaced"]),
    default="global",
    show_default=True,
    help="What sysinfo(2) counts inside a child namespace.",
)
@click.option(
    "--one-area-check",
    type=click.Choice(["early", "late"]),
    default="early",
    show_default=True,
    help="Before the path is looked at, or after the same-file test.",
)
@click.option("--contents", is_flag=True, help="Move real bytes (needs as much RAM as --memory).")
@click.option(
    "--test",
    "-t",
    "tests",
    multiple=True,
    shell_complete=TEST,
    help="Only this test; may be given again.",
)
@click.option("--list", "list_", is_flag=True, help="Name the tests and stop.")
@click.option("--verbose", "-v", is_flag=True, help="Every line that a test prints.")
@JSON
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def ltp(
    newswap: bool,
    no_swapon: bool,
    no_neighbour: bool,
    memory: str,
    profile: str,
    bits: str,
    sysinfo: str,
    one_area_check: str,
    contents: bool,
    tests: tuple[str, ...],
    list_: bool,
    verbose: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run the simulated Linux Test Project of April 2008.

    In the initial namespace all tests pass. With --newswap they run as the letter has it: 2 GiB of
    RAM, /s1 on in the child namespace, /s2 on in the other login's.

    \b
    Examples:
      swapfast ltp
      swapfast ltp --newswap
      swapfast ltp --newswap --sysinfo namespaced      what if sysinfo(2) knew the namespace?
      swapfast ltp --newswap -t swapon02 -v

    Exit code: 0 all pass, 1 some fail, 2 wrong usage, 3 the system refused.
    """
    with reported():
        if list_:
            for test in ordered_tests():
                console.say(f"{test.name:12} {test.summary}")
            return
        size = size_of("--memory", memory, least=LEAST_PAGES, what="a machine")
        rules = Rules(sysinfo=sysinfo, one_area_check=one_area_check)  # type: ignore[arg-type]
        with (
            tempfile.TemporaryDirectory(prefix="swapfast-ltp-") as folder,
            own_folder(folder),
            Machine(size, profile, contents=contents, rules=rules, bits=int(bits)) as machine,
            progress(quiet or as_json) as step,
        ):
            scale = min(1.0, size / LETTER_MEMORY)
            shell = machine.init
            if newswap:
                shell = _login(machine, Path(folder), scale, not no_swapon, not no_neighbour)
            scratch = Path(folder) / "ltp"
            scratch.mkdir()
            swaps = machine.proc_swaps()
            report = run(
                shell,
                tests or None,
                tmpdir=scratch,
                scale=scale,
                progress=lambda i, n, name, _: step(name, i, n),
            )
        if as_json:
            emit_json(
                {
                    "memory": size,
                    "profile": profile,
                    "newswap": newswap,
                    "rules": asdict(rules),
                    "failed": list(report.failed),
                    "results": [asdict(r) for r in report.results],
                    "console": list(machine.log),
                }
            )
        else:
            _show(report, verbose, swaps if newswap else "", machine.log)
        if report.failed:
            sys.exit(EXIT_NO)


def _login(machine: Machine, folder: Path, scale: float, swapon: bool, neighbour: bool) -> Task:
    """Two logins in child swap namespaces, as the letter has them; returns the first."""
    first = None
    for number, on in ((1, swapon), (2, neighbour)):
        login = machine.init.clone(f.SIGCHLD | f.NEWSWAP | f.NEWIPC, f"login{number}")
        first = first or login
        if on:
            path = folder / f"s{number}"
            mkswap(path, size=int(LETTER_SWAPFILE * scale) // PAGE_SIZE * PAGE_SIZE)
            login.swapon(path)
    assert first is not None
    return first


def _show(report: LtpReport, verbose: bool, swaps: str, log: list[str]) -> None:
    where = "a child swap namespace" if swaps else "the initial namespace"
    console.say((f"LTP, April 2008, in {where}", "bold"))
    for line in swaps.expandtabs().rstrip().splitlines():
        console.say(line)
    rows: list[tuple[Cell, ...]] = []
    for result in report.results:
        why = ""
        if result.signal:
            why = f"killed by signal {result.signal}"
        elif result.failed:
            why = next((m.text for m in reversed(result.messages) if m.level), "")
        mark = ("FAIL", "red") if result.failed else ("PASS", "green")
        counts = (str(result.counters[name]) for name in ("pgfault", "pswpout"))
        rows.append((result.name, mark, *counts, why))
    titles = ("test", "result", "faults", "swapped out", "why")
    console.table(titles, rows, left=("test", "result", "why"))
    for result in report.results if verbose else ():
        for message in result.messages:
            console.say(str(message))
    for line in log:
        console.say(f"console: {line}")
    failed = ", ".join(report.failed) or "none"
    console.say(f"{len(report.results)} tests, {len(report.failed)} failed: {failed}")
