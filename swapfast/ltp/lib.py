"""The harness that a test of LTP 2008 is written against, over the calls of a simulated task.

- ``TPASS TFAIL TBROK TWARN TRETR TINFO TCONF``: levels of a message, as in include/test.h.
- `LtpMessage`: one line that a test printed.
- `TestContext`: one process of a running test: results, scratch files, memory, children.
- `TstExit`, `TestHang`: how a test leaves before its last line, and how it is found never to end.

A process of a test ends with the OR of the levels it reported, without the harmless ones
(lib/tst_res.c, tst_exit): a warning fails a test just as a failure does.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from swapfast import flags as f
from swapfast.errors import TaskKilled
from swapfast.kernel import procfs
from swapfast.swapfile import mkswap

if TYPE_CHECKING:
    from swapfast.kernel.state import Mapping, Task

TPASS = 0
TFAIL = 1
TBROK = 2
TWARN = 4
TRETR = 8
TINFO = 16
TCONF = 32

HARMLESS = TRETR | TINFO | TCONF
LEVEL_NAMES = {
    TPASS: "PASS",
    TFAIL: "FAIL",
    TBROK: "BROK",
    TWARN: "WARN",
    TRETR: "RETR",
    TINFO: "INFO",
    TCONF: "CONF",
}

NOBODY = 65534
KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


class TstExit(Exception):
    """The process of a test called exit(2).

    Parameters
    ----------
    code : int or None
        The status it named, or None for the OR of what it reported.
    """

    def __init__(self, code: int | None = None) -> None:
        super().__init__(code)
        self.code = code


class TestHang(Exception):
    """The process of a test waits for something that can no longer happen."""

    __test__ = False


@dataclass(frozen=True, slots=True)
class LtpMessage:
    """One line of a test's output.

    Parameters
    ----------
    name : str
        The test (TCID).
    number : int
        Number of the case within the test, from 1; 0 for remarks before the first.
    level : int
        ``TPASS``, ``TFAIL``, ...
    text : str
        What was said.
    """

    name: str
    number: int
    level: int
    text: str

    def __str__(self) -> str:
        # The layout of lib/tst_res.c, tst_print.
        return f"{self.name:<8} {self.number:4d}  T{LEVEL_NAMES[self.level]}  :  {self.text}"


def errno_name(number: int) -> str:
    """``"EPERM"`` for 1; ``"success"`` for 0."""
    return errno.errorcode.get(number, str(number)) if number else "success"


class TestContext:
    """One process of a test: the test itself, or a child that it forked.

    Parameters
    ----------
    task : Task
        The simulated task whose system calls are made.
    name : str
        Name of the test.
    tmpdir : path
        Folder on the host in which the test's own scratch folder is made when it first asks for it.
    scale : float
        Shrinks the 64 MiB files and the memory sizes of LTP; 1 for LTP's own.
    """

    __test__ = False

    def __init__(
        self, task: Task, name: str, tmpdir: str | os.PathLike[str], scale: float = 1.0
    ) -> None:
        self.task = task
        self.name = name
        self.scale = scale
        self.exit_mask = TPASS
        self.messages: list[LtpMessage] = []
        self._count = 0
        self._parent_dir = Path(tmpdir)
        self._scratch: list[Path] = []
        self._cleanups: list[Callable[[], None]] = []

    # --- results -------------------------------------------------------------------------------

    def resm(self, level: int, text: str) -> None:
        """Report one result, lib/tst_res.c tst_resm."""
        if level not in (TINFO, TRETR):
            self._count += 1
        self.exit_mask |= level
        self.messages.append(LtpMessage(self.name, self._count, level, text))

    def brkm(self, level: int, text: str) -> NoReturn:
        """Report a result and leave the test after its clean-ups, tst_brkm."""
        self.resm(level, text)
        raise TstExit

    def exit(self, code: int | None = None) -> NoReturn:
        """Leave the process: with `code`, or with the OR of what was reported, tst_exit."""
        raise TstExit(code)

    def check(self, holds: bool, passed: str, failed: str) -> bool:
        """Report TPASS with one text or TFAIL with the other."""
        self.resm(TPASS if holds else TFAIL, passed if holds else failed)
        return holds

    def expect(self, what: str, got: int, wanted: int) -> bool:
        """Report whether a system call ended with the errno it should; 0 is success."""
        return self.check(
            got == wanted,
            f"{what}: {errno_name(got)}",
            f"{what}: expected {errno_name(wanted)}, got {errno_name(got)}",
        )

    @property
    def status(self) -> int:
        """What tst_exit passes to exit(2)."""
        return self.exit_mask & ~HARMLESS

    def on_exit(self, cleanup: Callable[[], None]) -> None:
        """Call `cleanup` when the test ends by itself; a killed test gets no chance to."""
        self._cleanups.append(cleanup)

    # --- system calls --------------------------------------------------------------------------

    def errno_of(self, call: Callable[..., object], *arguments: object) -> int:
        """Make a system call: 0 if it worked, else its errno (the TEST() macro)."""
        try:
            call(*arguments)
        except OSError as error:
            if not self.alive or error.errno is None:
                raise
            return error.errno
        return 0

    def errno_as_nobody(self, call: Callable[[Task], object]) -> int:
        """The errno of a system call made as user nobody.

        LTP changes its effective user and back. A simulated task has one user and no way back, so a
        child makes the call.
        """
        child = self.task.fork(name=self.name)
        try:
            child.setuid(NOBODY)
            call(child)
        except OSError as error:
            if child.state != "running" or error.errno is None:
                raise
            return error.errno
        else:
            return 0
        finally:
            if child.state == "running":
                child.exit(0)
            self.task.wait(child.pid)

    def need_root(self) -> None:
        """Break the test for an ordinary user."""
        if self.task.uid != 0:
            self.brkm(TBROK, "Test must be run as root")

    @property
    def alive(self) -> bool:
        """Whether the process still runs: the OOM killer may have ended it."""
        return self.task.state == "running"

    # --- scratch files -------------------------------------------------------------------------

    @property
    def tmpdir(self) -> Path:
        """The test's own folder, lib/tst_tmpdir.c; its children use the same."""
        if not self._scratch:
            self._scratch.append(Path(tempfile.mkdtemp(prefix=self.name[:3], dir=self._parent_dir)))
        return self._scratch[0]

    def path(self, name: str) -> str:
        """Path of a file in the test's folder, for a relative name of the original."""
        return str(self.tmpdir / name)

    def rmdir(self) -> None:
        """Remove the test's folder and all in it, tst_rmdir."""
        while self._scratch:
            shutil.rmtree(self._scratch.pop(), ignore_errors=True)

    def has_free(self, kib: int) -> bool:
        """Whether the disk has `kib` KiB left, tst_cwd_has_free."""
        disk = os.statvfs(self.tmpdir)
        return disk.f_bavail * disk.f_frsize >= kib * KIB

    def dd(self, name: str, bs: int, count: int) -> bool:
        """``dd if=/dev/zero of=NAME bs=BS count=COUNT``: False if the disk cannot hold it."""
        total = bs * count
        block = bytes(min(MIB, total))
        fd = os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            while total > 0:
                total -= os.write(fd, block[:total])
        except OSError as error:
            self.resm(TINFO, f"dd: {name}: {error.strerror}")
            return False
        finally:
            os.close(fd)
        return True

    def mkswap(self, name: str) -> bool:
        """``mkswap NAME``: False if it refuses."""
        try:
            mkswap(self.path(name))
        except (OSError, ValueError) as error:
            self.resm(TINFO, f"mkswap: {error}")
            return False
        return True

    def creat(self, name: str) -> None:
        """``creat(NAME, S_IRWXU)``: an empty file."""
        os.close(os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o700))

    # --- /proc/swaps ---------------------------------------------------------------------------

    def swaps_in_use(self) -> int:
        """Lines of /proc/swaps without the header."""
        return max(self.task.read_proc_swaps().count("\n") - 1, 0)

    def swap_is_listed(self, name: str) -> bool:
        """``grep -q 'NAME.*file' /proc/swaps``."""
        pattern = re.compile(re.escape(name) + ".*file")
        return any(pattern.search(line) for line in self.task.read_proc_swaps().splitlines())

    # --- memory --------------------------------------------------------------------------------

    @property
    def has_contents(self) -> bool:
        """Whether the machine keeps the bytes of its pages, or only counts."""
        return self.task.kernel.contents

    def scaled(self, size: int) -> int:
        """`size` bytes of LTP at this run's scale: whole pages, at least one."""
        page = self.task.kernel.page_size
        return max(int(size * self.scale) // page, 1) * page

    def fill(self, mapping: Mapping, pattern: bytes, offset: int = 0, length: int = -1) -> None:
        """Write `pattern` over and over into a range; its length divides 4096.

        On a machine without contents the pages are written to and no bytes are kept.
        """
        end = mapping.length if length < 0 else offset + length
        if not self.has_contents:
            page = self.task.kernel.page_size
            mapping.touch(slice(offset // page, -(-end // page)), write=True)
            return
        block = pattern * (MIB // len(pattern))
        for at in range(offset, end, MIB):
            mapping.write(at, block[: end - at])

    def holds(self, mapping: Mapping, pattern: bytes, offset: int = 0, length: int = -1) -> bool:
        """Whether a range holds `pattern`. Without contents the pages are only read."""
        end = mapping.length if length < 0 else offset + length
        if not self.has_contents:
            page = self.task.kernel.page_size
            mapping.touch(slice(offset // page, -(-end // page)), write=False)
            return True
        block = pattern * (MIB // len(pattern))
        return all(
            mapping.read(at, min(MIB, end - at)) == block[: end - at]
            for at in range(offset, end, MIB)
        )

    def faults(self, work: Callable[[], object]) -> int:
        """Page faults that `work` took: /proc/vmstat, pgfault."""
        before = procfs.vmstat(self.task.kernel)["pgfault"]
        work()
        return procfs.vmstat(self.task.kernel)["pgfault"] - before

    # --- children ------------------------------------------------------------------------------

    def fork(self, body: Callable[[TestContext], int | None], flags: int = f.SIGCHLD) -> int:
        """Clone a child, let it run `body` to its end, return its pid; it stays to be waited for.

        `body` gets the child's own context: results it reports change the child's exit
        status and not the parent's. It may return an exit status; None means the OR of what
        it reported.
        """
        child = self.adopt(self.task.clone(flags, name=self.name))
        run_process(child, body)
        return child.task.pid

    def adopt(self, task: Task) -> TestContext:
        """The context of a child task: it starts with a copy of the parent's results."""
        child = TestContext(task, self.name, self._parent_dir, self.scale)
        child.exit_mask = self.exit_mask
        child.messages = self.messages
        child._count = self._count
        child._scratch = self._scratch
        return child


def run_process(context: TestContext, body: Callable[[TestContext], int | None]) -> None:
    """Run one process of a test until it exits or is killed.

    A system call that fails where the test did not expect it breaks the test. `TestHang` passes
    through, and so does everything that is not the simulated machine's doing.
    """
    code = _guarded(context, lambda: body(context))
    while context.alive and context._cleanups:
        cleanup = context._cleanups.pop()
        late = _guarded(context, cleanup)
        code = late if late is not None else code
    if context.alive:
        context.task.exit(context.status if code is None else code)


def _guarded(context: TestContext, work: Callable[[], int | None]) -> int | None:
    """Call `work`; the exit status it asked for, or None."""
    try:
        return work()
    except TstExit as leaving:
        return leaving.code
    except TaskKilled as killed:
        if killed.pid != context.task.pid:
            context.resm(TFAIL, f"child {killed.pid} was killed by signal {killed.signal}")
    except OSError as error:
        # A task that was killed while another one ran learns it at its next system call.
        if context.alive:
            context.resm(TBROK, f"unexpected {errno_name(error.errno or 0)}: {error}")
    return None
