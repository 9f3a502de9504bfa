"""Fuzz every parser: ``python tools/fuzz.py [--seconds S] [--loads N] [--seed K] [TARGET ...]``.

1. S seconds a target (60) under atheris, guided by coverage, if it is installed (``make
   fuzz`` does so where it can). What it finds worth keeping stays in ``build/fuzz/TARGET``.
2. N seeded loads in all (1,000,000), in processes with 64 MiB to spare.
3. A tenth of them again, with the compiled modules under AddressSanitizer and UBSan.

A finding ends it: the input is named, and exit code 1. Otherwise the counts are printed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "tools"))

import sanitize  # noqa: E402 - beside this file

from tests.fuzz.targets import TARGETS  # noqa: E402

SLOW = {"members": 40, "scenario": 4}  # a load of these takes so many times longer


def run(command: list[str], cwd: Path, env: dict[str, str]) -> str:
    """Output of a part; a failing one ends all."""
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout[-4000:] + done.stderr[-8000:], file=sys.stderr)
        raise SystemExit(f"finding: {' '.join(command[1:])}")
    return done.stdout + done.stderr


def guided(names: list[str], seconds: int, env: dict[str, str]) -> None:
    if find_spec("atheris") is None:
        print("atheris is not installed (`make fuzz` does so where it can): no guided part")
        return
    for name in names:
        corpus = ROOT / "build" / "fuzz" / name
        command = [sys.executable, "-m", "tests.fuzz.guided", name, str(seconds), str(corpus)]
        found = re.search(r"executed_units:\s*(\d+)", run(command, ROOT, env))
        units = found[1] if found else "?"
        print(f"{name}: {units} guided loads, corpus of {len(list(corpus.iterdir()))}", flush=True)


def seeded(names: list[str], loads: int, seed: int, cwd: Path, env: dict[str, str]) -> None:
    share = loads / sum(1 / SLOW.get(name, 1) for name in names)
    total = 0
    for name in names:
        count = max(1, round(share / SLOW.get(name, 1)))
        command = [sys.executable, "-W", "ignore", "-m", "tests.fuzz.rounds", name]
        found = json.loads(run([*command, str(count), str(seed)], cwd, env).splitlines()[-1])
        total += found["loads"]
        print(found, flush=True)
    print(f"{total} seeded loads, 0 findings", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--loads", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("target", nargs="*", help=", ".join(TARGETS))
    chosen = parser.parse_args()
    names = chosen.target or list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    folder = tempfile.mkdtemp(prefix="swapfast-fuzz-")
    env = {**os.environ, "SWAPFAST_FUZZ_FOLDER": folder}
    try:
        if chosen.seconds:
            guided(names, chosen.seconds, env)
        seeded(names, chosen.loads, chosen.seed, ROOT, env)
        library = sanitize.runtime()
        if library is None:
            print("the C compiler has no libasan: no part under sanitizers")
            return
        sanitize.build()
        print("under AddressSanitizer and UBSan:", flush=True)
        env = {**env, **sanitize.environment(library)}
        seeded(names, chosen.loads // 10, chosen.seed + 1, sanitize.TREE, env)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
