"""Which kernel runs here: told from three files, on a machine of plain files."""

import pytest

from swapfast.running import Running, choose, host_profile, lru_mask, running


@pytest.fixture
def root(tmp_path):
    return tmp_path / "host"


@pytest.fixture
def tree(root):
    """Nothing is there until it is put there."""

    def put(name, text):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return put


@pytest.mark.parametrize(
    ("text", "mask", "profile"),
    [
        ("0x0000\n", 0, "6.18"),
        ("0x0006\n", 6, "6.18"),  # what it could do, and does not
        ("0x0001\n", 1, "6.18-mglru"),
        ("0x0007\n", 7, "6.18-mglru"),
    ],
)
def test_the_profile_follows_the_first_bit_of_lru_gen(tree, root, text, mask, profile):
    tree("sys/kernel/mm/lru_gen/enabled", text)
    assert running(root).lru_gen == mask
    assert host_profile(root) == running(root).profile == profile


def test_a_kernel_without_lru_gen_is_classic(root):
    assert running(root) == Running("", None, None)
    assert host_profile(root) == "6.18" and running(root).lru == "classic"


def test_the_release_is_what_uname_says(tree, root):
    tree("proc/sys/kernel/osrelease", "6.18.15-cloud-amd64\n")
    assert running(root).kernel == "6.18.15-cloud-amd64"


def test_the_version_of_the_memory_controller(tree, root):
    tree("sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n")
    assert running(root).cgroup == 2
    tree("sys/fs/cgroup/cgroup.controllers", "cpu pids\n")
    assert running(root).cgroup is None
    # A controller is in one hierarchy at a time; v2 may lie beside those of v1.
    tree("sys/fs/cgroup/unified/cgroup.controllers", "memory\n")
    assert running(root).cgroup == 2
    tree("sys/fs/cgroup/memory/memory.limit_in_bytes", "1\n")
    assert running(root).cgroup == 1


@pytest.mark.parametrize(("text", "mask"), [("y", 7), ("N\n", 0), ("0x5", 5), ("3", 3)])
def test_masks_as_people_write_them(text, mask):
    assert lru_mask(text) == mask


@pytest.mark.parametrize("text", ["", "8", "-1", "on", "0x10", "1.0"])
def test_what_is_no_mask(tree, root, text):
    with pytest.raises(ValueError, match="is no mask of lru_gen"):
        lru_mask(text)
    path = tree("sys/kernel/mm/lru_gen/enabled", text)
    with pytest.raises(ValueError, match=str(path)):
        running(root)


def test_this_machine_can_be_looked_at():
    assert running().kernel and host_profile() in ("6.18", "6.18-mglru")


@pytest.mark.parametrize(
    ("text", "profile", "mask", "why"),
    [
        ("0x0007\n", "6.18-mglru", 7, "says 0x0007, an odd number: the multi-generational LRU"),
        ("0x0001\n", "6.18-mglru", 1, "says 0x0001, an odd number: the multi-generational LRU"),
        ("0x0006\n", "6.18", None, "says 0x0006, an even number: the classic LRU"),
    ],
)
def test_a_choice_says_why(tree, root, text, profile, mask, why):
    path = tree("sys/kernel/mm/lru_gen/enabled", text)
    tree("proc/sys/kernel/osrelease", "6.18.15\n")
    found = choose(root)
    assert (found.profile, found.lru_gen) == (profile, mask)
    assert found.line == f"profile {profile} (Linux 6.18.15): {path} {why}"


def test_a_kernel_without_lru_gen_says_so(tree, root):
    (root / "sys/kernel/mm").mkdir(parents=True)
    tree("proc/sys/kernel/osrelease", "5.10.0\n")
    found = choose(root)
    assert found.profile == "6.18" and "there is no" in found.why
    assert "(Linux 5.10.0, to which it is the nearest)" in found.line


def test_a_machine_that_cannot_be_looked_at(tree, root):
    with pytest.raises(ValueError, match=r"sys/kernel/mm: .*name the profile, 6.18 or 6.18-mglru"):
        choose(root)
    (root / "sys/kernel/mm/lru_gen/enabled").mkdir(parents=True)  # root may read any file
    with pytest.raises(ValueError, match=r"lru_gen/enabled: .*cannot be seen which LRU"):
        choose(root)
    (root / "sys/kernel/mm/lru_gen/enabled").rmdir()
    tree("sys/kernel/mm/lru_gen/enabled", "perhaps")
    with pytest.raises(ValueError, match="is no mask of lru_gen"):
        choose(root)
