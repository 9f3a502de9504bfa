"""Threads of real programs, from stop to stop.

- ``Follower``: who is traced, and what happens at each stop.

A thread stops at a call that changes mappings, at exec, at the birth of another, at a signal, and
at its end. The end of a call that changes or copies an address space is waited for, so that nothing
else happens to it meanwhile; faults of its other threads wait as well.
"""

from __future__ import annotations

import errno
import os
import select
import signal
from collections.abc import Callable
from contextlib import suppress

from swapfast.errors import said
from swapfast.shell.members import Session
from swapfast.shell.memory import _tracee, adopt, calls, fence
from swapfast.shell.memory.keeper import WRITE, Keeper
from swapfast.shell.memory.space import Call, Space, Thread

__all__ = ["Follower"]

FORK, VFORK, CLONE, EXEC, SECCOMP, STOP = 1, 2, 3, 4, 7, 128  # PTRACE_EVENT_*
BORN = (FORK, VFORK, CLONE)
CALL_ENDS = signal.SIGTRAP | 0x80
STAYS = (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
CLONE_PARENT_SETTID, CLONE_CHILD_SETTID = 0x100000, 0x1000000
A_WHILE = 1  # ms
PAGE = ~0xFFF
TRIES = 8


class Follower:
    """Threads that are traced.

    Parameters
    ----------
    keeper : Keeper
        Who decides which pages are there.
    say : callable
        Writes a line on the console.
    """

    def __init__(
        self,
        keeper: Keeper,
        say: Callable[[str], None],
    ) -> None:
        self._keeper, self._say = keeper, say
        self._faults = keeper.faults
        self._threads: dict[int, Thread] = {}
        self._twins: dict[int, Space] = {}
        self._early: set[int] = set()  # born, before that was told
        self.ended: dict[int, int] = {}  # statuses of shells
        self._shells: set[int] = set()

    def follow(self, pid: int, session: Session | None = None) -> None:
        """A shell, or another process, before it runs its command.

        Raises
        ------
        OSError
            EPERM: it may not be traced.
        """
        _tracee.seize(pid)
        self._threads[pid] = Thread(pid, session)
        self._shells.add(pid)

    @property
    def busy(self) -> bool:
        """Whether anybody is left."""
        return bool(self._threads)

    def bring_in(self, tid: int, arguments: tuple[int, ...], write: bool) -> None:
        """The pages that arguments point to are there, and those behind them."""
        thread = self._threads.get(tid)
        if thread is None or thread.space is None:
            return
        space, keeper = thread.space, self._keeper
        wanted = [
            page
            for argument in arguments
            for page in (argument & PAGE, (argument & PAGE) - PAGE)
            if space.ranges.within(page, page + 1)
        ]
        for _ in range(TRIES):  # one may push another out
            away = [p for p in wanted if not keeper.is_there(space, p, write)]
            if not away or space.mm not in keeper.spaces:
                return
            for page in away:
                keeper.faults.fault(space.mm, page, WRITE if write else 0)

    def stops(self) -> None:
        """Look after all that have stopped or ended."""
        while (told := _tracee.wait_any()) is not None:
            self._told(*told)

    def _told(self, pid: int, status: int) -> None:
        if not os.WIFSTOPPED(status):
            self._end(pid, status)
            return
        thread = self._threads.get(pid)
        if thread is None:
            if pid not in self._twins:
                self._early.add(pid)
            return
        try:
            self._stopped(thread, status >> 16, os.WSTOPSIG(status))
        except _tracee.Died as died:
            self._end(died.pid, died.status)
            if died.pid != pid:  # it was about another one
                with suppress(OSError):
                    _tracee.resume(pid)
        except ProcessLookupError:
            pass  # it was killed; its end is told as well
        except OSError as error:
            self._give_up(thread, error)

    def _give_up(self, thread: Thread, error: OSError) -> None:
        """Its memory cannot be simulated, so it does not run."""
        self._say(f"process {thread.tid} is killed: {said(error)}")
        with suppress(ProcessLookupError):
            os.kill(thread.tid, signal.SIGKILL)

    def _stopped(self, thread: Thread, event: int, sig: int) -> None:
        tid = thread.tid
        if event == SECCOMP:
            self._calls(thread)
        elif event == EXEC:
            self._starts(thread)
        elif event in BORN:  # in the same address space
            self._born(thread, _tracee.event_message(tid))
            _tracee.resume(tid)
        elif event == STOP and sig in STAYS:
            _tracee.listen(tid)
        elif event:
            _tracee.resume(tid)
        else:
            _tracee.resume(tid, 0 if sig == CALL_ENDS else sig)

    # calls about memory

    def _calls(self, thread: Thread) -> None:
        number, _, arguments, _ = _tracee.call_of(thread.tid)
        space, verdict = thread.space, calls.admitted((number, arguments))
        if isinstance(verdict, int):
            _tracee.set_call(thread.tid, -1, -verdict, arguments)
            _tracee.resume(thread.tid)
            return
        if verdict[1] != arguments:
            _tracee.set_call(thread.tid, number, -errno.ENOSYS, verdict[1])
        if space is None or space.mm not in self._keeper.spaces:
            _tracee.resume(thread.tid)
        elif number in calls.DONE:
            self._changes(thread, space, verdict)
        elif calls.copies(verdict):
            self._copies(thread, space, number == fence.CLONE, verdict[1])
        else:
            _tracee.resume(thread.tid)

    def _changes(self, thread: Thread, space: Space, call: Call) -> None:
        """Wait for the end of a call, so that nothing else happens to its address space."""
        faults, mm, tid = self._faults, space.mm, thread.tid
        faults.settle()
        faults.copy_begins(mm, tid if len(space.members) > 1 else 0)
        try:
            _tracee.step_out(tid)
            status = self._out(tid, space) if calls.waits(call) else _tracee.next_stop(tid)
            if status >> 16 or os.WSTOPSIG(status) != CALL_ENDS:
                raise OSError(errno.EIO, f"stop {status:#x} in a call about memory")
            if mm in self._keeper.spaces:
                calls.done(space, call, _tracee.call_of(tid)[1], self._keeper)
        finally:
            faults.copy_ends()
        _tracee.resume(tid)

    def _out(self, tid: int, space: Space) -> int:
        """The same where its faults have to be answered meanwhile: the status of its stop."""
        poll = select.poll()
        poll.register(space.uffd, select.POLLIN)
        while (status := _tracee.look_at(tid)) is None:
            if poll.poll(A_WHILE) and space.mm in self._keeper.spaces:
                self._faults.serve_only(space.mm)
        if not os.WIFSTOPPED(status):
            raise _tracee.Died(tid, status)
        return status

    # programs begin and end

    def _starts(self, thread: Thread) -> None:
        """exec: another address space."""
        tid = thread.tid
        former = _tracee.event_message(tid)
        if former != tid:
            self._threads.pop(former, None)
        old = thread.space
        twin = old.twin if old is not None else None
        if old is not None:
            old.members.discard(former)
            mine = not old.members - {tid}
            self._left(thread, old, goes_on=True)
            twin = twin if mine and old.pid == tid else None
        if not _tracee.call_of(tid)[3]:
            raise OSError(errno.ENOEXEC, "a program of another ABI; only x86-64 is known")
        made = adopt.at_exec(tid, thread.fenced, twin)
        thread.fenced = True
        try:
            mm = self._keeper.begin(thread)
        except BaseException:
            self._unmade(made)
            raise
        self._enter(thread, Space(tid, made.uffd, made.memory, made.twin, made.brk, mm))
        _tracee.resume(tid)

    def _enter(self, thread: Thread, space: Space, parent: Space | None = None) -> None:
        thread.space = space
        space.members.add(thread.tid)
        self._twins[space.twin] = space
        if parent is None:
            self._keeper.enter(space)
        else:
            self._keeper.copy(parent, space)

    def _unmade(self, made: adopt.Made) -> None:
        adopt.end_twin(made.twin)
        os.close(made.uffd)
        os.close(made.memory)

    def _born(self, parent: Thread, tid: int) -> Thread:
        """A thread, or a process; it stands at its beginning. Shared memory: it may go on."""
        self._await(tid)
        child = Thread(tid, parent.session, parent.space, parent.fenced)
        self._threads[tid] = child
        if parent.space is not None:
            parent.space.members.add(tid)
            self._count(parent.space)
        _tracee.resume(tid)
        return child

    def _await(self, tid: int) -> None:
        if tid in self._early:
            self._early.discard(tid)
        else:
            _tracee.next_stop(tid)

    def _count(self, space: Space) -> None:
        if space.mm in self._keeper.spaces:
            self._faults.members(space.mm, len(space.members))

    def _end(self, pid: int, status: int) -> None:
        """A thread or a twin has ended."""
        if pid in self._shells:
            self._shells.discard(pid)
            self.ended[pid] = status
        self._early.discard(pid)
        space = self._twins.pop(pid, None)
        if space is not None and space.mm in self._keeper.spaces:
            self._faults.lose(space.mm)
            self._keeper.reap()
        thread = self._threads.pop(pid, None)
        if thread is not None and thread.space is not None:
            self._left(thread, thread.space)

    def _left(self, thread: Thread, space: Space, goes_on: bool = False) -> None:
        """A thread is not in an address space any more; the last one takes it along."""
        space.members.discard(thread.tid)
        thread.space = None
        if space.members:
            self._count(space)
            return
        self._twins.pop(space.twin, None)
        self._keeper.leave(space, goes_on and thread.tid == space.pid)
        adopt.end_twin(space.twin)
        space.close()

    # copies

    def _copies(
        self, thread: Thread, space: Space, is_clone: bool, arguments: tuple[int, ...]
    ) -> None:
        """fork: nothing else happens to this address space until it is copied."""
        tid, faults, mm = thread.tid, self._faults, space.mm
        flags = arguments[0] if is_clone else 0
        own = arguments[3] if flags & CLONE_CHILD_SETTID else 0
        told = arguments[2] if flags & CLONE_PARENT_SETTID else 0
        within = [at & PAGE for at in (own, told) if space.ranges.within(at, at + 1)]
        self._keeper.before_copy(space, within)
        if mm not in self._keeper.spaces:
            return
        faults.copy_begins(mm, tid if len(space.members) > 1 else 0)
        written: list[int] = []
        child: Thread | None = None
        try:
            _tracee.step_out(tid)
            child = self._copied(thread, space)
        finally:
            written = faults.copy_ends()
        for address in written:
            if mm in self._keeper.spaces:
                self._keeper.detach(space, address & PAGE)
        if child is not None and child.space is not None:
            if child.space.ranges.within(own, own + 1):
                self._keeper.detach(child.space, own & PAGE)
            _tracee.resume(child.tid)
        _tracee.resume(tid)

    def _copied(self, thread: Thread, space: Space) -> Thread | None:
        """Wait for the copy; None: there is none."""
        status = self._out(thread.tid, space)
        if status >> 16 not in BORN:
            if status >> 16 or os.WSTOPSIG(status) != CALL_ENDS:
                raise OSError(errno.EIO, f"stop {status:#x} while it was copied")
            return None
        tid = _tracee.event_message(thread.tid)
        self._await(tid)
        child = Thread(tid, thread.session, None, thread.fenced)
        self._threads[tid] = child
        try:
            self._adopt(child, space)
        except _tracee.Died as died:
            self._end(died.pid, died.status)
        except OSError as error:
            self._give_up(child, error)
        return child

    def _adopt(self, child: Thread, parent: Space) -> None:
        tid = child.tid
        made = adopt.at_fork(tid, parent.brk)
        try:
            mm = self._keeper.fork(parent, tid)
        except BaseException:
            self._unmade(made)
            raise
        space = Space(tid, made.uffd, made.memory, made.twin, made.brk, mm)
        self._enter(child, space, parent)
        for first, end in parent.ranges:
            calls.register(space, first, end)
            _tracee.protect(space.uffd, first, end - first)
