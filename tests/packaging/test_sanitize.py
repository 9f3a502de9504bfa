"""A short round under AddressSanitizer and UBSan; ``make sanitize`` is the whole one."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "sanitize.py"
SHORT = (
    "tests/core/test_slots.py",
    "tests/checkpoint/test_lost_files.py",
    "tests/checkpoint/test_golden.py",
    "tests/machine/test_wipe.py",
    "tests/traces/test_parsers.py",
)


@pytest.mark.slow
def test_a_short_round() -> None:
    spec = importlib.util.spec_from_file_location("sanitize", TOOL)
    assert spec is not None and spec.loader is not None
    sanitize = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sanitize)
    if sanitize.runtime() is None:
        pytest.skip("the C compiler has no libasan")
    done = subprocess.run(
        [sys.executable, TOOL, "-q", "-m", "not slow", *SHORT],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    modules = sorted(sanitize.TREE.rglob("*.so"))
    assert len(modules) >= 5
    for module in modules:
        found = module.read_bytes()
        assert b"__asan_report" in found and b"__ubsan_handle" in found, module.name
