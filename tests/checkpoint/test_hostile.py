"""Images and swapfiles that are damaged, or made by somebody who means harm."""

from __future__ import annotations

import copy
import io
import os
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swapfast.checkpoint import read_image, restart, verify
from tests.support.jobs import PAGE, boot, family
from tests.support.members import (
    Members,
    change_column,
    change_facts,
    members,
    packed,
    places,
)
from tests.support.seen import contents


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small job's checkpoint, ``small`` on ``s0``, and a family's, ``job`` on ``s1``."""
    folder = tmp_path_factory.mktemp("hostile")
    _, login = boot(folder / "s0", size="200KiB")
    login.mmap("20KiB").touch(write=True, tag="small")
    login.fork("child")
    login.swap_ns.checkpoint(folder / "small")
    _, login = boot(folder / "s1")
    family(login)
    login.swap_ns.checkpoint(folder / "job")
    return folder


def flips(data: bytes, bits: Any) -> Any:
    for bit in bits:
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        yield bit, damaged


def refused(path: Path, data: bytes) -> str:
    """The message with which these bytes are refused as an image."""
    path.write_bytes(data)
    with pytest.raises(ValueError) as caught:
        read_image(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and len(message) < 400
    return message


def flip_all(folder: Path, path: Path, step: int) -> int:
    data = (folder / "small").read_bytes()
    count = 0
    for bit, damaged in flips(data, range(0, 8 * len(data), step)):
        path.write_bytes(damaged)
        try:
            read_image(path)
        except ValueError as error:
            assert str(path) in str(error)
            count += 1
        else:
            raise AssertionError(f"bit {bit} of the image makes no difference")
    return count


def test_flipped_bits_of_the_image(folder: Path, tmp_path: Path) -> None:
    """Each one is refused: there is no byte in the file that means nothing."""
    assert flip_all(folder, tmp_path / "x", 29) > 1000


@pytest.mark.slow
def test_every_flipped_bit_of_the_image(folder: Path, tmp_path: Path) -> None:
    count = flip_all(folder, tmp_path / "x", 1)
    assert count == 8 * os.path.getsize(folder / "small")
    print(f"{count} flips, all refused")


def test_every_truncation_and_a_longer_file(folder: Path, tmp_path: Path) -> None:
    data = (folder / "small").read_bytes()
    for length in {*range(0, len(data), 9), *range(200), *range(len(data) - 200, len(data))}:
        path = tmp_path / "x"
        path.write_bytes(data[:length])
        with pytest.raises(ValueError, match=str(path)):
            read_image(path)
    refused(tmp_path / "x", data + b"\0")
    refused(tmp_path / "x", b"\0" + data)
    refused(tmp_path / "x", data + data)


def header_bits() -> list[int]:
    """All bits that mean something, and some that do not."""
    meant = [*range(48), *range(1024, 1068), *range(PAGE - 10, PAGE)]
    others = random.Random(4).sample([b for b in range(PAGE) if b not in meant], 40)
    return [8 * byte + bit for byte in meant for bit in range(8)] + [8 * b for b in others]


def test_flipped_bits_of_the_swapfile_header(folder: Path, tmp_path: Path) -> None:
    image, swap = tmp_path / "small", tmp_path / "s0"
    shutil.copy(folder / "small", image)
    shutil.copy(folder / "s0", swap)
    machine = restart(image, swapfile=swap)
    right = contents(machine)
    machine.close()
    shutil.copy(folder / "s0", swap)
    data = swap.read_bytes()
    harmless = 0
    for bit, page in flips(data[:PAGE], header_bits()):
        with open(swap, "r+b") as file:
            file.write(page)
        try:
            machine = restart(image, swapfile=swap)
        except (ValueError, OSError) as error:
            assert str(swap) in str(error)
            assert swap.read_bytes()[:PAGE] == page, "a refused file is not changed"
            continue
        harmless += 1
        assert contents(machine) == right, bit
        machine.close()
    assert 40 <= harmless <= 40 + 16 * 8 + 4 * 8  # the label, and what lies between the fields


def test_flipped_bits_of_pages(folder: Path, tmp_path: Path) -> None:
    """Verify names the slot; a swap-in says it; nothing wrong is ever read."""
    swap = tmp_path / "s0"
    shutil.copy(folder / "s0", swap)
    slots = read_image(folder / "small").slot.values()
    bits = random.Random(5)
    for _ in range(200):
        slot = int(bits.choice(slots))
        at, bit = slot * PAGE + bits.randrange(PAGE), bits.randrange(8)
        with open(swap, "r+b") as file:
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 1 << bit]))
            file.flush()
            assert verify(folder / "small", swap) == [slot]
            file.seek(at)
            file.write(bytes([byte]))
    assert verify(folder / "small", swap) == []


def test_a_shorter_swapfile(folder: Path, tmp_path: Path) -> None:
    swap = tmp_path / "s0"
    shutil.copy(folder / "s0", swap)
    slots = sorted(read_image(folder / "small").slot.values().tolist())
    for length in (0, 100, PAGE, slots[-1] * PAGE + 5):
        os.truncate(swap, length)
        with pytest.raises((ValueError, OSError), match=str(swap)):
            restart(folder / "small", swapfile=swap)
        shutil.copy(folder / "s0", swap)
    os.truncate(swap, slots[-1] * PAGE + 5)
    assert verify(folder / "small", swap) == slots[-1:]


def test_the_swapfile_of_another_job(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"s1: byte 16: holds another checkpoint"):
        restart(folder / "small", swapfile=folder / "s1")
    with pytest.raises(ValueError, match=r"s1: byte 16"):
        verify(folder / "small", folder / "s1")


# ---------------------------------------------------------------- made on purpose


def first(columns: Members, name: str) -> str:
    return name if name in columns else f"{name}_runs"


def plain(columns: Members, name: str, image: Any) -> np.ndarray:
    columns.pop(f"{name}_runs", None)
    columns[name] = getattr(image, name).values()
    return columns[name]


def edit_slot(value: Callable[[np.ndarray], Any]) -> Callable[..., None]:
    def edit(facts: Any, columns: Members, image: Any) -> None:
        slots = plain(columns, "slot", image)
        slots[2] = value(slots)

    return edit


def set_fact(*path: Any, value: Any) -> Callable[..., None]:
    def edit(facts: Any, columns: Members, image: Any) -> None:
        for step in path[:-1]:
            facts = facts[step]
        facts[path[-1]] = value

    return edit


def set_column(name: str, value: Callable[[np.ndarray], Any]) -> Callable[..., None]:
    def edit(facts: Any, columns: Members, image: Any) -> None:
        columns[name] = value(columns[name])

    return edit


def swap_byte(old: int, new: int) -> Callable[..., None]:
    def edit(facts: Any, columns: Members, image: Any) -> None:
        value = image.pte.values()
        for name in ("pte_value", "pte_length"):
            columns.pop(name, None)
        value[np.flatnonzero(value == old)[0]] = new
        columns["pte"] = value

    return edit


HOSTILE: dict[str, tuple[Callable[..., None], str]] = {
    "version": (set_fact("version", value=3), "version 3; this swapfast reads version 1 and 2"),
    "version of a chain": (set_fact("version", value=2), "field 'folded' is missing"),
    "format": (set_fact("format", value="criu"), "not a swapfast checkpoint"),
    "page size": (set_fact("page_size", value=8192), "facts.page_size: 8192 is not one of 4096"),
    "unknown field": (set_fact("extra", value=1), "field 'extra' is missing or unknown"),
    "true for one": (set_fact("machine", "bits", value=True), "facts.machine.bits"),
    "a text for a number": (set_fact("tasks", 0, "pid", value="2"), r"facts.tasks\[0\].pid"),
    "a fraction": (set_fact("tasks", 0, "pid", value=2.0), r"facts.tasks\[0\].pid"),
    "much memory": (set_fact("core", "settings", "memory", value=1 << 40), "settings.memory"),
    "a rule": (set_fact("rules", "nested", value="perhaps"), "facts.rules.nested"),
    "init again": (set_fact("tasks", 0, "pid", value=1), r"facts.tasks\[0\].pid"),
    "no task": (set_fact("tasks", value=[]), "facts.tasks"),
    "own parent": (set_fact("tasks", 1, "parent", value=3), "3 has another parent"),
    "no such mm": (set_fact("tasks", 0, "mm", value=99), r"facts.tasks\[0\].mm"),
    "no such group": (set_fact("mms", 0, "group", value=7), r"facts.mms\[0\].group"),
    "no such object": (
        set_fact("mms", 0, "mappings", 0, "object", value=9),
        r"mappings\[0\].object",
    ),
    "pages": (set_fact("mms", 0, "mappings", 0, "pages", value=1 << 30), "two at address"),
    "ranges": (set_fact("mms", 0, "mappings", 0, "ranges", value=[[5, 5]]), "ranges"),
    "addresses": (set_fact("mms", 0, "mappings", 1, "addr", value=0x7F0000000000), "two at"),
    "identity": (set_fact("area", "identity", value="../../etc/passwd"), "facts.area.identity"),
    "area too small": (set_fact("area", "slots", value=100), "slot|area"),
    "slot 0": (edit_slot(lambda s: 0), r"slot: a number outside 1\.\."),
    "slot beyond": (edit_slot(lambda s: 1 << 31), r"slot: a number outside 1\.\."),
    "slot twice": (edit_slot(lambda s: s[3]), "slot: number .* is there twice"),
    "slots missing": (
        lambda facts, columns, image: [columns.pop(first(columns, "slot"))],
        "zero: .* bytes for 0 pages",
    ),
    "sums missing": (lambda facts, columns, image: [columns.pop("sums")], "sums: 0 checksums"),
    "sums of bytes": (set_column("sums", lambda s: s.view(np.uint8)), "sums: not a row of uint32"),
    "both forms": (
        lambda facts, columns, image: columns.update(
            {n: np.ones(2, np.uint32) for n in ("slot", "slot_runs")}
        ),
        "slot: is there in two forms",
    ),
    "empty run": (
        lambda facts, columns, image: columns.update(
            {
                first(columns, "slot"): columns.pop(first(columns, "slot")),
                "limbo_runs": np.array([1, 0], np.uint32),
            }
        ),
        "limbo_runs: an empty run",
    ),
    "limbo in use": (
        lambda facts, columns, image: columns.update(limbo=image.slot.values()[:1].copy()),
        "limbo: number .* is there twice",
    ),
    "a bomb of bytes": (
        lambda facts, columns, image: [
            columns.pop("pte", None),
            columns.update(
                pte_value=np.array([16], np.uint8), pte_length=np.array([0xFFFFFFFF], np.uint32)
            ),
        ],
        "pte: 4294967295 bytes for",
    ),
    "dirty": (swap_byte(16, 16 | 8), "pte: byte 0x18 of page"),
    "present": (swap_byte(16, 1), "pte: byte 0x01 of page"),
    "shared but private": (swap_byte(16, 144), "pte: byte 0x90 of page"),
    "member of nothing": (swap_byte(0, 16 | 64), "pte|ring: "),
    "ring with a page twice": (
        set_column("ring", lambda r: np.concatenate((r[:1], r[:1], r[2:]))),
        "ring: a page is in two",
    ),
    "ring elsewhere": (
        set_column("ring", lambda r: np.concatenate((r[:1], [1 << 30], r[2:])).astype(np.uint32)),
        "ring: a page that is not there",
    ),
    "rings of one": (
        set_column("ring_length", lambda r: np.concatenate(([1], r[1:])).astype(np.uint32)),
        "ring_length: ",
    ),
    "zero bits": (
        lambda facts, columns, image: columns.update(zero=np.ones(3, np.uint8)),
        "zero: 3 bytes for",
    ),
    "a cluster that is not there": (
        lambda facts, columns, image: columns.update(partly=np.array([999], np.uint32)),
        "partly: a number outside|partly: is there in two forms",
    ),
}


def without(*path: Any) -> Callable[..., None]:
    def edit(facts: Any, columns: Members, image: Any) -> None:
        for step in path[:-1]:
            facts = facts[step]
        del facts[path[-1]]

    return edit


# Fields that came at once, later than others: an image has all of them, or none.
AT_ONCE = ("peak", "swap_peak", "events", "stat")
HOSTILE |= {
    f"no {name}": (
        without("groups", 0, name),
        rf"facts.groups\[0\]: field '{name}' is missing beside",
    )
    for name in AT_ONCE
}


@pytest.mark.parametrize("name", HOSTILE)
def test_refused_by_name(folder: Path, tmp_path: Path, name: str) -> None:
    facts, columns = members(folder / "job")
    edit, says = HOSTILE[name]
    edit(facts, columns, read_image(folder / "job"))
    path = tmp_path / "x"
    path.write_bytes(packed(facts, columns))
    with pytest.raises(ValueError, match=says):
        read_image(path)


def test_clusters_that_the_slots_contradict(folder: Path, tmp_path: Path) -> None:
    facts, columns = members(folder / "job")
    image = read_image(folder / "job")
    unused = plain(columns, "unused", image)
    columns["unused"] = unused[1:]
    path = tmp_path / "x"
    path.write_bytes(packed(facts, columns))
    before = (folder / "s1").read_bytes()
    with pytest.raises(ValueError, match=f"{path}: unused: not the clusters"):
        restart(path, swapfile=folder / "s1")
    assert (folder / "s1").read_bytes() == before


def test_untouched_parts_make_the_same_file(folder: Path) -> None:
    facts, columns = members(folder / "job")
    assert packed(facts, columns) == (folder / "job").read_bytes()


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def zipped(compression: int, names: list[str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name in names:
            archive.writestr(name, bytes(1 << 16))
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x05\x06" + bytes(18),
        bytes(100),
        os.urandom(5000),
        npz(facts=np.zeros(3)),
        npz(facts=np.zeros(1 << 20, np.uint8)),
        zipped(zipfile.ZIP_DEFLATED, ["facts.npy"]),
        zipped(zipfile.ZIP_STORED, ["facts.npy", "facts2.npy"]),
        zipped(zipfile.ZIP_STORED, ["../facts.npy"]),
    ],
)
def test_other_files(tmp_path: Path, data: bytes) -> None:
    refused(tmp_path / "x", data)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"[]",
        b"{" * 100_000,
        b"[" * 1_000_000,
        b'{"format":"swapfast checkpoint","version":' + b"9" * 10_000 + b"}",
        b'{"format":"swapfast checkpoint","version":1e400}',
        b'{"format":"swapfast checkpoint","version":NaN}',
        b'{"format":"\xff"}',
        b'{"format":"swapfast checkpoint","version":1,"version":1}',
    ],
)
def test_other_facts(tmp_path: Path, text: bytes) -> None:
    assert "facts" in refused(tmp_path / "x", packed(text, {}))


def restarted(folder: Path, facts: Any, columns: Members, *refusals: type[Exception]) -> None:
    """Refused in one of these ways, or restarted with every structure in order; nothing else."""
    name, swap = folder / "fuzzed", folder / "fuzzed.s1"
    name.write_bytes(packed(facts, columns))
    shutil.copy(folder / "s1", swap)
    try:
        machine = restart(name, swapfile=swap)
    except refusals:
        return
    machine.verify()
    contents(machine)
    machine.verify()
    machine.close()


def fields(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Of all objects."""
    found = [one for one in places(value, path) if isinstance(one[-1], str)]
    assert len(found) == len(set(found))
    return found


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("policy", ["linux-6.18", "linux-6.18-mglru"])
def test_any_field_that_is_gone(tmp_path: Path, policy: str, every: int) -> None:
    """An older image, or a refusal that names the file; no other error."""
    _, login = boot(tmp_path / "s1", policy=policy)
    family(login)
    login.swap_ns.checkpoint(tmp_path / "job")
    facts, columns = members(tmp_path / "job")
    for path in fields(facts)[::every]:
        changed = copy.deepcopy(facts)
        without(*path)(changed, columns, None)
        restarted(tmp_path, changed, columns, ValueError)


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_change_of_the_facts(folder: Path, data: st.DataObject) -> None:
    facts, columns = members(folder / "job")
    change_facts(data, facts, 1, 3)
    restarted(folder, facts, columns, ValueError, MemoryError)


@settings(max_examples=120, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_change_of_a_column(folder: Path, data: st.DataObject) -> None:
    facts, columns = members(folder / "job")
    change_column(data, columns)
    restarted(folder, facts, columns, ValueError)
