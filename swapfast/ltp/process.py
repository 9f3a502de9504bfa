"""Process tests of LTP 2008: clone, exit, fork, getpid, kill, setuid, wait and so on.

- clone01, clone02, clone03, clone05, unshare01, unshare02
- exit01, fork01, fork02, fork06, fork11, vfork01
- getpid01, getpid02, getppid01, getppid02, getuid01
- kill01, kill04, setuid01, setuid03, sysinfo01
- wait02, wait401, waitpid01, waitpid03, waitpid04

Of what the originals look at, only what the machine has is looked at: ids, statuses, memory.
"""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable

from swapfast import flags as f
from swapfast.ltp.lib import NOBODY, TFAIL, TPASS, TestContext
from swapfast.ltp.registry import ltp_test

PID_MAX = 32767


def _exit_with(code: int) -> Callable[[TestContext], int]:
    """A child that does nothing but exit with `code`."""
    return lambda child: code


def _unshare(flags: int) -> Callable[[TestContext], int]:
    """A child that exits with the errno of unshare(flags)."""
    return lambda child: child.errno_of(child.task.unshare, flags)


@ltp_test("syscalls")
def clone01(t: TestContext) -> None:
    """clone(2) returns the pid of a child that exits and can be waited for."""
    pid = t.fork(lambda child: 0)
    t.check(t.task.wait()[0] == pid, "clone returned the child's pid", "wait returned another pid")


@ltp_test("syscalls")
def clone02(t: TestContext) -> None:
    """With CLONE_VM the parent sees what the child wrote, without it does not."""
    shared = f.CLONE_VM | f.CLONE_FS | f.CLONE_FILES | f.CLONE_SIGHAND
    for flags, is_shared in ((shared, True), (0, False)):
        variable = t.task.mmap(t.task.kernel.page_size)
        t.fill(variable, b"0")
        first_faults: list[int] = []

        def change(
            child: TestContext, at: int = variable.addr, out: list[int] = first_faults
        ) -> None:
            mine = child.task.mapping_at(at)
            out.append(child.faults(lambda: child.fill(mine, b"1")))

        t.task.wait(t.fork(change, flags | f.SIGCHLD))
        # A shared page is there already; a private one is copied at the first write, in a fault.
        seen = t.holds(variable, b"1" if is_shared else b"0")
        copied = first_faults[0] > 0
        t.check(
            seen and copied != is_shared,
            f"clone with{'' if is_shared else 'out'} CLONE_VM",
            f"clone with{'' if is_shared else 'out'} CLONE_VM: the memory was "
            f"{'copied' if copied else 'shared'}",
        )
        variable.munmap()


@ltp_test("syscalls")
def clone03(t: TestContext) -> None:
    """The pid that clone(2) returns is the one that the child gets from getpid(2)."""
    inside: list[int] = []
    pid = t.fork(lambda child: inside.append(child.task.pid))
    t.task.wait(pid)
    t.check(inside == [pid], "both pids are equal", f"clone returned {pid}, getpid {inside}")


@ltp_test("syscalls")
def clone05(t: TestContext) -> None:
    """With CLONE_VM|CLONE_VFORK the parent goes on after the child's exit and sees its write."""
    variable = t.task.mmap(t.task.kernel.page_size)
    t.fill(variable, b"0")

    def body(child: TestContext) -> int:
        child.fill(child.task.mapping_at(variable.addr), b"1")
        return 1

    pid = t.fork(body, f.CLONE_VM | f.CLONE_VFORK | f.SIGCHLD)
    exited = t.task.kernel.tasks[pid].state != "running"
    seen = t.holds(variable, b"1")
    ended = t.task.wait(pid)
    t.check(
        exited and seen and ended == (pid, 1, 0),
        "the child ran to its end before the parent",
        f"exited {exited}, write seen {seen}, status {ended}",
    )


@ltp_test("syscalls")
def unshare01(t: TestContext) -> None:
    """unshare(2) of files, file system information and mounts works for root."""
    for name in ("CLONE_FILES", "CLONE_FS", "CLONE_NEWNS"):
        flag = getattr(f, name)
        _, code, _ = t.task.wait(t.fork(_unshare(flag)))
        t.expect(f"unshare({name})", code, 0)


@ltp_test("syscalls")
def unshare02(t: TestContext) -> None:
    """unshare(2) refuses unknown bits with EINVAL, and CLONE_NEWNS to nobody with EPERM."""
    t.expect("unshare(-1)", t.errno_of(t.task.unshare, -1), errno.EINVAL)
    got = t.errno_as_nobody(lambda task: task.unshare(f.CLONE_NEWNS))
    t.expect("unshare(CLONE_NEWNS) as nobody", got, errno.EPERM)


@ltp_test("syscalls")
def exit01(t: TestContext) -> None:
    """A child's exit status reaches its parent unchanged, and no signal with it."""
    pid = t.fork(lambda child: 1)
    ended = t.task.wait(pid)
    t.check(ended == (pid, 1, 0), "exit status 1, no signal", f"wait returned {ended}")


@ltp_test("syscalls")
def fork01(t: TestContext) -> None:
    """fork(2) returns the child's pid: the one that the child has and that wait returns."""
    inside: list[int] = []

    def body(child: TestContext) -> int:
        inside.append(child.task.pid)
        return 42

    pid = t.fork(body)
    waited, code, _ = t.task.wait()
    t.check(code == 42, "child exit status correct", f"child exit status {code}, not 42")
    t.check(
        inside == [pid] == [waited],
        "parent's, child's and wait's pid are equal",
        f"fork returned {pid}, the child has {inside}, wait returned {waited}",
    )


@ltp_test("syscalls")
def fork02(t: TestContext) -> None:
    """Parent and child both go on after fork(2), each with its own copy of a variable."""
    variable = t.task.mmap(t.task.kernel.page_size)
    t.fill(variable, b"p")

    def body(child: TestContext) -> int:
        mine = child.task.mapping_at(variable.addr)
        if not child.holds(mine, b"p"):
            return 1
        child.fill(mine, b"c")
        return 0 if child.holds(mine, b"c") else 2

    _, code, _ = t.task.wait(t.fork(body))
    t.check(code == 0, "the child inherited and changed its copy", f"the child exited with {code}")
    t.check(t.holds(variable, b"p"), "the parent's copy is unchanged", "the parent's copy changed")


@ltp_test("syscalls")
def fork06(t: TestContext) -> None:
    """A process can fork and wait for children 1000 times."""
    for number in range(1000):
        child = t.task.fork(name=t.name)
        child.exit(0)
        if t.task.wait(child.pid) != (child.pid, 0, 0):
            t.resm(TFAIL, f"fork {number}: the child did not exit as it should")
            return
    t.resm(TPASS, "fork succeeded 1000 times")


@ltp_test("syscalls")
def fork11(t: TestContext) -> None:
    """The parent gets a pid for each of 100 forks, and the same from each wait."""
    forked = [t.fork(lambda child: 0) for _ in range(100)]
    waited = [t.task.wait(pid)[0] for pid in forked]
    t.check(
        waited == forked and len(set(forked)) == 100,
        "fork test passed, 100 children",
        "fork and wait do not agree about the children",
    )


@ltp_test("syscalls")
def vfork01(t: TestContext) -> None:
    """A child of vfork(2) has its parent's user and memory until it exits."""
    variable = t.task.mmap(t.task.kernel.page_size)
    t.fill(variable, b"v")
    seen: list[tuple[int, int, bool]] = []

    def body(child: TestContext) -> None:
        mine = child.task.mapping_at(variable.addr)
        seen.append((child.task.ppid, child.task.uid, child.holds(mine, b"v")))
        child.fill(mine, b"w")

    pid = t.fork(body, f.CLONE_VM | f.CLONE_VFORK | f.SIGCHLD)
    ended = t.task.wait(pid)
    t.check(
        ended == (pid, 0, 0)
        and seen == [(t.task.pid, t.task.uid, True)]
        and t.holds(variable, b"w"),
        "vfork child shares user and memory",
        f"status {ended}, seen {seen}",
    )


@ltp_test("syscalls")
def getpid01(t: TestContext) -> None:
    """getpid(2) returns a pid in range under which the task is known."""
    pid = t.task.pid
    t.check(
        0 < pid <= PID_MAX and t.task.kernel.tasks.get(pid) is t.task,
        f"getpid returned {pid}",
        f"getpid returned {pid}, which is not this task",
    )


@ltp_test("syscalls")
def getpid02(t: TestContext) -> None:
    """A child's getppid(2) is its parent's getpid(2), and their pids differ."""
    inside: list[tuple[int, int]] = []
    pid = t.fork(lambda child: inside.append((child.task.pid, child.task.ppid)))
    t.task.wait(pid)
    t.check(
        inside == [(pid, t.task.pid)] and pid != t.task.pid,
        "getpid functionality is correct",
        f"parent {t.task.pid}, child {pid}, seen by the child: {inside}",
    )


@ltp_test("syscalls")
def getppid01(t: TestContext) -> None:
    """getppid(2) returns the pid of a task that is alive: the shell."""
    parent = t.task.kernel.tasks.get(t.task.ppid)
    t.check(
        parent is not None and parent.state == "running",
        f"getppid returned {t.task.ppid}",
        f"getppid returned {t.task.ppid}, which is no live task",
    )


@ltp_test("syscalls")
def getppid02(t: TestContext) -> None:
    """getppid(2) in the child is the parent; when the parent is gone it is init."""
    inside: list[tuple[int, int]] = []

    def body(child: TestContext) -> None:
        inside.append((child.task.pid, child.task.ppid))
        orphans.append(child.task.fork(name=child.name).pid)

    orphans: list[int] = []
    pid = t.fork(body)
    t.task.wait(pid)
    orphan = t.task.kernel.tasks[orphans[0]]
    t.check(
        inside == [(pid, t.task.pid)] and orphan.ppid == t.task.kernel.init.pid,
        "parents are right before and after the parent's exit",
        f"seen by the child: {inside}; the orphan's parent: {orphan.ppid}",
    )


@ltp_test("syscalls")
def getuid01(t: TestContext) -> None:
    """getuid(2) in a child is the parent's."""
    inside: list[int] = []
    t.task.wait(t.fork(lambda child: inside.append(child.task.uid)))
    t.check(inside == [t.task.uid], f"getuid returned {t.task.uid}", f"the child has uid {inside}")


@ltp_test("syscalls")
def kill01(t: TestContext) -> None:
    """SIGKILL ends a child, and wait(2) says so."""
    child = t.task.fork(name=t.name)
    t.task.kill(child.pid, signal.SIGKILL)
    pid, _, ended_by = t.task.wait(child.pid)
    t.check(
        (pid, ended_by) == (child.pid, signal.SIGKILL),
        "received expected signal SIGKILL",
        f"wait returned pid {pid}, signal {ended_by}",
    )


@ltp_test("syscalls")
def kill04(t: TestContext) -> None:
    """kill(2) of a process that does not exist fails with ESRCH."""
    pid = t.fork(lambda child: 0)
    t.task.wait(pid)
    t.expect("kill(2) of a process that is gone", t.errno_of(t.task.kill, pid, 9), errno.ESRCH)


@ltp_test("syscalls")
def setuid01(t: TestContext) -> None:
    """setuid(2) to the user one already is works."""
    t.expect("setuid(getuid())", t.errno_of(t.task.setuid, t.task.uid), 0)


@ltp_test("syscalls")
def setuid03(t: TestContext) -> None:
    """setuid(2) back to root fails with EPERM for an ordinary user."""

    def body(child: TestContext) -> int:
        if child.task.uid != NOBODY:
            child.task.setuid(NOBODY)
        return child.errno_of(child.task.setuid, 0)

    _, code, _ = t.task.wait(t.fork(body))
    t.expect("setuid(0) as nobody", code, errno.EPERM)


@ltp_test("syscalls")
def sysinfo01(t: TestContext) -> None:
    """sysinfo(2) returns figures that agree with one another."""
    info = t.task.sysinfo()
    running = sum(task.state != "dead" for task in t.task.kernel.tasks.values())
    t.check(
        0 <= info.freeram <= info.totalram
        and 0 <= info.freeswap <= info.totalswap
        and info.mem_unit >= 1
        and 0 < info.procs <= running,
        "sysinfo functionality is correct",
        f"sysinfo returned {info}",
    )


@ltp_test("syscalls")
def wait02(t: TestContext) -> None:
    """wait(2) returns the child's pid and exit status."""
    pid = t.fork(lambda child: 1)
    ended = t.task.wait()
    t.check(ended == (pid, 1, 0), "wait succeeded", f"wait returned {ended}, the child is {pid}")


@ltp_test("syscalls")
def wait401(t: TestContext) -> None:
    """wait4(2) for one pid returns that child among several."""
    pids = [t.fork(_exit_with(code)) for code in (0, 3, 0)]
    ended = t.task.wait(pids[1])
    t.check(ended == (pids[1], 3, 0), "wait4 returned that child", f"wait4 returned {ended}")
    for pid in (pids[0], pids[2]):
        t.task.wait(pid)


@ltp_test("syscalls")
def waitpid01(t: TestContext) -> None:
    """waitpid(2) returns the signal that ended a child."""
    child = t.task.fork(name=t.name)
    t.task.kill(child.pid, signal.SIGALRM)
    pid, code, ended_by = t.task.wait(child.pid)
    t.check(
        (pid, code, ended_by) == (child.pid, 0, signal.SIGALRM),
        "received expected pid and signal",
        f"waitpid returned pid {pid}, status {code}, signal {ended_by}",
    )


@ltp_test("syscalls")
def waitpid03(t: TestContext) -> None:
    """waitpid(2) finds the right one of 25 children, whichever is asked for first."""
    expected = {t.fork(_exit_with(code)): code for code in range(25)}
    wrong = [pid for pid, code in reversed(expected.items()) if t.task.wait(pid) != (pid, code, 0)]
    t.check(not wrong, "waitpid of 25 children", f"waitpid returned another status for {wrong}")


@ltp_test("syscalls")
def waitpid04(t: TestContext) -> None:
    """waitpid(2) without children, or of somebody else's, fails with ECHILD."""
    t.expect("waitpid(-1) without children", t.errno_of(t.task.wait), errno.ECHILD)
    t.expect("waitpid of init", t.errno_of(t.task.wait, 1), errno.ECHILD)
