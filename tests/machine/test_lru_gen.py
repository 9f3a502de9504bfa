"""The multi-generational LRU as a machine has it: options, groups, the switch, the debug file."""

from __future__ import annotations

import errno
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import swapfast as sf
from swapfast.cli.commands import swapfast
from swapfast.core import memcg_table
from swapfast.kernel.options import KernelOptions
from swapfast.kernel.state import Mapping
from swapfast.replay import replay
from swapfast.scenario.computer import make_machine
from swapfast.scenario.tables.machine import MachineModel
from swapfast.swapfile import mkswap
from swapfast.traces import generate

PAGE = 4096
MGLRU, CLASSIC = "linux-6.18-mglru", "linux-6.18"


def machine(**options: Any) -> sf.Machine:
    options = {"cache": 0, "contents": False, "overcommit": 1, "page_cluster": 0, **options}
    one = sf.Machine("16MiB", options.pop("profile", "6.18-mglru"), **options)
    one.add_swap("64MiB")
    return one


def busy(one: sf.Machine, limit: int, pages: int, seed: int = 1) -> Mapping:
    """A program of random references under a limit, in pages."""
    task = one.init.fork()
    one.memory_group(limit * PAGE).add(task)
    heap = task.mmap(pages * PAGE)
    heap.touch(write=True)
    scramble(heap, seed)
    return heap


def scramble(heap: Mapping, seed: int) -> None:
    rng = np.random.default_rng(seed)
    numbers = rng.zipf(1.2, 3000) % heap.pages
    heap.touch(numbers, write=rng.random(3000) < 0.3)


# ---------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("profile", "options", "message"),
    [
        ("6.18-mglru", {"lru_gen": 8}, "lru_gen is a mask from 0 to 7, not 8"),
        ("6.18-mglru", {"lru_gen": -1}, "lru_gen is a mask"),
        ("6.18", {"lru_gen": 7}, "lru_gen=7 is of linux-6.18-mglru, not of linux-6.18"),
        ("2.6.25", {"lru_gen": 1}, "lru_gen=1 is of linux-6.18-mglru, not of linux-2.6.25"),
        ("6.18-mglru", {"lru_gen_rule": "never"}, "lru_gen_rule is one of always, fault, ticks"),
        ("6.18-mglru", {"lru_gen": 1, "lru_gen_rule": "fault"}, "with lru_gen=1 walks none"),
        ("6.18", {"lru_gen_rule": "fault"}, "linux-6.18 with lru_gen=0 walks none"),
        ("2.6.25", {"lru_gen_rule": "ticks"}, "is a rule of 6.18"),
        ("6.18", {"lru_drain": 64}, "lru_drain=64 is of linux-6.18-mglru"),
        ("6.18-mglru", {"lru_drain": -1}, "lru_drain is a number of references"),
    ],
)
def test_what_makes_no_sense_is_refused(
    profile: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        KernelOptions("64MiB", profile, **options)


@pytest.mark.parametrize(
    ("options", "policy", "mask"),
    [({}, MGLRU, 7), ({"lru_gen": 1}, MGLRU, 1), ({"lru_gen": 6}, CLASSIC, 6)],
)
def test_the_mask_says_which_lru(options: dict[str, Any], policy: str, mask: int) -> None:
    one = machine(**options)
    assert one.memory_group(1 << 20).policy == policy
    assert one.cgroup("/a").policy == policy
    assert one.lru_gen.enabled == mask


def test_off_is_the_classic_lru() -> None:
    trace = generate("zipf", pages=500, refs=20_000, seed=3)
    off = replay(trace, "50%", policy=MGLRU, lru_gen=0)
    classic = replay(trace, "50%", policy=CLASSIC)
    on = replay(trace, "50%", policy=MGLRU)
    assert off.policy == CLASSIC and on.policy == MGLRU
    assert off.pgmajfault == classic.pgmajfault != on.pgmajfault
    assert off.simulated == classic.simulated


@pytest.mark.parametrize("seed", range(3))
def test_with_contents_every_byte_is_right(seed: int, tmp_path: Path) -> None:
    """Shared pages, forks and writes of pages that wait to be moved among them."""
    file = tmp_path / "s1"
    mkswap(file, size="4MiB")
    one = sf.Machine("16MiB", "6.18-mglru", cache=0, overcommit=1, page_cluster=0)
    one.init.swapon(str(file))
    task = one.init.fork()
    one.memory_group(300 * PAGE).add(task)
    heap = task.mmap(400 * PAGE)
    said = {}
    rng = np.random.default_rng(seed)
    for n, page in enumerate(rng.zipf(1.3, 6000) % 400):
        if rng.random() < 0.4:
            said[page] = b"%d" % n
            heap.write(int(page) * PAGE, said[page].ljust(16))
        else:
            assert heap.read(int(page) * PAGE, 16) == said.get(page, b"").ljust(
                16, b" " if page in said else b"\0"
            )
        if n == 3000:
            child = task.fork()
            assert child.alive
    one.verify()


# ---------------------------------------------------------------- groups


def test_groups_are_independent() -> None:
    """Each counts what it would count alone."""
    alone, both = machine(), machine()
    first = busy(alone, 200, 400)
    beside = [busy(both, 200, 400), busy(both, 150, 400, seed=2)]
    both.verify()
    mine = alone.core.counters()
    one = memcg_table.info(alone.core, first.mm.group)["stat"]
    two = memcg_table.info(both.core, beside[0].mm.group)["stat"]
    assert one["pswpout"] == mine["pswpout"] > 0
    for name in ("pswpin", "pgscan_direct", "pgrefill", "pgactivate", "workingset_activate_anon"):
        assert one[name] == two[name], name


def test_the_limit_of_a_parent() -> None:
    one = machine()
    parent = one.cgroup("/jobs", max=300 * PAGE)
    heaps = []
    for name in ("a", "b"):
        group = one.cgroup(f"/jobs/{name}", low=120 * PAGE if name == "a" else 0)
        task = one.init.fork()
        group.add(task)
        heaps.append(task.mmap(250 * PAGE))
    for seed in range(6):
        for heap in heaps:
            heap.touch(write=True)
            scramble(heap, seed)
    one.verify()
    a, b = (one.cgroup(f"/jobs/{name}") for name in ("a", "b"))
    assert parent.current <= 300 * PAGE
    assert a.current >= 100 * PAGE
    assert a.stat()["pgscan"] > 0 or b.stat()["pgscan"] > 0


def test_without_a_limit_the_machine_reclaims() -> None:
    one = machine()
    heap = one.init.fork().mmap("20MiB")
    heap.touch(write=True)
    scramble(heap, 1)
    one.verify()
    assert one.vmstat()["pswpout"] > 0
    assert one.oom_records == []


def test_few_free_slots_are_none() -> None:
    """get_swappiness: with less than 64 of them nothing is evicted."""
    one = sf.Machine("16MiB", "6.18-mglru", contents=False, cache=0, overcommit=1, page_cluster=0)
    one.add_swap(100 * PAGE)
    task = one.init.fork()
    one.memory_group(300 * PAGE).add(task)
    with pytest.raises(sf.TaskKilled):
        task.mmap(450 * PAGE).touch(write=True)
    assert one.vmstat()["pswpout"] <= 100


# ---------------------------------------------------------------- the switch


@pytest.mark.parametrize("profile", ["6.18", "6.18-mglru"])
def test_pages_go_from_list_to_list(profile: str) -> None:
    one = machine(profile=profile)
    heap = busy(one, 200, 400)
    first = one.lru_gen.enabled
    for step in range(6):
        before = one.core.memory()
        one.lru_gen.enabled = 0 if one.lru_gen.enabled else 7
        assert one.core.memory()["used"] == before["used"]
        one.verify()
        scramble(heap, step)
        one.verify()
    assert one.lru_gen.enabled == first
    assert one.vmstat()["pswpin"] > 0


def test_the_two_youngest_become_the_active_list() -> None:
    one = machine()
    busy(one, 200, 400)
    before = one.core.memory()
    assert before["active"] > 0 and before["inactive"] > 0
    one.lru_gen.enabled = 0
    after = one.core.memory()
    assert (after["active"], after["inactive"]) == (before["active"], before["inactive"])


def test_numbers_of_generations_are_kept() -> None:
    one = machine()
    busy(one, 200, 400)
    youngest = [line.split()[0] for line in one.lru_gen.debug().splitlines()][-1]
    one.lru_gen.store("0")
    one.lru_gen.store("1")
    assert [line.split()[0] for line in one.lru_gen.debug().splitlines()][-1] == youngest


@pytest.mark.parametrize(
    ("text", "shown"),
    [("y", "0x0007"), ("n", "0x0000"), ("5\n", "0x0005"), ("0x3", "0x0003"), ("255", "0x0007")],
)
def test_the_file(text: str, shown: str) -> None:
    one = machine()
    one.lru_gen.store(text)
    assert one.lru_gen.show() == shown + "\n"


def test_errors_of_the_switch() -> None:
    one = machine()
    for text in ("", "maybe", "-1", "0xg"):
        with pytest.raises(OSError) as caught:
            one.lru_gen.store(text)
        assert caught.value.errno == errno.EINVAL
    with pytest.raises(ValueError, match="mask from 0 to 7"):
        one.lru_gen.enabled = 9
    with pytest.raises(OSError) as caught:
        sf.Machine("16MiB", "2.6.25").lru_gen.enabled = 7
    assert caught.value.errno == errno.ENOENT


def test_the_debug_file() -> None:
    one = machine()
    heap = busy(one, 200, 400)
    text = one.lru_gen.debug()
    parts = re.split(r"^memcg ", text, flags=re.M)[1:]
    assert [part.split()[1] for part in parts] == [
        row.path for row in one.kernel.groups.root.below()
    ]
    mine = parts[-1].splitlines()
    assert mine[1] == " node     0"
    for line in mine[2:]:
        assert re.fullmatch(r" [ \d]{10} [ \d]{10} [ \d]{10}  [ \d]{10} ", line)
    rows = [[int(word) for word in line.split()] for line in mine[2:]]
    assert [row[0] for row in rows] == list(range(rows[0][0], rows[-1][0] + 1))
    used = memcg_table.usage(one.core, heap.mm.group)[0]
    assert sum(row[2] for row in rows) == used
    ages = [row[1] for row in rows]
    assert ages == sorted(ages, reverse=True)
    assert all(row[3] == 0 for row in rows)


# ---------------------------------------------------------------- images and files


@pytest.mark.parametrize(("profile", "mask"), [("6.18-mglru", 0), ("6.18-mglru", 3), ("6.18", 5)])
def test_an_image_knows_the_switch(tmp_path: Path, profile: str, mask: int) -> None:
    file = tmp_path / "s1"
    mkswap(file, size="4MiB")
    one = sf.Machine("8MiB", profile, cache=0, overcommit=1, page_cluster=0)
    login = one.init.clone(sf.NEWSWAP | sf.NEWIPC)
    login.swapon(str(file))
    one.memory_group(200 * PAGE).add(login)
    heap = login.mmap(400 * PAGE)
    heap.touch(write=True)
    one.lru_gen.enabled = mask
    scramble(heap, 1)
    login.swap_ns.checkpoint(tmp_path / "image")
    again = sf.Machine.restart(tmp_path / "image")
    assert again.lru_gen.enabled == (mask if mask & 1 or profile == "6.18-mglru" else 0)
    (twin,) = (t.mappings[0] for t in again.tasks.values() if t.mappings)
    scramble(twin, 2)
    again.verify()
    found = memcg_table.generations(again.core, twin.mm.group)
    assert (found is not None) == bool(mask & 1)


def test_a_scenario_may_ask_for_it() -> None:
    told = MachineModel.model_validate({"profile": "6.18-mglru", "lru_gen": 1})
    assert make_machine(told, contents=False).lru_gen.enabled == 1
    with pytest.raises(ValueError, match=r"lru_gen=7 is of linux-6\.18-mglru"):
        MachineModel.model_validate({"profile": "6.18", "lru_gen": 7})


def test_the_command_line() -> None:
    trace = Path(__file__).parents[1] / "fidelity" / "data" / "real-gitlog.npz"
    words = ["replay", str(trace), "-m", "50%", "--profile", "6.18-mglru", "--page-cluster", "0"]
    words += ["--device", "zram", "--lru-gen", "7", "--lru-gen-rule", "fault", "--json"]
    done = CliRunner().invoke(swapfast, words)
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert (told["policy"], told["pgmajfault"]) == (MGLRU, 2653)
