"""What /proc shows, byte for byte, under both kernels and as each namespace sees it.

Sources: mm/swapfile.c (swap_show), mm/vmstat.c, fs/proc/task_mmu.c (show_smap, pagemap) of 2.6.25
and 6.18.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import swapfast as sf
from swapfast.swapfile import mkswap
from tests.support.swapfiles import NEWSWAP, PAGE, SwapfileMaker, swapfile

HEAD = {
    "2.6.25": "Filename\t\t\t\tType\t\tSize\tUsed\tPriority\n",
    "6.18": "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n",
}


def boot(profile: str, memory: str = "1MiB", **rules: str) -> sf.Machine:
    return sf.Machine(memory, profile, overcommit=1, cache=0, rules=sf.Rules(**rules))  # type: ignore[arg-type]


def row(profile: str, path: Path | str, size: int, used: int, priority: int) -> str:
    """A line of a file, written out: no column is computed as the product computes it."""
    name = f"{path}" + " " * (40 - len(str(path)) if len(str(path)) < 40 else 1)
    if profile == "2.6.25":
        return f"{name}file\t\t{size}\t{used}\t{priority}\n"
    return f"{name}file\t\t{size}\t\t{used}\t\t{priority}\n"


# ---------------------------------------------------------------- /proc/swaps


def test_swaps_of_a_machine_without_areas(profile: str) -> None:
    machine = boot(profile)
    assert machine.proc_swaps() == machine.init.read_proc_swaps() == HEAD[profile]


def test_swaps_letter_by_letter() -> None:
    """Devices have short names, so that these are the kernel's bytes as one would paste them."""
    old = sf.Machine("4MiB", "2.6.25", contents=False)
    old.add_swap("64MiB")
    old.add_swap("1MiB", priority=5)
    assert old.proc_swaps() == (
        "Filename\t\t\t\tType\t\tSize\tUsed\tPriority\n"
        "/dev/simulated0                         partition\t65532\t0\t-1\n"
        "/dev/simulated1                         partition\t1020\t0\t5\n"
    )
    new = sf.Machine("4MiB", "6.18", contents=False)
    new.add_swap("64MiB")
    new.add_swap("16GiB", priority=32767)  # eight digits: one tab is left out
    assert new.proc_swaps() == (
        "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
        "/dev/simulated0                         partition\t65532\t\t0\t\t-2\n"
        "/dev/simulated1                         partition\t16777212\t0\t\t32767\n"
    )


def test_swaps_size_and_use_in_kb_of_usable_pages(profile: str, make_swap: SwapfileMaker) -> None:
    machine = boot(profile)
    path = make_swap("s", 500)
    machine.init.swapon(path, sf.SWAP_FLAG_PREFER | 3)
    usable = 498 if profile == "2.6.25" else 499
    assert machine.proc_swaps() == HEAD[profile] + row(profile, path, usable * 4, 0, 3)
    machine.init.mmap(300 * PAGE).touch(write=True)
    used = machine.areas[0].info["inuse"]
    assert 50 < used < 300
    assert machine.proc_swaps() == HEAD[profile] + row(profile, path, usable * 4, used * 4, 3)


def test_swaps_name_is_padded_to_40_and_escaped(profile: str, tmp_path: Path) -> None:
    machine = boot(profile)
    plain = swapfile(tmp_path / "a b\tc\\d\ne", 10)
    machine.init.swapon(plain)
    line = machine.proc_swaps()[len(HEAD[profile]) :]
    escaped = f"{tmp_path}/a\\040b\\011c\\134d\\012e"
    assert line.startswith(escaped + " " * max(40 - len(escaped), 1) + "file\t\t")
    assert line.count("\n") == 1


def test_swaps_name_counts_bytes_not_letters(profile: str) -> None:
    """Forty columns of bytes: a name of four letters of two bytes each gets 32 blanks."""
    machine = sf.Machine("4MiB", profile, contents=False)
    area = machine.add_swap("1MiB")
    area.backing.path = "éàüö"  # type: ignore[union-attr]
    assert machine.proc_swaps().splitlines()[1].startswith("éàüö" + " " * 32 + "partition\t")


def test_swaps_order_is_the_table_not_the_priority(profile: str, make_swap: SwapfileMaker) -> None:
    machine = boot(profile)
    for name, priority in (("a", 1), ("b", 9), ("c", 5)):
        machine.init.swapon(make_swap(name), sf.SWAP_FLAG_PREFER | priority)

    def names() -> list[str]:
        return [Path(x.split()[0]).name for x in machine.proc_swaps().splitlines()[1:]]

    assert names() == ["a", "b", "c"]
    machine.init.swapoff(machine.areas[0].path)
    machine.init.swapon(make_swap("d"), sf.SWAP_FLAG_PREFER | 2)
    assert names() == ["d", "b", "c"]  # the free place in the table


@pytest.mark.parametrize(("profile", "first"), [("2.6.25", -1), ("6.18", -2)])
def test_swaps_default_priorities(profile: str, first: int, make_swap: SwapfileMaker) -> None:
    """Each area lower than the last; 6.18 closes ranks at swapoff, 2.6.25 does not."""
    machine = boot(profile)
    paths = [make_swap(name) for name in "abcd"]
    for path in paths[:3]:
        machine.init.swapon(path)

    def priorities() -> list[int]:
        return [int(x.split()[-1]) for x in machine.proc_swaps().splitlines()[1:]]

    assert priorities() == [first, first - 1, first - 2]
    machine.init.swapoff(paths[1])
    assert priorities() == ([-1, -3] if profile == "2.6.25" else [-2, -3])
    machine.init.swapon(paths[3])
    assert priorities() == ([-1, -4, -3] if profile == "2.6.25" else [-2, -4, -3])
    machine.init.swapoff(paths[3])
    machine.init.swapon(paths[3], sf.SWAP_FLAG_PREFER)  # takes no default priority
    machine.init.swapon(paths[1])
    assert priorities() == ([-1, 0, -3, -5] if profile == "2.6.25" else [-2, 0, -3, -4])


@pytest.mark.parametrize("view", ["global", "namespaced"])
def test_swaps_per_namespace(profile: str, make_swap: SwapfileMaker, view: str) -> None:
    machine = boot(profile, proc_swaps=view)
    login, bare = machine.init.clone(NEWSWAP), machine.init.clone(NEWSWAP)
    host, own = make_swap("host", 30), make_swap("own", 40)
    machine.init.swapon(host)
    login.swapon(own)
    lost = 2 if profile == "2.6.25" else 1
    lines = (
        row(profile, host, (30 - lost) * 4, 0, machine.areas[0].priority),
        row(profile, own, (40 - lost) * 4, 0, machine.areas[1].priority),
    )
    everything = HEAD[profile] + "".join(lines)
    assert machine.proc_swaps() == machine.init.read_proc_swaps() == everything
    filtered = view == "namespaced"
    assert login.read_proc_swaps() == (HEAD[profile] + lines[1] if filtered else everything)
    assert bare.read_proc_swaps() == (HEAD[profile] if filtered else everything)


# ---------------------------------------------------------------- /proc/vmstat

BOTH = (
    "nr_free_pages pswpin pswpout pgactivate pgdeactivate pgfault pgmajfault pageoutrun pgrotated"
)
NAMES = {
    "2.6.25": BOTH + " nr_inactive nr_active pgrefill_normal pgsteal_normal pgscan_kswapd_normal "
    "pgscan_direct_normal kswapd_steal allocstall",
    "6.18": BOTH + " nr_inactive_anon nr_active_anon pgrefill pgscan_kswapd pgscan_direct "
    "pgscan_anon pgsteal_kswapd pgsteal_direct pgsteal_anon allocstall_normal "
    "workingset_refault_anon workingset_activate_anon workingset_restore_anon oom_kill swap_ra "
    "swap_ra_hit swpin_zero swpout_zero",
}


def test_vmstat_lines(profile: str, make_swap: SwapfileMaker) -> None:
    machine = boot(profile)
    machine.init.swapon(make_swap("s", 500))
    machine.init.mmap(300 * PAGE).touch(write=True)
    counters = machine.vmstat()
    assert " ".join(counters) == NAMES[profile]
    assert machine.proc_vmstat() == "".join(f"{n} {v}\n" for n, v in counters.items())
    assert counters["pswpout"] == machine.areas[0].info["pswpout"] or profile == "6.18"


def test_vmstat_counts_faults(profile: str) -> None:
    """10 first touches; a hit counts nothing; 6.18 reads into the zero page, then writes: 2."""
    machine = boot(profile)
    heap = machine.init.mmap(10 * PAGE)
    free = machine.vmstat()["nr_free_pages"]
    heap.touch()
    heap.touch()
    modern = profile == "6.18"
    assert machine.vmstat()["pgfault"] == 10
    assert machine.vmstat()["nr_free_pages"] == free - (0 if modern else 10)
    heap.touch(write=True)
    assert machine.vmstat()["pgfault"] == (20 if modern else 10)
    assert machine.vmstat()["nr_free_pages"] == free - 10
    assert machine.vmstat()["pgmajfault"] == 0
    heap.munmap()
    assert machine.vmstat()["nr_free_pages"] == free


def test_vmstat_a_swap_cache_hit_is_a_minor_fault(profile: str, make_swap: SwapfileMaker) -> None:
    """The block of 8 that read-ahead brings in: one major fault for the first page of it."""
    machine = boot(profile, "2MiB")
    machine.init.swapon(make_swap("s", 2000))
    task = machine.init.fork()
    heap = task.mmap(100 * PAGE)
    for page in range(100):
        heap.write(page * PAGE, b"x")
    hog = task.mmap(600 * PAGE)
    for _ in range(2):
        hog.touch(write=True)
    hog.munmap()
    assert heap.count()[1] == 100
    before = machine.vmstat()
    heap.touch()
    after = machine.vmstat()
    major = after["pgmajfault"] - before["pgmajfault"]
    assert after["pgfault"] - before["pgfault"] == 100
    assert after["pswpin"] - before["pswpin"] == 100
    assert 100 / 8 <= major < 60
    assert task.maj_flt >= major


def test_vmstat_zero_pages_count_instead_of_io(make_swap: SwapfileMaker) -> None:
    for profile, zero in (("2.6.25", False), ("6.18", True)):
        machine = boot(profile, "1MiB")
        machine.init.swapon(make_swap(profile, 1000))
        heap = machine.init.mmap(400 * PAGE)
        heap.touch(write=True)
        heap.touch()
        counters = machine.core.counters()
        read, wrote = counters["pswpin"], counters["pswpout"]
        assert (read == 0, wrote == 0) == (zero, zero)
        assert (counters["swpin_zero"] > 0, counters["swpout_zero"] > 0) == (zero, zero)
        assert machine.areas[0].info["pswpout"] == wrote


def test_vmstat_oom_kill(profile: str) -> None:
    machine = boot(profile)
    task = machine.init.fork("hog")
    with pytest.raises(sf.TaskKilled):
        task.mmap(300 * PAGE).touch(write=True)
    if profile == "6.18":
        # All above the min mark: 256 - 32 pages.
        assert machine.vmstat()["oom_kill"] == 1
        assert machine.log == [
            "Out of memory: Killed process 2 (hog) total-vm:1200kB, anon-rss:896kB, file-rss:0kB, "
            "shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0"
        ]
    else:
        # 300 pages, a quarter for CAP_SYS_ADMIN, a quarter of that for CAP_SYS_RAWIO.
        assert machine.log == [
            "Out of memory: kill process 2 (hog) score 18 or a child",
            "Killed process 2 (hog)",
        ]


# ---------------------------------------------------------------- /proc/meminfo and sysinfo


def test_meminfo(profile: str, make_swap: SwapfileMaker) -> None:
    machine = sf.Machine("4MiB", profile, cache=50 * PAGE)
    machine.init.swapon(make_swap("s", 100))
    machine.init.mmap(30 * PAGE).touch(write=True)
    usable = 98 if profile == "2.6.25" else 99
    old = profile == "2.6.25"
    assert machine.meminfo() == {
        "MemTotal": 4096,
        "MemFree": (1024 - 50 - 30) * 4,
        "Cached": 200,
        "Active": 120 if old else 0,  # new anonymous pages are active in 2.6.25
        "Inactive": 0 if old else 120,
        "SwapTotal": usable * 4,
        "SwapFree": usable * 4,
    }
    info = machine.init.sysinfo()
    assert (info.totalram, info.freeram) == (4 << 20, 944 * PAGE)
    assert (info.totalswap, info.freeswap, info.procs) == (usable * PAGE, usable * PAGE, 1)
    assert info.mem_unit == 1


# ---------------------------------------------------------------- smaps


def test_smaps_lines(profile: str) -> None:
    machine = boot(profile)
    task = machine.init.fork()
    task.mmap(4 * PAGE, name="[heap]").touch([0, 1, 2], write=[True, True, False])
    task.mmap(2 * PAGE, readonly=True)
    # 2.6.25 gives a read of new memory a page of its own; 6.18 maps the zero page.
    rss, clean = (12, 0) if profile == "2.6.25" else (8, 0)
    dirty = rss - clean
    tail = "Anonymous:      {0:8d} kB\nSwap:           {1:8d} kB\nSwapPss:        {1:8d} kB\n"
    heap = (
        "7f0000000000-7f0000004000 rw-p 00000000 00:00 0                          [heap]\n"
        "Size:                 16 kB\n"
        f"Rss:            {rss:8d} kB\n"
        f"Pss:            {rss:8d} kB\n"
        "Shared_Clean:          0 kB\n"
        "Shared_Dirty:          0 kB\n"
        f"Private_Clean:  {clean:8d} kB\n"
        f"Private_Dirty:  {dirty:8d} kB\n"
        f"Referenced:     {rss:8d} kB\n"
    )
    other = (
        "7f0000005000-7f0000007000 r--p 00000000 00:00 0 \n"
        "Size:                  8 kB\n"
        "Rss:                   0 kB\n"
        "Pss:                   0 kB\n"
        "Shared_Clean:          0 kB\n"
        "Shared_Dirty:          0 kB\n"
        "Private_Clean:         0 kB\n"
        "Private_Dirty:         0 kB\n"
        "Referenced:            0 kB\n"
    )
    if profile == "6.18":
        heap += tail.format(rss, 0)
        other += tail.format(0, 0)
    assert machine.smaps(task) == heap + other


def value(text: str, name: str) -> int:
    (line,) = [x for x in text.splitlines() if x.startswith(name + ":")]
    return int(line.split()[1])


def test_smaps_has_no_swap_line_in_2_6_25() -> None:
    machine = boot("2.6.25")
    machine.init.mmap(PAGE).touch(write=True)
    assert "Swap" not in machine.smaps(machine.init)
    assert "Anonymous" not in machine.smaps(machine.init)


def test_smaps_shares_are_rounded_as_the_kernel_does(profile: str) -> None:
    """Three processes, three pages: 3 x (4096 << 12) // 3 is a hair below 4 kB, so 3 kB."""
    machine = boot(profile)
    parent = machine.init.fork()
    parent.mmap(3 * PAGE).touch(write=True)
    children = [parent.fork(), parent.fork()]
    for task in (parent, *children):
        text = machine.smaps(task)
        assert (value(text, "Rss"), value(text, "Pss")) == (12, 3)
        assert (value(text, "Shared_Dirty"), value(text, "Private_Dirty")) == (12, 0)
    assert value(machine.smaps(children[0]), "Referenced") == 0  # copied entries are old
    children[0].mappings[0].touch([0], write=True)
    text = machine.smaps(children[0])
    assert (value(text, "Shared_Dirty"), value(text, "Private_Dirty")) == (8, 4)
    assert value(text, "Pss") == 4 + 8 // 3


def test_smaps_swap_and_swappss(make_swap: SwapfileMaker) -> None:
    machine = boot("6.18", "2MiB")
    machine.init.swapon(make_swap("s", 2000))
    parent = machine.init.fork()
    heap = parent.mmap(60 * PAGE)
    for page in range(60):
        heap.write(page * PAGE, b"x")
    child = parent.fork()
    hog = machine.init.mmap(600 * PAGE)
    for _ in range(2):
        hog.touch(write=True)
    assert heap.count() == (0, 60, 0)
    for task in (parent, child):
        text = machine.smaps(task)
        assert [value(text, n) for n in ("Size", "Rss", "Swap", "SwapPss")] == [240, 0, 240, 120]
    child.exit()
    assert value(machine.smaps(parent), "SwapPss") == 240


def test_smaps_swap_of_shared_memory_is_the_objects(make_swap: SwapfileMaker) -> None:
    machine = boot("6.18", "2MiB")
    machine.init.swapon(make_swap("s", 2000))
    common = machine.init.mmap(60 * PAGE, shared=True)
    for page in range(60):
        common.write(page * PAGE, b"x")
    other = machine.init.fork()
    hog = machine.init.mmap(600 * PAGE)
    for _ in range(2):
        hog.touch(write=True)
    text = machine.smaps(other).split("\n7f")[0]
    assert [value(text, n) for n in ("Rss", "Anonymous", "Swap", "SwapPss")] == [0, 0, 240, 0]
    assert " rw-s 00000000 " in text


def test_smaps_after_a_hole(profile: str) -> None:
    machine = boot(profile)
    heap = machine.init.mmap(6 * PAGE, shared=True)
    heap.munmap(2 * PAGE, PAGE)
    heads = [x for x in machine.smaps(machine.init).splitlines() if "-s " in x]
    assert heads == [
        "7f0000000000-7f0000002000 rw-s 00000000 00:00 0 ",
        "7f0000003000-7f0000006000 rw-s 00003000 00:00 0 ",
    ]


# ---------------------------------------------------------------- pagemap


def test_pagemap(profile: str, make_swap: SwapfileMaker) -> None:
    machine = boot(profile, "2MiB")
    machine.init.swapon(make_swap("first", 20), sf.SWAP_FLAG_PREFER | 1)
    machine.init.swapon(make_swap("second", 2000), sf.SWAP_FLAG_PREFER | 9)
    task = machine.init.fork()
    heap = task.mmap(61 * PAGE)
    for page in range(60):
        heap.write(page * PAGE, b"x")
    modern = profile == "6.18"
    shift = 0 if modern else 12 << 55
    hole = shift
    mapped = shift | 1 << 63 | (1 << 56 if modern else 0)
    assert machine.pagemap(heap).tolist() == [mapped] * 60 + [hole]
    hog = machine.init.mmap(600 * PAGE)
    for _ in range(2):
        hog.touch(write=True)
    words = machine.pagemap(heap)
    assert heap.count()[1] == 60
    assert words[60] == hole
    out = words[:60]
    assert set((out >> np.uint64(61)).tolist()) == {0b010}  # bit 62, neither present nor shared
    assert set((out & np.uint64(31)).tolist()) == {1}  # type: the second area
    offsets = (out >> np.uint64(5)) & np.uint64((1 << 50) - 1)
    assert len(set(offsets.tolist())) == 60
    assert offsets.min() > 0 and offsets.max() < 2000
    file = Path(machine.areas[1].path).read_bytes()
    assert all(file[offset * PAGE] == ord("x") for offset in offsets.tolist())


def test_pagemap_bits_of_shared_pages(profile: str) -> None:
    machine = boot(profile)
    common, private = machine.init.mmap(PAGE, shared=True), machine.init.mmap(PAGE)
    common.touch(write=True)
    private.touch(write=True)
    child = machine.init.fork()
    modern = profile == "6.18"
    shift = 0 if modern else 12 << 55
    present = shift | 1 << 63
    common_bits = present | (1 << 61 | 1 << 56 if modern else 0)
    assert machine.pagemap(common).tolist() == [common_bits]
    assert machine.pagemap(private).tolist() == [present]  # mapped twice: not exclusive
    assert machine.pagemap(common.inherited_by(child)).tolist() == [shift]  # not touched there


# ---------------------------------------------------------------- numbers everybody knows


@pytest.mark.parametrize(
    ("profile", "size", "kb"),
    [
        ("2.6.25", "64MiB", 65528),
        ("6.18", "64MiB", 65532),
        ("2.6.25", "512MiB", 524280),
        ("6.18", "512MiB", 524284),
        ("2.6.25", "40KiB", 32),
        ("6.18", "40KiB", 36),
    ],
)
def test_sizes_in_proc_swaps(tmp_path: Path, profile: str, size: str, kb: int) -> None:
    path = tmp_path / "s"
    mkswap(path, size=size)
    machine = sf.Machine("64MiB", profile, contents=False)
    machine.init.swapon(path)
    assert machine.proc_swaps().splitlines()[1].split()[2] == str(kb)
    machine.close()
