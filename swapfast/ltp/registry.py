"""Which tests there are, in the order in which runltp would run them.

- ``@ltp_test("syscalls")``: register a function as the test of its name.
- `LtpTest`: one registered test.
- `ordered_tests()`: all of them, file by file as runltp reads them.

runtest/syscalls is sorted by name; the other files are in the order of their lines, which is the
order of the functions here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from swapfast.ltp.lib import TestContext

RUNTEST_FILES = ("syscalls", "mm", "containers")
Body = Callable[[TestContext], None]


@dataclass(frozen=True, slots=True)
class LtpTest:
    """One test of the simulated LTP.

    Parameters
    ----------
    name : str
        Its tag in the runtest file, for example ``"swapon01"``.
    runtest : str
        The runtest file that lists it.
    summary : str
        What it tests, in a line.
    body : callable
        Does it, given the `TestContext` of the process it runs in.
    """

    name: str
    runtest: str
    summary: str
    body: Body


_tests: dict[str, LtpTest] = {}


def ltp_test(runtest: str) -> Callable[[Body], Body]:
    """Register the decorated function as a test of the runtest file named."""
    if runtest not in RUNTEST_FILES:
        raise ValueError(f"runtest file {runtest!r} is not one of {', '.join(RUNTEST_FILES)}")

    def register(body: Body) -> Body:
        name = body.__name__
        if name in _tests:
            raise ValueError(f"test {name} is registered twice")
        if not body.__doc__:
            raise ValueError(f"test {name} has no docstring")
        summary = body.__doc__.strip().splitlines()[0]
        _tests[name] = LtpTest(name, runtest, summary, body)
        return body

    return register


def ordered_tests() -> tuple[LtpTest, ...]:
    """All registered tests in the order of the runtest files."""
    by_file = {file: [t for t in _tests.values() if t.runtest == file] for file in RUNTEST_FILES}
    by_file["syscalls"].sort(key=lambda test: test.name)
    return tuple(test for file in RUNTEST_FILES for test in by_file[file])
