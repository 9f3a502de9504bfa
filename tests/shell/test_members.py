"""A process that ends between two looks at it: nobody stays in the machine on its account."""

from __future__ import annotations

import errno
import os

import pytest

from swapfast.flags import CLONE_NEWIPC, CLONE_NEWSWAP
from swapfast.machine import Machine
from swapfast.shell import members
from swapfast.shell.members import Members, Pending, Session

MACHINES, NEW = 10, 11  # IPC namespaces
CHILD = 4711


@pytest.fixture
def ends_when_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child is in a new IPC namespace, and gone when its descriptor is asked for."""

    def gone(pid: int) -> int:
        raise OSError(errno.ESRCH, f"no process {pid}")

    me = os.getpid()
    monkeypatch.setattr(members, "ipc_inode", lambda pid: NEW if pid == CHILD else MACHINES)
    monkeypatch.setattr(members, "children_of", lambda pid: [CHILD])
    monkeypatch.setattr(members, "parent_of", lambda pid: me)
    monkeypatch.setattr(members, "thread_group", lambda pid: pid)
    monkeypatch.setattr(os, "pidfd_open", gone)
    monkeypatch.setattr(os, "open", lambda *_: gone(CHILD))


@pytest.mark.usefixtures("ends_when_looked_at")
@pytest.mark.parametrize("asked", ["by the caller", "by the child"])
def test_one_that_ends_is_expected_until_its_caller_calls_again(asked: str) -> None:
    with Machine(memory=1 << 20) as machine:
        login = machine.init.clone(0, "login")
        child = login.clone(CLONE_NEWSWAP | CLONE_NEWIPC, "child")
        mended: list[bool] = []
        me, known = os.getpid(), Members()
        known.expect(Pending(me, me, MACHINES, child, lambda: mended.append(True)))
        if asked == "by the child":
            with pytest.raises(OSError, match="no process"):
                known.task_of(CHILD, Session(-1, login, MACHINES, 0, None))
            assert child.alive and not mended
        known.back(me)
        assert not child.alive and login.alive and mended == [True]
        assert not known.waiting
        known.close()
