"""A process that checkpoints for ever is killed at any moment, and goes on from there.

SWAPFAST_KILLS=1000 kills it more often.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from swapfast.checkpoint import read_image, restart
from tests.support.chains import images, swapfile
from tests.support.killed import CHAIN, CHILD, KILLS, ROOT, Told, run_and_kill
from tests.support.seen import digest
from tests.support.small_job import AREA, JOB


def newest(folder: Path, kind: str) -> tuple[int, str]:
    """Number and name of the last checkpoint; 0 if there is none."""
    if kind == "one image":
        there = (folder / JOB).exists()
        return (read_image(folder / JOB).generation if there else 0), JOB
    number = max(map(int, images(folder)), default=0)
    return number, str(number)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["one image", "pinned", "incremental"])
def test_kill_minus_nine(tmp_path: Path, kind: str) -> None:
    """One image that is replaced; or a chain whose first image is of this kind."""
    alone = kind == "one image"
    rng = random.Random(9 if alone else 11)
    folder = tmp_path / "run"
    folder.mkdir()
    script = (CHILD if alone else CHAIN).format(root=str(ROOT), folder=str(folder), base=kind)
    told, lost, restarted = Told(), 0, 0
    for _ in range(KILLS):
        run_and_kill(script, rng, 0.1 if alone else 0.2, told)
        number, name = newest(folder, kind)
        if not number:
            assert told.done == 0
            shutil.rmtree(folder)
            folder.mkdir()
            continue
        copy = shutil.copytree(folder, tmp_path / "copy")
        swap = copy / AREA if alone else swapfile(copy, kind)
        with restart(copy / name, swapfile=swap) as machine:
            lost += number < told.done or digest(machine) != told.tried[number]
            restarted += 1
        shutil.rmtree(copy)
        told.go_on_from(number)
    print(f"{kind}: {KILLS} kills, {restarted} restarts, {lost} lost, {told.done} checkpoints")
    assert lost == 0 and restarted > KILLS // 2 and told.done > KILLS // 2
