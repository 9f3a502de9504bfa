"""What each call is answered: by the rules of the simulated machine.

- ``Answers``: a machine, who is who in it, and a method for each call.

A method returns a value of the call, or None where the kernel is to do it; an OSError is the
call's errno. Memory of the caller and /proc are read first; then it is asked whether the caller
still waits (SECCOMP_IOCTL_NOTIF_ID_VALID), because its number may be another process's by now;
only then something happens.
"""

from __future__ import annotations

import errno
import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from swapfast import flags as f
from swapfast.errors import KernelPanic, TaskKilled
from swapfast.kernel.state import Task
from swapfast.machine import Machine
from swapfast.shell import _notify
from swapfast.shell.asked import Asked, Gone
from swapfast.shell.caller import Rights, ipc_inode, parent_of, thread_group
from swapfast.shell.console import Console
from swapfast.shell.members import Members, Pending, Session
from swapfast.shell.places import AT_FDCWD, Place, acting_as
from swapfast.shell.views import FILES, Views

__all__ = ["Answers"]

NOWHERE = "/proc/self/fd/-1"  # a path of no file: where a call fails before it looks at the path
CLONE_ARGS = struct.Struct("=5Q")  # flags, pidfd, child_tid, parent_tid, exit_signal
CLONE_PARENT = 0x8000
SIGNED = struct.Struct("=i")
SYSINFO = struct.Struct("@q3Q6QHHQQI4x")
OTHER_MEANING = os.O_PATH | os.O_DIRECTORY | os.O_CREAT
RESOLVE_WITHIN = 0x08 | 0x10  # openat2(2): a path that does not begin at the caller's root

Arguments = tuple[int, ...]


class Answers:
    """A simulated machine, asked by real processes.

    Parameters
    ----------
    machine : Machine
    members : Members
    console : Console
    """

    def __init__(self, machine: Machine, members: Members, console: Console) -> None:
        self._machine, self._members, self._console = machine, members, console
        self._views = Views()
        self._kept: dict[int, int] = {}  # area -> a directory elsewhere
        self._names = {number: name for name, number in _notify.NUMBERS.items() if number >= 0}
        self._proc = {name: os.stat(f"/proc/{name}").st_ino for name in FILES}
        self._plain = {b"/proc/%s" % name.encode(): name for name in FILES}
        self._root = os.stat("/")
        self._booted = time.monotonic()

    def call(self, session: Session, call: _notify.Call) -> None:
        """Answer one call."""
        number, pid, nr, arguments, _ = call
        fd, name = session.listener, self._names[nr]
        asked = Asked(session, number, pid)
        try:
            method: Callable[[Asked, Arguments], int | None] = getattr(self, f"_{name}")
            value = method(asked, arguments)
        except Gone:
            return
        except OSError as error:
            code = error.errno or errno.EIO
            _notify.answer(fd, number, 0, code)
            self._console.call(pid, name, f"-1 {errno.errorcode.get(code, code)}: {error.strerror}")
            return
        if value is None:
            _notify.pass_on(fd, number)
        elif value >= 0:
            _notify.answer(fd, number, value)
            self._console.call(pid, name, str(value))

    # swap

    def _swapon(self, asked: Asked, arguments: Arguments) -> int:
        flags = arguments[1] & 0xFFFFFFFF
        with self._turning(asked) as task:
            with self._named(asked, arguments[0]) as (path, place):
                before = set(self._machine.areas)
                task.swapon(path, flags)
                kept = place.keep() if place is not None else None
            if kept is not None:
                (new,) = set(self._machine.areas) - before
                self._kept[new] = kept
        return 0

    def _swapoff(self, asked: Asked, arguments: Arguments) -> int:
        with (
            self._turning(asked) as task,
            self._named(asked, arguments[0], any_name=True) as (path, _),
        ):
            task.swapoff(path)
        return 0

    @contextmanager
    def _turning(self, asked: Asked) -> Iterator[Task]:
        """Areas change: who does it, and what is told afterwards."""
        rights = asked.rights
        try:
            yield self._task(asked, rights)
        except (TaskKilled, KernelPanic, MemoryError) as error:
            raise OSError(errno.ENOMEM, str(error)) from None
        finally:
            self.changed()

    @contextmanager
    def _named(
        self, asked: Asked, address: int, any_name: bool = False
    ) -> Iterator[tuple[str | os.PathLike[str], Place | None]]:
        """A file of the caller, by a name of this process, while its rights are in force.

        Where there is no such file, the call is made all the same, because other errors come first.
        """
        rights = asked.rights
        try:
            place = Place.of(asked.pid, _notify.peek_path(asked.pid, address))
        except OSError as error:
            asked.check()
            with _instead(error):
                yield NOWHERE, None
            return
        with place:
            asked.check()
            with acting_as(rights):
                try:
                    fd = place.open()
                    path = f"/proc/self/fd/{fd}" if any_name else place.name(fd)
                except OSError as error:
                    with _instead(error):
                        yield NOWHERE, None
                    return
                yield path, place

    def _task(self, asked: Asked, rights: Rights) -> Task:
        """The task that stands for a caller, with the rights that it has now."""
        session = asked.session
        task = self._members.task_of(asked.pid, session)
        task.name, task.uid = rights.name, rights.uid
        task.capabilities = frozenset()
        if rights.users == session.users:
            task.capabilities = rights.modelled
        if session.root is not None and rights.uid == session.root:
            task.capabilities = self._machine.init.capabilities
        return task

    # what one reads

    def _sysinfo(self, asked: Asked, arguments: Arguments) -> int:
        s = self._members.task_of(asked.pid, asked.session).sysinfo()
        up = int(time.monotonic() - self._booted)
        told = SYSINFO.pack(
            *(up, 0, 0, 0, s.totalram, s.freeram, s.sharedram, s.bufferram),
            *(s.totalswap, s.freeswap, s.procs, 0, 0, 0, s.mem_unit),
        )
        asked.check()
        _notify.poke(asked.pid, arguments[0], told)
        return 0

    def _open(self, asked: Asked, arguments: Arguments) -> int | None:
        return self._opened(asked, AT_FDCWD, arguments[0], arguments[1])

    def _openat(self, asked: Asked, arguments: Arguments) -> int | None:
        return self._opened(asked, _signed(arguments[0]), arguments[1], arguments[2])

    def _openat2(self, asked: Asked, arguments: Arguments) -> int | None:
        if arguments[3] < 24:
            return None
        try:
            flags, _, resolve = struct.unpack("=3Q", _notify.peek(asked.pid, arguments[2], 24))
        except OSError:
            return None
        if resolve & RESOLVE_WITHIN:
            return None
        return self._opened(asked, _signed(arguments[0]), arguments[1], flags)

    def _opened(self, asked: Asked, dirfd: int, address: int, flags: int) -> int | None:
        """A file of /proc, or None: any other, about which the kernel says itself what is wrong."""
        if flags & os.O_ACCMODE != os.O_RDONLY or flags & OTHER_MEANING & ~os.O_CLOEXEC:
            return None
        try:
            name = self._proc_file(asked.pid, dirfd, _notify.peek_path(asked.pid, address))
            if name is None:
                return None
            task = self._members.task_of(asked.pid, asked.session)
        except OSError:
            return None
        asked.check()
        fd = self._views.open(name, task)
        try:
            _notify.give(asked.session.listener, asked.number, fd, flags & os.O_CLOEXEC)
        finally:
            os.close(fd)
        return -1  # answered

    def _proc_file(self, pid: int, dirfd: int, path: bytes) -> str | None:
        """Which of the files of /proc a path leads to."""
        if path in self._plain and os.path.samestat(os.stat(f"/proc/{pid}/root"), self._root):
            return self._plain[path]  # as most say it
        with Place.of(pid, path, dirfd) as place:
            fd = place.open()
            name = os.path.basename(path).decode("ascii")
            inside = place.inside(fd) == f"/proc/{name}"
            return name if inside or os.fstat(fd).st_ino == self._proc[name] else None

    # who is in which namespace

    def _unshare(self, asked: Asked, arguments: Arguments) -> int | None:
        flags = arguments[0]
        task = self._task(asked, asked.rights)
        asked.check()
        if flags & f.CLONE_NEWSWAP:
            task.unshare(flags & 0x1FFFFFFFF)  # says no
        inode = ipc_inode(asked.pid)
        self._members.expect(Pending(asked.pid, 0, inode, task, lambda: None))
        return None

    def _clone3(self, asked: Asked, arguments: Arguments) -> int | None:
        pid, address = asked.pid, arguments[0]
        if arguments[1] < 64:  # CLONE_ARGS_SIZE_VER0: EINVAL
            return None
        flags, *_, signal = CLONE_ARGS.unpack(_notify.peek(pid, address, CLONE_ARGS.size))
        rights = asked.rights
        task, before = self._task(asked, rights), ipc_inode(pid)
        parent = parent_of(pid) if flags & CLONE_PARENT else thread_group(pid)
        asked.check()
        try:
            child = task.clone(flags & 0x1FFFFFF00 | signal & f.CSIGNAL, rights.name)
        except (TaskKilled, KernelPanic, MemoryError) as error:
            raise OSError(errno.ENOMEM, str(error)) from None
        finally:
            self.changed()
        try:
            _store(pid, address, flags & ~f.CLONE_NEWSWAP)
        except OSError:
            child.exit()
            raise

        def mend() -> None:
            with suppress(OSError):
                _store(pid, address, flags)

        self._members.expect(Pending(pid, parent, before, child, mend))
        return None

    # the machine goes on

    def leave(self, task: Task) -> None:
        """Nobody is behind a task any more."""
        namespace = task.swap_ns
        if task.alive:
            task.exit()
        self._views.forget(namespace.number) if not namespace.initial else None
        self.changed()

    def changed(self) -> None:
        """Show what is so now, and say what is on the console."""
        for area in [area for area in self._kept if area not in self._machine.areas]:
            os.close(self._kept.pop(area))
        self._views.refresh()
        self._console.flush(self._machine.log)

    def close(self) -> None:
        """Let every file go."""
        self._machine.close()
        self._views.close()
        for fd in self._kept.values():
            os.close(fd)
        self._kept.clear()


@contextmanager
def _instead(cause: OSError) -> Iterator[None]:
    """A call on `NOWHERE`: that there is no such file becomes what was wrong with the path."""
    try:
        yield
    except OSError as error:
        if error.filename == NOWHERE and error.errno == errno.ENOENT:
            raise cause from None
        raise


def _signed(argument: int) -> int:
    return int(SIGNED.unpack(struct.pack("=I", argument & 0xFFFFFFFF))[0])


def _store(pid: int, address: int, flags: int) -> None:
    """Put flags into a caller's memory, which may be read only for itself."""
    data = struct.pack("=Q", flags)
    try:
        _notify.poke(pid, address, data)
    except OSError:
        with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
            os.pwrite(memory.fileno(), data, address)
