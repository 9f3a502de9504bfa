"""One owner of a swapfile, and the right file: races, and somebody who renames meanwhile."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from swapfast.swapfile import RULES_6_18, SwapBacking, mkswap

ROOT = Path(__file__).parents[2]
PAGE = 4096

ATTACKER = """
import os, sys
folder = sys.argv[1]
names = [os.path.join(folder, n) for n in ("good", "link", "hard", "fifo", "folder", "bad")]
path, spare = os.path.join(folder, "swap"), os.path.join(folder, "spare")
print("ready", flush=True)
turn = 0
while True:
    turn += 1
    name = names[turn // 2 % len(names)] if turn % 2 else names[0]
    os.rename(name, path)
    for _ in range(turn % 7 * (3000 if name == names[0] else 50)):
        pass
    os.rename(path, name)
"""


def test_two_processes_race(tmp_path: Path) -> None:
    """1,000 races: each time exactly one has it; which one is the scheduler's business."""
    path = tmp_path / "s"
    mkswap(path, size=20 * PAGE)
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.races", str(path), "1000"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    print(found)
    assert found["owners"] == {"1": 1000}


@pytest.mark.parametrize("kills", [20, pytest.param(500, marks=pytest.mark.slow)])
def test_free_after_kill_minus_nine(tmp_path: Path, kills: int) -> None:
    """Who was killed holds nothing, and its forked child neither: the next open succeeds."""
    path = tmp_path / "s"
    mkswap(path, size=20 * PAGE)
    worst = 0.0
    for _ in range(kills):
        reader, writer = os.pipe()
        owner = os.fork()
        if owner == 0:
            backing = SwapBacking.open(path, RULES_6_18)
            child = os.fork()
            if child == 0:
                refused = backing.closed  # the file is the parent's alone
                os.write(writer, b"%d %d\n" % (os.getpid(), refused))
                while True:
                    signal.pause()
            while True:
                signal.pause()
        child, refused = map(int, os.read(reader, 100).split())
        assert refused
        with pytest.raises(OSError) as caught:
            SwapBacking.open(path, RULES_6_18)
        assert caught.value.errno == errno.EBUSY
        begin = time.monotonic()
        os.kill(owner, signal.SIGKILL)
        os.waitpid(owner, 0)
        SwapBacking.open(path, RULES_6_18).close()
        worst = max(worst, time.monotonic() - begin)
        os.kill(child, signal.SIGKILL)
        os.close(reader)
        os.close(writer)
    print(f"{kills} kills, free each time, {worst * 1e3:.1f} ms at most")


@pytest.mark.parametrize("opens", [1500, pytest.param(20_000, marks=pytest.mark.slow)])
def test_renaming_attacker(tmp_path: Path, opens: int) -> None:
    """Whatever takes the name, only the good file is ever taken; the others keep their bytes."""
    good, bad, victim = tmp_path / "good", tmp_path / "bad", tmp_path / "victim"
    for path in (good, bad, victim):
        mkswap(path, size=20 * PAGE)
    os.link(victim, tmp_path / "hard")
    (tmp_path / "link").symlink_to(victim)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    bad.write_bytes(b"not a swap area" + bytes(20 * PAGE))
    right = good.stat().st_ino
    before = victim.read_bytes(), bad.read_bytes()
    attacker = subprocess.Popen(
        [sys.executable, "-c", ATTACKER, str(tmp_path)], stdout=subprocess.PIPE
    )
    seen: Counter[str] = Counter()
    fooled = 0
    try:
        assert attacker.stdout is not None and attacker.stdout.readline()
        end = time.monotonic() + 60
        # On a busy machine a state of the name may be met late.
        while sum(seen.values()) < opens or (
            time.monotonic() < end and not (seen["EINVAL"] and seen["ENOENT"] and seen["opened"])
        ):
            try:
                with SwapBacking.open(tmp_path / "swap", RULES_6_18) as backing:
                    fooled += backing.identity[1] != right
                    seen["opened"] += 1
            except OSError as error:
                seen[errno.errorcode[error.errno or 0]] += 1
    finally:
        attacker.kill()
        attacker.communicate()
    print(f"{sum(seen.values())} opens, {fooled} fooled: {dict(seen)}")
    assert fooled == 0 and attacker.returncode == -9, "and the attacker was there all the time"
    if not bad.exists():  # the attacker ended while it had the name
        bad = tmp_path / "swap"
    assert (victim.read_bytes(), bad.read_bytes()) == before
    assert seen["EINVAL"] and seen["ENOENT"] and seen["opened"]
