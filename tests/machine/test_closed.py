"""A machine that is powered off, and one that a forked child inherited, can do nothing any more."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

import pytest

import swapfast as sf
from tests.support.patterns import fill
from tests.support.swapfiles import NEWSWAP, PAGE, SwapfileMaker

Uses = dict[str, Callable[[], Any]]


def cgroup_uses(machine: sf.Machine, task: sf.Task) -> Uses:
    cgroup = machine.cgroup("/a", max="1MiB")
    return {
        "cgroup": lambda: machine.cgroup("/b"),
        "cgroup add": lambda: cgroup.add(task),
        "cgroup max": lambda: cgroup.max,
        "cgroup set max": lambda: setattr(cgroup, "max", None),
        "cgroup stat": cgroup.stat,
        "cgroup reclaim": lambda: cgroup.reclaim(0),
        "cgroup files": lambda: list(cgroup),
        "cgroup no file": lambda: cgroup["x"],
        "cgroup close": cgroup.close,
    }


def scene(profile: str, make_swap: SwapfileMaker) -> tuple[sf.Machine, Uses]:
    machine = sf.Machine(100 * PAGE, profile, overcommit=1, cache=0, rules="strict")
    machine.init.swapon(make_swap("host", 300))
    task = machine.init.clone(NEWSWAP, "job")
    file, other = make_swap("own", 300), make_swap("other", 300)
    task.swapon(file)
    heap = task.mmap(150 * PAGE)
    fill(heap, "job")
    group = machine.memory_group("1MiB")
    area = task.swap_ns.areas[0]
    segment = task.shmget(7, PAGE, sf.IPC_CREAT | 0o600)
    shared = task.mmap(PAGE, shared=True)
    return machine, {
        **(cgroup_uses(machine, task) if profile == "6.18" else {}),
        "read": lambda: heap.read(0, 5),
        "read of nothing": lambda: heap.read(0, 0),
        "write": lambda: heap.write(0, b"x"),
        "touch": heap.touch,
        "touch of nothing": lambda: heap.touch([]),
        "touch shared": shared.touch,
        "count": heap.count,
        "munmap": heap.munmap,
        "mmap": lambda: task.mmap(PAGE),
        "fork": task.fork,
        "clone": lambda: task.clone(NEWSWAP),
        "exit": task.exit,
        "kill": lambda: task.kill(1),
        "wait": task.wait,
        "unshare": lambda: task.unshare(sf.CLONE_NEWIPC),
        "swapon": lambda: machine.init.swapon(other),
        "swapoff": lambda: task.swapoff(file),
        "sysinfo": task.sysinfo,
        "/proc/swaps": task.read_proc_swaps,
        "/proc/swaps of the host": machine.proc_swaps,
        "smaps": lambda: machine.smaps(task),
        "pagemap": lambda: machine.pagemap(heap),
        "shmat": lambda: task.shmat(segment),
        "shmget": lambda: task.shmget(8, PAGE, sf.IPC_CREAT),
        "memory group": lambda: machine.memory_group("1MiB"),
        "group add": lambda: group.add(task),
        "group max": lambda: group.max,
        "group current": lambda: group.current,
        "group close": group.close,
        "area used": lambda: area.used,
        "area priority": lambda: setattr(area, "priority", 3),
        "area wipe": lambda: area.set_wipe("on-free"),
        "checkpoint": lambda: task.swap_ns.checkpoint(str(file) + ".image"),
        "verify": machine.verify,
    }


def test_everything_fails_after_close(profile: str, make_swap: SwapfileMaker) -> None:
    machine, uses = scene(profile, make_swap)
    counted = machine.vmstat()
    machine.close()
    for name, use in uses.items():
        with pytest.raises(OSError, match="powered off") as caught:
            use()
        assert caught.value.errno == errno.EBADF, name
    assert machine.vmstat() == counted, "what was counted can still be read"
    assert machine.now > 0
    assert machine.meminfo()["MemTotal"] == 400
    machine.close()


def test_a_forked_child_cannot_use_its_parents_machine(
    profile: str, make_swap: SwapfileMaker
) -> None:
    machine, uses = scene(profile, make_swap)
    pid = os.fork()
    if pid == 0:
        failed = 1
        try:
            for use in uses.values():
                try:
                    use()
                except OSError as error:
                    if error.errno == errno.EBADF and "parent process" in str(error):
                        continue
                os._exit(2)
            machine.close()
            failed = 0
        finally:
            os._exit(failed)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert uses["read"]() == b"<job "
    machine.verify()
    machine.close()


def test_a_machine_without_files_goes_on_in_a_forked_child(profile: str) -> None:
    machine = sf.Machine(100 * PAGE, profile, contents=False, overcommit=1)
    machine.add_swap("1MiB")
    heap = machine.init.fork().mmap(150 * PAGE)
    pid = os.fork()
    if pid == 0:
        try:
            heap.touch(write=True)
            machine.verify()
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert machine.vmstat()["pgfault"] == 0
