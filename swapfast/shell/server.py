"""The process in which a simulated machine lives, and which answers the calls of its shells.

- ``Server``: shells that joined, and the loop that answers.

It is above every process that it answers for, and no process waits for it when it is gone: the
kernel then lets their calls fail with ENOSYS.
"""

from __future__ import annotations

import errno
import json
import os
import select
import socket
import traceback
from array import array
from contextlib import suppress
from typing import Any

from swapfast import flags as f
from swapfast.errors import system_error
from swapfast.machine import Machine
from swapfast.shell import _notify
from swapfast.shell.answers import Answers
from swapfast.shell.caller import ipc_inode
from swapfast.shell.console import Console
from swapfast.shell.door import Door
from swapfast.shell.members import Members, Session
from swapfast.shell.memory import Memory

__all__ = ["Server"]

MOST = 4096  # bytes of a message
AT_ONCE = 200  # shells


class Server:
    """A machine and its shells.

    Parameters
    ----------
    machine : Machine
    console : Console
    door : Door or None
        Where others come in.
    own_memory : bool
        The memory of programs is the machine's.

    Raises
    ------
    OSError
        EPERM, ENOSYS, EINVAL: that is not possible here.
    """

    def __init__(
        self, machine: Machine, console: Console, door: Door | None, own_memory: bool = False
    ) -> None:
        self._machine, self._console, self._door = machine, console, door
        self._members = Members()
        self._answers = Answers(machine, self._members, console)
        self._memory: Memory | None = None
        if own_memory:
            task_of = self._members.task_of
            self._memory = Memory(machine, task_of, console.say, self._answers.changed)
        self._sessions: list[Session] = []
        self._guests: dict[int, socket.socket] = {}
        self._others = select.epoll()
        self._watch(self._members.witnesses.fileno())
        if door is not None:
            self._watch(door.fileno())

    def _watch(self, fd: int) -> None:
        self._others.register(fd, select.EPOLLIN)

    # shells come and go

    def admit(self, pid: int, listener: int, newswap: bool, own: bool, root: int | None) -> Session:
        """A shell takes part, before it runs its command.

        Parameters
        ----------
        pid, listener : int
        newswap : bool
            In a swap namespace of its own.
        own : bool
            It has an IPC namespace of its own.
        root : int or None
            The user who is root of the simulated machine, without a user namespace.

        Raises
        ------
        OSError
            EPERM: this process may not look into it; others as clone(2).
        """
        inode = _look_into(pid)
        flags = f.SIGCHLD | (f.CLONE_NEWSWAP | f.CLONE_NEWIPC if newswap else 0)
        task = self._machine.init.clone(flags, f"login{len(self._sessions) + 1}")
        users = os.stat(f"/proc/{pid}/ns/user").st_ino
        session = Session(listener, task, inode, users, root)
        try:
            if own:
                self._members.settle(pid, inode, task)
            if self._memory is not None:
                self._memory.follow(pid, session)
        except BaseException:  # killed meanwhile, or not to be traced
            if not self._members.stands(task):
                self._answers.leave(task)
            raise
        self._sessions.append(session)
        return session

    def status(self, pid: int) -> int:
        """Wait for a shell of this process: its status."""
        return os.waitpid(pid, 0)[1] if self._memory is None else self._memory.status(pid)

    def emptied(self, milliseconds: int = 100) -> bool:
        """Whether nobody is left, which may show a moment after the last one has ended."""
        if len(self._sessions) != 1:
            return not self._sessions
        (session,) = self._sessions
        poll = select.poll()
        poll.register(session.listener, 0)
        if poll.poll(milliseconds):
            self._left(session)
        return not self._sessions

    def serve(self, until: int | None = None) -> None:
        """Answer calls, until nobody is left, or another descriptor is ready."""
        if until is not None:
            self._watch(until)
        fds = array("i")
        while self._sessions:
            if len(fds) != len(self._sessions) + 1:
                fds = array("i", [*(s.listener for s in self._sessions), self._others.fileno()])
            if self._memory is not None:
                self._memory.until_ready(fds)
            waiting, alone = self._members.waiting, self._memory is None
            index, call = _notify.next_event(fds, len(fds) - 1, waiting, alone)
            if index == len(fds) - 1:
                if self._other(until):
                    return
            elif call is None and index >= 0:
                self._left(self._sessions[index])
                fds = array("i")
            elif call is not None:
                self._called(self._sessions[index], call)

    def _called(self, session: Session, call: _notify.Call) -> None:
        number, pid, nr, arguments, ours = call
        try:
            self._members.back(pid)
            if self._memory is not None:
                self._answers.changed()  # by faults, which nobody has shown yet
                self._memory.bring_in(pid, arguments, nr == _notify.NUMBERS["sysinfo"])
                ours = _notify.is_wanted(call)
            if not ours:
                with suppress(OSError):
                    self._members.task_of(pid, session)  # a new IPC namespace, maybe
                _notify.pass_on(session.listener, number)
            else:
                self._answers.call(session, call)
        except Exception:  # one caller's trouble is not everybody's
            self._console.say(traceback.format_exc())
            _notify.answer(session.listener, number, 0, errno.EIO)

    def _left(self, session: Session) -> None:
        """No process of a shell is left."""
        self._sessions.remove(session)
        os.close(session.listener)
        self._over()
        if session.task.alive and not self._members.stands(session.task):
            self._answers.leave(session.task)

    def _over(self) -> None:
        for task in self._members.gone():
            self._answers.leave(task)

    # descriptors that are no listeners

    def _other(self, until: int | None) -> bool:
        """Look after them; True: the one that was waited for is ready."""
        ended = False
        for fd, _ in self._others.poll(0):
            if fd == self._members.witnesses.fileno():
                self._over()
            elif self._door is not None and fd == self._door.fileno():
                self._knocked()
            elif fd in self._guests:
                self._asks_in(self._guests.pop(fd))
            elif fd == until:
                self._others.unregister(fd)
                ended = True
        return ended

    def _knocked(self) -> None:
        assert self._door is not None
        guest = self._door.answer()
        if guest is not None:
            guest.setblocking(False)
            self._guests[guest.fileno()] = guest
            self._watch(guest.fileno())

    def _asks_in(self, guest: socket.socket) -> None:
        """Somebody sends the listener of a shell."""
        self._others.unregister(guest.fileno())
        with guest:
            fds: list[int] = []
            try:
                message, fds, _, _ = socket.recv_fds(guest, MOST, 1)
                wish: dict[str, Any] = json.loads(message)
                if len(self._sessions) >= AT_ONCE:
                    raise OSError(errno.EAGAIN, f"{AT_ONCE} shells are in this machine")
                self.admit(wish["pid"], fds[0], wish["newswap"], wish["own"], wish["root"])
                os.set_inheritable(fds[0], False)
                fds = []
                answer = {"joined": f"pid {os.getpid()}"}
            except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
                answer = {"error": getattr(error, "strerror", None) or str(error)}
            for fd in fds:
                os.close(fd)
            with suppress(OSError):
                guest.send(json.dumps(answer).encode())

    def close(self) -> None:
        """Power off; again is harmless. Calls that still wait fail with ENOSYS."""
        if self._others.closed:
            return
        if self._door is not None:
            self._door.close()
        if self._memory is not None:
            self._memory.close()
        for session in self._sessions:
            os.close(session.listener)
        self._sessions.clear()
        for guest in self._guests.values():
            guest.close()
        self._answers.close()
        self._members.close()
        self._others.close()


def _look_into(pid: int) -> int:
    """The IPC namespace of a process that can be looked into, as every answer needs.

    Raises
    ------
    OSError
        EPERM, with who may.
    """
    try:
        os.readlink(f"/proc/{pid}/root")
        _notify.peek(pid, _an_address(pid), 8)
        return ipc_inode(pid)
    except PermissionError:
        raise system_error(
            errno.EPERM,
            "the machine may not look into the shell: a sandbox forbids process_vm_readv(2), or "
            "kernel.yama.ptrace_scope does for a shell that joins (join as root then)",
        ) from None


def _an_address(pid: int) -> int:
    """Where a process has memory."""
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            words = line.split()
            if words[1].startswith("r"):
                return int(words[0].split("-")[0], 16)
    raise OSError(errno.EFAULT, f"process {pid} has no memory")
