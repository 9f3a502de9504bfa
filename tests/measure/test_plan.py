"""The plan: what it says, to the letter, and that planning changes nothing."""

import pytest

from swapfast.measure import make_plan
from swapfast.replay import MEASURED_SLOTS


def test_every_line(trace, host, tmp_path):
    plan = make_plan([trace], tmp_path / "t.csv", fracs=["0.5", "0.999"], runs=3, host=host)
    group = tmp_path / "host/sys/fs/cgroup/memory/swapfast-measure"
    assert plan.lines() == [
        f"swapfile  {tmp_path}/t.csv.swap, 512 MiB, on during each run",
        f"group     {group} (cgroup v1), made for each run",
        "kernel    6.18.15-test, lru classic (lru_gen 0x0000), profile 6.18",
        "sysctl    vm.page-cluster 3 -> 0",
        "runs      6: 2 cells, 3 each",
        "  zipf 0.5: 1100 references to 100 pages, limit 50",
        "  zipf 0.999: 1100 references to 100 pages, limit 99",
        f"result    {tmp_path}/t.csv",
        "after     everything above but the result is undone, on errors and signals as well;",
        "          should the machine stop in between:",
        f"            swapoff {tmp_path}/t.csv.swap",
        f"            rm {tmp_path}/t.csv.swap",
        f"            rmdir {group}",
        "            sysctl vm.page-cluster=3",
    ]


def test_with_cgroup_v2_the_machine_wide_swappiness_is_set_too(trace, host, v2, tmp_path):
    plan = make_plan([trace], tmp_path / "t.csv", page_cluster=3, host=host)
    assert plan.group.version == 2
    assert [(s.name, s.before, s.during) for s in plan.settings] == [
        ("vm.page-cluster", "3", "3"),
        ("vm.swappiness", "45", "60"),
    ]
    assert "            sysctl vm.swappiness=45" in plan.lines()


def lru_plan(trace, host, tmp_path, lru):
    plan = make_plan([trace], tmp_path / "t.csv", lru=lru, host=host)
    return [(s.line, s.command) for s in plan.settings if s.name == "lru_gen/enabled"]


@pytest.mark.parametrize(
    ("now", "lru", "written"),
    [
        ("0x0007", "host", None),
        ("0x0007", "7", None),
        ("0x0007", "classic", "0"),
        ("0x0007", "1", "1"),
        ("0x0000", "classic", None),
        ("0x0000", "n", None),
        ("0x0000", "mglru", "y"),
        ("0x0000", "0x3", "3"),
    ],
)
def test_the_lru_is_set_where_it_is_another(trace, host, tree, tmp_path, now, lru, written):
    path = tree("sys/kernel/mm/lru_gen/enabled", f"{now}\n")
    wanted = [(f"setting   lru_gen/enabled {now} -> {written}", f"echo {now} > {path}")]
    assert lru_plan(trace, host, tmp_path, lru) == (wanted if written else [])


def test_cgroup_v2_gives_the_controller_to_groups_where_nobody_has(trace, host, v2, tree, tmp_path):
    control = tree("sys/fs/cgroup/cgroup.subtree_control", "cpu pids\n")
    plan = make_plan([trace], tmp_path / "t.csv", host=host)
    assert plan.group.path == control.parent / "swapfast-measure"
    assert f"control   {control} +memory" in plan.lines()
    assert f"            echo -memory > {control}" in plan.lines()


def test_cgroup_v2_beside_the_hierarchies_of_v1(trace, host, v2, tree, tmp_path):
    tree("sys/fs/cgroup/cgroup.controllers", "cpu\n")
    control = tree("sys/fs/cgroup/unified/cgroup.subtree_control", "memory\n")
    tree("sys/fs/cgroup/unified/cgroup.controllers", "memory\n")
    plan = make_plan([trace], tmp_path / "t.csv", host=host)
    assert plan.group.path.parent == control.parent and plan.group.version == 2


def test_the_group_files_of_both_versions(host, v2, tree):
    two = host.group("g")
    assert [p.name for p in (two.limit, two.events, two.peak)] == [
        "memory.max",
        "memory.events",
        "memory.peak",
    ]
    tree("sys/fs/cgroup/memory/memory.limit_in_bytes", "1\n")
    one = host.group("g")
    assert [p.name for p in (one.limit, one.events)] == [
        "memory.limit_in_bytes",
        "memory.oom_control",
    ]


def test_what_is_charged_already_is_of_both_versions(host, v2, tree):
    tree("sys/fs/cgroup/g/memory.stat", "anon 4096\nfile 8192\nkernel 16384\nslab 1\n")
    assert host.group("g").charged() == 28672
    tree("sys/fs/cgroup/g/memory.stat", "anon 4096\nfile 8192\npagetables 4096\nslab 1\n")
    assert host.group("g").charged() == 16385, "before Linux 5.18 the parts have to be added"
    tree("sys/fs/cgroup/memory/memory.limit_in_bytes", "1\n")
    tree("sys/fs/cgroup/memory/g/memory.stat", "rss 5\ntotal_cache 4096\ntotal_rss 8192\n")
    tree("sys/fs/cgroup/memory/g/memory.kmem.usage_in_bytes", "65536\n")
    assert host.group("g").charged() == 77824


def test_the_area_is_that_of_validate_and_a_header(plan):
    assert plan.swap_bytes == (MEASURED_SLOTS + 1) * 4096


def test_limits_are_exact_where_binary_fractions_are_not(trace, host, tmp_path):
    # 100 * 0.29 in binary is less than 29.
    plan = make_plan([trace], tmp_path / "t", fracs=["0.29"], host=host)
    assert plan.cells[0].limit == 29


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"fracs": ["0"]}, "is no limit"),
        ({"fracs": ["0.001"]}, "is no limit"),
        ({"fracs": ["1/3"]}, "is not a decimal"),
        ({"fracs": ["half"]}, "is not a decimal"),
        ({"fracs": ["nan"]}, "is not a decimal"),
        ({"fracs": []}, "nothing to measure"),
        ({"lru": "lru"}, "lru 'lru' is not host, classic, mglru or a mask"),
        ({"lru": "8"}, "a mask from 0 to 7"),
        ({"runs": 0}, "runs is 1 to 100"),
        ({"page_cluster": 6}, "page_cluster is 0 to 5"),
        ({"group": "../other"}, "not the name of a group"),
        ({"group": ".."}, "not the name of a group"),
        ({"group": ""}, "not the name of a group"),
    ],
)
def test_wrong_options(trace, host, tmp_path, options, says):
    with pytest.raises(ValueError, match=says):
        make_plan([trace], tmp_path / "t", host=host, **options)


def test_two_traces_of_one_name_would_be_one_cell(trace, host, tmp_path):
    with pytest.raises(ValueError, match="a second trace with the name zipf"):
        make_plan([trace, trace], tmp_path / "t", host=host)


def test_planning_and_looking_leave_every_file_as_it_was(trace, host, tmp_path):
    def contents():
        return {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}

    before = contents()
    make_plan([trace], tmp_path / "t", host=host).lines()
    assert contents() == before
