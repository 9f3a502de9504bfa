"""The compiled plugin: made once, for the emulator that is there, where nobody else can write."""

from __future__ import annotations

import errno
import os
import shutil
import threading

import pytest

from swapfast.record.plugin import cache_folder, plugin
from tests.support.emulators import NAME, fake_qemu


@pytest.fixture
def qemu(compiled_fake):
    return str(compiled_fake / NAME)


def refused(call, *arguments):
    with pytest.raises(OSError) as caught:
        call(*arguments)
    return caught.value.errno, caught.value.strerror


def test_it_is_compiled_once(qemu, tmp_path, monkeypatch):
    first = plugin(qemu, tmp_path / "cache")
    made = first.stat()
    monkeypatch.setenv("CC", "none-at-all")
    assert plugin(qemu, tmp_path / "cache") == first
    assert first.stat().st_ino == made.st_ino
    assert os.listdir(tmp_path / "cache") == [first.name]
    os.utime(shutil.copy(qemu, tmp_path / "newer"), (1, 1))  # another emulator: another plugin
    code, sentence = refused(plugin, str(tmp_path / "newer"), tmp_path / "cache")
    assert (code, sentence.split(";")[0]) == (
        errno.ENOENT,
        "no C compiler, which builds the plugin",
    )


def test_two_at_once(qemu, tmp_path):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(plugin(qemu, tmp_path))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert {one.name for one in found} == set(os.listdir(tmp_path))


def test_the_version_that_an_emulator_asks_for(compiled_fake, tmp_path):
    newer = fake_qemu(tmp_path, "-DOLDEST=3", "-DNEWEST=5")
    assert plugin(str(newer), tmp_path / "cache").exists()
    too_old = fake_qemu(tmp_path, "-DOLDEST=0", "-DNEWEST=0")
    code, sentence = refused(plugin, str(too_old), tmp_path / "cache")
    assert code == errno.ENOEXEC
    assert sentence == "takes no plugin that counts pages: fake: supports only up to version 0"
    assert len(os.listdir(tmp_path / "cache")) == 1


def test_a_compiler_that_refuses(qemu, tmp_path, monkeypatch):
    compiler = tmp_path / "cc"
    compiler.write_text("#!/bin/sh\necho 'x.c:1: error: no such thing' >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    assert refused(plugin, qemu, tmp_path / "cache") == (
        errno.ENOEXEC,
        "did not compile the plugin: x.c:1: error: no such thing",
    )
    assert os.listdir(tmp_path / "cache") == []


def test_where_it_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == tmp_path / "home" / ".cache" / "swapfast"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "swapfast"
    assert cache_folder().stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # is to be ignored
    assert cache_folder() == tmp_path / "home" / ".cache" / "swapfast"
    assert cache_folder(tmp_path / "given") == tmp_path / "given"


def test_a_folder_that_others_can_write_to(tmp_path):
    open_folder = tmp_path / "open"
    open_folder.mkdir()
    for mode in (0o770, 0o707):
        open_folder.chmod(mode)
        code, sentence = refused(cache_folder, open_folder)
        assert (code, sentence.split(",")[0]) == (errno.EPERM, "others may write to it")
    code, sentence = refused(cache_folder, open_folder / "within")
    assert code == errno.EPERM
    assert sentence.startswith(f"everybody may rename it, being able to write to {open_folder};")
    open_folder.chmod(0o1777)  # as /tmp is
    assert cache_folder(open_folder / "within")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else(tmp_path):
    os.chown(tmp_path, 65534, 65534)
    assert refused(cache_folder, tmp_path)[1].startswith("belongs to another user")


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    code, sentence = refused(cache_folder, tmp_path / "file" / "cache")
    assert code == errno.ENOTDIR
    assert "cannot be made; name another with --cache" in sentence
