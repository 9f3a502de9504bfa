"""A report for a person.

- ``render(report, screen)``: what a scenario showed, in the order in which one asks.
"""

from __future__ import annotations

from swapfast.scenario.report import IsolationFacts, LtpFacts, ReplayFacts, Report
from swapfast.screen import Screen
from swapfast.units import PAGE_SIZE, format_count, format_ns, format_size

__all__ = ["render"]


def render(report: Report, screen: Screen) -> None:
    """Print a report."""
    screen.say((report.title, "bold"))
    screen.say(f"Linux {report.profile}, {format_size(report.memory)} of RAM")
    screen.say()
    _swaps(screen, "/proc/swaps after the swapons", report.swaps_before)
    for program in report.programs:
        screen.heading(f"{program.login}: {program.kind}")
        if program.killed:
            expected = ", as the scenario has it" if program.expected == "killed" else ""
            screen.say((f"killed by the OOM killer{expected}: {program.reason}", "red"))
        elif program.reason:
            screen.say((program.reason, "yellow"))
        if program.ltp is not None:
            _ltp(screen, program.ltp)
        if program.replay is not None:
            _replay(screen, program.replay)
    screen.heading("after the exits")
    _swaps(screen, "/proc/swaps before the first exit", report.swaps_during)
    _swaps(screen, "/proc/swaps after the last exit", report.swaps_after)
    for facts in report.isolation:
        _isolation(screen, facts)
    if report.leaked:
        count = format_count(report.leaked)
        screen.say(
            (f"{count} pages of shared objects went to another namespace's area", "yellow"),
            " (rule shared_pages)",
        )
    screen.heading("counters and where the time went")
    _areas(screen, report)
    _counters(screen, report)
    screen.say()
    if report.ok:
        screen.say(
            ("ok", "green"),
            ": every page checked held what was written last, and no login's data lie in another's "
            "file",
        )
    for problem in report.problems:
        screen.say(("NOT ok", "red"), f": {problem}")


def _swaps(screen: Screen, title: str, text: str) -> None:
    screen.say((title, "bold"))
    for line in text.expandtabs().rstrip().splitlines():
        screen.say(line)
    screen.say()


def _ltp(screen: Screen, facts: LtpFacts) -> None:
    screen.say(
        f"{facts.tests} tests; failed in the initial namespace of a machine of its own: "
        f"{', '.join(facts.failed_outside) or 'none'}"
    )
    screen.say("failed here in addition: ", (", ".join(facts.additional) or "none", "bold"))
    rows = [(f"  {name}", facts.why[name]) for name in facts.failed]
    screen.table(("name", "why"), rows, left=("name", "why"), header=False)
    for line in facts.console:
        screen.say(f"  console: {line}")


def _replay(screen: Screen, facts: ReplayFacts) -> None:
    limit = f" in memory for {format_count(facts.memory_pages)}" if facts.memory_pages else ""
    screen.say(
        f"{facts.trace}: {format_count(facts.refs)} references to {format_count(facts.pages)} "
        f"pages ({format_size(facts.pages * PAGE_SIZE)}){limit}"
    )
    screen.say(
        f"faults {format_count(facts.pgfault)}, major {format_count(facts.pgmajfault)}; "
        f"swapped in {format_count(facts.pswpin)} pages, out {format_count(facts.pswpout)}; "
        f"simulated {format_ns(facts.simulated_ns)}, took {facts.wall_s:.2f} s"
    )
    good = facts.pages_checked - facts.pages_wrong
    text = (
        f"{format_count(good)} of {format_count(facts.pages_checked)} pages read back "
        "as they were written last"
    )
    screen.say((text, "green" if facts.pages_wrong == 0 else "red"))


def _isolation(screen: Screen, facts: IsolationFacts) -> None:
    foreign = ", ".join(f"{n} strings of {login}" for login, n in facts.foreign_tags.items())
    text = (
        f"{facts.name}: {format_count(facts.pages_checked)} pages beyond the header "
        f"checked, {format_count(facts.pages_nonzero)} hold data "
        f"({format_count(facts.pages_written)} writes); strings: {facts.strings_before} before, "
        f"{format_count(facts.strings_after)} after; of other logins: {foreign or 'none'}"
    )
    screen.say((text, "green" if facts.clean else "red"))


def _areas(screen: Screen, report: Report) -> None:
    titles = ("swapfile", "namespace", "size", "used before exit", "pages in", "pages out")
    rows = [
        (
            area.name,
            "initial" if area.namespace == 0 else area.login or f"child {area.namespace}",
            format_size(area.size),
            format_size(area.used_at_exit),
            format_count(area.pswpin),
            format_count(area.pswpout),
        )
        for area in report.areas
    ]
    screen.table(titles, rows, left=("swapfile", "namespace"))


def _counters(screen: Screen, report: Report) -> None:
    names = ("pgfault", "pgmajfault", "pswpin", "pswpout", "pgactivate", "pgdeactivate")
    counts = ", ".join(f"{n} {format_count(report.vmstat[n])}" for n in names)
    screen.say(f"vmstat: {counts}")
    spent = ", ".join(
        f"{name.replace('_', ' ')} {format_ns(ns)}"
        for name, ns in report.simulated_ns.items()
        if name != "now" and ns
    )
    screen.say(f"simulated time {format_ns(report.simulated_ns['now'])}: {spent}")
    screen.say("this run: " + ", ".join(f"{name} {s:.2f} s" for name, s in report.phases_s.items()))
