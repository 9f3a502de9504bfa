"""What is behind a command, and what cannot be recorded, in a sentence."""

from __future__ import annotations

import errno
import os
import platform
import shutil
import struct
import sys

import pytest

from swapfast.record import find, record

TRUE = shutil.which("true")


def refused(*command):
    with pytest.raises(OSError) as caught:
        find(command)
    return caught.value.errno, caught.value.strerror


def script(path, line, mode=0o755):
    path.write_text(f"{line}\necho hello\n")
    path.chmod(mode)
    return path


def test_a_name_is_looked_for_along_the_path(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.path.dirname(TRUE)}")
    found = find(["true", "x"])
    assert (found.name, found.file, found.arguments) == ("true", TRUE, ("true", "x"))
    assert not found.loses_rights
    (tmp_path / "true").mkdir()  # is passed over
    assert find(["true"]).file == TRUE


def test_scripts_are_run_by_their_interpreters(tmp_path):
    one = script(tmp_path / "one", f"#! {sys.executable}  -u x ")
    found = find([str(one), "a", "b"])
    assert found.arguments == (sys.executable, "-u x", str(one), "a", "b")
    assert (found.name, found.file) == ("one", sys.executable)
    two = script(tmp_path / "two", f"#!{one}")
    found = find([str(two), "a"])
    assert found.arguments == (sys.executable, "-u x", str(one), str(two), "a")


def test_scripts_without_an_interpreter(tmp_path):
    assert refused(str(script(tmp_path / "a", "#!"))) == (
        errno.ENOEXEC,
        "its #! names no interpreter",
    )
    assert refused(str(script(tmp_path / "b", "#!/none/at/all"))) == (
        errno.ENOENT,
        "its interpreter /none/at/all is not there",
    )
    assert refused(str(script(tmp_path / "c", "echo"))) == (
        errno.ENOEXEC,
        "is neither an ELF file nor a script that begins with #!",
    )
    circle = tmp_path / "d"
    assert refused(str(script(circle, f"#!{circle}")))[0] == errno.ELOOP


def test_what_is_not_there_or_may_not_be_run(tmp_path, monkeypatch):
    assert refused("none-at-all") == (errno.ENOENT, "no such program; is it installed?")
    assert refused(str(tmp_path / "none")) == (errno.ENOENT, "no such program")
    assert refused(str(tmp_path)) == (errno.EACCES, "is a folder, not a program")
    plain = script(tmp_path / "plain", "#!/bin/sh", 0o644)
    assert refused(str(plain))[0] == errno.EACCES
    monkeypatch.setenv("PATH", str(tmp_path))
    assert refused("plain") == (errno.EACCES, "may not be run: no permission to execute it")
    for command in ([], [""]):
        with pytest.raises(ValueError, match="no program was named"):
            find(command)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_program_that_may_be_run_but_not_read(tmp_path):
    hidden = shutil.copy(TRUE, tmp_path / "hidden")
    os.chmod(hidden, 0o111)
    assert "has to read it" in refused(str(hidden))[1]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the header is that of x86-64")
def test_programs_of_another_machine(tmp_path):
    other = tmp_path / "other"
    for bits, machine in ((2, 183), (1, 3), (1, 62)):
        head = b"\x7fELF" + bytes([bits, 1, 1]) + bytes(9) + struct.pack("<HH", 2, machine)
        other.write_bytes(head + bytes(100))
        other.chmod(0o755)
        code, sentence = refused(str(other))
        assert code == errno.ENOEXEC
        assert sentence.startswith(f"is a {32 * bits}-bit program for machine {machine};")


def test_setuid_is_noticed(tmp_path):
    program = shutil.copy(TRUE, tmp_path / "program")
    os.chmod(program, 0o4755)
    assert not find([str(program)]).loses_rights  # one's own
    if os.geteuid() == 0:
        os.chown(program, 65534, 65534)
        os.chmod(program, 0o4755)
        assert find([str(program)]).loses_rights


@pytest.mark.parametrize(
    ("by", "sentence"),
    [
        (None, r"neither qemu-\w+ nor valgrind is there .* qemu-user; or use --window, which"),
        ("qemu", r"there is no qemu-\w+ to record with; .* qemu-user$"),
        ("lackey", r"there is no valgrind to record with; .* apt-get install valgrind$"),
    ],
)
def test_nothing_to_record_with(monkeypatch, tmp_path, by, sentence):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=sentence):
        record([TRUE], by=by)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"by": "perf"}, "by qemu or lackey, not by perf"),
        ({"reduce": -1}, "a number of pages below 2"),
        ({"reduce": 1 << 31}, "a number of pages below 2"),
    ],
)
def test_options_are_checked(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        record([TRUE], **options)
