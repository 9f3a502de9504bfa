"""One owner of a swapfile, and the right file: races, and somebody who renames meanwhile."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
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
        for _ in range(opens):
            try:
                with SwapBacking.open(tmp_path / "swap", RULES_6_18) as backing:
                    fooled += backing.identity[1] != right
                    seen["opened"] += 1
            except OSError as error:
                seen[errno.errorcode[error.errno or 0]] += 1
    finally:
        attacker.kill()
        attacker.communicate()
    print(f"{opens} opens, {fooled} fooled: {dict(seen)}")
    assert fooled == 0 and attacker.returncode == -9, "and the attacker was there all the time"
    assert (victim.read_bytes(), bad.read_bytes()) == before
    assert seen["EINVAL"] and seen["ENOENT"] and seen["opened"]
