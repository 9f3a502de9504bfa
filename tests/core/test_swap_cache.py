"""A page's life between memory and its slot: swap cache, copy on write, zero pages, swapoff.

Small machines, so that who is where can be followed; bytes are read back, not assumed.
"""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest

import swapfast as sf
from swapfast import _core
from swapfast.core import mapping_table
from swapfast.kernel.state import Mapping
from swapfast.swapfile import mkswap

PAGE = 4096
PROFILES = ("2.6.25", "6.18")
MARK = b"page "


class Small:
    """A machine of 256 pages, one swapfile, and a task in a memory group of ``limit`` pages.

    FIFO makes the order of eviction plain: the page that came first leaves first, one for one.
    """

    def __init__(
        self, folder: Path, profile: str, limit: int = 8, slots: int = 100, policy: str = "fifo"
    ) -> None:
        self.machine = sf.Machine("1MiB", profile, overcommit=1, cache=0, page_cluster=0)
        self.path = folder / "s"
        mkswap(self.path, size=(slots + 1 + (profile == "2.6.25")) * PAGE)
        self.machine.init.swapon(self.path)
        (self.area,) = self.machine.areas.values()
        assert self.area.info["pages"] == slots
        self.task = self.machine.init.fork("task")
        self.group = self.machine.memory_group(limit * PAGE, policy=policy)
        self.group.add(self.task)
        self.heap = self.task.mmap(64 * PAGE)

    def write(self, *pages: int, mapping: Mapping | None = None, mark: bytes = MARK) -> None:
        for page in pages:
            (mapping or self.heap).write(page * PAGE, mark + b"%d." % page)

    def check(self, *pages: int, mapping: Mapping | None = None, mark: bytes = MARK) -> None:
        for page in pages:
            text = mark + b"%d." % page
            assert (mapping or self.heap).read(page * PAGE, len(text)) == text

    def state(self, page: int, mapping: Mapping | None = None) -> tuple[str, int]:
        """("in", "out", "zero" or "none", slot or 0)."""
        number = (mapping or self.heap).number
        pte, entry, _, _ = mapping_table.state(self.machine.core, number, page, 1)
        slot = int(entry[0]) - self.area.base if entry[0] else 0
        for bit, name in ((_core.ZERO, "zero"), (_core.PRESENT, "in"), (_core.SWAPPED, "out")):
            if pte[0] & bit:
                return name, slot
        return "none", slot

    @property
    def count(self) -> dict[str, int]:
        return self.machine.core.counters()

    @property
    def inuse(self) -> int:
        return int(self.area.info["inuse"])


@pytest.fixture(params=PROFILES)
def small(request: pytest.FixtureRequest, tmp_path: Path) -> Small:
    return Small(tmp_path, request.param)


# ---------------------------------------------------------------- swap cache


def test_an_unmodified_page_is_evicted_again_without_a_second_write(small: Small) -> None:
    """8 pages of memory. Writing 0..9 pushes 0 and 1 out: 2 writes. Reading 0 and 1 pushes 2 and 3
    out: 2 more. Then 4..7 and 10, 11 come, and 0 and 1 leave again, clean: they cost no write."""
    small.write(*range(10))
    assert small.count["pswpout"] == 2
    first, second = small.state(0), small.state(1)
    assert first[0] == second[0] == "out"
    small.check(0, 1)
    assert small.count["pswpout"] == 4
    assert small.state(0) == ("in", first[1])  # in the swap cache: it keeps its slot
    small.write(10, 11, 12, 13, 14, 15, 16, 17)
    # 4..9 (6 pages) were written; 0 and 1 were not.
    assert small.count["pswpout"] == 10
    assert (small.state(0), small.state(1)) == (first, second)
    assert small.inuse == 10
    small.check(*range(10))


def test_a_modified_page_is_written_again(small: Small) -> None:
    """2.6.25 keeps the slot on a write fault and writes it again in place; 6.18 drops it."""
    small.write(*range(10))
    slot = small.state(0)[1]
    small.write(0, mark=b"new ")
    modern = small.machine.profile.modern
    assert small.state(0) == ("in", 0 if modern else slot)
    before = small.count["pswpout"]
    small.write(*range(20, 28))
    assert small.state(0)[0] == "out"
    assert small.count["pswpout"] == before + 8
    if not modern:
        assert small.state(0)[1] == slot
    small.check(0, mark=b"new ")
    assert small.count["pswpin"] == 2


def test_a_read_then_a_write_of_a_cached_page(small: Small) -> None:
    """The write finds a page that is present and not dirty: one more write at its eviction."""
    small.write(*range(10))
    small.check(0)
    slot = small.state(0)[1]
    small.write(0, mark=b"new ")
    assert small.state(0)[1] in (0, slot)
    small.write(*range(20, 28))
    assert small.state(0)[0] == "out"
    small.check(0, mark=b"new ")


def test_slot_contents_are_the_files(small: Small) -> None:
    small.write(*range(12))
    raw = small.path.read_bytes()
    for page in range(4):
        slot = small.state(page)[1]
        text = MARK + b"%d." % page
        assert raw[slot * PAGE :].startswith(text)


def test_more_than_half_full_a_page_read_back_gives_its_slot_up(tmp_path: Path) -> None:
    """20 slots. 11 in use means 9 free: 18 < 20, full. Then a fault frees the slot, and the page
    has to be written again when it leaves."""
    for profile in PROFILES:
        folder = tmp_path / profile
        folder.mkdir()
        small = Small(folder, profile, limit=8, slots=20)
        small.write(*range(18))  # 10 out
        assert small.inuse == 10
        small.check(0)  # page 8 leaves: 11 in use when 0 is mapped
        assert small.state(0) == ("in", 0)
        assert small.inuse == 10
        wrote = small.count["pswpout"]
        small.write(*range(20, 27))  # 9..15 leave, 7 of them; and the slots run out of clean pages
        small.check(*range(18), *range(20, 27))
        assert small.count["pswpout"] > wrote + 7
        small.machine.verify()


@pytest.mark.parametrize(("profile", "given_up"), [("2.6.25", False), ("6.18", True)])
def test_more_than_half_full_the_last_sharer_to_read_frees_the_slot(
    tmp_path: Path, profile: str, given_up: bool
) -> None:
    """20 slots, 11 in use. Parent and child map page 0 again, first one, then the other.

    While one entry still refers to the slot it stays. Afterwards 6.18 frees it
    (folio_free_swap asks whether anybody refers to it), 2.6.25 does not
    (remove_exclusive_swap_page asks for a page with one user).
    """
    small = Small(tmp_path, profile, limit=8, slots=20)
    small.write(*range(18))
    child = small.task.fork()
    copy = small.heap.inherited_by(child)
    small.check(0)
    slot = small.state(0)[1]
    assert slot != 0 and small.inuse == 11
    small.check(0, mapping=copy)
    assert small.state(0) == small.state(0, copy) == ("in", 0 if given_up else slot)
    assert small.inuse == 11 - given_up
    small.check(*range(18), mapping=copy)
    small.check(*range(18))
    small.machine.verify()


def test_slots_are_free_after_munmap_and_exit(small: Small) -> None:
    small.write(*range(30))
    assert small.inuse == 22
    small.heap.munmap(0, 10 * PAGE)
    assert small.inuse == 12
    child = small.task.fork()
    small.heap.munmap()
    assert small.inuse == 12  # the child still refers to them
    child.exit()
    assert small.inuse == 0
    assert small.machine.core.memory()["used"] == 0


# ---------------------------------------------------------------- zero pages


@pytest.mark.parametrize(("profile", "written"), [("2.6.25", 4), ("6.18", 0)])
def test_pages_of_zeroes(tmp_path: Path, profile: str, written: int) -> None:
    """6.18 remembers them in the zero map: a slot, no write, no read. The file keeps what it had,
    so a slot whose old bytes are not zero shows that zeroes are made, not read."""
    small = Small(tmp_path, profile)
    with open(small.path, "r+b") as file:
        file.seek(PAGE)
        file.write(b"\xff" * (PAGE * 100))
    for page in range(12):
        small.heap.write(page * PAGE, bytes(PAGE))
    assert (small.count["pswpout"], small.count["swpout_zero"]) == (written, 4 - written)
    assert small.inuse == 4
    slots = [small.state(page)[1] for page in range(4)]
    raw = small.path.read_bytes()
    expected = b"\xff" if small.machine.profile.modern else b"\0"
    assert all(raw[s * PAGE : (s + 1) * PAGE] == expected * PAGE for s in slots)
    for page in range(4):
        assert small.heap.read(page * PAGE, PAGE) == bytes(PAGE)
    assert (small.count["pswpin"], small.count["swpin_zero"]) == (written, 4 - written)


def test_a_slot_forgets_that_it_held_zeroes(tmp_path: Path) -> None:
    """The same slots, first with zeroes, then with bytes, then with zeroes again."""
    small = Small(tmp_path, "6.18", limit=4, slots=15)
    for turn in range(6):
        for page in range(16):
            data = bytes(PAGE) if (turn + page) % 2 else b"%d %d" % (turn, page)
            small.heap.write(page * PAGE, data)
        for page in range(16):
            data = b"" if (turn + page) % 2 else b"%d %d" % (turn, page)
            assert small.heap.read(page * PAGE, PAGE) == data.ljust(PAGE, b"\0"), (turn, page)
    assert small.count["swpout_zero"] > 5 and small.count["pswpout"] > 5
    small.machine.verify()


def test_one_byte_at_the_end_is_not_a_page_of_zeroes(tmp_path: Path) -> None:
    small = Small(tmp_path, "6.18")
    for at in (0, 7, 8, 63, 64, 2048, PAGE - 1):
        small.heap.munmap()
        small.heap = small.task.mmap(64 * PAGE)
        small.heap.write(at, b"\1")
        before = small.count["swpout_zero"]
        small.write(*range(1, 9))
        assert small.state(0)[0] == "out"
        assert small.count["swpout_zero"] == before
        assert small.heap.read(0, PAGE) == bytes(at) + b"\1" + bytes(PAGE - 1 - at)


def test_a_read_of_new_memory(tmp_path: Path) -> None:
    """6.18 maps the zero page: no memory, nothing to swap. 2.6.25 gives it a page of its own."""
    for profile in PROFILES:
        folder = tmp_path / profile
        folder.mkdir()
        small = Small(folder, profile)
        assert small.heap.read(0, 64 * PAGE) == bytes(64 * PAGE)
        modern = small.machine.profile.modern
        assert small.heap.count() == ((0, 0, 64) if modern else (8, 56, 0))
        assert small.inuse == (0 if modern else 56)


# ---------------------------------------------------------------- copy on write


def test_copy_on_write_under_pressure(small: Small) -> None:
    """Parent and child write in turns into 8 pages of memory; neither sees the other's bytes."""
    small.write(*range(16))
    child = small.task.fork("child")
    copy = small.heap.inherited_by(child)
    assert small.inuse == 8  # shared, not doubled
    small.check(*range(16), mapping=copy)
    small.write(*range(0, 16, 2), mapping=copy, mark=b"child ")
    small.write(*range(0, 16, 3), mark=b"parent ")
    for page in range(16):
        small.check(page, mapping=copy, mark=MARK if page % 2 else b"child ")
        small.check(page, mark=MARK if page % 3 else b"parent ")
    assert small.count["cow_copies"] > 0
    small.machine.verify()
    child.exit()
    for page in range(16):
        small.check(page, mark=MARK if page % 3 else b"parent ")
    small.machine.verify()


def test_the_last_sharer_writes_without_a_copy(small: Small) -> None:
    small.write(0, 1)
    child = small.task.fork("child")
    copies = small.count["cow_copies"]
    small.write(0, mark=b"parent ")
    assert small.count["cow_copies"] == copies + 1
    small.write(0, mapping=small.heap.inherited_by(child), mark=b"child ")  # alone now
    child.exit()
    small.write(1, mark=b"parent ")
    assert small.count["cow_copies"] == copies + 1


def test_grandchildren_share_slots(small: Small) -> None:
    small.write(*range(16))
    tasks = [small.task]
    for _ in range(4):
        tasks.append(tasks[-1].fork())
    copies = [small.heap.inherited_by(t) for t in tasks]
    small.write(*range(20, 28))  # everything that is shared leaves
    assert small.inuse == 16
    for number, mapping in enumerate(copies):
        small.write(number, mapping=mapping, mark=b"%d: " % number)
    for number, mapping in enumerate(copies):
        for page in range(16):
            small.check(page, mapping=mapping, mark=b"%d: " % number if page == number else MARK)
    for task in tasks[1:4]:  # the middle of the line dies
        task.exit()
    small.check(*range(1, 16), mapping=copies[0])
    small.check(*range(4), *range(5, 16), mapping=copies[4])
    small.machine.verify()


@pytest.mark.parametrize(("profile", "victim"), [("2.6.25", "child"), ("6.18", "task")])
def test_copy_that_finds_no_memory_is_out_of_memory(
    tmp_path: Path, profile: str, victim: str
) -> None:
    """One page of memory, for a page and its copy: no order of things makes that work.

    Of two equals 6.18 kills the first; 2.6.25 a child before its parent, here the one that asked.
    """
    small = Small(tmp_path, profile, limit=1)
    small.write(0)
    child = small.task.fork("child")
    copy = small.heap.inherited_by(child)
    if victim == "child":
        with pytest.raises(sf.TaskKilled):
            small.write(0, mapping=copy, mark=b"child ")
        small.check(0)
    else:
        small.write(0, mapping=copy, mark=b"child ")
        small.check(0, mapping=copy, mark=b"child ")
    assert (small.task.alive, child.alive) == (victim == "child", victim == "task")
    small.machine.verify()


# ---------------------------------------------------------------- swapoff under pressure


def test_swapoff_reads_everything_back(small: Small) -> None:
    child = small.task.fork()  # no memory limit of its own: the group is its mappings'
    small.group = small.machine.memory_group()
    small.group.add(child)
    heap = child.mmap(40 * PAGE)
    small.write(*range(40), mapping=heap)
    small.machine.init.swapoff(small.path)
    small.check(*range(40), mapping=heap)
    assert small.machine.areas == {}
    memory = small.machine.core.memory()
    assert (memory["total_swap"], memory["free_swap"]) == (0, 0)


@pytest.mark.parametrize("profile", PROFILES)
def test_swapoff_moves_what_memory_cannot_hold_to_another_area(
    tmp_path: Path, profile: str
) -> None:
    small = Small(tmp_path, profile)
    small.write(*range(40))
    assert small.inuse == 32
    other = tmp_path / "other"
    mkswap(other, size=100 * PAGE)
    small.machine.init.swapon(other)
    small.machine.init.swapoff(small.path)
    (area,) = small.machine.areas.values()
    assert area.path == str(other)
    assert area.info["inuse"] >= 32
    small.check(*range(40))
    small.machine.verify()


@pytest.mark.parametrize("profile", PROFILES)
def test_swapoff_is_all_or_nothing(tmp_path: Path, profile: str) -> None:
    """A group of 8 pages cannot hold 40; nobody may be killed: ENOMEM, and the area is on."""
    small = Small(tmp_path, profile)
    small.write(*range(40))
    small.task.oom_adj, small.task.oom_score_adj = -17, -1000
    with pytest.raises(OSError) as caught:
        small.machine.init.swapoff(small.path)
    assert caught.value.errno == errno.ENOMEM
    small.machine.verify()
    assert list(small.machine.areas.values()) == [small.area]
    assert small.area.info["writeok"]
    memory = small.machine.core.memory()
    assert memory["total_swap"] == 100
    assert memory["free_swap"] == 100 - small.inuse
    small.check(*range(40))
    small.heap.munmap()
    small.machine.init.swapoff(small.path)


def test_swapoff_of_pages_that_are_in_the_cache_reads_nothing(small: Small) -> None:
    small.write(*range(10))
    small.check(0, 1)  # clean, with a slot; 2 and 3 are out
    small.heap.munmap(2 * PAGE, 2 * PAGE)
    reads = small.count["pswpin"]
    small.machine.init.swapoff(small.path)
    assert small.count["pswpin"] == reads
    small.check(0, 1, *range(4, 10))


# ---------------------------------------------------------------- many pages, by chance


@pytest.mark.parametrize(
    "policy", ["fifo", "lru", "clock", "linux-2.6.25", "linux-6.18", "linux-6.18-mglru"]
)
@pytest.mark.parametrize("profile", PROFILES)
def test_random_bytes_survive_any_policy(tmp_path: Path, profile: str, policy: str) -> None:
    small = Small(tmp_path, profile, limit=24, slots=200, policy=policy)
    chance = np.random.default_rng(7)
    model = bytearray(64 * PAGE)
    for _ in range(500):
        at = int(chance.integers(0, 64 * PAGE - 8))
        if chance.random() < 0.5:
            data = chance.bytes(8)
            model[at : at + 8] = data
            small.heap.write(at, data)
        else:
            assert small.heap.read(at, 8) == model[at : at + 8]
    assert small.heap.read(0, 64 * PAGE) == model
    assert small.count["pswpin"] > 50
    small.machine.verify()
