"""Chains that are damaged, mixed up, or made by somebody who means harm."""

from __future__ import annotations

import os
import random
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swapfast.checkpoint import compact, inspect, read_image, restart, verify
from tests.support.chains import NAMES, Edit, edited, fact, put
from tests.support.jobs import PAGE, boot, family, work
from tests.support.members import Members, change_column, change_facts, members
from tests.support.seen import contents


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two chains of three images each, of one sort and the other, and one of another job."""
    folder = tmp_path_factory.mktemp("chains")
    for name, kind, seed in (
        ("copies", "incremental", 1),
        ("area", "pinned", 1),
        ("o", "pinned", 2),
    ):
        (folder / name).mkdir()
        machine, login = boot(folder / name / "swap", size="6MiB", memory="512KiB")
        family(login, seed)
        last = None
        for turn in NAMES:
            image = folder / name / turn
            kind = kind if last is None else "incremental"
            login.swap_ns.checkpoint(image, kind=kind, parent=last)
            last = image
            if turn != "2":
                work(machine, int(turn), 1)
        machine.close()
    return folder


@pytest.fixture(params=["copies", "area"])
def folder(original: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A chain of its own for each test."""
    return shutil.copytree(original / request.param, tmp_path / "chain")


def wrong(folder: Path) -> list[int]:
    own = (folder / "swap").exists() and read_image(folder / "2").facts["parent"]["copied"] is False
    return verify(folder / "2", folder / "swap" if own else None)


def test_nothing_changed(folder: Path) -> None:
    before = [(folder / name).read_bytes() for name in NAMES]
    edited(folder, "0", lambda facts, columns: None)
    assert [(folder / name).read_bytes() for name in NAMES] == before
    assert wrong(folder) == []


@pytest.mark.parametrize("name", NAMES)
def test_flips_and_truncations(folder: Path, name: str) -> None:
    """Of whichever image: its own file is named."""
    path, rng = folder / name, random.Random(3)
    data = path.read_bytes()
    for _ in range(60):
        bit = rng.randrange(8 * len(data))
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=f"{path}: "):
            read_image(folder / "2")
    for length in (0, 21, 22, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(ValueError, match=f"{path}: "):
            read_image(folder / "2")


def test_files_of_pages(original: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(original / "copies", tmp_path / "chain")
    last = folder / "2"
    with restart(last, swapfile=tmp_path / "right") as machine:
        right = contents(machine)
    rng = random.Random(8)
    found = 0
    for name in sorted(n for n in os.listdir(folder) if n.endswith((".pages", ".swap"))):
        path = folder / name
        data = path.read_bytes()
        for _ in range(4):
            at = rng.randrange(PAGE, len(data))
            path.write_bytes(data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :])
            slots = verify(last)
            assert len(slots) < 2
            found += len(slots)
            with restart(last, swapfile=tmp_path / "made") as machine:
                seen = contents(machine)  # None: it could not be read
                assert all(seen[k] in (None, right[k]) for k in right), slots
                assert (None in seen.values()) == (slots != [])
            (tmp_path / "made").unlink()
        for length in (0, 100, PAGE):
            path.write_bytes(data[:length])
            if length < PAGE:
                with pytest.raises(ValueError, match=str(path)):
                    verify(last)
            for act in (
                lambda: restart(last, swapfile=tmp_path / "made"),
                lambda: compact(last, folder / "c"),
            ):
                with pytest.raises((ValueError, OSError), match=str(path)):
                    act()
            assert not (tmp_path / "made").exists() and not (folder / "c").exists()
        for bit in (0, 8 * 16, 8 * 30 + 3, 8 * 1036, 8 * (PAGE - 1)):
            damaged = bytearray(data)
            damaged[bit // 8] ^= 1 << bit % 8
            path.write_bytes(damaged)
            with pytest.raises(ValueError, match=str(path)):
                verify(last)
        path.unlink()
        with pytest.raises(FileNotFoundError):
            verify(last)
        path.symlink_to(folder / "0")
        with pytest.raises(OSError, match="ymbolic link"):
            verify(last)
        path.unlink()
        path.write_bytes(data)
    assert found > 3


# ---------------------------------------------------------------- mixed up


def test_missing_replaced_swapped_links(folder: Path, original: Path) -> None:
    last = folder / "2"
    data = (folder / "1").read_bytes()
    (folder / "1").unlink()
    with pytest.raises(FileNotFoundError, match=f"is missing; {last} builds on it"):
        restart(last)
    for other in (folder / "0", last, original / "o" / "1"):
        shutil.copy(other, folder / "1")
        with pytest.raises(ValueError, match=f"{folder}/1: not the image that {last} builds on"):
            restart(last)
    (folder / "1").unlink()
    (folder / "real").write_bytes(data)
    (folder / "1").symlink_to(folder / "real")
    with pytest.raises(OSError, match="ymbolic link"):
        read_image(last)
    (folder / "1").unlink()
    os.mkfifo(folder / "1")
    with pytest.raises((OSError, ValueError), match=str(folder / "1")):
        read_image(last)


def test_circles(folder: Path) -> None:
    """A seal covers the parent's: who builds on himself builds on an image that is not there."""
    facts, columns = members(folder / "2")
    facts["parent"]["name"] = "2"
    put(folder, "2", facts, columns)
    with pytest.raises(ValueError, match=r"2: not the image that .*2 builds on"):
        read_image(folder / "2")
    first, first_columns = members(folder / "1")
    for _ in range(5):  # each time the other's new seal
        facts["parent"] |= {"name": "1", "seal": put(folder, "1", first, first_columns)}
        first["parent"] |= {"name": "2", "seal": put(folder, "2", facts, columns)}
    with pytest.raises(ValueError, match="not the image that"):
        read_image(folder / "2")


def test_a_parent_of_another_area(original: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(original / "area", tmp_path / "chain")
    shutil.copy(original / "o" / "1", folder / "p")
    shutil.copy(original / "o" / "0", folder / "0")
    facts, columns = members(folder / "p")
    seal = put(folder, "p", facts, columns)
    facts, columns = members(folder / "2")
    facts["parent"] |= {"name": "p", "seal": seal}
    put(folder, "2", facts, columns)
    with pytest.raises(ValueError, match=f"its parent {folder / 'p'} is of another area"):
        read_image(folder / "2")


# ---------------------------------------------------------------- made on purpose


def column(name: str, *numbers: int, runs: bool = False) -> Edit:
    def edit(facts: Any, columns: Members) -> None:
        for form in (name, f"{name}_runs"):
            columns.pop(form, None)
        columns[f"{name}_runs" if runs else name] = np.array(numbers, dtype=np.uint32)

    return edit


def bomb(facts: Any, columns: Members) -> None:
    columns.pop("pte", None)
    columns["pte_value"] = np.array([16], np.uint8)
    columns["pte_length"] = np.array([0xFFFFFFFF], np.uint32)


def rows_bomb(facts: Any, columns: Members) -> None:
    """Rows that would be many, and slots for them."""
    bomb(facts, columns)
    columns.pop("zero", None)
    for name in ("row", "slot", "shadow"):
        column(name, 0, 0xFFFFFFFF, runs=True)(facts, columns)


def wide(facts: Any, columns: Members) -> None:
    """Mappings of much more memory than there are rows."""
    end = facts["mms"][0]["next_address"]
    for i in range(400):
        pages = (1 << 31) - 1
        addr = end + i * (pages + 1) * PAGE
        facts["mms"][0]["mappings"].append(
            {**facts["mms"][0]["mappings"][0], "addr": addr, "pages": pages, "ranges": [[0, pages]]}
        )
        facts["mms"][0]["next_address"] = addr + pages * PAGE


HOSTILE: dict[str, tuple[Edit, str]] = {
    "out of the folder": (fact("parent", "name", value="../0"), "facts.parent.name: not the name"),
    "absolute": (fact("parent", "name", value="/etc/passwd"), "facts.parent.name"),
    "the folder": (fact("parent", "name", value="."), "facts.parent.name"),
    "nobody": (fact("parent", "name", value=""), "facts.parent.name"),
    "a name with an end": (fact("parent", "name", value="0\0"), "facts.parent.name"),
    "a long name": (fact("parent", "name", value="0" * 256), "facts.parent.name"),
    "no parent": (fact("parent", value=None), "facts.parent: an incremental image has one"),
    "no kind for it": (fact("kind", value="pinned"), "facts.parent: an incremental image has one"),
    "seal": (fact("parent", "seal", value="0" * 64), "not the image that"),
    "half a seal": (fact("parent", "seal", value="0" * 63), "facts.parent.seal: not 64"),
    "depth": (fact("parent", "depth", value=3), "facts.parent.depth: not one more"),
    "depth 0": (fact("parent", "depth", value=0), "facts.parent.depth: 0 is not a number from 1"),
    "deep": (fact("parent", "depth", value=65), "facts.parent.depth: 65 is not a number"),
    "folded": (fact("folded", value="x" * 64), "facts.folded: not 64 hexadecimal"),
    "without checksums": (fact("checksums", value=False), "has checksums of its pages"),
    "UUID": (fact("area", "swap_uuid", value="0" * 32), "is of another area"),
    "slots": (fact("area", "slots", value=5000), "is of another area"),
    "old version": (fact("version", value=1), "field '(folded|parent)' is missing or unknown"),
    "rows beyond": (column("row", 1 << 30), "row: not ascending"),
    "rows twice": (column("row", 5, 5), "row: not ascending"),
    "rows backwards": (column("row", 9, 3), "row: not ascending"),
    "rows overlap": (column("row", 3, 9, 5, 9, runs=True), "row: not ascending"),
    "no rows": (lambda f, c: [c.pop("row", 0), c.pop("row_runs", 0)], "pte: .* bytes for 0 rows"),
    "many bytes": (bomb, "slot: not a slot, a shadow|pte: .* bytes for"),
    "many of all": (rows_bomb, "slot: not a slot, a shadow and a checksum for 4294967295"),
    "no slots": (lambda f, c: [c.pop("slot", 0), c.pop("slot_runs", 0)], "slot: not a slot|zero: "),
    "no sums": (lambda f, c: c.pop("sums"), "slot: not a slot, a shadow and a checksum"),
    "no moves": (lambda f, c: [c.pop("move", 0), c.pop("move_runs", 0)], "move: not one of"),
    "few moves": (column("move", 1, 2), "move: not one of the parent's"),
    "wide": (wide, "move: not one of|2\\*\\*32 pages"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("which", ["1", "2"])
def test_refused_by_name(folder: Path, name: str, which: str) -> None:
    edit, says = HOSTILE[name]
    size = sum(os.path.getsize(folder / n) for n in NAMES)
    edited(folder, which, edit)
    tracemalloc.start()
    with pytest.raises(ValueError, match=says) as caught:
        read_image(folder / "2")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(folder) in str(caught.value) and len(str(caught.value)) < 500
    assert peak < 64 * size + (4 << 20), f"{peak} bytes for files of {size}"


def moves(change: Callable[[list[int]], list[int]]) -> Edit:
    def edit(facts: Any, columns: Members) -> None:
        if "move" in columns:
            now = columns["move"].tolist()
        else:
            pairs = columns["move_runs"].reshape(-1, 2).tolist()
            now = [n for start, length in pairs for n in range(start, start + length)]
        column("move", *change(now))(facts, columns)

    return edit


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda m: [*m[:-1], 1 << 20], "move: not one of"),
        (lambda m: [m[0], m[0], *m[2:]], "move: a mapping of the parent is there twice|of pages"),
        (lambda m: [*m[1:], m[0]], "move: a mapping has another number of pages"),
        (lambda m: [0 for _ in m], "."),
    ],
)
def test_moves(folder: Path, change: Any, says: str) -> None:
    edited(folder, "2", moves(change))
    with pytest.raises(ValueError, match=says):
        read_image(folder / "2")


def test_of_the_other_sort(folder: Path) -> None:
    facts, _ = members(folder / "2")
    edited(folder, "2", fact("parent", "copied", value=not facts["parent"]["copied"]))
    with pytest.raises(ValueError, match=r"facts\.parent\.copied: its parent is of the other sort"):
        read_image(folder / "2")


def test_rows_belong_to_a_chain(folder: Path) -> None:
    edited(folder, "0", column("row", 1))
    with pytest.raises(ValueError, match="row: a member of an image without a parent"):
        read_image(folder / "0")


def test_pages_elsewhere_are_not_read(original: Path, tmp_path: Path) -> None:
    """The file of copied pages lies beside its image, whatever the image says."""
    folder = shutil.copytree(original / "copies", tmp_path / "chain")
    name = inspect(folder / "2")["swapfile"]
    assert os.path.dirname(name) == str(folder)
    pages = next(n for n in os.listdir(folder) if n.startswith("2.") and n.endswith(".pages"))
    shutil.move(folder / pages, tmp_path / pages)
    for path in (f"../{pages}", str(tmp_path / pages), f"{folder}/../{pages}"):
        edited(folder, "2", fact("area", "path", value=path))
        assert os.path.dirname(inspect(folder / "2")["swapfile"]) == str(folder)
        with pytest.raises(FileNotFoundError):
            restart(folder / "2")


@pytest.mark.slow
def test_the_longest_chain(tmp_path: Path) -> None:
    machine, login = boot(tmp_path / "area", size="1MiB")
    heap = login.mmap("80KiB")
    last = None
    for turn in range(65):
        heap.write(turn % 20 * PAGE, f"turn {turn}".encode())
        login.swap_ns.checkpoint(tmp_path / f"{turn}", kind="incremental", parent=last)
        last = tmp_path / f"{turn}"
    right = contents(machine)
    with pytest.raises(OSError, match="builds on 64 others; compact it"):
        login.swap_ns.checkpoint(tmp_path / "65", kind="incremental", parent=last)
    machine.close()
    with restart(last) as again:
        assert contents(again) == right


# ---------------------------------------------------------------- anything


@pytest.fixture(scope="module")
def fuzzed(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzzed")


def try_it(folder: Path) -> None:
    """Refused with one of our errors, or restarted with every structure in order."""
    try:
        machine = restart(folder / "2", swapfile=folder / "swap")
    except (ValueError, OSError, MemoryError) as error:
        assert str(folder) in str(error) or isinstance(error, MemoryError)
        return
    machine.verify()
    contents(machine)
    machine.verify()
    machine.close()


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_change(original: Path, fuzzed: Path, data: st.DataObject) -> None:
    folder = fuzzed / "chain"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(original / data.draw(st.sampled_from(["copies", "area"])), folder)
    facts, _ = members(folder / "2")
    if facts["parent"]["copied"]:
        (folder / "swap").unlink()  # is made

    def edit(facts: Any, columns: Members) -> None:
        change_facts(data, facts, 0, 2)
        for _ in range(data.draw(st.integers(0, 2))):
            change_column(data, columns)

    name = data.draw(st.sampled_from(NAMES))
    try:
        edited(folder, name, edit)
    except (KeyError, TypeError):  # the parent's entry of a later image is gone
        return
    try_it(folder)
