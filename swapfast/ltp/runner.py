"""runltp and pan: run the tests one after another from a login's shell and report.

- ``run(task, tests=None, *, tmpdir, scale=1, progress=None) -> LtpReport``
- `LtpResult`: what became of one test.
- `LtpReport`: all results, those that failed, and the table that ``runltp -l`` leaves.

Each test is a child of the shell: it gets the shell's namespaces, and its end is read with wait(2)
(LTP 2008, pan/pan.c). A test fails if its exit status is not 0 or a signal ended it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from swapfast.kernel import procfs
from swapfast.ltp.lib import (
    TBROK,
    TFAIL,
    LtpMessage,
    TestContext,
    TestHang,
    run_process,
)
from swapfast.ltp.registry import LtpTest, ordered_tests

if TYPE_CHECKING:
    from swapfast.kernel.state import Task

COUNTERS = ("pgfault", "pswpin", "pswpout")


@dataclass(frozen=True, slots=True)
class LtpResult:
    """What became of one test.

    Parameters
    ----------
    name : str
        The test.
    status : str
        ``"PASS"`` or ``"FAIL"``.
    exit_value : int
        The exit status; 0 when a signal ended the test.
    signal : int
        The signal that ended it, or 0.
    messages : tuple of LtpMessage
        What it and its children printed.
    duration_s : float
        Seconds of the host's clock.
    counters : dict of str to int
        pgfault, pswpin and pswpout (pages) that the machine counted meanwhile.
    console : tuple of str
        Lines that the kernel put on the console meanwhile.
    """

    name: str
    status: str
    exit_value: int
    signal: int
    messages: tuple[LtpMessage, ...]
    duration_s: float
    counters: dict[str, int] = field(default_factory=dict)
    console: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether the status is ``"FAIL"``."""
        return self.status == "FAIL"


@dataclass(frozen=True, slots=True)
class LtpReport:
    """The results of one run, in the order of the tests.

    Parameters
    ----------
    results : tuple of LtpResult
        One a test.
    """

    results: tuple[LtpResult, ...]

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the tests that failed, in order."""
        return tuple(result.name for result in self.results if result.failed)

    @property
    def passed(self) -> tuple[str, ...]:
        """Names of the tests that passed, in order."""
        return tuple(result.name for result in self.results if not result.failed)

    def __getitem__(self, name: str) -> LtpResult:
        for result in self.results:
            if result.name == name:
                return result
        raise KeyError(name)

    def log(self) -> str:
        """The table that ``runltp -l FILE`` leaves in FILE: test, result, exit value or signal."""
        rows = [
            f"{'Testcase':<30} {'Result':<10} Exit Value",
            f"{'--------':<30} {'------':<10} ----------",
        ]
        rows += [
            f"{result.name:<30.30} {result.status:<10} {result.signal or result.exit_value:<5d}"
            for result in self.results
        ]
        rows += ["", "-" * 47, f"Total Tests: {len(self.results)}"]
        rows += [f"Total Failures: {len(self.failed)}"]
        return "\n".join(row.rstrip() for row in rows) + "\n"


Progress = Callable[[int, int, str, LtpResult | None], None]


def run(
    task: Task,
    tests: Sequence[str] | None = None,
    *,
    tmpdir: str | os.PathLike[str],
    scale: float = 1.0,
    progress: Progress | None = None,
) -> LtpReport:
    """Run the simulated LTP from `task`, the shell of a login.

    Parameters
    ----------
    task : Task
        The shell; it must be alive. Every test is forked from it.
    tests : sequence of str, optional
        Names of the tests to run, in the order to run them; all by default.
    tmpdir : path
        Existing folder on the host for the files of the tests. It is left as it was.
    scale : float
        Shrinks LTP's 64 MiB files and memory sizes, for a small machine; in (0, 1].
    progress : callable, optional
        Called as ``progress(index, total, name, None)`` before each test and with its `LtpResult`
        after it.

    Returns
    -------
    LtpReport
        One result a test. If the shell itself is killed, the tests left count as failed and say so.

    Raises
    ------
    ValueError
        An unknown test, a scale out of range, or no such folder. Nothing was run.
    """
    chosen = _choose(tests)
    if not 0 < scale <= 1:
        raise ValueError(f"scale must be above 0 and at most 1, not {scale}")
    folder = Path(tmpdir)
    if not folder.is_dir():
        raise ValueError(f"tmpdir must be an existing folder, and {str(folder)!r} is none")
    results = []
    for index, test in enumerate(chosen):
        if progress:
            progress(index, len(chosen), test.name, None)
        result = _run_one(task, test, folder, scale)
        results.append(result)
        if progress:
            progress(index, len(chosen), test.name, result)
    return LtpReport(tuple(results))


def _choose(names: Sequence[str] | None) -> tuple[LtpTest, ...]:
    known = {test.name: test for test in ordered_tests()}
    if names is None:
        return tuple(known.values())
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"no such test: {', '.join(unknown)} (known: {', '.join(known)})")
    return tuple(known[name] for name in names)


def _run_one(shell: Task, test: LtpTest, folder: Path, scale: float) -> LtpResult:
    """Fork, run, wait for and clean up after one test."""
    kernel = shell.kernel
    started = time.perf_counter()
    counted = procfs.vmstat(kernel)
    lines = len(kernel.log)
    others = set(kernel.tasks)
    messages: list[LtpMessage] = []
    code = ended_by = 0
    try:
        process = shell.fork(name=test.name)
    except OSError as error:
        messages.append(LtpMessage(test.name, 0, TBROK, f"the shell could not fork: {error}"))
        code = TBROK
    else:
        kernel.read_files()  # exec(2)
        context = TestContext(process, test.name, folder, scale)
        try:
            code, ended_by = _execute(shell, test, context)
        finally:
            _end_leftovers(shell, others)
            context.rmdir()
        messages = context.messages
    after = procfs.vmstat(kernel)
    return LtpResult(
        name=test.name,
        status="FAIL" if code or ended_by else "PASS",
        exit_value=code,
        signal=ended_by,
        messages=tuple(messages),
        duration_s=time.perf_counter() - started,
        counters={name: after[name] - counted[name] for name in COUNTERS},
        console=tuple(kernel.log[lines:]),
    )


def _execute(shell: Task, test: LtpTest, context: TestContext) -> tuple[int, int]:
    """Run the test's process; its exit status and the signal that ended it."""
    process = context.task
    try:
        run_process(context, test.body)
    except TestHang as hang:
        context.resm(TFAIL, f"timed out: {hang}")
        process.kernel.init.kill(process.pid, signal.SIGKILL)
    if shell.state != "running":
        context.resm(TFAIL, "the login's shell was killed")
        return process.exit_code or TFAIL, process.term_signal
    if process.state == "zombie":
        shell.wait(process.pid)
    # Else the shell is init, which collects its children at once.
    return process.exit_code, process.term_signal


def _end_leftovers(shell: Task, others: set[int]) -> None:
    """Kill what a test left running, as pan does with a test's process group; init reaps it."""
    init = shell.kernel.init
    for pid in sorted(set(shell.kernel.tasks) - others):
        left = shell.kernel.tasks.get(pid)
        if left is not None and left.state == "running":
            init.kill(pid, signal.SIGKILL)
