"""Swap namespaces of real processes: made by clone3, handed down by fork, over with the last."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.shells import results, shell

NEWSWAP, NEWIPC, VM = 1 << 32, 0x08000000, 0x100
BOTH = hex(NEWSWAP | NEWIPC)


@pytest.fixture
def calls(program: Callable[..., Path]) -> Path:
    return program("calls", "-static")


def test_who_may_make_one_and_how(calls: Path) -> None:
    script = ["unshare", hex(NEWSWAP), ",", "unshare", hex(NEWSWAP | NEWIPC), ","]
    script += ["clone3", hex(NEWSWAP), ",", "clone3", hex(NEWSWAP | NEWIPC | VM), ","]
    script += ["clone3", hex(NEWSWAP | NEWIPC | 0x20000 | 0x200)]  # NEWNS with FS
    assert results(shell(calls, *script).stdout) == [
        ("unshare", errno.EINVAL),
        ("unshare", errno.EINVAL),
        ("clone3", errno.EINVAL),
        ("clone3", errno.EINVAL),
        ("clone3", errno.EINVAL),
    ]


def test_one_area_in_a_child_and_none_of_its_parents(calls: Path, s1: Path, s2: Path) -> None:
    script = ["swapon", s1, 0, ",", "clone3", BOTH, ",", "swapoff", s1, ",", "swapon", s1, 0, ","]
    script += ["swapon", s2, 0, ",", "swapon", "/none", 0, ",", "openat", "/proc/swaps"]
    done = shell(calls, *script, proc_swaps="namespaced")
    assert results(done.stdout) == [
        ("swapon", 0),
        ("swapoff", errno.EINVAL),
        ("swapon", errno.EBUSY),
        ("swapon", 0),
        ("swapon", errno.EPERM),  # before the path is looked at
    ]
    assert str(s2) in done.stdout and str(s1) not in done.stdout
    assert "flags=108000000" in done.stdout  # as the caller had them


def test_arguments_that_cannot_be_written(calls: Path, s1: Path) -> None:
    done = shell(calls, "fixed", ",", "swapon", s1, 0, ",", "swapon", s1, 0)
    assert results(done.stdout) == [("swapon", 0), ("swapon", errno.EPERM)]


def test_nested(calls: Path, s1: Path, s2: Path) -> None:
    script = ["clone3", BOTH, ",", "swapon", s1, 0, ",", "clone3", BOTH, ",", "swapon", s2, 0]
    assert results(shell(calls, *script).stdout) == [("swapon", 0), ("swapon", 0)]
    done = shell(calls, *script, nested="deny")
    assert results(done.stdout) == [("swapon", 0), ("clone3", errno.EPERM), ("swapon", errno.EPERM)]


def test_a_fork_and_an_orphan_stay_in_it(calls: Path, s1: Path, s2: Path) -> None:
    for way in (["fork"], ["fork", ",", "fork"], ["orphan"]):
        script = ["clone3", BOTH, ",", "swapon", s1, 0, ",", *way, ",", "swapon", s2, 0]
        done = shell("sh", "-c", f"{calls} {' '.join(map(str, script))}; sleep 0.2")
        assert ("swapon", errno.EPERM) in results(done.stdout), way


def test_the_first_call_of_a_grandchild(calls: Path, s1: Path, s2: Path) -> None:
    """Nobody in between said anything by which its IPC namespace could have been learned."""
    script = ["swapon", s1, 0, ",", "clone3", BOTH, ",", "fork", ",", "swapoff", s1, ","]
    script += ["swapon", s2, 0, ",", "swapon", "/none", 0]
    found = results(shell(calls, *script).stdout)
    assert found == [("swapon", 0), ("swapoff", 22), ("swapon", 0), ("swapon", 1)]


def test_its_area_goes_off_with_the_last_one(calls: Path, s1: Path) -> None:
    inner = f"{calls} clone3 {BOTH} , swapon {s1} 0"
    script = f"{inner}; sleep 0.1; cat /proc/swaps | wc -l; {calls} swapon {s1} 0"
    assert results(shell("sh", "-c", script).stdout)[-1] == ("swapon", 0)
    script = f"{inner}; sleep 0.1; {calls} swapon {s1} 0; {calls} swapoff {s1}"
    done = shell("sh", "-c", script, last_exit="orphan")
    assert results(done.stdout)[-2:] == [("swapon", errno.EBUSY), ("swapoff", 0)]


def test_one_that_unshares_ipc_stays_where_it_was(calls: Path, s1: Path, s2: Path) -> None:
    script = ["clone3", BOTH, ",", "swapon", s1, 0, ",", "unshare", hex(NEWIPC), ","]
    script += ["swapon", s2, 0, ",", "fork", ",", "swapon", s2, 0, ",", "swapoff", s1]
    assert results(shell(calls, *script).stdout) == [
        ("swapon", 0),
        ("unshare", 0),
        ("swapon", errno.EPERM),
        ("swapon", errno.EPERM),
        ("swapoff", 0),
    ]


def test_who_enters_its_ipc_namespace(calls: Path, s1: Path, s2: Path, tmp_path: Path) -> None:
    inside = f"{calls} clone3 {BOTH} , swapon {s1} 0 , pid , sleep 60000"
    script = f"""
        {inside} > {tmp_path}/said & while ! grep -q '^[0-9]' {tmp_path}/said; do sleep 0.01; done
        pid=$(grep '^[0-9]' {tmp_path}/said)
        {calls} setns /proc/$pid/ns/ipc , swapon {s2} 0; {calls} swapon {s2} 0; kill $pid
    """
    found = results(shell("sh", "-c", script).stdout)
    assert found == [("setns", 0), ("swapon", errno.EPERM), ("swapon", 0)]


def test_those_that_are_killed_on_the_way_are_forgotten(calls: Path, s1: Path) -> None:
    """The one that asks dies with the call, or its child before it could be known."""
    kill = f"timeout -s KILL 0.00%d {calls} clone3 {BOTH} , swapon {s1} 0 , clone3 {BOTH} , sleep 9"
    kills = "; ".join(f"({kill % (1 + n % 9)}) > /dev/null 2>&1" for n in range(36))
    end = f"sleep 0.1; {calls} clone3 {BOTH} , sleep 0; sleep 0.1; {calls} procs , swapon {s1} 0"
    found = dict(results(shell("sh", "-c", f"{kills}; {end}").stdout))
    assert found["procs"] == 2 and found["swapon"] == 0  # init, and the login


def test_what_sysinfo_counts(calls: Path, s1: Path, s2: Path) -> None:
    script = ["swapon", s1, 0, ",", "clone3", BOTH, ",", "sysinfo"]
    for rule, pages in (("global", 99), ("namespaced", 0)):
        lines = shell(calls, *script, sysinfo=rule).stdout.splitlines()
        total = lines[lines.index("sysinfo 0") + 1].split()[2]
        assert total == str(pages * 4096)


def test_a_shell_in_one(calls: Path, s1: Path, s2: Path) -> None:
    done = shell(calls, "swapon", s2, 0, swap=s1, newswap=True, status=0)
    assert results(done.stdout) == [("swapon", errno.EPERM)]


def test_the_kernels_own_bit_32_for_those_who_share_memory(program: Callable[..., Path]) -> None:
    """posix_spawn of newer C libraries: CLONE_CLEAR_SIGHAND with CLONE_VM and CLONE_VFORK."""
    done = shell(program("spawn"))
    assert done.stdout == "spawned\nparent\n", done
