"""`swaps` says what swapon does: one judge."""

from __future__ import annotations

import os
import subprocess

import pytest

import swapfast as sf
from swapfast.inputs import open_input
from swapfast.swapfile import RULES, SwapBacking, file_system, judge, mkswap, own_folder
from tests.support.mounts import call, mounted

OVERLAY, FUSE, BTRFS, EXT4 = 0x794C7630, 0x65735546, 0x9123683E, 0xEF53


@pytest.fixture(autouse=True)
def nobody_answers(monkeypatch):
    monkeypatch.delenv(file_system.ALLOWED, raising=False)


def agree(path, words):
    """swapon of both kernels and the judge refuse a file with one sentence."""
    facts = judge(path)
    for name, rules in RULES.items():
        with pytest.raises(OSError) as caught:
            SwapBacking.open(path, rules)
        assert caught.value.strerror == facts.verdicts[name].refused
        assert words in caught.value.strerror
        assert facts.verdicts[name].pages == 0


def taken(path):
    for name, rules in RULES.items():
        with SwapBacking.open(path, rules) as backing:
            assert judge(path).verdicts[name].pages == backing.pages
        assert judge(path).verdicts[name].refused is None


def swapfile(path):
    mkswap(path, size="64KiB")
    return path


def test_a_good_file(tmp_path):
    taken(swapfile(tmp_path / "s"))


def test_holes(tmp_path):
    path = swapfile(tmp_path / "s")
    content = path.read_bytes()
    path.unlink()
    with open(path, "wb") as file:
        file.write(content[:4096])
        file.truncate(len(content))
    agree(path, "has holes")


def test_several_names(tmp_path):
    path = swapfile(tmp_path / "s")
    os.link(path, tmp_path / "t")
    agree(path, "has several names")


def test_no_header(tmp_path):
    path = tmp_path / "s"
    path.write_bytes(b"x" * 65536)
    agree(path, "")


@pytest.mark.parametrize("magic", [OVERLAY, FUSE])
def test_where_one_storage_can_have_two_names(tmp_path, monkeypatch, magic):
    path = swapfile(tmp_path / "s")
    monkeypatch.setattr(file_system, "_magic", lambda fd: magic)
    agree(path, "where one storage can have two names")
    assert any("swapon refuses it" in w for w in mkswap(tmp_path / "t", size="64KiB").warnings)
    with own_folder(tmp_path):
        taken(path)
        (tmp_path / "d").mkdir()
        taken(swapfile(tmp_path / "d" / "s"))
    agree(path, "where one storage can have two names")
    monkeypatch.setenv(file_system.ALLOWED, "1")
    taken(path)


def test_copied_on_write(tmp_path, monkeypatch):
    path = swapfile(tmp_path / "s")
    monkeypatch.setattr(file_system, "_magic", lambda fd: BTRFS)
    monkeypatch.setattr(file_system, "_flags", lambda fd: 0)
    agree(path, "is copied on write by btrfs")
    with SwapBacking.open(path, RULES["6.18"], accept=bytes):  # as a restart opens it
        pass
    monkeypatch.setattr(file_system, "_flags", lambda fd: 0x00800000)
    taken(path)


def test_btrfs_takes_what_mkswap_makes(tmp_path):
    with mounted("btrfs", 128, tmp_path / "store", tmp_path / "disk"):
        taken(swapfile(tmp_path / "disk" / "s"))
        (tmp_path / "disk" / "t").write_bytes(bytes(65536))
        mkswap(tmp_path / "disk" / "t")
        agree(tmp_path / "disk" / "t", "is copied on write by btrfs")


def test_the_number_of_a_file_system_is_read(tmp_path):
    name = subprocess.run(["stat", "-f", "-c", "%t", tmp_path], capture_output=True, text=True)
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        assert file_system._magic(fd) == int(name.stdout, 16) & 0xFFFFFFFF
    finally:
        os.close(fd)


def test_two_names_on_overlayfs(tmp_path):
    """The file and the one beneath it: at most one can be on."""
    parts = {name: tmp_path / name for name in ("lower", "upper", "work", "merged")}
    for folder in parts.values():
        folder.mkdir()
    swapfile(parts["upper"] / "s")
    options = "lowerdir={lower},upperdir={upper},workdir={work}".format(**parts)
    if os.geteuid() or not call("mount", "-t", "overlay", "o", "-o", options, parts["merged"]):
        pytest.skip("needs root and overlayfs")
    try:
        agree(parts["merged"] / "s", "is on overlayfs")
        machine = sf.Machine("1MiB", contents=True)
        first, second = (machine.init.clone(sf.NEWSWAP | sf.NEWIPC) for _ in range(2))
        first.swapon(parts["upper"] / "s")
        with pytest.raises(OSError, match="is on overlayfs"):
            second.swapon(parts["merged"] / "s")
        machine.close()
    finally:
        subprocess.run(["umount", parts["merged"]], check=True)


# ---------------------------------------------------------------- what is no file


def test_nothing_waits_at_a_fifo(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fifo")
    for name in ("fifo", "link"):
        for options in ({}, {"pipes": True}, {"disks": True}):
            with pytest.raises(OSError, match="not a regular file but a FIFO"):
                open_input(tmp_path / name, **options)
        with pytest.raises(OSError, match="a FIFO"):
            judge(tmp_path / name)


def test_devices_and_folders(tmp_path):
    for name, words in (("/dev/zero", "a character device"), (tmp_path, "a folder")):
        with pytest.raises(OSError, match=f"not a regular file but {words}"):
            open_input(name, pipes=True)
    with pytest.raises(FileNotFoundError):
        open_input(tmp_path / "none")


def test_a_pipe_that_came_with_the_process():
    first, second = os.pipe()
    os.write(second, b"text")
    os.close(second)
    with pytest.raises(OSError, match="a FIFO"):
        open_input(f"/dev/fd/{first}")
    with open_input(f"/dev/fd/{first}", pipes=True) as file:
        assert file.read() == b"text"
    os.close(first)
