"""Many machines in threads for a long time: ``python tools/soak.py [--minutes M] [--seed K]``.

Each round boots a machine that is drawn from the seed: a kernel, memory, swapfiles with real bytes
or devices without, cgroups with limits, swap namespaces, programs side by side, which are killed,
or fork, or lose their swap on the way. Structures are verified in between. At the end no memory has
been lost from round to round, and no descriptor is left.

A finding ends it with exit code 1, and names the seed of its round: ``--seed K --rounds 1`` plays
that one again.
"""

from __future__ import annotations

import argparse
import errno
import gc
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import swapfast as sf
from swapfast.machine import Machine
from swapfast.swapfile import mkswap
from swapfast.together import Together
from swapfast.traces.generate import generate
from swapfast.units import PAGE_SIZE

NEW_LOGIN = sf.CLONE_NEWSWAP | sf.CLONE_NEWIPC | sf.SIGCHLD
PROFILES = ("6.18", "2.6.25", "6.18-mglru")
PATTERNS = ("zipf", "uniform", "loop", "mixed", "drift", "hotspot")
THREADS = 2
LOOK = 20  # rounds between two looks at the memory of the process
LOST = 16 << 10  # KiB more at the end than at the beginning: a round has some MiB itself
EXPECTED = (errno.ESRCH, errno.ENOMEM, errno.ENOSPC, errno.EPERM, errno.EBUSY, errno.EINVAL)


@dataclass
class Tally:
    """What all threads have done.

    Attributes
    ----------
    rounds, references, kills, refusals : int
    resident : list of int
        KiB of the process, now and then.
    found : list of str
        What went wrong.
    """

    rounds: int = 0
    references: int = 0
    kills: int = 0
    refusals: int = 0
    resident: list[int] = field(default_factory=list)
    found: list[str] = field(default_factory=list)


def resident() -> int:
    """KiB."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * PAGE_SIZE // 1024


def boot(rng: random.Random, folder: Path) -> Machine:
    """A machine and its swapfiles."""
    pages = rng.choice((256, 1024, 4096))
    contents, profile = rng.random() < 0.5, rng.choice(PROFILES)
    stale = profile != "2.6.25" and rng.random() < 0.5
    machine = Machine(
        pages * PAGE_SIZE,
        profile,
        contents=contents,
        overcommit=1,
        cache=0,
        page_cluster=rng.choice((0, 3)),
        statistics="stale" if stale else "exact",
        seed=rng.randrange(1 << 30),
    )
    for number in range(rng.randint(1, 3)):
        size = rng.randint(32, pages) * PAGE_SIZE
        if contents:
            path = folder / f"swap{number}"
            mkswap(path, size=max(size, 10 * PAGE_SIZE))
            machine.init.swapon(path)
        else:
            machine.add_swap(size, device=machine.device(f"d{number}", rng.choice(("lab", "nvme"))))
    return machine


def populate(rng: random.Random, machine: Machine, folder: Path) -> Together:
    """Programs, some in cgroups, some in swap namespaces of their own."""
    run = machine.together(cpus=rng.choice((None, 1, 2)))
    for number in range(rng.randint(1, 5)):
        task = None
        if rng.random() < 0.3:
            task = machine.init.clone(NEW_LOGIN)
            if machine.contents:
                path = folder / f"own{number}"
                mkswap(path, size=rng.randint(16, 512) * PAGE_SIZE)
                task.swapon(path)
        pages = rng.randint(16, 2000)
        group = None
        if rng.random() < 0.6:
            group = machine.memory_group(rng.randint(16, 1000) * PAGE_SIZE)
        trace = generate(
            rng.choice(PATTERNS),
            pages=pages,
            refs=rng.randint(1000, 60_000),
            seed=rng.randrange(1 << 30),
        )
        run.program(
            f"p{number}", trace, cgroup=group, task=task, think=rng.choice((100, 1000, 5000))
        )
    return run


def play(seed: int, tally: Tally) -> None:
    """One round, from boot to power off."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name, boot(rng, Path(name)) as machine:
        run = populate(rng, machine, Path(name))
        for _ in range(rng.randint(1, 6)):
            run.until(run.now + rng.randint(1, 50) * 1_000_000)
            machine.verify()
            disturb(rng, machine, run, tally)
            machine.verify()
        run.until(run.now + 1_000_000_000)
        machine.verify()
        tally.references += sum(program.references for program in run.programs)
        tally.kills += len(machine.oom_records)


def disturb(rng: random.Random, machine: Machine, run: Together, tally: Tally) -> None:
    """Something that somebody does meanwhile."""
    alive = [program for program in run.programs if program.alive]
    what = rng.choice(("nothing", "kill", "swapoff", "fork"))
    try:
        if what == "kill" and alive:
            rng.choice(alive).task.kill(sf.SIGKILL)
        elif what == "swapoff" and machine.areas:
            machine.init.swapoff(rng.choice([area.path for area in machine.areas.values()]))
        elif what == "fork" and alive:
            rng.choice(alive).task.fork().exit()
    except OSError as error:
        if error.errno not in EXPECTED:
            raise
        tally.refusals += 1


def work(first: int, step: int, end: float, rounds: int, tally: Tally) -> None:
    """Round after round, until it is time or something is found."""
    seed = first
    while time.monotonic() < end and not tally.found and tally.rounds < rounds:
        try:
            play(seed, tally)
        except BaseException as error:
            tally.found.append(f"seed {seed}: {type(error).__name__}: {error}")
            return
        tally.rounds += 1
        seed += step
        if tally.rounds % LOOK == 0:
            gc.collect()  # a machine is in a circle of objects
            tally.resident.append(resident())


def lost(kib: list[int]) -> float:
    """KiB that are not given back: the last third of the time against the one before."""
    third = len(kib) // 3
    if third < 3:
        return 0.0
    return statistics.median(kib[-third:]) - statistics.median(kib[third : 2 * third])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=60, help="60 by default")
    parser.add_argument("--rounds", type=int, default=sys.maxsize, help="end after so many")
    parser.add_argument("--seed", type=int, default=1, help="of the first round")
    given = parser.parse_args()
    tally, end = Tally(), time.monotonic() + given.minutes * 60
    before = set(os.listdir("/proc/self/fd"))
    threads = [
        threading.Thread(target=work, args=(given.seed + k, THREADS, end, given.rounds, tally))
        for k in range(min(THREADS, given.rounds))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = set(os.listdir("/proc/self/fd")) - before
    more = lost(tally.resident)
    if more > LOST:
        tally.found.append(f"{more / 1024:.1f} MiB are lost")
    if left:
        tally.found.append(f"{len(left)} descriptors are left")
    print(
        f"{tally.rounds} machines, {tally.references:,} references, {tally.kills} OOM kills, "
        f"{tally.refusals} refused calls; {more / 1024:+.1f} MiB, {len(left)} descriptors left"
    )
    for finding in tally.found:
        print(f"finding: {finding}", file=sys.stderr)
    return bool(tally.found)


if __name__ == "__main__":
    sys.exit(main())
