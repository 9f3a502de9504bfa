"""The real Linux Test Project, where somebody has it: LTP_ROOT=/opt/ltp.

Nothing of it is in this project. Both generations are known by what they print: the one of 2008
fails in a swap namespace with an area on, today's finds that swapon(2) is not allowed, and skips.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.own_memory import WHY_NOT, begun, hosting
from tests.support.own_memory import shell as own_memory
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


def program(name: str) -> Path:
    for found in sorted(Path(ROOT).rglob(name)):
        if found.is_file() and os.access(found, os.X_OK):
            return found
    pytest.skip(f"{ROOT} has no {name}")


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = program(request.param)
    monkeypatch.setenv("PATH", f"{found.parent}:{os.environ['PATH']}")
    return found


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


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "it is possible")
def test_mem01_passes_outside(tmp_path: Path) -> None:
    host = swapfile(tmp_path / "host", 16384)
    done = own_memory("--memory", "32MiB", "--swap", host, "--", program("mem01"))
    assert done.returncode == 0 and "PASS" in done.stdout, done


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "it is possible")
@pytest.mark.parametrize(("rule", "code"), [("global", 137), ("namespaced", 0)])
def test_mem01_is_killed_inside_unless_it_is_told(tmp_path: Path, rule: str, code: int) -> None:
    """It takes all that is free, and a few pages for itself: those of the host make room."""
    mem01, name = program("mem01"), f"mem01-{rule}-{os.getpid()}"
    host, small = swapfile(tmp_path / "host", 16384), swapfile(tmp_path / "s1", 4096)
    with hosting(tmp_path, name, "--memory", "32MiB", "--swap", host, "--sysinfo", rule):
        inside = begun("--join", name, "--newswap", "--", "sh", "-c", f"swapon {small} && {mem01}")
        assert inside.wait(60) == code
