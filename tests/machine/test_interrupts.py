"""An interrupt at every point of a call: it is done, undone, or the machine says it is broken."""

from __future__ import annotations

import dis
import errno
import gc
import os
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import swapfast as sf
from tests.support.swapfiles import NEWSWAP, PAGE, locked, swapfile

PACKAGE = os.path.dirname(sf.__file__)


class Scene:
    """Two tasks of a child namespace, with memory, a segment and a swapfile that is in use."""

    def __init__(self, folder: Path) -> None:
        self.on, self.off = folder / "on", folder / "off"
        self.machine = sf.Machine(100 * PAGE, overcommit=1, cache=0)
        self.machine.init.swapon(folder / "host")
        self.task = self.machine.init.clone(NEWSWAP, "job")
        self.task.swapon(self.on)
        self.heap = self.task.mmap(40 * PAGE)
        self.heap.touch(write=True)
        self.segment = self.task.shmget(7, 10 * PAGE, sf.IPC_CREAT | 0o600)
        self.window = self.task.shmat(self.segment)
        self.window.touch(write=True)
        self.child = self.task.fork("child")
        self.big = self.task.mmap(60 * PAGE)
        self.big.touch(write=True)

    def filled_cgroup(self) -> sf.Cgroup:
        cgroup = self.machine.cgroup("/full", max=None, swap_max=0)
        victim = self.machine.init.fork("victim")
        cgroup.add(victim)
        victim.mmap(5 * PAGE).touch(write=True)
        return cgroup

    def zombie(self) -> None:
        self.child.exit()


CALLS: dict[str, Callable[[Scene], Any]] = {
    "mmap": lambda s: s.task.mmap(5 * PAGE),
    "mmap shared": lambda s: s.task.mmap(5 * PAGE, shared=True),
    "munmap": lambda s: s.heap.munmap(),
    "munmap of a part": lambda s: s.heap.munmap(PAGE, 3 * PAGE),
    "clone": lambda s: s.task.clone(NEWSWAP, "other"),
    "fork": lambda s: s.task.fork(),
    "unshare": lambda s: s.task.unshare(sf.CLONE_NEWIPC),
    "exit": lambda s: s.child.exit(),
    "exit of a parent": lambda s: s.task.exit(),
    "kill": lambda s: s.machine.init.kill(s.child.pid),
    "wait": lambda s: s.task.wait(),
    "swapon": lambda s: s.machine.init.swapon(s.off),
    "swapoff": lambda s: (s.big.munmap(), s.task.swapoff(s.on)),
    "shmget": lambda s: s.task.shmget(8, PAGE, sf.IPC_CREAT | 0o600),
    "shmat": lambda s: s.task.shmat(s.segment),
    "shmdt": lambda s: s.task.shmdt(s.window),
    "shmctl": lambda s: s.task.shmctl(s.segment, sf.IPC_RMID),
    "touch": lambda s: s.heap.touch(write=True),
    "write": lambda s: s.heap.write(0, bytes(30 * PAGE)),
    "memory group": lambda s: s.machine.memory_group("1MiB").add(s.task),
    "cgroup": lambda s: s.machine.cgroup("/a/b", max="1MiB").add(s.task),
    "cgroup that kills": lambda s: s.filled_cgroup().__setitem__("memory.max", 0),
    "rmdir": lambda s: s.machine.cgroup("/a").close(),
    "close": lambda s: s.machine.close(),
}


def interrupted_at(step: int, call: Callable[[], Any], error: type[BaseException]) -> bool:
    """Run ``call`` and raise at its ``step``-th point in the package; False: it has fewer.

    The points are before each line, and between a call's return and what the line does with its
    value: the interpreter looks for signals there too.
    """
    left = step
    done = False
    called: FrameType | None = None  # the frame whose last instruction was a call

    def local(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left, done, called
        point = event == "line"
        if event == "opcode":
            point = called is frame
            operation = dis.opname[frame.f_code.co_code[frame.f_lasti]]
            called = frame if operation.startswith("CALL") else None
        if point:
            left -= 1
            if left == 0:
                done = True
                raise error
        return local

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        above: FrameType | None = frame
        while above is not None:
            # Python drops what is raised in a finalizer.
            if above.f_code.co_name == "__del__" or above.f_code.co_filename == weakref.__file__:
                return None
            above = above.f_back
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        frame.f_trace_opcodes = True
        return local

    gc.disable()  # what is collected meanwhile is not interrupted
    sys.settrace(trace)
    try:
        call()
    except error:
        assert done
    except OSError:  # a TimeoutError may be taken for the file's
        assert done
        assert error is TimeoutError
    finally:
        sys.settrace(None)
        gc.enable()
    return done


def broken(scene: Scene) -> bool:
    try:
        scene.machine.check_usable()
        scene.machine.core.check()
        scene.machine.verify()
    except OSError as caught:
        assert caught.errno == errno.EBADF
        return True
    return False


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", CALLS)
def test_an_interrupt_at_every_point(tmp_path: Path, name: str, every: int) -> None:
    for file in ("host", "on", "off"):
        swapfile(tmp_path / file, 300)
    call = CALLS[name]
    if name == "close":
        every = 1  # it has a few points only
    step = whole = 0
    while True:
        step += every
        scene = Scene(tmp_path)
        if name == "wait":
            scene.zombie()
        # The last kind is an OSError, as what a signal handler for a time limit raises.
        error = (KeyboardInterrupt, SystemExit, TimeoutError)[step // every % 3]
        hit = interrupted_at(step, lambda s=scene: call(s), error)  # type: ignore[misc]
        if not broken(scene):
            whole += 1
            scene.machine.verify()
            try:
                call(scene)
            except OSError as again:  # it was done before the interrupt came
                assert again.errno != errno.EBADF, again
            if name == "close":
                continue
            scene.machine.verify()
            scene.machine.init.fork().mmap(80 * PAGE).touch(write=True)
            scene.machine.verify()
        else:
            for use in (scene.machine.verify, scene.machine.init.fork, scene.heap.touch):
                with pytest.raises(OSError, match=r"broken|powered off"):
                    use()
        scene.machine.close()
        for file in (scene.on, scene.off, tmp_path / "host"):
            assert not locked(file), (step, file)
        if not hit:
            break
    assert step > 2 * every
    assert whole > 1, "not every interrupt breaks the machine"


def test_a_broken_machine_lets_its_files_go_at_once(tmp_path: Path) -> None:
    for file in ("host", "on", "off"):
        swapfile(tmp_path / file, 300)
    scene = Scene(tmp_path)

    class Stop(BaseException):
        pass

    with pytest.raises(Stop), scene.machine.kernel.changes.of("a call"):
        raise Stop
    assert not locked(scene.on)
    with pytest.raises(OSError, match="the machine is broken: a call was interrupted") as caught:
        scene.task.fork()
    assert caught.value.errno == errno.EBADF


def test_an_undone_call_leaves_the_machine_whole() -> None:
    machine = sf.Machine("1MiB")
    changes, error = machine.kernel.changes, KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt), changes.of("a call"):
        changes.undone(error)
        raise error
    machine.init.fork()


def test_what_one_call_undid_is_not_undone_in_the_call_around_it() -> None:
    machine = sf.Machine("1MiB")
    changes, error = machine.kernel.changes, KeyboardInterrupt()

    def inner() -> None:
        with changes.of("inner"):
            changes.undone(error)
            raise error

    with pytest.raises(KeyboardInterrupt), changes.of("outer"):
        inner()
    with pytest.raises(OSError, match="the machine is broken: outer was interrupted"):
        machine.init.fork()
