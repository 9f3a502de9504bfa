"""Output files: whole or untouched, and never in the place of what is not a file."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from swapfast.publish import publish, target
from tests.support.mounts import mounted


@pytest.fixture(autouse=True)
def nothing_left(tmp_path):
    """No test leaves a draft behind."""
    yield
    assert [p for p in tmp_path.rglob("*") if p.name.startswith(".swapfast-")] == []


def put(path, content=b"new", **options):
    with publish(path, **options) as file:
        file.write(content)


def refused(code, path, words="", **options):
    """Refused by both, with the name as it was given."""
    for call in (lambda: target(path, **options), lambda: put(path, **options)):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno == code, caught.value
        assert caught.value.filename == os.fspath(path)
        assert words in caught.value.strerror


# ---------------------------------------------------------------- what is written


def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path):
    before = os.umask(0o027)
    try:
        put(tmp_path / "a")
        put(tmp_path / "b", mode=0o600)
    finally:
        os.umask(before)
    assert (tmp_path / "a").read_bytes() == b"new"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_there_is_replaced_at_the_end_and_keeps_its_mode(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o604)
    with publish(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o604


def test_the_file_seeks_reads_and_may_be_closed(tmp_path):
    path = tmp_path / "a"
    with publish(path) as file:
        file.write(b"12345")
        file.seek(1)
        assert file.read(2) == b"23"
        text = io.TextIOWrapper(file)
        text.seek(0)
        text.write("wörter")
        text.close()
    assert path.read_text(encoding="utf-8") == "wörter"


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_what_it_names_is_written(tmp_path, there):
    (tmp_path / "d").mkdir()
    real = tmp_path / "d" / "real"
    if there:
        real.write_bytes(b"old")
    (tmp_path / "d" / "second").symlink_to("real")
    link = tmp_path / "link"
    link.symlink_to("d/second")
    assert target(link) == str(real)
    put(link)
    assert link.is_symlink() and (tmp_path / "d" / "second").is_symlink()
    assert real.read_bytes() == b"new"


def test_names_as_long_as_a_name_can_be(tmp_path):
    path = tmp_path / ("n" * 255)
    put(path)
    put(path, b"newer")
    assert path.read_bytes() == b"newer"
    refused(errno.ENAMETOOLONG, tmp_path / ("n" * 256))


def test_a_name_that_is_no_text(tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff\x1b"
    put(path)
    with open(path, "rb") as file:
        assert file.read() == b"new"


# ---------------------------------------------------------------- what is refused


def test_a_fifo(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fifo")
    for name in ("fifo", "link"):
        refused(errno.EINVAL, tmp_path / name, "is a FIFO, not a regular file")
    assert (tmp_path / "fifo").is_fifo()


def test_a_socket(tmp_path):
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "s"))
        refused(errno.EINVAL, tmp_path / "s", "is a socket")


def test_devices():
    for name in ("/dev/null", "/dev/zero", "/dev/full"):
        refused(errno.EINVAL, name, "is a character device")


def test_folders(tmp_path):
    (tmp_path / "link").symlink_to(".")
    for name in (".", "..", "/", tmp_path, tmp_path / "link", f"{tmp_path}/."):
        refused(errno.EISDIR, name, "is a folder")


def test_no_folder(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("no/such")
    refused(errno.ENOENT, tmp_path / "no" / "file", "make it first")
    refused(errno.ENOENT, f"{tmp_path}/no/../file2", "make it first")
    refused(errno.ENOENT, tmp_path / "dangling", "make it first")
    refused(errno.ENOENT, f"{tmp_path}/new/")
    refused(errno.ENOENT, "")
    refused(errno.ENOTDIR, tmp_path / "file" / "x")
    with pytest.raises(ValueError, match="null"):
        target("a\0b")


def test_links_in_a_circle(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    refused(errno.ELOOP, tmp_path / "a")


def test_inputs_under_every_name(tmp_path):
    path = tmp_path / "in"
    path.write_bytes(b"old")
    os.link(path, tmp_path / "hard")
    (tmp_path / "soft").symlink_to("in")
    (tmp_path / "around").symlink_to("soft")
    for name in ("in", "hard", "soft", "around"):
        refused(errno.EINVAL, tmp_path / name, "is read", inputs=[tmp_path / "none", path])
        refused(errno.EINVAL, tmp_path / name, "is read", inputs=[tmp_path / "around"])
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "out"])
@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_standard_output_is_not_replaced(tmp_path, name, kind):
    code = "import sys; from swapfast.publish import publish\nwith publish(sys.argv[1]): pass"
    out = tmp_path / "out"
    if kind == "pipe" and name == "out":
        pytest.skip("a pipe has no such name")
    with open(out, "wb") as file:
        done = subprocess.run(
            [sys.executable, "-c", code, name],
            stdout=file if kind == "file" else subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )
    assert done.returncode == 1
    words = "is open as standard output" if kind == "file" else "is a FIFO"
    assert f"{words}" in done.stderr and repr(name) in done.stderr


def test_an_open_file_without_a_name(tmp_path):
    with open(tmp_path / "gone", "wb") as file:
        os.unlink(tmp_path / "gone")
        refused(errno.EINVAL, f"/proc/self/fd/{file.fileno()}", "has no name")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_locked(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with open(path, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        refused(errno.EBUSY, path, "locked")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_what_may_not_be_written(tmp_path):
    (tmp_path / "file").touch(0o444)
    refused(errno.EACCES, tmp_path / "file", "protected")
    (tmp_path / "d").mkdir()
    (tmp_path / "d").chmod(0o555)
    refused(errno.EACCES, tmp_path / "d" / "file", "no file can be made")


def test_another_user_s_files(tmp_path):
    """As nobody, in a process of its own: root may do all of it."""
    if os.geteuid() != 0:
        pytest.skip("becoming nobody needs root")
    tmp_path.chmod(0o755)
    shared, closed = tmp_path / "shared", tmp_path / "closed"
    shared.mkdir()
    shared.chmod(0o1777)
    closed.mkdir()
    closed.chmod(0o755)
    (shared / "theirs").touch()
    (shared / "theirs").chmod(0o666)
    (shared / "read").touch()
    os.chown(shared / "read", 65534, 65534)
    (shared / "read").chmod(0o444)
    child = os.fork()
    if child == 0:  # with what is loaded: nobody may not read this checkout
        status = 1
        try:
            os.chdir(tmp_path)
            os.setresuid(65534, 65534, 65534)
            refused(errno.EACCES, "closed/new", "no file can be made")
            refused(errno.EPERM, "shared/theirs", "another user's")
            refused(errno.EACCES, "shared/read", "protected")
            put("shared/new")
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (shared / "new").read_bytes() == b"new"


def test_a_file_system_that_is_read_only(tmp_path):
    with mounted("tmpfs", 1, tmp_path / "store", tmp_path / "disk"):
        subprocess.run(["mount", "-o", "remount,ro", tmp_path / "disk"], check=True)
        refused(errno.EROFS, tmp_path / "disk" / "a", "read-only")


# ---------------------------------------------------------------- what goes wrong on the way


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_exception_leaves_what_was_there(tmp_path, error, there):
    path = tmp_path / "a"
    if there:
        path.write_bytes(b"old")
    with pytest.raises(error), publish(path) as file:
        file.write(b"new")
        raise error
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"old"] * there


def test_a_full_disk(tmp_path):
    with mounted("tmpfs", 1, tmp_path / "store", tmp_path / "disk"):
        path = tmp_path / "disk" / "a"
        path.write_bytes(b"old")
        for size in (2 << 20, (1 << 20) - 4096 + 1):  # while it is written, and when it is flushed
            with pytest.raises(OSError) as caught:
                put(path, bytes(size))
            assert caught.value.errno == errno.ENOSPC
            assert caught.value.filename == str(path)
        assert [p.name for p in path.parent.iterdir()] == ["a"]
        assert path.read_bytes() == b"old"


@pytest.mark.parametrize("call", ["open", "fsync", "rename", "fchmod"])
def test_a_call_that_fails(tmp_path, monkeypatch, call):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    real = getattr(os, call)

    def fails(*args, **options):
        if call == "open" and not str(args[0]).startswith(".swapfast-"):
            return real(*args, **options)
        raise OSError(errno.EIO, "Input/output error", "a name of the inside")

    monkeypatch.setattr(os, call, fails)
    with pytest.raises(OSError) as caught:
        put(path)
    assert (caught.value.errno, caught.value.filename) == (errno.EIO, str(path))
    assert path.read_bytes() == b"old"


def test_what_is_put_in_its_place_meanwhile(tmp_path):
    path = tmp_path / "a"
    with pytest.raises(OSError, match="is a FIFO"), publish(path) as file:
        file.write(b"new")
        os.mkfifo(path)
    assert path.is_fifo()


def test_errors_of_other_files_keep_their_names(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, publish(tmp_path / "a") as file:
        file.write(Path("no such file").read_bytes())
    assert caught.value.filename == "no such file"


def test_a_buffer_never_reaches_a_descriptor_of_somebody_else(tmp_path):
    with pytest.raises(RuntimeError), publish(tmp_path / "a") as file:
        file.write(b"secret")
        raise RuntimeError
    with open(tmp_path / "b", "wb") as other:
        del file
        assert os.fstat(other.fileno()).st_size == 0
