"""The harness of the simulated LTP: results, exit statuses, children, files, clean-up.

Sources: lib/tst_res.c, lib/tst_tmpdir.c and pan/pan.c of LTP 2008.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import swapfast as sf
from swapfast.ltp import LtpReport, LtpResult, ordered_tests, registry, run
from swapfast.ltp.lib import (
    TBROK,
    TCONF,
    TFAIL,
    TINFO,
    TPASS,
    TWARN,
    TestContext,
    TestHang,
    run_process,
)

Body = Callable[[TestContext], None]
SOURCES = sorted(Path(registry.__file__).parent.glob("*.py"))


@pytest.fixture
def machine() -> sf.Machine:
    return sf.Machine(memory="32MiB", profile="2.6.25", contents=False)


@pytest.fixture
def context(machine: sf.Machine, tmp_path: Path) -> TestContext:
    return TestContext(machine.init.fork(name="test01"), "test01", tmp_path)


@pytest.fixture
def add_test() -> Iterator[Callable[[Body], str]]:
    """Register a body under the name test01 for as long as the case lasts."""

    def add(body: Body) -> str:
        def test01(t: TestContext) -> None:
            """A test of the harness."""
            body(t)

        registry.ltp_test("mm")(test01)
        return "test01"

    yield add
    registry._tests.pop("test01", None)


def run_one(
    machine: sf.Machine, body: Body, tmp_path: Path, add: Callable[[Body], str]
) -> LtpResult:
    shell = machine.init.fork(name="sh")
    name = add(body)
    return run(shell, [name], tmpdir=tmp_path)[name]


# --- results and exit statuses -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("levels", "status"),
    [
        ((), 0),
        ((TPASS,), 0),
        ((TPASS, TFAIL, TPASS), 1),
        ((TBROK,), 2),
        ((TWARN,), 4),
        ((TFAIL, TWARN), 5),
        ((TFAIL, TBROK, TWARN), 7),
        ((TINFO,), 0),
        ((TCONF,), 0),
        ((TINFO, TCONF, TWARN), 4),
    ],
)
def test_exit_status_is_the_or_of_the_levels_that_matter(
    context: TestContext, levels: tuple[int, ...], status: int
) -> None:
    for level in levels:
        context.resm(level, "text")
    assert context.status == status
    assert [message.level for message in context.messages] == list(levels)


@pytest.mark.parametrize(
    ("level", "verdict"), [(TPASS, "PASS"), (TFAIL, "FAIL"), (TBROK, "FAIL"), (TWARN, "FAIL")]
)
def test_verdict_of_a_level(
    machine: sf.Machine,
    tmp_path: Path,
    add_test: Callable[[Body], str],
    level: int,
    verdict: str,
) -> None:
    result = run_one(machine, lambda t: t.resm(level, "said"), tmp_path, add_test)
    assert (result.status, result.exit_value, result.signal) == (verdict, level, 0)


def test_messages_are_printed_as_tst_res_prints_them(context: TestContext) -> None:
    context.resm(TINFO, "begin")
    context.resm(TPASS, "fine")
    context.resm(TFAIL, "not fine")
    assert [str(message) for message in context.messages] == [
        "test01      0  TINFO  :  begin",
        "test01      1  TPASS  :  fine",
        "test01      2  TFAIL  :  not fine",
    ]


def test_brkm_leaves_the_test_after_its_cleanups(
    machine: sf.Machine, tmp_path: Path, add_test: Callable[[Body], str]
) -> None:
    done: list[str] = []

    def body(t: TestContext) -> None:
        t.on_exit(lambda: done.append("first registered"))
        t.on_exit(lambda: done.append("last registered"))
        t.brkm(TBROK, "cannot go on")
        done.append("went on")

    result = run_one(machine, body, tmp_path, add_test)
    assert (result.status, result.exit_value) == ("FAIL", TBROK)
    assert done == ["last registered", "first registered"]


def test_cleanup_that_warns_fails_the_test(
    machine: sf.Machine, tmp_path: Path, add_test: Callable[[Body], str]
) -> None:
    def body(t: TestContext) -> None:
        t.on_exit(lambda: t.resm(TWARN, "could not clean up"))
        t.resm(TPASS, "fine")

    assert run_one(machine, body, tmp_path, add_test).exit_value == TWARN


def test_exit_with_a_status_of_its_own(
    machine: sf.Machine, tmp_path: Path, add_test: Callable[[Body], str]
) -> None:
    def body(t: TestContext) -> None:
        t.resm(TFAIL, "noticed")
        t.exit(0)

    result = run_one(machine, body, tmp_path, add_test)
    assert (result.status, result.exit_value) == ("PASS", 0)


def test_unexpected_error_of_a_system_call_breaks_the_test(
    machine: sf.Machine, tmp_path: Path, add_test: Callable[[Body], str]
) -> None:
    result = run_one(machine, lambda t: t.task.mmap(0).munmap(), tmp_path, add_test)
    assert (result.status, result.exit_value) == ("FAIL", TBROK)
    assert "unexpected EINVAL" in result.messages[-1].text


def test_bug_in_a_test_is_not_a_result(
    machine: sf.Machine, tmp_path: Path, add_test: Callable[[Body], str]
) -> None:
    def body(t: TestContext) -> None:
        t.creat("left")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_one(machine, body, tmp_path, add_test)
    assert list(tmp_path.iterdir()) == []


# --- killed and hanging tests ------------------------------------------------------------------


def too_much(t: TestContext) -> None:
    t.creat("left")
    t.on_exit(lambda: t.resm(TINFO, "cleaned up"))
    t.task.mmap(64 << 20).touch(write=True)
    t.resm(TPASS, "it fits")


def test_killed_test_fails_with_its_signal(
    machine: sf.Machine, tmp_path: Path, add_test: Callable[[Body], str]
) -> None:
    machine.overcommit = 1
    result = run_one(machine, too_much, tmp_path, add_test)
    assert (result.status, result.exit_value, result.signal) == ("FAIL", 0, 9)
    assert result.messages == ()
    assert any(re.search(r"Killed process \d+ \(test01\)", line) for line in result.console)
    assert list(tmp_path.iterdir()) == []


def test_hang_is_timed_out(
    machine: sf.Machine, tmp_path: Path, add_test: Callable[[Body], str]
) -> None:
    def body(t: TestContext) -> None:
        raise TestHang("nobody will wake it")

    result = run_one(machine, body, tmp_path, add_test)
    assert (result.status, result.signal) == ("FAIL", 9)
    assert result.messages[-1].text == "timed out: nobody will wake it"


def test_children_left_running_are_ended(
    machine: sf.Machine, tmp_path: Path, add_test: Callable[[Body], str]
) -> None:
    def body(t: TestContext) -> None:
        child = t.task.fork()
        child.fork()

    before = set(machine.tasks)
    assert run_one(machine, body, tmp_path, add_test).status == "PASS"
    shell = set(machine.tasks) - before
    assert len(shell) == 1


def test_killed_shell_fails_the_rest(
    machine: sf.Machine, tmp_path: Path, add_test: Callable[[Body], str]
) -> None:
    shell = machine.init.fork(name="sh")
    name = add_test(lambda t: machine.init.kill(shell.pid, 9))
    report = run(shell, [name, "getpid01"], tmpdir=tmp_path)
    assert report.failed == (name, "getpid01")
    assert "the login's shell was killed" in report[name].messages[-1].text
    assert "could not fork" in report["getpid01"].messages[-1].text


def test_shell_may_be_init(machine: sf.Machine, tmp_path: Path) -> None:
    report = run(machine.init, ["getpid01", "exit01"], tmpdir=tmp_path)
    assert report.failed == ()


# --- children ----------------------------------------------------------------------------------


def test_child_reports_with_its_own_status(context: TestContext) -> None:
    pid = context.fork(lambda child: child.resm(TWARN, "in the child"))
    assert context.task.wait(pid) == (pid, TWARN, 0)
    assert context.status == 0
    assert context.messages[-1].text == "in the child"


def test_child_inherits_the_results_so_far(context: TestContext) -> None:
    context.resm(TFAIL, "before fork")
    pid = context.fork(lambda child: None)
    assert context.task.wait(pid) == (pid, TFAIL, 0)


def test_child_exit_status_can_be_returned(context: TestContext) -> None:
    pid = context.fork(lambda child: 42)
    assert context.task.wait(pid) == (pid, 42, 0)


def test_call_as_nobody_leaves_the_caller_root(context: TestContext) -> None:
    got = context.errno_as_nobody(lambda task: task.unshare(sf.CLONE_NEWNS))
    assert got == errno.EPERM
    assert context.task.uid == 0
    assert context.errno_of(context.task.wait) == errno.ECHILD


# --- scratch files -----------------------------------------------------------------------------


def test_dd_allocates_zeroes_for_its_owner_alone(context: TestContext) -> None:
    assert context.dd("file", 1048, 40)
    path = Path(context.path("file"))
    status = path.stat()
    assert path.read_bytes() == bytes(41920)
    assert status.st_mode & 0o777 == 0o600
    assert status.st_blocks * 512 >= 41920
    context.rmdir()
    assert not path.exists()


def test_dd_without_room_fails(context: TestContext, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    assert not context.dd("file", 1024, 64)


def test_mkswap_refuses_fewer_than_10_pages(context: TestContext) -> None:
    assert context.dd("small", 4096, 9)
    assert not context.mkswap("small")
    assert context.dd("enough", 4096, 10)
    assert context.mkswap("enough")


def test_proc_swaps_is_counted_and_searched(context: TestContext) -> None:
    assert context.swaps_in_use() == 0
    context.dd("swapfile02", 4096, 10)
    context.mkswap("swapfile02")
    context.task.swapon(context.path("swapfile02"))
    assert context.swaps_in_use() == 1
    assert context.swap_is_listed("swapfile02")
    assert not context.swap_is_listed("swapfile03")
    context.task.swapoff(context.path("swapfile02"))
    assert context.swaps_in_use() == 0


@pytest.mark.parametrize(("scale", "size"), [(1.0, 64 << 20), (0.125, 8 << 20), (1e-9, 4096)])
def test_sizes_are_scaled_in_whole_pages(context: TestContext, scale: float, size: int) -> None:
    context.scale = scale
    assert context.scaled(64 << 20) == size


# --- memory ------------------------------------------------------------------------------------


def test_fill_and_holds_with_contents(tmp_path: Path) -> None:
    machine = sf.Machine(memory="32MiB", profile="2.6.25", contents=True)
    t = TestContext(machine.init.fork(), "test01", tmp_path)
    memory = t.task.mmap(3 << 20)
    t.fill(memory, b"ab")
    assert t.holds(memory, b"ab")
    assert memory.read((2 << 20) - 2, 4) == b"abab"
    memory.write(5000, b"x")
    assert not t.holds(memory, b"ab")
    assert t.holds(memory, b"ab", 8192)


def test_fill_and_holds_without_contents_make_faults(context: TestContext) -> None:
    memory = context.task.mmap(16 * 4096)
    assert context.faults(lambda: context.fill(memory, b"a")) == 16
    assert context.faults(lambda: context.holds(memory, b"a")) == 0


# --- registry, runner and report ---------------------------------------------------------------


def test_at_least_30_tests_with_names_of_their_own() -> None:
    names = [test.name for test in ordered_tests()]
    assert len(names) >= 30
    assert len(set(names)) == len(names)


def test_order_is_that_of_the_runtest_files() -> None:
    tests = ordered_tests()
    files = [test.runtest for test in tests]
    assert files == sorted(files, key=registry.RUNTEST_FILES.index)
    syscalls = [test.name for test in tests if test.runtest == "syscalls"]
    assert syscalls == sorted(syscalls)
    memory = [test.name for test in tests if test.runtest == "mm"]
    assert memory[:8] == [
        "mm01",
        "mm02",
        "mtest01",
        "mtest01w",
        "mem01",
        "mem02",
        "page01",
        "page02",
    ]


def test_names_cannot_be_registered_twice(add_test: Callable[[Body], str]) -> None:
    add_test(lambda t: None)
    with pytest.raises(ValueError, match="registered twice"):
        add_test(lambda t: None)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_test_knows_where_it_runs(path: Path) -> None:
    # What a test finds out, it finds out by system calls that the original makes.
    source = path.read_text(encoding="utf-8")
    for word in ("swap_ns", "NEWSWAP", "SWAPNS", "profile", "rules", "namespaced"):
        assert word not in source, f"{path.name} mentions {word}"


def test_unknown_test_is_named_and_nothing_runs(machine: sf.Machine, tmp_path: Path) -> None:
    pids = set(machine.tasks)
    with pytest.raises(ValueError, match="no such test: nosuch01"):
        run(machine.init, ["getpid01", "nosuch01"], tmpdir=tmp_path)
    assert set(machine.tasks) == pids


@pytest.mark.parametrize("scale", [0, -1, 1.5])
def test_scale_out_of_range(machine: sf.Machine, tmp_path: Path, scale: float) -> None:
    with pytest.raises(ValueError, match="scale must be"):
        run(machine.init, ["getpid01"], tmpdir=tmp_path, scale=scale)


def test_tmpdir_must_exist(machine: sf.Machine, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="existing folder"):
        run(machine.init, ["getpid01"], tmpdir=tmp_path / "none")


def test_progress_before_and_after_each_test(machine: sf.Machine, tmp_path: Path) -> None:
    calls: list[tuple[int, int, str, str | None]] = []
    report = run(
        machine.init,
        ["getpid01", "fork01"],
        tmpdir=tmp_path,
        progress=lambda i, n, name, result: calls.append((i, n, name, result and result.status)),
    )
    assert report.passed == ("getpid01", "fork01")
    assert calls == [
        (0, 2, "getpid01", None),
        (0, 2, "getpid01", "PASS"),
        (1, 2, "fork01", None),
        (1, 2, "fork01", "PASS"),
    ]


def test_counters_are_those_of_the_test_alone(
    machine: sf.Machine, tmp_path: Path, add_test: Callable[[Body], str]
) -> None:
    machine.init.mmap(4 * 4096).touch(write=True)
    result = run_one(machine, lambda t: t.task.mmap(7 * 4096).touch(write=True), tmp_path, add_test)
    assert result.counters == {"pgfault": 7, "pswpin": 0, "pswpout": 0}


def test_log_is_the_table_of_runltp() -> None:
    results = (
        LtpResult("swapon01", "PASS", 0, 0, (), 0.1),
        LtpResult("swapon02", "FAIL", 4, 0, (), 0.1),
        LtpResult("mem01", "FAIL", 0, 9, (), 0.1),
    )
    report = LtpReport(results)
    assert report.failed == ("swapon02", "mem01")
    assert report.log() == (
        "Testcase                       Result     Exit Value\n"
        "--------                       ------     ----------\n"
        "swapon01                       PASS       0\n"
        "swapon02                       FAIL       4\n"
        "mem01                          FAIL       9\n"
        "\n"
        "-----------------------------------------------\n"
        "Total Tests: 3\n"
        "Total Failures: 2\n"
    )
    with pytest.raises(KeyError):
        report["mem02"]


def test_process_that_is_dead_already_has_nothing_to_exit(context: TestContext) -> None:
    context.task.kernel.init.kill(context.task.pid, 9)
    run_process(context, lambda t: t.task.mmap(4096))
    assert context.task.term_signal == 9
    assert context.messages == []
