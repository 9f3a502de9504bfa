"""Policies from outside the package: compiled through the shipped contract, and in Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import OrderedDict
from importlib import util
from pathlib import Path

import pytest

from swapfast.replacement import Simulation, simulate
from swapfast.traces.generate import generate

PLUGIN = Path(__file__).parent / "plugin"


class PythonLru:
    """The example of the documentation."""

    def __init__(self) -> None:
        self.order: OrderedDict[int, None] = OrderedDict()

    def hit(self, page: int) -> None:
        self.order.move_to_end(page)

    def enter(self, page: int) -> None:
        self.order[page] = None

    def victim(self) -> int:
        return self.order.popitem(last=False)[0]


class PythonMru(PythonLru):
    def victim(self) -> int:
        return self.order.popitem(last=True)[0]


def test_a_python_policy_counts_as_the_compiled_one() -> None:
    trace = generate("zipf", pages=200, refs=5000, seed=4, fill=False)
    ours, compiled = simulate(trace, 40, PythonLru()), simulate(trace, 40, "lru")
    keys = ("refs", "misses", "first", "evicted", "written", "resident")
    assert [getattr(ours, k) for k in keys] == [getattr(compiled, k) for k in keys]
    assert ours.policy == "PythonLru"


def test_a_python_policy_that_names_a_page_not_in_memory() -> None:
    class Wrong(PythonLru):
        def victim(self) -> int:
            return 10_000

    trace = generate("loop", pages=20, refs=100, fill=False)
    with pytest.raises(ValueError, match="page 10000, which is not in memory"):
        simulate(trace, 5, Wrong())


def test_another_capsule_is_not_a_policy() -> None:
    from numpy._core import _multiarray_umath

    with pytest.raises(ValueError, match="no policy"):
        Simulation(_multiarray_umath._ARRAY_API, 4, 10)


@pytest.mark.slow
def test_a_compiled_policy_from_another_package(tmp_path: Path) -> None:
    pytest.importorskip("Cython")
    shutil.copytree(PLUGIN, tmp_path, dirs_exist_ok=True)
    # As a user builds: nothing but the installed package says where its headers are.
    build = subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        capture_output=True,
        text=True,
    )
    assert build.returncode == 0, build.stderr
    (built,) = tmp_path.glob("mru.*.so")
    spec = util.spec_from_file_location("mru", built)
    assert spec is not None and spec.loader is not None
    mru = util.module_from_spec(spec)
    spec.loader.exec_module(mru)
    trace = generate("zipf", pages=200, refs=5000, seed=4, fill=False)
    ours, python = simulate(trace, 40, mru.policy), simulate(trace, 40, PythonMru())
    assert ours.policy == "mru"
    assert (ours.misses, ours.written) == (python.misses, python.written)
    assert ours.misses != simulate(trace, 40, "lru").misses
