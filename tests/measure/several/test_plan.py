"""The plan of programs side by side: what it says, and what speaks against it."""

import dataclasses

import pytest

from swapfast.measure.several import refusals


@pytest.fixture
def host(host):
    return dataclasses.replace(host, cpus=(0, 1))


def test_every_line(make, host, tmp_path):
    group = tmp_path / "host/sys/fs/cgroup/memory/swapfast-measure"
    assert make(only=["own"], runs=3).lines() == [
        f"swapfile  {tmp_path}/two.csv.ssd.swap, 64 MiB, disk ssd",
        f"group     {group} (cgroup v1), made for each run",
        "kernel    6.18.15-test, lru classic (lru_gen 0x0000), profile 6.18",
        "sysctl    vm.page-cluster 3 -> 3",
        "programs  think 1 us a reference; statistics are read every 64 references",
        "runs      3: 1 scenario, 3 each",
        "  own: 2 processors, swap ssd 5; /a max 50, /b max 60",
        "    A in /a: zipf, 1100 references to 100 pages",
        "    B in /b: loop, 880 references to 80 pages, repeated for 2 s",
        f"result    {tmp_path}/two.csv",
        "after     everything above but the result is undone, on errors and signals as well;",
        "          should the machine stop in between:",
        f"            swapoff {tmp_path}/two.csv.ssd.swap",
        f"            rm {tmp_path}/two.csv.ssd.swap",
        f"            find {group} -depth -type d -delete",
        "            sysctl vm.page-cluster=3",
    ]


def test_all_scenarios_and_their_disks_by_default(make, tmp_path):
    plan = make(disks={"hdd": tmp_path / "elsewhere"})
    assert [one.name for one in plan.scenarios] == ["own", "common"]
    assert plan.files == (
        (tmp_path / "two.csv.ssd.swap", 64 << 20),
        (tmp_path / "elsewhere", 16 << 20),
    )


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"only": ["none"]}, r"two\.toml: no scenario none; there are own, common"),
        ({"disks": {"tape": "t"}}, r"two\.toml: no scenario swaps to tape; to ssd, hdd"),
        ({"only": ["own"], "disks": {"hdd": "t"}}, "no scenario swaps to hdd; to ssd"),
        ({"lru": "new"}, "lru 'new' is not"),
        ({"runs": 0}, "runs is 1 to 100"),
    ],
)
def test_wrong_options(make, options, says):
    with pytest.raises(ValueError, match=says):
        make(**options)


def test_a_trace_that_is_not_there(make, traces):
    (traces / "loop.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"no trace loop\.npz there"):
        make()


# ---------------------------------------------------------------- refusals


def test_cgroup_v1_can_do_scenarios_with_a_limit_and_no_others(make, host):
    assert refusals(make(only=["own"]), host) == []
    (reason,) = refusals(make(), host)
    assert reason == (
        "memory.swap.max, memory.oom.group, memory.low are of cgroup v2, and the memory controller "
        "here is v1; measure other scenarios than common (--only), or boot with "
        "cgroup_no_v1=memory"
    )


def test_cgroup_v2_can_do_all(make, v2, host):
    assert refusals(make(), host) == []


def test_fewer_processors_than_the_scenario_has(make, host):
    one = dataclasses.replace(host, cpus=(0,))
    (reason,) = refusals(make(only=["own"]), one)
    assert reason.startswith("a scenario has 2 processors, and there is 1 here; say cpus = 1 in ")


def test_cgroup_v2_has_programs_at_the_ends_of_the_tree_only(make, v2, host, scenarios):
    text = scenarios().read_text().replace('cgroup = "/p/b" }', 'cgroup = "/p" }')
    (reason,) = refusals(make(text=text), host)
    assert reason.startswith("common: program B is in /p, which has groups below it")


def test_a_scenario_without_swap(make, host, scenarios):
    text = scenarios().read_text().replace('swap = [{ disk = "ssd", priority = 5 }]\n', "", 1)
    (reason,) = refusals(make(text=text, only=["own"]), host)
    assert reason.startswith("own swaps to no disk")


def test_the_reasons_of_every_measurement_count_too(make, host):
    plan = make(only=["own"])
    plan.files[0][0].touch()
    (reason,) = refusals(plan, dataclasses.replace(host, cpus=(0, 1)))
    assert "exists; choose another" in reason
