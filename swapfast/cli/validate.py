"""``swapfast validate``: predicted against measured."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click

from swapfast.cli.contention import judge_several
from swapfast.cli.names import PROFILE
from swapfast.cli.options import PROFILE_HELP, no_stream, profile_of
from swapfast.cli.output import (
    JSON,
    console,
    counting,
    emit_json,
    interrupted,
    progress,
    reported,
)
from swapfast.contention import is_several
from swapfast.errors import Interrupted
from swapfast.kernel.choices import PLUG
from swapfast.kernel.profile import PROFILES
from swapfast.validate import (
    BESIDE,
    COUNTS,
    EVENTS,
    FLOOR,
    KERNELS,
    OBSERVED_NS,
    RULES,
    Prediction,
    Validation,
)
from swapfast.validate import validate as run_validation

__all__ = ["validate"]


@click.command()
@click.argument("truth", type=click.Path(path_type=Path))
@click.option(
    "--traces",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder with the traces that the truth file names.",
)
@click.option(
    "--policy",
    "-p",
    metavar="A,B,C",
    help="Policies to judge, separated by commas; default: for each cell that of its kernel.",
)
@click.option(
    "--profile",
    metavar="KERNEL",
    shell_complete=PROFILE,
    help=f"The policy of one: {PROFILE_HELP}.",
)
@click.option(
    "--lru-gen-rule",
    type=click.Choice(RULES),
    default=RULES[0],
    show_default=True,
    help="linux-6.18-mglru: the rule whose errors are shown; all rules make the range.",
)
@click.option(
    "--charged",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="PAGES",
    help="Pages of each limit that something else than the trace held.",
)
@click.option(
    "--page-cluster",
    type=click.IntRange(0, 5),
    default=0,
    show_default=True,
    help="Read-ahead setting of the measured runs.",
)
@click.option(
    "--plug",
    type=click.Choice(PLUG),
    default=PLUG[1],
    show_default=True,
    help="linux-6.18: who sends what reclaim writes; see swapfast replay.",
)
@click.option(
    "--reference-ns",
    type=click.IntRange(0, 10**9),
    default=OBSERVED_NS,
    show_default=True,
    metavar="NS",
    help="linux-6.18: what a reference took where it was measured; swapfast measure reads "
    "statistics in between.",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    callback=no_stream,
    help="Picture of predicted and measured.",
)
@click.option(
    "--worst",
    type=click.IntRange(0, 1000),
    default=5,
    show_default=True,
    help="How many of the cells with the largest errors are shown.",
)
@click.option(
    "--scenarios",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="TRUTH is of several programs at once: TOML that says what its scenarios were.",
)
@click.option("--each", is_flag=True, help="Of several programs: every figure of every run.")
@JSON
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
@click.pass_context
def validate(
    context: click.Context,
    truth: Path,
    traces: Path,
    policy: str | None,
    profile: str | None,
    lru_gen_rule: str,
    charged: int,
    page_cluster: int,
    plug: str,
    reference_ns: int,
    plot: Path | None,
    worst: int,
    scenarios: Path | None,
    each: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Replay every cell of TRUTH, measured on a real kernel, and say how far off each policy is.

    TRUTH is a CSV with the columns trace, frac, pages, refs, majflt, pswpin, pswpout and, where the
    kernel was asked more than once, majflt_spread and pswpout_spread. A TRUTH of several programs
    at once has the columns scenario and program instead, and --scenarios says what they were.

    Its columns lru (classic or mglru) and lru_gen say which LRU the kernel ran. Without them it was
    the multi-generational one where the column agings is not all 0, and the classic one otherwise.
    Each cell is judged by the policy of its kernel. A kernel with generations decides by when it
    ran something else: "in range" are the cells between the rules always and fault, or 1 % and 5
    events beside them. Which LRU a kernel runs says `cat /sys/kernel/mm/lru_gen/enabled`: an odd
    number is the multi-generational one.

    Of several programs, each line is played under the LRU that it names.

    \b
    Examples:
      swapfast validate exact.csv --traces traces/
      swapfast validate exact.csv --traces traces/ --policy linux-6.18,lru,clock --plot out.png
      swapfast validate mglru.csv --traces traces/ --lru-gen-rule fault
      swapfast validate mglru.csv --traces traces/ --profile host
      swapfast validate ahead.csv --traces traces/ --page-cluster 3
      swapfast validate contention.csv --traces traces/ --scenarios contention.toml

    Exit code: 0 done, 2 a broken truth file or trace, 3 a file is missing, 130 ended by Ctrl-C: the
    cells until then are judged.
    """
    with reported():
        several = is_several(truth)
        _check_sort(context, several, scenarios)
        if several and scenarios is not None:
            judge_several(
                truth, scenarios, traces, worst=worst, each=each, as_json=as_json, quiet=quiet
            )
            return
        if plot is not None:
            from swapfast.plots import check_plot, plot_validation

            check_plot(plot, inputs=[truth])
        try:
            with progress(quiet or as_json) as step, counting():
                result = run_validation(
                    truth,
                    traces,
                    _policies(policy, profile),
                    page_cluster=page_cluster,
                    plug=plug,
                    reference_ns=reference_ns,
                    charged=charged,
                    progress=step,
                )
        except Interrupted as stop:
            result = cast(Validation, stop.result)
        result = result.by_rule(lru_gen_rule)
        if not result.predictions:
            raise KeyboardInterrupt
        if plot is not None and not result.interrupted:
            plot_validation(result, plot, inputs=[truth])
        if as_json:
            emit_json(result.as_dict())
        else:
            _show(result, worst)
        if result.interrupted:
            interrupted(len(result.predictions), result.asked, "predictions")


ALONE = (
    *("policy", "profile", "lru_gen_rule", "charged"),
    *("page_cluster", "plug", "reference_ns", "plot"),
)
SEVERAL = ("scenarios", "each")


def _policies(policy: str | None, profile: str | None) -> list[str] | None:
    """What judges; None: the truth says.

    Raises
    ------
    ValueError
        Both were given, or there is no such profile.
    """
    if policy is not None and profile is not None:
        raise ValueError("--profile and --policy both say what judges: give one")
    if profile is not None:
        return [PROFILES[profile_of(profile)[0]].policy]
    return None if policy is None else [p.strip() for p in policy.split(",")]


def _check_sort(context: click.Context, several: bool, scenarios: Path | None) -> None:
    """Refuse options that mean nothing to such a truth.

    Raises
    ------
    ValueError
        One was given, or there is no file of scenarios.
    """
    given = click.core.ParameterSource.DEFAULT
    for name in ALONE if several else SEVERAL:
        if context.get_parameter_source(name) is not given:
            sort = "one program" if several else "several programs"
            raise ValueError(f"--{name.replace('_', '-')} is for a truth of {sort}")
    if several and scenarios is None:
        raise ValueError(
            f"{context.params['truth']}: of several programs at once; say what its scenarios were "
            "with --scenarios FILE"
        )


def _show(result: Validation, worst: int) -> None:
    kernels = " and ".join(KERNELS[one] for one in result.kernels)
    measured = len({p.cell.line for p in result.predictions})
    console.say(
        (result.truth, "bold"),
        f": {measured} cells measured under {kernels}, "
        f"page-cluster {result.page_cluster}; "
        f"error in % of the measured value (of {FLOOR} events where there were fewer)",
    )
    if result.skipped:
        console.say(f"{len(result.skipped)} killed runs left out")
    for (lru, policy), count in result.strange.items():
        cells = "1 cell was" if count == 1 else f"{count} cells were"
        console.say((f"{cells} measured under {KERNELS[lru]}, not under {policy}", "yellow"))
    _show_table(result)
    for policy in result.policies if worst else []:
        console.say()
        console.say(f"furthest off, {policy}:")
        for p in result.worst(policy, n=worst):
            pairs = ", ".join(f"{c} {_said(p, c)} for {p.cell.measured[c]:g}" for c in COUNTS)
            console.say(f"  {p.cell.trace} {float(p.cell.frac):.0%} (line {p.cell.line}): {pairs}")


def _show_table(result: Validation) -> None:
    """All policies; of kernels with different LRUs, one below the other for each count."""
    ranges = any(p.rules for p in result.predictions)
    rows = []
    several = len(result.kernels) > 1
    for place, (policy, kernel) in enumerate(
        dict.fromkeys((p.policy, p.cell.kernel) for p in result.predictions)
    ):
        for k, kind in enumerate(("synthetic", "real", "all")):
            for count, s in result.summary(policy, kind, kernel).items():
                row = [policy, f"{kind} ({s['cells']:.0f})", count]
                row += [f"{100 * s[name]:.2f}" for name in ("median", "p90", "max")]
                row.append(f"{100 * s['within']:.1f} %")
                if ranges:
                    row.append(f"{100 * s['in_range']:.1f} %" if "in_range" in s else "")
                at = COUNTS.index(count)
                if several:
                    row[0:1] = [kernel, policy]
                rows.append(((k, at, place) if several else (place, k, at), row))
    left = (*(("measured",) if several else ()), "policy", "cells", "count")
    more = ("in range",) if ranges else ()
    titles = (*left, "median", "p90", "max", "within 1 % or spread", *more)
    console.table(titles, [row for _, row in sorted(rows)], left=left)
    if ranges:
        console.say(
            f"errors of rule {result.rule}; in range: between the rules {' and '.join(RULES)}, "
            f"or {100 * BESIDE:g} % and {EVENTS} events beside them"
        )


def _said(p: Prediction, count: str) -> str:
    """What was predicted, and the range of the rules where there is one."""
    said = [one[count] for one in p.rules.values()]
    more = f" ({min(said)} .. {max(said)})" if said and min(said) < max(said) else ""
    return f"{p.predicted[count]}{more}"
