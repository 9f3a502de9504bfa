"""Power cuts of a real file system: it is shut down under a job that checkpoints for ever.

A file system of its own on a loop device, mounted, and cut off by FS_IOC_SHUTDOWN without flushing
its log. What was acknowledged before the cut must be there after the next mount. Needs root and a
loop device; SWAPFAST_CUTS=200 cuts more often.
"""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from swapfast.checkpoint import read_image, verify
from swapfast.machine import restart
from tests.checkpoint.test_crashes import AREA, CHILD, JOB, digest
from tests.faults.disks import call, mounted

CUTS = int(os.environ.get("SWAPFAST_CUTS", "6"))
FS_IOC_SHUTDOWN = 0x8004587D  # include/uapi/linux/fs.h: _IOR('X', 125, __u32)
NOLOGFLUSH = struct.pack("=I", 2)
SIZES = {"ext4": 64, "xfs": 320}  # MiB


@pytest.fixture(params=SIZES)
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A file with a file system, and where it is mounted."""
    kind = str(request.param)
    store, folder = tmp_path / "disk", tmp_path / "mounted"
    with mounted(kind, SIZES[kind], store, folder):
        yield store, folder


def first_line(fd: int) -> bytes:
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(fd, 1)):
        line += byte
    return line


def cut_power(mounted: Path) -> None:
    fd = os.open(mounted, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(fd, FS_IOC_SHUTDOWN, NOLOGFLUSH)
    finally:
        os.close(fd)


@pytest.mark.slow
def test_power_cuts(disk: tuple[Path, Path], tmp_path: Path) -> None:
    store, mounted = disk
    rng = random.Random(3)
    folder, copy = mounted / "run", tmp_path / "copy"
    folder.mkdir()
    os.sync()
    script = CHILD.format(root=str(Path(__file__).parents[2]), folder=str(folder))
    lost = restarted = done = 0
    tried: dict[int, str] = {}
    for _ in range(CUTS):
        errors = tmp_path / "errors"
        with open(errors, "wb") as stderr:
            child = subprocess.Popen(
                [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=stderr, bufsize=0
            )
        assert child.stdout is not None
        if first_line(child.stdout.fileno()) != b"ready\n":
            child.wait()
            raise AssertionError(errors.read_text())
        time.sleep(rng.random() * 0.3)  # the moment of the cut, nothing is waited for
        os.set_blocking(child.stdout.fileno(), False)
        # What is in the pipe now was acknowledged before the cut.
        before = child.stdout.read(1 << 16) or b""
        child.send_signal(signal.SIGSTOP)
        cut_power(mounted)
        child.kill()
        child.wait()
        after = child.stdout.read(1 << 16) or b""
        child.stdout.close()
        for line in (before + after).decode().splitlines():
            words = line.split()
            if words[0] == "trying" and len(words) == 3 and len(words[2]) == 64:
                tried[int(words[1])] = words[2]
        for line in before.decode().splitlines():
            words = line.split()
            if words[0] == "done" and len(words) == 2:
                done = int(words[1])
        assert call("umount", mounted) and call("mount", "-o", "loop", store, mounted)
        if not (folder / JOB).exists():
            assert done == 0
            shutil.rmtree(folder)
            folder.mkdir()
            os.sync()
            continue
        generation = read_image(folder / JOB).generation
        assert verify(folder / JOB, folder / AREA) == []
        shutil.copytree(folder, copy)
        with restart(copy / JOB, swapfile=copy / AREA) as machine:
            lost += generation < done or digest(machine) != tried[generation]
            restarted += 1
        shutil.rmtree(copy)
        tried = {g: d for g, d in tried.items() if g <= generation}
        done = generation
    print(f"{CUTS} power cuts, {restarted} restarts, {lost} lost, generation {done}")
    assert lost == 0 and restarted
