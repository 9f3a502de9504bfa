"""A namespace's file never holds another's page, in seeded runs of three that press each other."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import swapfast as sf
from tests.support.swapfiles import NEWSWAP, PAGE, swapfile


def run(folder: Path, seed: int) -> tuple[int, int]:
    """Pages found in all files, and those in a file of another namespace than their writer's."""
    rng = random.Random(seed)
    rules = rng.choice((None, "strict"))
    machine = sf.Machine(96 * PAGE, rng.choice(("2.6.25", "6.18")), rules=rules, overcommit=1)
    paths = {}
    jobs = []
    for name in ("red", "green", "blue"):
        login = machine.init.clone(NEWSWAP, name)
        paths[name] = swapfile(folder / name, 120)
        login.swapon(paths[name], wipe=rng.choice(("none", "on-free")))  # type: ignore[arg-type]
        jobs.append((name, login, login.mmap(rng.randrange(20, 60) * PAGE)))
    for _ in range(6):
        name, login, job = rng.choice(jobs)
        what = rng.choice(("write", "write", "write", "fork", "read"))
        try:
            if not login.alive:
                continue
            if what == "write":
                for page in range(job.pages):
                    job.write(page * PAGE, f"<{name}>".encode() * 20)
            elif what == "fork":
                child = login.fork()
                job.inherited_by(child).touch(write=True)
            else:
                job.touch()
        except sf.TaskKilled:
            continue
    found = foreign = 0
    for name, path in paths.items():
        raw = path.read_bytes()
        for other in paths:
            count = sum(
                raw.find(f"<{other}>".encode(), at, at + PAGE) >= 0
                for at in range(PAGE, len(raw), PAGE)
            )
            found += count
            foreign += count if other != name else 0
    machine.close()
    for path in paths.values():
        path.unlink()
    return found, foreign


@pytest.mark.parametrize("runs", [60, pytest.param(1000, marks=pytest.mark.slow)])
def test_no_page_of_another(tmp_path: Path, runs: int) -> None:
    found = foreign = 0
    for seed in range(runs):
        more, wrong = run(tmp_path, seed)
        found += more
        foreign += wrong
    print(f"{runs} runs, {found} pages in swapfiles, {foreign} in another's")
    assert foreign == 0 and found > 20 * runs
