"""SysV shared memory in LTP 2008: syscalls/ipc, kernel/mem/shmt and kernel/containers/sysvipc.

- shmat01, shmat02, shmat03, shmctl01, shmctl02, shmctl03, shmdt01, shmdt02
- shmget01, shmget02, shmget03, shmget04, shmget05
- shmt02, shmt03, shmt04, shmt06, shmt07, shmt08, shmt10
- shmnstest_none, shmnstest_clone, shmnstest_unshare

Where a signal handler of the original catches SIGSEGV, the access fails with EFAULT.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING

from swapfast import flags as f
from swapfast.ltp.lib import TBROK, TFAIL, TPASS, TestContext, errno_name
from swapfast.ltp.registry import ltp_test

if TYPE_CHECKING:
    from swapfast.kernel.records import ShmidDs
    from swapfast.kernel.state import Task

SHM_SIZE = 2048
SHM_RW = 0o600
MAXIDS = 8192


def _key(t: TestContext, number: int = 0) -> int:
    """A key of this test process's own, libs/libipc getipckey."""
    return 0x4C540000 | (t.task.pid & 0xFFF) << 4 | number


def _segment(t: TestContext, mode: int = SHM_RW, number: int = 0) -> int:
    """Create a segment that is removed again when the test ends."""
    try:
        shmid = t.task.shmget(_key(t, number), SHM_SIZE, f.IPC_CREAT | f.IPC_EXCL | mode)
    except OSError as error:
        t.brkm(TBROK, f"Failed to create shared memory resource: {error}")
    t.on_exit(lambda: _remove(t, shmid))
    return shmid


def _stat(t: TestContext, shmid: int) -> ShmidDs:
    status = t.task.shmctl(shmid, f.IPC_STAT)
    assert status is not None, "IPC_STAT returns the status"
    return status


def _remove(t: TestContext, shmid: int) -> None:
    got = t.errno_of(t.task.shmctl, shmid, f.IPC_RMID)
    if got not in (0, errno.EINVAL, errno.EIDRM):
        t.resm(TBROK, f"Failed to remove shared memory resource: {errno_name(got)}")


@ltp_test("syscalls")
def shmat01(t: TestContext) -> None:
    """shmat(2) attaches for writing and, with SHM_RDONLY, for reading only."""
    shmid = _segment(t)
    segment = t.task.shmat(shmid)
    t.fill(segment, b"7")
    t.check(t.holds(segment, b"7"), "attached for writing", "the segment lost what was written")
    reader = t.task.shmat(shmid, readonly=True)
    t.check(t.holds(reader, b"7"), "attached for reading", "the second attach sees other contents")
    got = t.errno_of(t.fill, reader, b"8")
    t.expect("write through a read-only attach", got, errno.EFAULT)
    attached = _stat(t, shmid).nattch
    t.check(attached == 2, "2 attaches are counted", f"{attached} attaches are counted, not 2")
    t.task.shmdt(segment)
    t.task.shmdt(reader)


@ltp_test("syscalls")
def shmat02(t: TestContext) -> None:
    """shmat(2) refuses an identifier that does not exist with EINVAL, a foreign one with EACCES."""
    t.expect("shmat of a bad identifier", t.errno_of(t.task.shmat, -1), errno.EINVAL)
    shmid = _segment(t)
    got = t.errno_as_nobody(lambda task: task.shmat(shmid))
    t.expect("shmat of root's segment as nobody", got, errno.EACCES)


@ltp_test("syscalls")
def shmat03(t: TestContext) -> None:
    """shmat(2) without permission fails with EACCES, and nothing is attached."""
    shmid = _segment(t)
    t.expect("shmat as nobody", t.errno_as_nobody(lambda task: task.shmat(shmid)), errno.EACCES)
    attached = _stat(t, shmid).nattch
    t.check(attached == 0, "nothing is attached", f"{attached} attaches are counted")


@ltp_test("syscalls")
def shmctl01(t: TestContext) -> None:
    """IPC_STAT counts the attaches of parent and children; IPC_RMID removes at the last detach."""
    shmid = _segment(t)
    segment = t.task.shmat(shmid)
    t.fill(segment, b"s")
    children = [t.task.fork(name=t.name) for _ in range(3)]
    stat = _stat(t, shmid)
    t.check(
        (stat.nattch, stat.size, stat.cpid) == (4, SHM_SIZE, t.task.pid),
        "IPC_STAT: 4 attaches, size and creator are right",
        f"IPC_STAT returned {stat}",
    )
    for child in children:
        child.exit(0)
        t.task.wait(child.pid)
    attached = _stat(t, shmid).nattch
    t.check(attached == 1, "exit detaches", f"{attached} attaches are counted, not 1")
    t.task.shmctl(shmid, f.IPC_RMID)
    t.check(t.holds(segment, b"s"), "removed, yet still attached", "the attached contents are gone")
    t.task.shmdt(segment)
    got = t.errno_of(t.task.shmctl, shmid, f.IPC_STAT)
    t.check(
        got in (errno.EINVAL, errno.EIDRM),
        "the segment is gone after the last detach",
        f"IPC_STAT of a removed segment: {errno_name(got)}",
    )


@ltp_test("syscalls")
def shmctl02(t: TestContext) -> None:
    """shmctl(2) refuses: EACCES without read permission, EINVAL for a bad command or identifier."""
    shmid = _segment(t)
    got = t.errno_as_nobody(lambda task: task.shmctl(shmid, f.IPC_STAT))
    t.expect("IPC_STAT as nobody", got, errno.EACCES)
    t.expect("a bad identifier", t.errno_of(t.task.shmctl, -1, f.IPC_STAT), errno.EINVAL)
    t.expect("a bad command", t.errno_of(t.task.shmctl, shmid, -1), errno.EINVAL)


@ltp_test("syscalls")
def shmctl03(t: TestContext) -> None:
    """shmctl(2) refuses IPC_RMID to another user with EPERM, and the segment stays."""
    shmid = _segment(t)
    got = t.errno_as_nobody(lambda task: task.shmctl(shmid, f.IPC_RMID))
    t.expect("IPC_RMID as nobody", got, errno.EPERM)
    t.expect("IPC_STAT by its owner", t.errno_of(t.task.shmctl, shmid, f.IPC_STAT), 0)


@ltp_test("syscalls")
def shmdt01(t: TestContext) -> None:
    """After shmdt(2) any access to the segment is a fault, and the attach is no longer counted."""
    shmid = _segment(t)
    segment = t.task.shmat(shmid)
    t.fill(segment, b"d")
    t.task.shmdt(segment)
    got = t.errno_of(lambda: segment.touch(slice(0, 1), write=False))
    t.expect("access after shmdt", got, errno.EFAULT)
    attached = _stat(t, shmid).nattch
    t.check(attached == 0, "nothing is attached", f"{attached} attaches are counted")


@ltp_test("syscalls")
def shmdt02(t: TestContext) -> None:
    """shmdt(2) of what is not attached fails with EINVAL."""
    shmid = _segment(t)
    segment = t.task.shmat(shmid)
    t.task.shmdt(segment)
    t.expect("shmdt for the second time", t.errno_of(t.task.shmdt, segment), errno.EINVAL)
    private = t.task.mmap(t.task.kernel.page_size)
    t.expect("shmdt of private memory", t.errno_of(t.task.shmdt, private), errno.EINVAL)


@ltp_test("syscalls")
def shmget01(t: TestContext) -> None:
    """shmget(2) creates a segment whose size, creator, key and mode are as asked."""
    shmid = _segment(t)
    stat = _stat(t, shmid)
    got = (stat.size, stat.cpid, stat.uid, stat.key, stat.mode & 0o777)
    wanted = (SHM_SIZE, t.task.pid, t.task.uid, _key(t), SHM_RW)
    t.check(got == wanted, "size, pid, key and mode are correct", f"expected {wanted}, got {got}")
    again = t.task.shmget(_key(t), SHM_SIZE, SHM_RW)
    t.check(again == shmid, "the key finds it again", f"the key finds {again}, not {shmid}")


@ltp_test("syscalls")
def shmget02(t: TestContext) -> None:
    """shmget(2) refuses: EINVAL for bad sizes, EEXIST with IPC_EXCL, ENOENT without IPC_CREAT."""
    _segment(t)
    used, unused = _key(t), _key(t, 1)
    create = f.IPC_CREAT | f.IPC_EXCL | SHM_RW
    for what, key, size, flags, wanted in (
        ("size 0", unused, 0, create, errno.EINVAL),
        ("a size above that of the segment", used, 2 * SHM_SIZE, SHM_RW, errno.EINVAL),
        ("IPC_EXCL of a segment that exists", used, SHM_SIZE, create, errno.EEXIST),
        ("a key without a segment", unused, SHM_SIZE, SHM_RW, errno.ENOENT),
    ):
        t.expect(f"shmget of {what}", t.errno_of(t.task.shmget, key, size, flags), wanted)


@ltp_test("syscalls")
def shmget03(t: TestContext) -> None:
    """shmget(2) fails with ENOSPC when the system has no identifier left."""
    shmids: list[int] = []

    def remove_all() -> None:
        for shmid in shmids:
            _remove(t, shmid)

    t.on_exit(remove_all)
    got = 0
    while not got and len(shmids) < MAXIDS:
        try:
            shmids.append(t.task.shmget(f.IPC_PRIVATE, SHM_SIZE, f.IPC_CREAT | SHM_RW))
        except OSError as error:
            got = error.errno or 0
    t.expect(f"shmget after {len(shmids)} segments", got, errno.ENOSPC)


@ltp_test("syscalls")
def shmget04(t: TestContext) -> None:
    """shmget(2) fails with EACCES if the segment's mode refuses what is asked for."""

    def as_nobody(task: Task) -> None:
        shmid = task.shmget(_key(t), SHM_SIZE, f.IPC_CREAT | f.IPC_EXCL)
        try:
            task.shmget(_key(t), SHM_SIZE, SHM_RW)
        finally:
            task.shmctl(shmid, f.IPC_RMID)

    t.expect("shmget of a mode 0 segment", t.errno_as_nobody(as_nobody), errno.EACCES)


@ltp_test("syscalls")
def shmget05(t: TestContext) -> None:
    """shmget(2) of another user's segment fails with EACCES."""
    _segment(t)
    got = t.errno_as_nobody(lambda task: task.shmget(_key(t), SHM_SIZE, SHM_RW))
    t.expect("shmget of root's segment as nobody", got, errno.EACCES)


# --- kernel/mem/shmt, listed in runtest/mm -----------------------------------------------------


@ltp_test("mm")
def shmt02(t: TestContext) -> None:
    """What the parent wrote to a segment is there for a child that inherits the attach."""
    segment = t.task.shmat(_segment(t, 0o666))
    t.fill(segment, b"1")
    _, code, _ = t.task.wait(
        t.fork(lambda child: int(not child.holds(child.task.mapping_at(segment.addr), b"1")))
    )
    t.check(code == 0, "the child reads it", "the child reads something else")


@ltp_test("mm")
def shmt03(t: TestContext) -> None:
    """A segment attached twice has two addresses and one content."""
    shmid = _segment(t, 0o666)
    first, second = t.task.shmat(shmid), t.task.shmat(shmid)
    t.check(first.addr != second.addr, "two addresses", f"both attaches at {first.addr:#x}")
    t.fill(first, b"B")
    t.check(t.holds(second, b"B"), "one content", "the second attach reads something else")


def _child_attaches(t: TestContext, decoy: bool) -> None:
    """A child forked before the segment exists attaches it, by its identifier, and reads it."""
    child = t.adopt(t.task.fork(name=t.name))
    shmid = _segment(t, 0o666)
    segment = t.task.shmat(shmid)
    t.fill(segment, b"4")
    if decoy:
        child.task.mmap(t.task.kernel.page_size)
    mine = child.task.shmat(shmid)
    elsewhere = mine.addr != segment.addr or not decoy
    child.task.exit(0 if child.holds(mine, b"4") else 1)
    _, code, _ = t.task.wait(child.task.pid)
    t.check(code == 0 and elsewhere, "the child reads it", f"child: {code}, address {mine.addr:#x}")


@ltp_test("mm")
def shmt04(t: TestContext) -> None:
    """A segment made after the fork is attached by the child too, with the same contents."""
    _child_attaches(t, decoy=False)


@ltp_test("mm")
def shmt06(t: TestContext) -> None:
    """As shmt04, with the child's attach at another address than the parent's."""
    _child_attaches(t, decoy=True)


@ltp_test("mm")
def shmt07(t: TestContext) -> None:
    """A child and its parent write to an inherited attach by turns, and each sees the other's."""
    segment = t.task.shmat(_segment(t, 0o666))
    t.fill(segment, b"p")

    def body(child: TestContext) -> int:
        mine = child.task.mapping_at(segment.addr)
        if not child.holds(mine, b"p"):
            return 1
        child.fill(mine, b"c")
        return 0

    _, code, _ = t.task.wait(t.fork(body))
    t.check(
        code == 0 and t.holds(segment, b"c"),
        "both see what the other wrote",
        f"the child exited with {code}, or its write is not seen",
    )


@ltp_test("mm")
def shmt08(t: TestContext) -> None:
    """A segment attached twice is detached twice, each attach by itself."""
    shmid = _segment(t, 0o666)
    first, second = t.task.shmat(shmid), t.task.shmat(shmid)
    t.task.shmdt(first)
    got = t.errno_of(lambda: second.touch(slice(0, 1), write=True))
    t.expect("access through the other attach", got, 0)
    t.task.shmdt(second)
    attached = _stat(t, shmid).nattch
    t.check(attached == 0, "nothing is attached", f"{attached} attaches are counted")


@ltp_test("mm")
def shmt10(t: TestContext) -> None:
    """Parent and child attach and detach one segment 500 times, by turns."""
    shmid = _segment(t, 0o666)
    child = t.adopt(t.task.fork(name=t.name))
    for number in range(500):
        for process in (t, child):
            try:
                process.task.shmdt(process.task.shmat(shmid))
            except OSError as error:
                t.resm(TFAIL, f"iteration {number}: {error}")
                return
    child.task.exit(0)
    t.task.wait(child.task.pid)
    t.resm(TPASS, "shmat, shmdt")


# --- kernel/containers/sysvipc -----------------------------------------------------------------


def _shmnstest(
    t: TestContext, wanted: int, flags: int, unshare: Callable[[TestContext], None] | None
) -> None:
    """Whether a child finds the parent's segment by its key: the errno of its shmget(2)."""
    _segment(t, 0o600)
    key = _key(t)

    def body(child: TestContext) -> int:
        if unshare:
            unshare(child)
        return child.errno_of(child.task.shmget, key, SHM_SIZE, 0)

    _, code, _ = t.task.wait(t.fork(body, flags | f.SIGCHLD))
    t.expect("shmget of the parent's key in the child", code, wanted)


@ltp_test("containers")
def shmnstest_none(t: TestContext) -> None:
    """A child in the same IPC namespace finds its parent's segment."""
    _shmnstest(t, 0, 0, None)


@ltp_test("containers")
def shmnstest_clone(t: TestContext) -> None:
    """A child cloned with CLONE_NEWIPC does not find its parent's segment."""
    _shmnstest(t, errno.ENOENT, f.CLONE_NEWIPC, None)


@ltp_test("containers")
def shmnstest_unshare(t: TestContext) -> None:
    """A child that unshared its IPC namespace does not find its parent's segment."""
    _shmnstest(t, errno.ENOENT, 0, lambda child: child.task.unshare(f.CLONE_NEWIPC))
