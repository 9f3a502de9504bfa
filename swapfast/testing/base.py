"""The base of a comparison: an older commit, checked out and built beside the present one.

- ``chosen(ref)``: which commit. ``checked_out(commit, build, keep)``: its tree, while it is needed.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from swapfast.errors import system_error
from swapfast.testing.callgrind import import_paths

__all__ = ["checked_out", "chosen"]

DEFAULTS = ("origin/main", "origin/master")


def git(root: Path, *arguments: str) -> str:
    """What a command of git prints; empty if it fails.

    Raises
    ------
    OSError
        ENOENT: git is not installed.
    """
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True)
    except FileNotFoundError:
        raise system_error(errno.ENOENT, "git is needed for the base; install it") from None
    return done.stdout.strip() if done.returncode == 0 else ""


def chosen(root: Path, ref: str | None = None) -> str:
    """The commit to compare with, shortened.

    Parameters
    ----------
    root : path
        A repository.
    ref : str, optional
        By default where HEAD left origin/main (or master), or the commit before if it has not.

    Raises
    ------
    ValueError
        There is no such commit.
    OSError
        ENOENT: git is not installed.
    """
    if ref is None:
        bases = (git(root, "merge-base", "HEAD", default) for default in DEFAULTS)
        head = git(root, "rev-parse", "HEAD")
        ref = next((base for base in bases if base and base != head), "HEAD~1")
    commit = git(root, "rev-parse", "--short", "--verify", "--end-of-options", f"{ref}^{{commit}}")
    if not commit:
        raise ValueError(
            f"{root}: git knows no commit {ref}; a shallow clone lacks older ones "
            "(actions/checkout: fetch-depth: 0)"
        )
    return commit


@contextmanager
def checked_out(root: Path, commit: str, build: str, keep: Sequence[str]) -> Iterator[Path]:
    """A folder with the tree of a commit, removed at the end.

    Parameters
    ----------
    root : path
        The repository, in which nothing changes.
    commit : str
    build : str
        A shell command that compiles the tree in place; ``python`` is this one. Empty: none.
    keep : sequence of str
        Files and folders of the present tree that take the place of the commit's: the benchmarks,
        so that both do the same work.

    Raises
    ------
    ValueError
        The build failed, with its last lines.
    """
    with tempfile.TemporaryDirectory(prefix="swapfast-base-") as folder:
        top = git(root, "rev-parse", "--show-toplevel")
        if not top:
            raise ValueError(f"{root} is in no git repository")
        clone = Path(folder) / Path(top).name
        for command in (
            ["clone", "--quiet", "--shared", "--no-checkout", top, str(clone)],
            ["-C", str(clone), "checkout", "--quiet", "--detach", commit],
        ):
            done = subprocess.run(["git", *command], capture_output=True, text=True)
            if done.returncode != 0:
                raise ValueError(f"the checkout of {commit} failed: {done.stderr.strip()}")
        tree = clone / root.resolve().relative_to(Path(top).resolve())
        tree.mkdir(parents=True, exist_ok=True)
        for name in keep:
            _copy(root / name, tree / name)
        if build:
            _build(tree, build, commit)
        yield tree


def _copy(source: Path, target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy2(source, target)


def _build(tree: Path, build: str, commit: str) -> None:
    here = os.pathsep.join((os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)))
    surroundings = {**os.environ, "PATH": here, "PYTHONPATH": os.pathsep.join(import_paths(tree))}
    done = subprocess.run(
        ["/bin/sh", "-c", build], cwd=tree, env=surroundings, capture_output=True, text=True
    )
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-8:])
        raise ValueError(f"the build of {commit} ended with {done.returncode}: {build}\n{said}")
