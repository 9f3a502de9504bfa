"""Parts of the kernel alone: options, default priorities, swapfiles, the table of system calls."""

from __future__ import annotations

import errno
from dataclasses import FrozenInstanceError, fields
from types import SimpleNamespace
from typing import Any

import pytest

import swapfast as sf
from swapfast.kernel.boot import boot
from swapfast.kernel.calls import GroupCalls, SystemCalls
from swapfast.kernel.device import SimulatedDevice
from swapfast.kernel.files import FILES_AT_ONCE, Files
from swapfast.kernel.options import DEFAULTS, KernelOptions, Keywords, not_default
from swapfast.kernel.ranks import Ranks
from swapfast.replay import replay
from swapfast.syscalls import SYSTEM_CALLS
from swapfast.traces import generate

PAGE = 4096

# ---------------------------------------------------------------- options


def test_keywords_are_the_options() -> None:
    assert list(DEFAULTS) == list(Keywords.__annotations__)
    with pytest.raises(TypeError, match="no option 'bit'; there are contents"):
        KernelOptions("1MiB", bit=32)  # type: ignore[call-arg]
    renamed = {"pages": "memory", "cached": "cache"}
    assert {renamed.get(f.name, f.name) for f in fields(KernelOptions)} == {
        "memory",
        "profile",
        *DEFAULTS,
    }


def test_what_is_left_out_is_filled_in_and_stays() -> None:
    options = KernelOptions("1MiB", "2.6.25")
    assert (options.pages, options.cached, options.policy) == (256, 8, "linux-2.6.25")
    assert (options.page_cluster, options.max_swapfiles, options.rules) == (3, 30, sf.Rules())
    assert options == KernelOptions(256 * PAGE, sf.PROFILES["2.6.25"])
    assert options != KernelOptions("1MiB", "2.6.25", swappiness=61)
    with pytest.raises(FrozenInstanceError):
        options.seed = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    "option",
    [
        {"bits": 16},
        {"overcommit": 3},
        {"cache": "1MiB"},
        {"rules": "loose"},
        {"statistics": "old"},
        {"tlb": "on"},
        {"readahead": "far"},
        {"plug": "none"},
        {"seed": -1},
        {"statistics_phase": 2_000_000_000},
    ],
    ids=lambda option: next(iter(option)),
)
def test_an_option_out_of_range_is_named(option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(option))):
        KernelOptions("1MiB", **option)
    with pytest.raises(ValueError, match=next(iter(option))):
        sf.Machine("1MiB", **option)


def test_rules_of_one_kernel_are_not_the_others() -> None:
    assert KernelOptions("1MiB", "2.6.25").plug == "own" and KernelOptions("1MiB").plug == "nested"
    rules = ({"statistics": "stale"}, {"tlb": "fresh"}, {"readahead": "vma"}, {"plug": "nested"})
    for option in rules:
        KernelOptions("1MiB", **option)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"rule of 6\.18, not of 2\.6\.25"):
            KernelOptions("1MiB", "2.6.25", **option)  # type: ignore[arg-type]


def test_replay_knows_which_options_choose_a_machine() -> None:
    assert not_default({"plug": None, "seed": 3, "page_cluster": None}) == {"seed"}
    assert not_default({"plug": "own", "tlb": "off"}) == {"plug"}
    trace = generate("zipf", pages=200, refs=2_000)
    alone = replay(trace, "50%", policy="sieve", seed=3, swappiness=10, plug=None)
    assert alone.profile == "none"
    with pytest.raises(ValueError, match="stands alone"):
        replay(trace, "50%", policy="sieve", times={"reference": 1})
    with pytest.raises(TypeError, match="no option 'plugs'"):
        replay(trace, "50%", policy="sieve", plugs="own")  # type: ignore[call-arg]


# ---------------------------------------------------------------- default priorities


def test_places_below_one_that_is_given_up_move_up() -> None:
    ranks = Ranks(-2)
    assert [ranks.take() for _ in range(4)] == [-2, -3, -4, -5]
    assert ranks.leave(-3) == 1 and ranks.least == -5
    assert [ranks.priority(p) for p in (-2, -4, -5, 0, 7)] == [-2, -3, -4, 0, 7]
    place = ranks.take()
    assert ranks.priority(place) == -5 and ranks.least == -6
    assert ranks.leave(-2) == 2
    assert [ranks.priority(p) for p in (-4, -5, place)] == [-2, -3, -4]


def test_places_given_up_do_not_pile_up() -> None:
    machine = sf.Machine("1MiB", contents=False)
    first = machine.add_swap("64KiB")
    for _ in range(100):
        machine.add_swap("64KiB")
        machine.init.swapoff("/dev/simulated1")
    assert first.priority == -2 and machine.kernel.ranks.least == -3
    assert machine.kernel.ranks.next > -10


# ---------------------------------------------------------------- swapfiles


class Backing:
    """A file whose state a test decides."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.looks = 0
        self.trouble: OSError | None = None
        self.unreachable: OSError | None = None

    def fault(self) -> OSError | None:
        self.looks += 1
        if self.unreachable is not None:
            raise self.unreachable
        return self.trouble


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def areas(log: list[str]) -> tuple[Files[Any], list[Any]]:
    machine = sf.Machine("1MiB", contents=False)
    files: Files[Any] = Files(machine.core, log)
    made = []
    for number in range(2 * FILES_AT_ONCE):
        real = machine.add_swap("64KiB")
        backing = Backing(f"s{number}")
        made.append(
            SimpleNamespace(
                type=real.type, number=real.number, path=backing.path, backing=backing, namespace=0
            )
        )
        files.watch(made[-1])
    return files, made


def test_a_simulated_device_is_not_watched(areas: tuple[Files[Any], list[Any]]) -> None:
    files, made = areas
    device = SimpleNamespace(type=99, backing=SimulatedDevice("/dev/x", 8))
    files.watch(device)
    assert list(files.watched) == [a.type for a in made]
    files.look_at(device)
    files.forget(device)


def test_files_of_others_are_looked_at_a_few_at_a_time(
    areas: tuple[Files[Any], list[Any]],
) -> None:
    files, made = areas
    mine = made[:1]
    files.look(mine)
    assert sum(a.backing.looks for a in made) == 1 + FILES_AT_ONCE
    files.look(mine)
    assert min(a.backing.looks for a in made) == 1, "after two batches each was looked at"
    files.look(made)  # too many to look at each
    assert sum(a.backing.looks for a in made) == 2 + 3 * FILES_AT_ONCE


def test_a_lost_file_stays_lost_and_is_told_once(
    areas: tuple[Files[Any], list[Any]], log: list[str]
) -> None:
    files, (own, other, *_) = areas
    own.backing.trouble = OSError(errno.ESTALE, "was replaced")
    files.check(own)
    files.look([own])
    own.backing.trouble = None
    files.look([own])
    assert log == ["swap area s0: was replaced"]
    with pytest.raises(OSError, match="was replaced") as caught:
        files.check(own)
    assert (caught.value.errno, caught.value.filename) == (errno.ESTALE, "s0")
    files.check(other)
    files.check_lost(1)
    with pytest.raises(OSError, match="was replaced"):
        files.check_lost(own.namespace)
    files.forget(own)
    files.check(own)


def test_a_file_that_cannot_be_looked_at_is_not_lost(
    areas: tuple[Files[Any], list[Any]], log: list[str]
) -> None:
    files, (own, *_) = areas
    own.backing.unreachable = OSError(errno.EIO, "no answer")
    files.look_at(own)
    with pytest.raises(OSError, match="no answer"):
        files.check(own)
    files.check_lost(own.namespace)
    own.backing.unreachable = None
    files.look_at(own)
    files.check(own)
    assert log == []


# ---------------------------------------------------------------- the table of system calls


class Recorded:
    """A table that writes down what is asked, and passes it on."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __getattr__(self, name: str) -> Any:
        call = getattr(SYSTEM_CALLS, name)

        def passed(*arguments: Any, **keywords: Any) -> Any:
            self.seen.append(name)
            return call(*arguments, **keywords)

        return passed


def test_a_table_of_ones_own_sees_every_call() -> None:
    table = Recorded()
    init = boot(KernelOptions("1MiB"), table).init
    child = init.clone(sf.SIGCHLD)
    heap = child.mmap(PAGE)
    heap.write(0, b"x")
    assert heap.read(0, 1) == b"x" and heap.count()[0] == 1
    heap.munmap()
    child.exit()
    assert table.seen == ["clone", "mmap", "write", "read", "count", "munmap", "exit"]


def test_the_table_has_each_call_and_no_more() -> None:
    named = {n for part in (SystemCalls, GroupCalls) for n in vars(part) if not n.startswith("_")}
    assert set(vars(SYSTEM_CALLS)) == named


def test_every_call_of_a_machine_without_power_is_refused() -> None:
    machine = sf.Machine("1MiB")
    child, heap = machine.init.fork(), machine.init.mmap(PAGE)
    group = machine.memory_group()
    machine.close()
    calls = (child.fork, child.exit, child.sysinfo, heap.touch, heap.munmap, group.close)
    for call in calls:
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno == errno.EBADF
