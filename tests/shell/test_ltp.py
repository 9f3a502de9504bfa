"""The real Linux Test Project, where somebody has it: LTP_ROOT=/opt/ltp.

Nothing of it is in this project. Both generations are known by what they print: the one of 2008
fails in a swap namespace with an area on, today's finds that swapon(2) is not allowed, and skips.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.shells import shell
from tests.support.swapfiles import swapfile

ROOT = os.environ.get("LTP_ROOT", "")
CASES = {"swapon01": 1, "swapon02": 5, "swapoff01": 4, "swapoff02": 2}  # exit codes of 2008, inside
SKIPPED = 32  # TCONF, today

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not ROOT, reason="LTP_ROOT names no Linux Test Project"),
    pytest.mark.skipif(os.geteuid() != 0, reason="LTP wants root"),
]


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    for found in sorted(Path(ROOT).rglob(request.param)):
        if found.is_file() and os.access(found, os.X_OK):
            monkeypatch.setenv("PATH", f"{found.parent}:{os.environ['PATH']}")
            return found
    pytest.skip(f"{ROOT} has no {request.param}")


def test_outside_they_pass(case: Path, tmp_path: Path) -> None:
    before = Path("/proc/swaps").read_text()
    done = shell(case, cwd=tmp_path, profile="2.6.25")
    assert "PASS" in done.stdout + done.stderr
    assert Path("/proc/swaps").read_text() == before


def test_inside_they_do_not(case: Path, tmp_path: Path) -> None:
    s1 = swapfile(tmp_path / "s1", 100)
    script = f"{case}; code=$?; echo code $code"
    options = {"newswap": True, "swap": s1, "profile": "2.6.25"}
    done = shell("sh", "-c", script, cwd=tmp_path, **options)
    said = done.stdout + done.stderr
    assert f"code {SKIPPED if 'TCONF' in said else CASES[case.name]}" in said, said
