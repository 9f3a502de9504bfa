"""Events with an address: what perf script prints, and the kernel's own trace (ftrace).

- ``read_events(path, options, ftrace)``; ``PERF``, ``FTRACE``: lines of the table of formats.

perf: ``perf record -d -e page-faults -c 1``, ``perf mem record`` and ``perf record -e
exceptions:page_fault_user``, printed by ``perf script -F +addr`` (and ``+pid``, so that threads are
known by their process). A page fault of perf's own event does not say whether it writes, and counts
as a read; ``exceptions:page_fault_user`` does say so.
"""

from __future__ import annotations

import os
import re

from swapfast.traces._lines import BrokenLine
from swapfast.traces._logs import NO_ADDRESS, OTHER_PROCESS, EventParser
from swapfast.traces.format import ALL, Format, Head, Options, listed
from swapfast.traces.parsed import Begun, read_parsed
from swapfast.traces.streams import Progress, chunks
from swapfast.traces.trace import Trace

__all__ = ["FTRACE", "PERF", "read_events"]

PERF_LINE = re.compile(rb"\s*\S.*?\s[0-9]+(/[0-9]+)?\s+(\[[0-9]+\]\s+)?[0-9]+\.[0-9]+:\s+\S+")
FTRACE_LINE = re.compile(
    rb"\s*\S.*-[0-9]+\s+(\(\s*[0-9-]+\)\s+)?\[[0-9]+\]\s+([^\s:]+\s+)?[0-9]+\.[0-9]+:\s+\S+:"
)


def read_events(path: str | os.PathLike[str], options: Options, *, ftrace: bool = False) -> Trace:
    """Read events; parameters and errors as `open_trace`.

    Lines of several processes are an error, unless ``options.pid`` names one, or all of them, each
    with pages of its own.
    """
    name, pid = os.fspath(path), options.pid
    one = None if pid == ALL else pid

    def begin(progress: Progress | None) -> Begun:
        parser = EventParser(ftrace, options.collapse, one, pid == ALL)

        def advice(error: BrokenLine) -> str:
            return _advice(parser, error, ftrace)

        def nothing() -> str:
            return "" if one is None else f"no reference of process {one}; {_processes(parser)}"

        def kind() -> str:
            return "sampled" if parser.sampled else "faults"

        return Begun(parser, chunks(name, progress), 0, advice, nothing, kind)

    return read_parsed(name, begin, "text of page faults or accesses", options)


def _processes(parser: EventParser) -> str:
    return f"there are {listed(parser.pids) or 'none'}"


def _advice(parser: EventParser, error: BrokenLine, ftrace: bool) -> str:
    if error.cause == OTHER_PROCESS:
        threads = "set the option record-tgid" if ftrace else "print perf script -F +pid"
        return (
            f" ({_processes(parser)}): each has an address space of its own; pid (--pid) reads "
            f"one, or 'all'; if they are threads, {threads}"
        )
    if error.cause in NO_ADDRESS:
        return "; record with -d, and print it: perf script -F +addr"
    return ""


def _is_perf(head: Head) -> bool:
    return _like(head, PERF_LINE) and not _like(head, FTRACE_LINE)


def _is_ftrace(head: Head) -> bool:
    return head.data.startswith(b"# tracer:") or _like(head, FTRACE_LINE)


def _like(head: Head, line: re.Pattern[bytes]) -> bool:
    """The first line that says something is such a one."""
    told = (one for one in head.lines() if not one.startswith(b"CPU:"))
    return line.match(next(told, b"")) is not None


PERF = Format(
    "perf",
    read_events,
    kind="faults or sampled",
    what="perf script -F +addr: page faults, perf mem, exceptions:page_fault_user",
    source="https://man7.org/linux/man-pages/man1/perf-script.1.html",
    begins=_is_perf,
    pids=True,
)
FTRACE = Format(
    "ftrace",
    lambda path, options: read_events(path, options, ftrace=True),
    kind="faults",
    what="trace or trace_pipe: exceptions:page_fault_user and page_fault_kernel",
    source="https://docs.kernel.org/trace/ftrace.html",
    begins=_is_ftrace,
    pids=True,
)
