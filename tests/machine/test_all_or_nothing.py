"""swapoff succeeds with no slot in use, or fails with the namespace as it was: 200 seeded cases."""

from __future__ import annotations

import errno
import random
from collections import Counter
from pathlib import Path

import swapfast as sf
from tests.support.swapfiles import NEWSWAP, PAGE, swapfile


def test_swapoff(tmp_path: Path) -> None:
    tally: Counter[str] = Counter()
    for seed in range(200):
        rng = random.Random(seed)
        path = swapfile(tmp_path / f"s{seed}", rng.choice((60, 150, 300)))
        machine = sf.Machine(
            rng.randrange(90, 200) * PAGE,
            rng.choice(("2.6.25", "6.18")),
            overcommit=rng.choice((0, 1, 1, 2)),
            policy=rng.choice((None, "lru", "clock")),
        )
        login = machine.init.clone(NEWSWAP, "login")
        login.swapon(path, wipe=rng.choice(("none", "on-free", "on-swapoff")))  # type: ignore[arg-type]
        worker = login.fork("worker")
        jobs = []
        try:
            for _ in range(rng.randrange(1, 4)):
                jobs.append(worker.mmap(rng.randrange(10, 100) * PAGE))
                for page in range(jobs[-1].pages):
                    jobs[-1].write(page * PAGE, b"job %d page %d;" % (len(jobs), page))
        except (OSError, sf.TaskKilled):
            tally["memory was short before"] += 1
        area = machine.areas[0]
        before = area.info, area.priority, worker.alive, machine.proc_swaps()
        try:
            login.swapoff(path)
        except OSError as error:
            tally[errno.errorcode[error.errno or 0]] += 1
            if error.errno == errno.ENOMEM and worker.alive == before[2] and login.alive:
                if "free some first" in error.strerror:
                    assert (area.info, area.priority) == before[:2] and not machine.log
                    assert machine.proc_swaps() == before[3]
                assert area.info["writeok"] and area.priority == before[1]
        else:
            tally["off"] += 1
            assert not machine.areas and machine.core.memory()["total_swap"] == 0
        machine.verify()
        # Whoever lives has every byte, whether it is off or on.
        for number, job in enumerate(jobs, 1):
            for page in range(job.pages if worker.alive else 0):
                text = b"job %d page %d;" % (number, page)
                try:
                    assert job.read(page * PAGE, len(text)) in (text, bytes(len(text)))
                except sf.TaskKilled:
                    tally["killed by a read"] += 1
                    break
        machine.verify()
        machine.close()
        path.unlink()
    print(dict(tally))
    assert sum(tally.values()) >= 200 and tally["off"] > 20
    assert tally["ENOMEM"] > 20
