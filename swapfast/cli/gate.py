"""``swapfast gate``: instruction counts of benchmarks against an older commit."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from swapfast.cli.output import EXIT_NO, JSON, console, emit_json, progress, reported, tell
from swapfast.units import format_count

if TYPE_CHECKING:
    from swapfast.testing import Report, Settings

__all__ = ["gate"]

PERCENT = click.FloatRange(0, 100)


@click.command()
@click.argument("benchmarks", nargs=-1, metavar="[BENCHMARK]...")
@click.option("--base", metavar="REF", help="Commit.  [where HEAD left origin/main, or HEAD~1]")
@click.option("--build", metavar="CMD", help="Shell command that compiles a checkout in place.")
@click.option(
    "--inside",
    multiple=True,
    metavar="PATTERN",
    help="Count only within C functions of this name (* and ?); again for more.",
)
@click.option(
    "--keep",
    multiple=True,
    metavar="PATH",
    help="What the base takes from the present tree; again.  [the files of the benchmarks]",
)
@click.option("-k", "only", metavar="EXPR", help="Only tests that match, as pytest -k.")
@click.option("--warmup", type=click.IntRange(0), help="Calls before counted ones.  [1]")
@click.option("--repeat", type=click.IntRange(1), help="Counted calls; the least is told.  [5]")
@click.option("--instructions", type=PERCENT, metavar="PERCENT", help="More are too many.  [1]")
@click.option("--misses", type=PERCENT, metavar="PERCENT", help="More are too many.  [2]")
@JSON
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def gate(
    benchmarks: tuple[str, ...],
    base: str | None,
    build: str | None,
    inside: tuple[str, ...],
    keep: tuple[str, ...],
    only: str | None,
    warmup: int | None,
    repeat: int | None,
    instructions: float | None,
    misses: float | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Does a benchmark of any project execute more instructions than at an older commit?

    Instructions and misses of a simulated cache are counted by callgrind: the same whatever else
    the machine does, so that 1 % is seen where a clock sees 10 %. BENCHMARK is a file or test with
    the fixture of pytest-benchmark, or a function without arguments, module:function. The base is
    cloned, built and counted in a temporary folder; the present tree is taken as it is. What is
    not said here is read from [tool.swapfast.gate] of ./pyproject.toml.

    \b
    Examples:
      swapfast gate tests/bench_parser.py
      swapfast gate mypackage.bench:sort_a_million --base v1.2
      swapfast gate bench --build "python setup.py build_ext --inplace" --inside "*_sort_*"

    Exit code: 0 nothing got worse, 1 something did, or was not counted, 2 no such benchmark or
    commit, or it could not be built, 3 valgrind, git or a compiler is missing.
    """
    from swapfast.testing import Settings  # not at the start of every command
    from swapfast.testing import gate as counted

    with reported():
        folder = Path.cwd()
        settings = Settings.of(
            folder,
            benchmarks=[*benchmarks],
            base=base,
            build=build,
            inside=[*inside],
            keep=[*keep],
            pytest=["-k", only] if only else [],
            warmup=warmup,
            repeat=repeat,
            instructions=instructions,
            misses=misses,
        )
        with progress(quiet or as_json) as step:
            report = counted(folder, settings, lambda what: step(what, 0, 0))
        if as_json:
            emit_json(report.as_dict())
        else:
            _show(report, settings)
    sys.exit(0 if report.passed else EXIT_NO)


def _show(report: Report, settings: Settings) -> None:
    titles = ("benchmark", "instructions", "base", "ratio", "LL misses", "base", "")
    rows = [
        (
            one.name,
            format_count(one.now.instructions),
            format_count(one.before.instructions),
            "" if one.ratio is None else f"{one.ratio:.4f}",
            format_count(one.now.misses),
            format_count(one.before.misses),
            one.why or one.note,
        )
        for one in report.findings
    ]
    console.say(f"against {report.base}, in " + (", ".join(settings.inside) or "whole calls"))
    console.table(titles, rows, left=("benchmark", ""))
    if not report.passed:
        bad = sum(bool(one.why) for one in report.findings)
        tell(f"swapfast: {bad} of {len(report.findings)} got worse or were not counted")
