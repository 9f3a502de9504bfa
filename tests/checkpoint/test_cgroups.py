"""Cgroups of a job in its image: where they are, their limits, what they counted."""

from __future__ import annotations

from pathlib import Path

import pytest

import swapfast as sf
from swapfast.checkpoint import restart
from swapfast.core import memcg_table
from swapfast.machine import Machine
from swapfast.swapfile import mkswap
from tests.support.jobs import PAGE
from tests.support.members import members, packed


def job(folder: Path) -> Machine:
    """A pod of two cgroups under pressure; a third one is nobody's."""
    mkswap(folder / "s", size="2MiB")
    machine = Machine("2MiB", cache=0, overcommit=1)
    login = machine.init.clone(sf.NEWSWAP | sf.NEWIPC, "login")
    login.swapon(folder / "s")
    machine.cgroup("/other")
    pod = machine.cgroup("/pods/a", max=60 * PAGE, high=1 << 50, swap_max=None)
    pod.oom_group = True
    main = machine.cgroup("/pods/a/main", low=5 * PAGE, min=PAGE)
    main.add(login)
    side = machine.cgroup("/pods/a/side", max=0)
    helper = login.fork("helper")
    heap = login.mmap(100 * PAGE)
    heap.touch(write=True, tag="login")
    heap.touch()
    side.add(helper)
    return machine


def shown(machine: Machine) -> dict[str, dict[str, str]]:
    """Files of all cgroups of the job that do not change when it is frozen."""
    names = ("max", "high", "low", "min", "swap.max", "swap.high", "oom.group", "events")
    paths = ("/pods", "/pods/a", "/pods/a/main", "/pods/a/side")
    return {p: {n: machine.cgroup(p)[f"memory.{n}"] for n in names} for p in paths}


def test_cgroups_survive(tmp_path: Path) -> None:
    machine = job(tmp_path)
    before = shown(machine)
    stat = machine.cgroup("/pods/a/main").stat()
    assert stat["pgmajfault"] > 0 and before["/pods/a"]["max"] == f"{60 * PAGE}\n"
    login = next(t for t in machine.tasks.values() if t.name == "login")
    login.swap_ns.checkpoint(tmp_path / "image")
    machine.close()
    with restart(tmp_path / "image") as again:
        assert memcg_table.is_v2(again.core)
        assert list(again.cgroup("/").children) == ["pods"], "those of the job, and no others"
        assert shown(again) == before
        main, side = again.cgroup("/pods/a/main"), again.cgroup("/pods/a/side")
        assert main["cgroup.procs"] == f"{login.pid}\n"
        assert side["cgroup.procs"] != "" and side.max == 0
        after = main.stat()
        for name in ("pgfault", "pgmajfault", "pswpout", "pgactivate"):
            assert after[name] >= stat[name] > 0, name
        assert after["pgfault"] == stat["pgfault"]
        task = again.tasks[login.pid]
        task.mappings[0].touch(write=True)
        assert main.stat()["pgfault"] > after["pgfault"]
        again.verify()


def test_a_group_without_a_name_keeps_the_one_it_got(tmp_path: Path) -> None:
    mkswap(tmp_path / "s", size="1MiB")
    machine = Machine("1MiB", cache=0)
    machine.memory_group("512KiB")
    group = machine.memory_group("256KiB")
    login = machine.init.clone(sf.NEWSWAP | sf.NEWIPC, "login")
    login.swapon(tmp_path / "s")
    group.add(login)
    login.mmap(PAGE).touch(write=True)
    login.swap_ns.checkpoint(tmp_path / "image")
    machine.close()
    with restart(tmp_path / "image") as again:
        assert not memcg_table.is_v2(again.core)
        assert again.cgroup(group.row.path).max == 256 << 10


@pytest.mark.parametrize("name", ["", "..", "a/b", "x\ny", "x" * 256, "main"])
def test_a_name_that_it_cannot_have(tmp_path: Path, name: str) -> None:
    machine = job(tmp_path)
    next(t for t in machine.tasks.values() if t.name == "login").swap_ns.checkpoint(tmp_path / "i")
    machine.close()
    facts, columns = members(tmp_path / "i")
    facts["groups"][-1]["name"] = name
    (tmp_path / "i").write_bytes(packed(facts, columns))
    with pytest.raises(ValueError, match=r"facts\.groups\[4\]"):
        restart(tmp_path / "i")
