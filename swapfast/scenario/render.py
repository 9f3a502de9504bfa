"""A report for a person.

- ``render(report, console)``: what a scenario showed, in the order in which one asks.
"""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from swapfast.scenario.report import IsolationFacts, LtpFacts, ReplayFacts, Report
from swapfast.units import PAGE_SIZE, format_count, format_ns, format_size

__all__ = ["render"]


def render(report: Report, console: Console) -> None:
    """Print a report on a rich console."""
    console.print(f"[bold]{report.title}[/]")
    console.print(f"Linux {report.profile}, {format_size(report.memory)} of RAM\n")
    _swaps(console, "/proc/swaps after the swapons", report.swaps_before)
    for program in report.programs:
        console.rule(f"{program.login}: {program.kind}", align="left")
        if program.killed:
            console.print("[red]killed by the OOM killer[/]")
        if program.ltp is not None:
            _ltp(console, program.ltp)
        if program.replay is not None:
            _replay(console, program.replay)
    console.rule("after the exits", align="left")
    _swaps(console, "/proc/swaps before the first exit", report.swaps_during)
    _swaps(console, "/proc/swaps after the last exit", report.swaps_after)
    for facts in report.isolation:
        _isolation(console, facts)
    if report.leaked:
        console.print(
            f"[yellow]{format_count(report.leaked)} pages of shared objects went to another "
            "namespace's area[/] (rule shared_pages)"
        )
    console.rule("counters and where the time went", align="left")
    _areas(console, report)
    _counters(console, report)
    verdict = "[green]ok[/]" if report.ok else "[red]NOT ok[/]"
    console.print(
        f"\n{verdict}: every page checked held what was written last, and no login's data "
        "lie in another's file"
        if report.ok
        else f"\n{verdict}: see above"
    )


def _swaps(console: Console, title: str, text: str) -> None:
    console.print(f"[bold]{title}[/]")
    console.print(text.expandtabs().rstrip(), markup=False)
    console.print()


def _ltp(console: Console, facts: LtpFacts) -> None:
    console.print(
        f"{facts.tests} tests; failed in the initial namespace of a machine of its own: "
        f"{', '.join(facts.failed_outside) or 'none'}"
    )
    console.print(f"failed here in addition: [bold]{', '.join(facts.additional) or 'none'}[/]")
    table = Table(box=None, pad_edge=False, show_header=False)
    for name in facts.failed:
        table.add_row(f"  {name}", facts.why[name])
    console.print(table)
    for line in facts.console:
        console.print(f"  console: {line}", markup=False)


def _replay(console: Console, facts: ReplayFacts) -> None:
    limit = f" in memory for {format_count(facts.memory_pages)}" if facts.memory_pages else ""
    console.print(
        f"{facts.trace}: {format_count(facts.refs)} references to {format_count(facts.pages)} "
        f"pages ({format_size(facts.pages * PAGE_SIZE)}){limit}"
    )
    console.print(
        f"faults {format_count(facts.pgfault)}, major {format_count(facts.pgmajfault)}; "
        f"swapped in {format_count(facts.pswpin)} pages, out {format_count(facts.pswpout)}; "
        f"simulated {format_ns(facts.simulated_ns)}, took {facts.wall_s:.2f} s"
    )
    good = facts.pages_checked - facts.pages_wrong
    colour = "green" if facts.pages_wrong == 0 else "red"
    console.print(
        f"[{colour}]{format_count(good)} of {format_count(facts.pages_checked)} pages read back "
        "as they were written last[/]"
    )


def _isolation(console: Console, facts: IsolationFacts) -> None:
    colour = "green" if facts.clean else "red"
    foreign = ", ".join(f"{n} strings of {login}" for login, n in facts.foreign_tags.items())
    console.print(
        f"[{colour}]{facts.name}: {format_count(facts.pages_checked)} pages beyond the header "
        f"checked, {format_count(facts.pages_nonzero)} hold data "
        f"({format_count(facts.pages_written)} writes); strings: {facts.strings_before} before, "
        f"{format_count(facts.strings_after)} after; of other logins: {foreign or 'none'}[/]"
    )


def _areas(console: Console, report: Report) -> None:
    table = Table(box=None, pad_edge=False)
    for title in ("swapfile", "namespace", "size", "used before exit", "pages in", "pages out"):
        table.add_column(title, justify="left" if title == "swapfile" else "right")
    for area in report.areas:
        table.add_row(
            area.name,
            "initial" if area.namespace == 0 else f"child {area.namespace}",
            format_size(area.size),
            format_size(area.used_at_exit),
            format_count(area.pswpin),
            format_count(area.pswpout),
        )
    console.print(table)


def _counters(console: Console, report: Report) -> None:
    names = ("pgfault", "pgmajfault", "pswpin", "pswpout", "pgactivate", "pgdeactivate")
    counts = ", ".join(f"{n} {format_count(report.vmstat[n])}" for n in names)
    console.print(f"vmstat: {counts}")
    spent = ", ".join(
        f"{name.replace('_', ' ')} {format_ns(ns)}"
        for name, ns in report.simulated_ns.items()
        if name != "now" and ns
    )
    console.print(f"simulated time {format_ns(report.simulated_ns['now'])}: {spent}")
    console.print(
        "this run: " + ", ".join(f"{name} {s:.2f} s" for name, s in report.phases_s.items())
    )
