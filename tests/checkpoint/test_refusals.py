"""Every sentence with which an image is refused: those that `test_hostile` does not meet.

Together no branch of the reader, the checks and the checkpoint itself is without a test.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import swapfast as sf
from swapfast.checkpoint import compact, export, inspect, read_image, release, stored, verify
from swapfast.checkpoint.disk import Disk
from swapfast.checkpoint.place import Place
from swapfast.kernel.profile import PROFILES
from swapfast.machine import restart
from swapfast.swapfile import SwapBacking, mkswap
from tests.support.jobs import PAGE, boot, family
from tests.support.members import members, packed
from tests.support.seen import contents
from tests.support.small_job import AREA, JOB, namespace_of, scribble, small_job

Facts = dict[str, Any]
Edit = Callable[[Facts], Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a family: tasks 2 to 6, the last a zombie, three shared objects."""
    folder = tmp_path_factory.mktemp("refusals")
    _, login = boot(folder / "s1")
    family(login)
    login.swap_ns.checkpoint(folder / "job")
    return folder


def a_circle(facts: Facts) -> None:
    """3 and 4 are each other's parents; both are right about their children."""
    child, grandchild = facts["tasks"][1], facts["tasks"][2]
    facts["tasks"][0]["children"].remove(3)
    child["parent"], child["children"] = 4, [4]
    grandchild["parent"], grandchild["children"] = 3, [3, 6]


def a_dead_parent(facts: Facts) -> None:
    """The thread, which is 2's child, becomes the zombie's."""
    facts["tasks"][0]["children"].remove(5)
    facts["tasks"][4]["children"].append(5)
    facts["tasks"][3]["parent"] = 6


def all_dead(facts: Facts) -> None:
    facts["mms"].clear()
    facts["tasks"] = [{**facts["tasks"][4], "parent": 2, "pid": n} for n in (2, 3)]
    facts["tasks"][0] |= {"parent": 3, "children": [3]}
    facts["tasks"][1] |= {"parent": 2, "children": [2]}


def orphaned_zombie(facts: Facts) -> None:
    facts["tasks"][2]["children"].remove(6)
    facts["tasks"][4]["parent"] = 1


def second_ipc(facts: Facts, number: int) -> None:
    facts["ipc"].append({"number": number, "sequence": 0, "segments": []})


def a_segment(facts: Facts, **fields: Any) -> None:
    facts["ipc"][0]["segments"][1].update(fields)


def a_mapping(facts: Facts, mm: int, number: int, **fields: Any) -> None:
    facts["mms"][mm]["mappings"][number].update(fields)


FACTS: dict[str, tuple[Edit, str]] = {
    "cluster": (lambda f: f["area"]["state"].update(position=1 << 20), "area.state: a slot out"),
    "no usable": (lambda f: f["area"].update(pages=2048), "facts.area.pages: as many usable"),
    "all is cache": (
        lambda f: f["core"]["memory"].update(file_cache=1 << 20),
        "file_cache: not less than the memory",
    ),
    "no chain": (
        lambda f: f.update(version=2, parent=None, folded=None),
        "facts.folded: neither a parent nor a chain",
    ),
    "segment's size": (lambda f: a_segment(f, size=5 * PAGE), "size: 20480 bytes on 3 pages"),
    "address": (lambda f: a_mapping(f, 0, 0, addr=PAGE + 1), "addr: not a multiple"),
    "object's pages": (
        lambda f: a_mapping(f, 0, 1, pages=24, ranges=[[0, 24]]),
        "object: has another number of pages",
    ),
    "half a segment": (lambda f: a_mapping(f, 0, 2, ipc=None), "go together"),
    "no such segment": (lambda f: a_mapping(f, 0, 2, segment=7), "no such segment of that object"),
    "next address": (lambda f: f["mms"][2].update(next_address=PAGE), "a mapping lies behind it"),
    "pids": (lambda f: f["tasks"].reverse(), "facts.tasks: pids are not ascending"),
    "next pid": (lambda f: f["machine"].update(next_pid=6), "or not below next_pid"),
    "a dead one with memory": (lambda f: f["tasks"][4].update(mm=0), "a zombie has none"),
    "a foreign child": (lambda f: f["tasks"][0]["children"].remove(3), "does not know this child"),
    "a dead parent": (a_dead_parent, "parent: is a zombie"),
    "init's zombie": (orphaned_zombie, "parent: init has no zombies"),
    "namespaces": (lambda f: f["tasks"][0].update(namespaces=[[1, 1]]), "namespaces: unknown"),
    "a memory too many": (lambda f: f["mms"].append(f["mms"][2]), "facts.mms: one that no task"),
    "nobody": (all_dead, "parent: is a zombie"),
    "a circle": (a_circle, "is its own descendant"),
    "one object twice": (
        lambda f: [f["mms"][0]["mappings"].pop(3), a_segment(f, object=1, size=51200)],
        "two segments of one object",
    ),
    "an object too many": (lambda f: f["objects"].append(f["objects"][2]), "nobody refers to"),
    "IPC twice": (lambda f: second_ipc(f, 2), "facts.ipc: two of the same number"),
    "IPC alone": (lambda f: second_ipc(f, 3), "facts.ipc: one without a task"),
    "an id twice": (
        lambda f: [f["mms"][0]["mappings"].pop(3), a_segment(f, shmid=0)],
        "two of the same id",
    ),
    "the first group": (
        lambda f: f["groups"][0].update(limit=5),
        "facts.groups.0.: not the group of the whole machine",
    ),
}


@pytest.mark.parametrize("name", FACTS)
def test_facts(folder: Path, tmp_path: Path, name: str) -> None:
    facts, columns = members(folder / "job")
    edit, says = FACTS[name]
    edit(facts)
    path = tmp_path / "x"
    path.write_bytes(packed(facts, columns))
    with pytest.raises(ValueError, match=says) as caught:
        restart(path, swapfile=folder / "s1")
    assert str(caught.value).startswith(f"{path}: ")


def pairs(name: str, raw: Any) -> Callable[..., None]:
    def edit(columns: Any, image: Any) -> None:
        columns.pop(name, None)
        columns[f"{name}_runs"] = raw

    return edit


U32, U8 = np.uint32, np.uint8
COLUMNS: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "odd pairs": (pairs("slot", np.ones(3, U32)), "slot_runs: not pairs of uint32"),
    "pairs of bytes": (pairs("slot", np.ones(4, U8)), "slot_runs: not pairs of uint32"),
    "no pairs": (pairs("slot", np.ones(0, U32)), "slot_runs: not pairs of uint32"),
    "a row of bytes": (lambda c, i: c.update(limbo=np.ones(4, U8)), "limbo: not a row of uint32"),
    "half": (lambda c, i: c.pop("pte_length"), "pte: is there in two forms, or half"),
    "words for bytes": (
        lambda c, i: [
            c.pop("pte_value"),
            c.pop("pte_length"),
            c.update(pte=i.pte.values().astype(U32)),
        ],
        "pte: not a row of bytes",
    ),
    "lengths of bytes": (
        lambda c, i: c.update(pte_length=c["pte_length"].astype(U8)),
        "pte_length: not one uint32 for each byte",
    ),
    "a length of nothing": (
        lambda c, i: c.update(pte_length=np.concatenate((c["pte_length"][:-1], [0])).astype(U32)),
        "pte_length: ",
    ),
    "bits too many": (lambda c, i: c["zero"].put(-1, 0xFF), "zero: bits for pages that are not"),
    "all slots and more": (
        lambda c, i: c.update(limbo=np.setdiff1d(np.arange(1, 2048), i.slot.values()).astype(U32)),
        "slot: 2047 in use of 2000",
    ),
    "bytes missing": (
        lambda c, i: c.update(pte_length=np.append(c["pte_length"][:-1], 1).astype(U32)),
        "pte: [0-9]+ bytes for [0-9]+ pages",
    ),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_columns(folder: Path, tmp_path: Path, name: str) -> None:
    facts, columns = members(folder / "job")
    edit, says = COLUMNS[name]
    edit(columns, read_image(folder / "job"))
    if "more" in name:
        facts["area"]["pages"] = 2000
    path = tmp_path / "x"
    path.write_bytes(packed(facts, columns))
    with pytest.raises(ValueError, match=says):
        read_image(path)


def test_a_task_without_memory(tmp_path: Path) -> None:
    """No page, no slot, no column: an image like another."""
    machine, _ = boot(tmp_path / "s1")
    namespace_of(machine).checkpoint(tmp_path / "job")
    image = read_image(tmp_path / "job")
    assert image.pte.total == image.slot.total == 0
    assert inspect(tmp_path / "job")["bytes_per_page"] is None and verify(tmp_path / "job") == []
    files = export(tmp_path / "job", tmp_path / "d")
    assert {os.path.basename(name) for name in files} >= {"facts.json", "slot.npy"}
    export(tmp_path / "job", tmp_path / "p.csv")
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 1
    with restart(tmp_path / "job") as machine:
        assert machine.tasks[2].mappings == [] or contents(machine) == {}
        machine.verify()


# ---------------------------------------------------------------- the file itself


def rezipped(image: bytes, change: Callable[[bytearray, int, int], Any]) -> bytes:
    """The image after a change of its directory, which lies at a byte and has so many."""
    data = bytearray(image)
    size, start = struct.unpack_from("<II", data, len(data) - 10)
    change(data, start, size)
    return bytes(data)


def shorter_directory(data: bytearray, start: int, size: int) -> None:
    """The last entry ends early; the end of the file agrees."""
    del data[start + size - 40 : start + size]
    struct.pack_into("<I", data, len(data) - 10, size - 40)


def one_member_less(data: bytearray, start: int, size: int) -> None:
    members = struct.unpack_from("<H", data, len(data) - 12)[0] - 1
    struct.pack_into("<HH", data, len(data) - 14, members, members)


def another_local_entry(data: bytearray, start: int, size: int) -> None:
    data[10] ^= 1  # its time


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (shorter_directory, "directory: ends in the middle of an entry"),
        (lambda d, start, size: d.__setitem__(slice(-10, -6), b"\xff" * 4), "end: .* members in"),
        (one_member_less, "directory: leaves bytes of the file out"),
        (another_local_entry, "the entry at byte 0 is not that of the directory"),
    ],
)
def test_directory(folder: Path, tmp_path: Path, change: Any, says: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(rezipped((folder / "job").read_bytes(), change))
    with pytest.raises(ValueError, match=says):
        read_image(path)


def with_members(path: Path, members: dict[str, bytes]) -> Path:
    """A zip file as `pack` would have made it, but of any bytes."""
    data, directory, at = b"", b"", 0
    for name, content in members.items():
        crc = zlib.crc32(content)
        local = stored._local(name.encode(), crc, len(content))
        directory += stored._central(name.encode(), crc, len(content), at)
        data += local + content
        at = len(data)
    path.write_bytes(data + directory + stored._end(len(members), len(directory), at))
    assert zipfile.is_zipfile(path)
    return path


def npy(array: Any) -> bytes:
    return stored._npy_header(array) + array.tobytes()


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"facts.npy": b"short"}, "facts.npy: 5 bytes; too short for an array"),
        ({"facts.npy": bytes(200)}, "no array header of a checkpoint"),
        ({"facts.npy": npy(np.ones(5, U8)) + b"\0"}, "facts.npy: "),
        ({"facts.npy": npy(np.ones(5, U8)).replace(b"(5,)", b"(05)", 1)}, "facts.npy: "),
        ({"facts.npy": npy(np.ones(5, U8)).replace(b"v\0", b"w\0", 1)}, "not as it should be"),
        ({"slot.npy": npy(np.ones(5, U32))}, "facts: the member is missing"),
        ({"facts.npy": npy(np.ones(5, U32))}, "facts: 5 uint32; JSON of at most"),
        ({"other.npy": npy(np.ones(5, U8))}, "other.npy: is not a member"),
    ],
)
def test_members(tmp_path: Path, members: dict[str, bytes], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_image(with_members(tmp_path / "x", members))


def test_a_member_that_is_not_all_there(tmp_path: Path) -> None:
    """Both entries say that it is long, and so does its own header; nothing of it is allocated."""
    whole = npy(np.zeros(1 << 28, U8))[:200]
    name, size = b"facts.npy", (1 << 28) + len(npy(np.zeros(0, U8)))
    data = stored._local(name, 0, size) + whole
    directory = stored._central(name, 0, size, 0)
    path = tmp_path / "x"
    path.write_bytes(data + directory + stored._end(1, len(directory), len(data)))
    with pytest.raises(ValueError, match=r"bytes at byte [0-9]+ of a file of"):
        read_image(path)


def test_one_form_of_the_facts(folder: Path, tmp_path: Path) -> None:
    """Blanks change nothing for JSON; a checkpoint has none."""
    facts, columns = members(folder / "job")
    text = packed(facts, columns)
    assert text == (folder / "job").read_bytes()
    path = tmp_path / "x"
    path.write_bytes(packed(json.dumps(facts, sort_keys=True).encode(), columns))
    with pytest.raises(ValueError, match="facts: not in the one form"):
        read_image(path)


def test_too_much_for_a_file(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four GiB are the most; less here."""
    with pytest.raises(ValueError, match="slot: float64"):
        stored.pack({"slot": np.ones(3)})
    machine = small_job(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(stored, "MOST_BYTES", 2000)
        with pytest.raises(ValueError, match=r"size: [0-9]+ bytes; metadata are less than"):
            read_image(folder / "job")
        with pytest.raises(OSError, match="less memory") as caught:
            namespace_of(machine).checkpoint(tmp_path / JOB)
        assert caught.value.errno == errno.EFBIG
    assert os.listdir(tmp_path) == [AREA]
    machine.verify()
    machine.close()


def test_a_file_that_gets_shorter_while_it_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "preadv", lambda *_: 0)
    with pytest.raises(ValueError, match="end: the file ends at byte"):
        read_image(folder / "job")


# ---------------------------------------------------------------- a checkpoint's own


def test_what_has_the_name_of_the_new_image(tmp_path: Path) -> None:
    machine = small_job(tmp_path)
    temporary = tmp_path / f"{JOB}.tmp"
    (tmp_path / "victim").write_bytes(b"precious")
    os.link(tmp_path / "victim", temporary)
    with pytest.raises(OSError, match="not a plain file with one name") as caught:
        namespace_of(machine).checkpoint(tmp_path / JOB)
    assert caught.value.errno == errno.EINVAL
    assert (tmp_path / "victim").read_bytes() == b"precious"
    temporary.unlink()
    os.mkfifo(temporary)
    with pytest.raises(OSError) as caught:
        namespace_of(machine).checkpoint(tmp_path / JOB)
    assert caught.value.errno in (errno.EINVAL, errno.ENXIO)
    temporary.unlink()
    with pytest.raises(IsADirectoryError):
        namespace_of(machine).checkpoint(tmp_path)
    with pytest.raises(FileNotFoundError):
        namespace_of(machine).checkpoint(tmp_path / "no" / "x")
    machine.verify()
    namespace_of(machine).checkpoint(tmp_path / JOB)
    machine.close()


def test_the_new_image_is_taken_away_while_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = fcntl.flock

    def late(fd: int, how: int) -> None:
        (tmp_path / "x").unlink()
        lock(fd, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(OSError, match="another process has just written it") as caught:
        Disk().create(str(tmp_path / "x"))
    assert caught.value.errno == errno.EBUSY


def swept(path: Path) -> None:
    """An image comes to its place, and what older ones of this name left goes."""
    with Place(Disk(), path) as place:
        place.put([b"an image"])
        place.sweep(None)


def test_a_name_of_ours_and_no_copy_goes(tmp_path: Path) -> None:
    (tmp_path / f"job.{'0' * 32}.swap").symlink_to(tmp_path / "elsewhere")
    swept(tmp_path / "job")
    assert os.listdir(tmp_path) == ["job"]


def test_a_copy_in_use_is_left(tmp_path: Path) -> None:
    name = tmp_path / f"job.{'0' * 32}.swap"
    name.write_bytes(b"")
    with open(name) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        swept(tmp_path / "job")
        assert name.exists()
    swept(tmp_path / "job")
    assert not name.exists()


def test_pages_in_something_else_than_a_file(tmp_path: Path) -> None:
    """The copy of a snapshot, replaced: by a link, by a FIFO, by one that has a second name."""
    machine = small_job(tmp_path)
    namespace_of(machine).checkpoint(tmp_path / JOB, kind="snapshot")
    right = contents(machine)
    machine.close()
    (copy,) = tmp_path.glob(f"{JOB}.*.swap")
    aside = copy.rename(tmp_path / "aside")
    for make in (lambda: copy.symlink_to(aside), lambda: os.mkfifo(copy), lambda: os.mkdir(copy)):
        make()
        for call in (verify, restart):
            with pytest.raises(OSError) as caught:
                call(tmp_path / JOB)
            assert caught.value.filename == str(copy)
        copy.rmdir() if copy.is_dir() and not copy.is_symlink() else copy.unlink()
    os.link(aside, copy)
    with pytest.raises(OSError, match="several names"):
        restart(tmp_path / JOB)
    aside.unlink()
    with restart(tmp_path / JOB) as again:
        assert contents(again) == right


def test_release_without_an_area(tmp_path: Path) -> None:
    machine, login = boot(tmp_path / "s1")
    login.swapoff(tmp_path / "s1")
    with pytest.raises(OSError, match="no swapfile is on") as caught:
        release(machine.kernel, login.swap_ns)
    assert caught.value.errno == errno.EINVAL
    machine.close()


def test_an_orphaned_namespace_ends_too(tmp_path: Path) -> None:
    mkswap(tmp_path / "s1", size="1MiB")
    machine = sf.Machine("1MiB", rules=sf.Rules(last_exit="orphan"))
    login = machine.init.clone(sf.NEWSWAP | sf.NEWIPC, "login")
    login.swapon(tmp_path / "s1")
    login.mmap("40KiB").touch(write=True, tag="x")
    login.swap_ns.checkpoint(tmp_path / "job")
    assert not machine.areas and not login.alive
    machine.verify()
    with restart(tmp_path / "job") as again:
        assert contents(again)
    machine.close()


def test_who_cannot_be_checkpointed(tmp_path: Path) -> None:
    """Machines of a profile that is not known by its name; a namespace without a task."""
    mkswap(tmp_path / "s1", size="1MiB")
    machine = sf.Machine("1MiB", replace(PROFILES["6.18"], name="mine"))
    login = machine.init.clone(sf.NEWSWAP | sf.NEWIPC, "login")
    login.swapon(tmp_path / "s1")
    with pytest.raises(OSError, match="a profile of its own") as caught:
        login.swap_ns.checkpoint(tmp_path / "x")
    assert caught.value.errno == errno.EOPNOTSUPP
    machine.close()
    machine = sf.Machine("1MiB", rules=sf.Rules(last_exit="orphan"))
    login = machine.init.clone(sf.NEWSWAP | sf.NEWIPC, "login")
    login.swapon(tmp_path / "s1")
    login.exit()
    with pytest.raises(OSError, match="no task runs") as caught:
        login.swap_ns.checkpoint(tmp_path / "x")
    assert caught.value.errno == errno.ESRCH
    machine.close()


def test_a_slot_that_cannot_be_read_for_its_checksum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is cut off between the last look and the checksums."""
    machine = small_job(tmp_path)
    scribble(machine, "x", 1)
    monkeypatch.setattr(SwapBacking, "fault", lambda self: None)
    namespace_of(machine).checkpoint(tmp_path / JOB, kind="pinned", checksums=False)
    slots = read_image(tmp_path / JOB).slot.values()
    os.truncate(tmp_path / AREA, int(slots.max()) * PAGE)
    with pytest.raises(OSError, match=r"slot [0-9]+: cannot be read") as caught:
        namespace_of(machine).checkpoint(tmp_path / JOB, kind="pinned")
    assert (caught.value.errno, caught.value.filename) == (errno.EIO, str(tmp_path / AREA))
    machine.verify()
    machine.close()


def test_verify_needs_checksums(tmp_path: Path) -> None:
    machine, login = boot(tmp_path / "s1")
    login.mmap("40KiB").touch(write=True, tag="x")
    login.swap_ns.checkpoint(tmp_path / "job", checksums=False)
    with pytest.raises(OSError, match="was made without checksums") as caught:
        verify(tmp_path / "job")
    assert caught.value.errno == errno.ENODATA
    compact_to = tmp_path / "whole"
    with pytest.raises(OSError):
        compact(tmp_path / "job", compact_to)
    assert not compact_to.exists()
    machine.close()
