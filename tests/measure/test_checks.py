"""Every reason to refuse, alone, on a machine where all else is well."""

import shutil

import pytest

from swapfast.measure import make_plan, refusals
from swapfast.measure.checks import CHECKS

SWAP_ON = "Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n/s1 file 1 0 -3\n"


def only(plan, host):
    """The one reason that is given."""
    (reason,) = refusals(plan, host)
    return reason


def test_a_good_machine_is_not_refused(plan, host):
    assert refusals(plan, host) == []


def test_nor_one_with_cgroup_v2(trace, host, v2, tmp_path):
    assert refusals(make_plan([trace], tmp_path / "t", host=host), host) == []


def test_not_root(plan, host, altered):
    assert only(plan, altered(host, uid=1000)) == "not root; run it with sudo"


def test_page_size(plan, host, altered):
    assert only(plan, altered(host, page_size=16384)).startswith("pages of 16384 bytes")


def test_no_controller(trace, host, tree, tmp_path):
    (tmp_path / "host/sys/fs/cgroup/memory/memory.limit_in_bytes").unlink()
    plan = make_plan([trace], tmp_path / "t", host=host)
    assert only(plan, host).startswith("no memory controller under /sys/fs/cgroup")
    assert "group     none: no memory controller found" in plan.lines()


def test_other_swap(plan, host, tree):
    tree("proc/swaps", SWAP_ON)
    assert only(plan, host).endswith("swapoff /dev/sda2 /s1")


@pytest.mark.parametrize("on", ["Y\n", "1\n"])
def test_zswap(plan, host, tree, on):
    tree("sys/module/zswap/parameters/enabled", on)
    assert only(plan, host).startswith("zswap is on; echo N")


@pytest.mark.parametrize("mask", ["0x0007\n", "0x0001\n", "0x0000\n"])
def test_either_lru_may_be_measured(trace, host, tree, tmp_path, mask):
    tree("sys/kernel/mm/lru_gen/enabled", mask)
    for lru in ("host", "classic", "mglru", "5"):
        assert refusals(make_plan([trace], tmp_path / "t", lru=lru, host=host), host) == []


def test_without_sysfs_nobody_sees_which_lru_runs(trace, host, tmp_path):
    shutil.rmtree(tmp_path / "host/sys/kernel/mm")
    (reason,) = refusals(make_plan([trace], tmp_path / "t", host=host), host)
    assert "cannot be seen which LRU" in reason and "mount sysfs" in reason


def test_an_lru_that_is_not_built_in_cannot_be_turned_on(trace, host, tmp_path):
    (tmp_path / "host/sys/kernel/mm/lru_gen/enabled").unlink()
    for lru, refused in (("host", 0), ("classic", 0), ("0", 0), ("mglru", 1), ("1", 1)):
        plan = make_plan([trace], tmp_path / "t", lru=lru, host=host)
        reasons = refusals(plan, host)
        assert len(reasons) == refused
        assert all("built without the multi-generational LRU" in reason for reason in reasons)


def test_kernels_without_zswap_and_multi_gen_lru(plan, host, tmp_path):
    (tmp_path / "host/sys/module/zswap/parameters/enabled").unlink()
    (tmp_path / "host/sys/kernel/mm/lru_gen/enabled").unlink()
    assert refusals(plan, host) == []


def test_a_setting_that_cannot_be_put_back(trace, host, tmp_path):
    (tmp_path / "host/proc/sys/vm/page-cluster").unlink()
    plan = make_plan([trace], tmp_path / "t", host=host)
    assert only(plan, host).startswith("no vm.page-cluster to save")


def test_group_exists(plan, host):
    plan.group.path.mkdir()
    assert "swapfast-measure exists; choose another --group" in only(plan, host)


@pytest.mark.parametrize("dangling", [False, True])
def test_files_exist(plan, host, dangling):
    for path, option in ((plan.swapfile, "--swapfile"), (plan.out, "--out")):
        if dangling:
            path.symlink_to("nowhere")
        else:
            path.touch()
        assert only(plan, host).startswith(f"{path} exists; choose another {option}")
        path.unlink()


def test_no_folder(trace, host, tmp_path):
    plan = make_plan([trace], tmp_path / "none" / "t", host=host)
    assert only(plan, host) == f"no folder {tmp_path}/none; make it first"


@pytest.mark.parametrize("kind", ["btrfs", "overlay", "tmpfs", "fuse.sshfs", "nfs4"])
def test_file_system(plan, host, tree, tmp_path, kind):
    tree("proc/self/mounts", f"/dev/vda / ext4 rw 0 0\nx {tmp_path} {kind} rw 0 0\n")
    assert only(plan, host) == f"{tmp_path} is on {kind}; choose a --swapfile on ext4 or xfs"


def test_a_mount_beside_it_says_nothing(plan, host, tree, tmp_path):
    beside = str(tmp_path)[:-1]  # a prefix of the name, not of the path
    tree("proc/self/mounts", f"/dev/vda / ext4 rw 0 0\nx {beside} tmpfs rw 0 0\n")
    assert refusals(plan, host) == []


def test_mount_points_with_blanks(host, tree, tmp_path):
    tree("proc/self/mounts", f"/ / ext4 rw\nx {tmp_path}/a\\040b xfs rw 0 0\n")
    assert host.file_system(tmp_path / "a b" / "c") == "xfs"


def test_of_two_mounts_on_one_point_the_later_counts(host, tree):
    tree("proc/self/mounts", "rootfs / tmpfs rw 0 0\n/dev/vda / ext4 rw 0 0\n")
    assert host.file_system(host.root) == "ext4"


def test_disk(plan, host, altered):
    need = plan.swap_bytes + (256 << 20)
    assert refusals(plan, altered(host, free_disk=lambda path: need)) == []
    reason = only(plan, altered(host, free_disk=lambda path: need - 4096))
    assert "768 MiB are needed; choose a --swapfile elsewhere" in reason


def test_memory(plan, host, tree):
    need = plan.memory + (512 << 20)
    tree("proc/meminfo", f"MemAvailable: {-(-need // 1024)} kB\n")
    assert refusals(plan, host) == []
    tree("proc/meminfo", f"MemAvailable: {need // 1024 - 1} kB\n")
    assert "stop other programs" in only(plan, host)


def test_all_reasons_are_given_at_once(plan, host, tree, altered):
    tree("proc/swaps", SWAP_ON)
    tree("sys/module/zswap/parameters/enabled", "Y\n")
    assert len(refusals(plan, altered(host, uid=1))) == 3


def test_each_check_says_why_it_is_there():
    assert all(check.__doc__ for check in CHECKS)
