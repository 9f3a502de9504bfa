"""What is measured is a file without a name, or something of others that is only read."""

import errno
import fcntl
import os

import pytest

from swapfast.measure import Host
from swapfast.measure.device import open_target
from swapfast.measure.device.target import Facts, facts_of

MIB = 1 << 20


@pytest.fixture
def here(tmp_path):
    """A folder on a disk of this machine."""
    try:
        with open_target(tmp_path, MIB, Host()):
            return tmp_path
    except OSError as error:
        if error.errno in (errno.ENODEV, errno.EINVAL, errno.ENOSPC):
            pytest.skip(f"no device below the folder of tests: {error}")
        raise


def test_a_file_of_its_own_has_no_name(here):
    with open_target(here, 3 * MIB + 4096) as found:
        assert found.own and found.size == 3 * MIB, "whole chunks"
        assert list(here.iterdir()) == [] and os.fstat(found.fd).st_nlink == 0


def test_a_file_system_without_nameless_files(here, monkeypatch):
    opened, real = [], os.open

    def refuse(path, flags, *mode, **more):
        opened.append(flags)
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "no", str(path))
        return real(path, flags, *mode, **more)

    monkeypatch.setattr(os, "open", refuse)
    with open_target(here, MIB) as found:
        assert found.own and list(here.iterdir()) == []
    assert opened[-1] & os.O_EXCL, "never a file that was there"


def test_what_is_there_is_opened_for_reading_alone(here):
    path = here / "data"
    path.write_bytes(os.urandom(MIB))
    with open_target(path) as found:
        assert not found.own and found.size == MIB
        assert fcntl.fcntl(found.fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
        with pytest.raises(OSError):
            os.pwrite(found.fd, b"x", 0)


@pytest.mark.parametrize(
    ("size", "says"), [(4096, "at least 1 MiB are read"), (None, "has holes, which no device")]
)
def test_a_file_of_which_nothing_would_be_learnt(here, size, says):
    path = here / "data"
    path.touch()
    os.truncate(path, size or MIB)
    with pytest.raises(ValueError, match=says):
        open_target(path)


def test_neither_a_folder_nor_a_file_nor_a_device(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (fifo, "/dev/null"):
        with pytest.raises(ValueError, match="neither a folder, a file nor a block device"):
            open_target(path)
    with pytest.raises(FileNotFoundError):
        open_target(tmp_path / "none")


@pytest.mark.parametrize("kind", ["tmpfs", "nfs4", "proc"])
def test_no_device_below(host, tree, tmp_path, kind):
    tree("proc/self/mounts", f"x {tmp_path} {kind} rw 0 0\n")
    (tmp_path / "data").write_bytes(bytes(MIB))
    for path in (tmp_path, tmp_path / "data"):
        with pytest.raises(OSError, match=f"is on {kind}, and no device is below it") as caught:
            open_target(path, host=host)
        assert caught.value.errno == errno.ENODEV


def test_others_keep_some_room(host, tmp_path, altered):
    with pytest.raises(OSError, match=r"1 GiB free, 1\.3 GiB are needed") as caught:
        open_target(tmp_path, 1 << 30, altered(host, free_disk=lambda path: 1 << 30))
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(ValueError, match="at least 1 MiB are needed"):
        open_target(tmp_path, 4096, host)


@pytest.mark.parametrize("part", ["", "vda1/"])
def test_what_sys_says_of_the_device(host, tree, tmp_path, part):
    number = os.stat(tmp_path).st_dev
    entry = f"{os.major(number)}:{os.minor(number)}"
    tree(f"sys/devices/vda/{part}uevent", f"MAJOR=1\nDEVNAME=vda{part[3:4]}\n")
    tree("sys/devices/vda/queue/rotational", "1\n")
    tree("sys/devices/vda/queue/nr_requests", "256\n")
    link = tree(f"sys/dev/block/{entry}", "")
    link.unlink()
    link.symlink_to(f"../../devices/vda/{part}".rstrip("/"))
    fd = os.open(tmp_path, os.O_RDONLY)
    assert facts_of(fd, host) == Facts(f"vda{part[3:4]}", True, 256)
    os.close(fd)


def test_a_device_that_sys_does_not_know(host, tmp_path):
    fd = os.open(tmp_path, os.O_RDONLY)
    assert facts_of(fd, host) == Facts("", False, None)
    os.close(fd)
