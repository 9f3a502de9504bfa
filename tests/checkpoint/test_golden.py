"""Checkpoints of released versions: each of them can be restarted for ever."""

from __future__ import annotations

import json
import lzma
import os
import shutil
from pathlib import Path

import pytest

from swapfast.checkpoint import checkpoint, compact, inspect, restart, verify
from tests.support.jobs import boot, family
from tests.support.seen import contents, digest, picture

DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize("image", sorted(DATA.glob("*.ckpt")), ids=lambda p: p.stem)
def test_restarts(image: Path, tmp_path: Path) -> None:
    """The job of `family` with seed 1, as it was."""
    shutil.copy(image, tmp_path / "job.ckpt")
    area = tmp_path / "area"
    area.write_bytes(lzma.decompress((DATA / f"{image.stem}.area.xz").read_bytes()))
    area.chmod(0o600)
    assert verify(tmp_path / "job.ckpt") == []
    assert inspect(tmp_path / "job.ckpt")["swapfile"] == str(area)  # beside the image
    with restart(tmp_path / "job.ckpt") as machine:
        machine.verify()
        seen = contents(machine)
    texts = b"".join(data for data in seen.values() if data)
    for word in (b"login ", b"child ", b"grandchild ", b"shared ", b"segment ", b"wide "):
        assert word in texts
    assert sorted({pid for pid, _, _ in seen}) == [2, 3, 4, 5]


def test_the_same_job_makes_the_same_bytes(tmp_path: Path) -> None:
    """Nothing of a checkpoint depends on the time, the process or chance but its identity."""
    made = []
    folder = tmp_path / "run"
    for _ in range(2):
        folder.mkdir()
        machine, login = boot(folder / "area")
        os.pwrite(machine.areas[0].backing.fileno(), bytes(16), 1036)  # mkswap's UUID is random
        family(login)
        before = picture(machine)["vmstat"]["pgfault"]
        checkpoint(machine.kernel, login.swap_ns, folder / "job", identity=bytes(16))
        machine.close()
        made.append((before, (folder / "job").read_bytes(), (folder / "area").read_bytes()))
        shutil.rmtree(folder)
    assert made[0] == made[1]


@pytest.mark.parametrize("sort", ["copies", "pinned"])
def test_chains(sort: str, tmp_path: Path) -> None:
    """Version 2: three images of the job of `family` at work, and one that is folded of them."""
    folder = DATA / "version-2" / sort
    right = json.loads((folder / "right.json").read_text())
    for name, seen in right.items():
        there = tmp_path / name
        there.mkdir()
        for path in folder.iterdir():
            if path.suffix == ".xz":
                (there / path.stem).write_bytes(lzma.decompress(path.read_bytes()))
                (there / path.stem).chmod(0o600)
        assert verify(there / name) == []
        assert os.path.dirname(inspect(there / name)["swapfile"]) == str(there)
        assert inspect(there / name)["version"] == (1 if name == "0" else 2)
        with restart(there / name) as machine:
            machine.verify()
            assert digest(machine) == seen
        compact(there / name, there / "again")
        assert verify(there / "again") == []
