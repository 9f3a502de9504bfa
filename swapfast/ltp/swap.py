"""The swap tests of LTP 2008: testcases/kernel/syscalls/swapon and swapoff.

- swapon01, swapon02, swapon03
- swapoff01, swapoff02

The originals refuse to run on tmpfs and NFS, where a kernel cannot swap. Here the host's file
system stands for the simulated disk, so that question does not arise. "64 MiB" shrinks with the
run's scale; files of 10 pages do not.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from operator import methodcaller

from swapfast.ltp.lib import MIB, TBROK, TFAIL, TPASS, TWARN, TestContext, errno_name
from swapfast.ltp.registry import ltp_test

TEN_PAGES = (1048, 40)  # dd's bs and count: 41920 bytes, 10 pages and a bit
TEST_MAX_SWAPFILES = 30
EXTRA_FILES = ("firstswapfile", "secondswapfile", "thirdswapfile")
REBOOT = "System reboot after execution of LTP test suite is recommended"


def _make_large_swapfile(t: TestContext, name: str) -> None:
    """dd of 65536 blocks of 1 KiB and mkswap, or the test is broken."""
    kib = t.scaled(64 * MIB) // 1024
    if not t.has_free(kib):
        t.brkm(TBROK, "Insufficient disk space to create swap file")
    if not t.dd(name, 1024, kib):
        t.brkm(TBROK, "Failed to create file for swap")
    if not t.mkswap(name):
        t.brkm(TBROK, "Failed to make swapfile")


def _make_small_swapfile(t: TestContext, name: str) -> None:
    if not t.dd(name, *TEN_PAGES):
        t.brkm(TBROK, "Failed to create file for swap")
    if not t.mkswap(name):
        t.brkm(TBROK, "Failed to make swapfile")


@ltp_test("syscalls")
def swapon01(t: TestContext) -> None:
    """swapon(2) of a fresh 64 MiB swapfile succeeds."""
    t.need_root()
    _make_large_swapfile(t, "swapfile01")
    path = t.path("swapfile01")
    got = t.errno_of(t.task.swapon, path)
    if got:
        t.resm(TFAIL, f"Failed to turn on swapfile: {errno_name(got)}")
        return
    t.resm(TPASS, "Succeeded to turn on swapfile")
    if t.errno_of(t.task.swapoff, path):
        t.brkm(TBROK, f"Failed to turn off swapfile. {REBOOT}")


@dataclass(frozen=True, slots=True)
class _Case:
    """One case of swapon02 or swapoff02: a path, what is done first, and the errno to come."""

    what: str
    wanted: int
    name: str
    setup: Callable[[TestContext], bool] | None = None
    cleanup: Callable[[TestContext], bool] | None = None
    as_nobody: bool = False


def _setup_empty_file(t: TestContext) -> bool:
    t.creat("nofile")
    return True


def _setup_swapfile(t: TestContext) -> bool:
    _make_small_swapfile(t, "swapfile01")
    return True


def _setup_used_file(t: TestContext) -> bool:
    _make_small_swapfile(t, "alreadyused")
    got = t.errno_of(t.task.swapon, t.path("alreadyused"))
    if got:
        t.resm(TWARN, f"Failed swapon for file alreadyused: {errno_name(got)}")
    return not got


def _cleanup_used_file(t: TestContext) -> bool:
    if t.errno_of(t.task.swapoff, t.path("alreadyused")):
        t.resm(TWARN, f"Failed to turn off swap files. {REBOOT}")
        return False
    return True


SWAPON02 = (
    _Case("Path does not exist", errno.ENOENT, "abcd"),
    _Case("Invalid path", errno.EINVAL, "nofile", _setup_empty_file),
    _Case("Permission denied", errno.EPERM, "swapfile01", _setup_swapfile, as_nobody=True),
    _Case(
        "The specified path is already being used as a swap area",
        errno.EBUSY,
        "alreadyused",
        _setup_used_file,
        _cleanup_used_file,
    ),
)


@ltp_test("syscalls")
def swapon02(t: TestContext) -> None:
    """swapon(2) refuses with ENOENT, EINVAL, EPERM and EBUSY."""
    t.need_root()
    for number, case in enumerate(SWAPON02):
        if case.setup and not case.setup(t):
            t.resm(TWARN, f"Failed to setup test {number}. Skipping test")
            continue
        path = t.path(case.name)
        if case.as_nobody:
            got = t.errno_as_nobody(methodcaller("swapon", path))
        else:
            got = t.errno_of(t.task.swapon, path)
        if case.cleanup and not case.cleanup(t):
            t.brkm(TBROK, "Cleanup failed, quitting the test")
        t.expect(f"swapon(2), {case.what}", got, case.wanted)
        if got == 0 and t.errno_of(t.task.swapoff, path):
            t.resm(TWARN, f"Failed to turn off swapfile. {REBOOT}")


@ltp_test("syscalls")
def swapon03(t: TestContext) -> None:
    """swapon(2) of one more than MAX_SWAPFILES areas fails with EPERM, for a limit of 30 or 32."""
    t.need_root()
    swapfiles = _setup_many(t)
    first, second, third = (t.path(name) for name in EXTRA_FILES)
    got = t.errno_of(t.task.swapon, first)
    if got == errno.EPERM:
        t.resm(TPASS, "swapon(2) got expected failure EPERM, probably your MAX_SWAPFILES is 30")
    elif got:
        t.resm(TFAIL, f"swapon(2) failed to produce EPERM, got {errno_name(got)}. {REBOOT}")
    else:
        # Perhaps the limit is 32: the second must work too, and the third must not.
        got = t.errno_of(t.task.swapon, second)
        if got:
            t.resm(TFAIL, f"swapon(2) got an unexpected failure: {errno_name(got)}")
        else:
            got = t.errno_of(t.task.swapon, third)
            t.check(
                got == errno.EPERM,
                "swapon(2) got expected failure EPERM, probably your MAX_SWAPFILES is 32",
                f"swapon(2) failed to produce EPERM, got {errno_name(got)}. {REBOOT}",
            )
    if not _clean_many(t, swapfiles):
        t.brkm(TBROK, "Cleanup failed, quitting the test")


def _setup_many(t: TestContext) -> int:
    """A child turns on as many files as 30 leave room for; then three more files are made.

    The parent looks neither at the child's status nor at how many files it got on.
    """
    swapfiles = min(TEST_MAX_SWAPFILES - t.swaps_in_use(), TEST_MAX_SWAPFILES)

    def turn_on_all(child: TestContext) -> None:
        for number in range(swapfiles):
            name = _numbered(number)
            if not _create_swapfile(child, name):
                child.resm(TWARN, "Failed to create swapfile for the test")
                child.exit(1)
            got = child.errno_of(child.task.swapon, child.path(name))
            if got:
                child.resm(TWARN, f"Failed swapon for file {name}: {errno_name(got)}")
                _clean_many(child, swapfiles)
                child.exit(1)

    t.task.wait(t.fork(turn_on_all))
    for name in EXTRA_FILES:
        if not _create_swapfile(t, name):
            t.resm(TWARN, "Failed to create swapfiles for the test")
            t.exit(1)
    return swapfiles


def _numbered(number: int) -> str:
    return f"swapfile{number + 2:02d}"


def _create_swapfile(t: TestContext, name: str) -> bool:
    if not t.dd(name, *TEN_PAGES):
        t.resm(TWARN, "dd command failed to create file")
        return False
    if not t.mkswap(name):
        t.resm(TWARN, f"failed to make swap file {name}")
        return False
    return True


def _clean_many(t: TestContext, swapfiles: int) -> bool:
    """Turn off whatever /proc/swaps lists of the files of swapon03."""
    for name in (*map(_numbered, range(swapfiles)), *EXTRA_FILES):
        if t.swap_is_listed(name) and t.errno_of(t.task.swapoff, t.path(name)):
            t.resm(TWARN, f"Failed to turn off swap file {name}. {REBOOT}")
            return False
    return True


@ltp_test("syscalls")
def swapoff01(t: TestContext) -> None:
    """swapoff(2) of a 64 MiB swapfile that was just turned on succeeds."""
    t.need_root()
    _make_large_swapfile(t, "swapfile01")
    path = t.path("swapfile01")
    got = t.errno_of(t.task.swapon, path)
    if got:
        t.resm(
            TWARN, f"Failed to turn on the swap file ({errno_name(got)}), skipping test iteration"
        )
        return
    got = t.errno_of(t.task.swapoff, path)
    t.check(
        not got,
        "Succeeded to turn off swapfile",
        f"Failed to turn off swapfile: {errno_name(got)}. {REBOOT}",
    )


SWAPOFF02 = (
    _Case("path does not exist", errno.ENOENT, "abcd"),
    _Case("Invalid path", errno.EINVAL, "nofile", _setup_empty_file),
    _Case("Permission denied", errno.EPERM, "swapfile01", as_nobody=True),
)


@ltp_test("syscalls")
def swapoff02(t: TestContext) -> None:
    """swapoff(2) refuses with ENOENT, EINVAL and EPERM while a 64 MiB swapfile is on."""
    t.need_root()
    _make_large_swapfile(t, "swapfile01")
    on = t.path("swapfile01")
    got = t.errno_of(t.task.swapon, on)
    if got:
        t.brkm(TBROK, f"Failed to turn on the swap file ({errno_name(got)}), skipping the test")

    def turn_off() -> None:
        if t.errno_of(t.task.swapoff, on):
            t.resm(TWARN, f"Failed to turn off swap file. {REBOOT}")

    t.on_exit(turn_off)
    for case in SWAPOFF02:
        if case.setup:
            case.setup(t)
        path = t.path(case.name)
        if case.as_nobody:
            got = t.errno_as_nobody(methodcaller("swapoff", path))
        else:
            got = t.errno_of(t.task.swapoff, path)
        t.expect(f"swapoff(2), {case.what}", got, case.wanted)
        if got == 0 and path == on and t.errno_of(t.task.swapon, on):
            t.brkm(TBROK, "Failed to turn on swap file")
