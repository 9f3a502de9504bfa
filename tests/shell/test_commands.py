"""The commands of the system, as a person types them: util-linux and procps."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.support.shells import shell

TOOLS = f"{os.environ['PATH']}:/usr/sbin:/sbin"


@pytest.fixture(autouse=True)
def _tools() -> None:
    for name in ("swapon", "swapoff", "free"):
        if shutil.which(name, path=TOOLS) is None:
            pytest.skip(f"{name} is not installed")


def test_a_session(s1: Path, tmp_path: Path) -> None:
    """On, looked at, off: the commands say what they would of a real machine."""
    before = Path("/proc/swaps").read_text()
    script = f"""
        swapon --show; free -k | grep Swap; swapon {s1}; swapon --show --bytes --noheadings
        cat /proc/swaps; free -k; grep SwapTotal /proc/meminfo; cat /proc/self/../swaps | wc -l
        swapon {s1} 2>&1; swapoff -a; cat /proc/swaps; swapoff {s1} 2>&1; exit 7
    """
    done = shell("sh", "-c", script, status=7)
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["Swap:", "0", "0", "0"]
    assert lines[1].split() == [str(s1), "file", str(99 * 4096), "0", "-2"]
    assert lines[2].startswith("Filename") and lines[3].split()[:4] == [str(s1), "file", "396", "0"]
    assert lines[5].split()[:2] == ["Mem:", "65536"]
    assert lines[6].split() == ["Swap:", "396", "0", "396"]
    assert lines[7].split() == ["SwapTotal:", "396", "kB"]
    assert lines[8] == "2"
    assert "Device or resource busy" in lines[9]
    assert lines[10].startswith("Filename") and "Invalid argument" in lines[11]
    assert len(lines) == 12
    assert done.stderr == ""
    assert Path("/proc/swaps").read_text() == before


def test_priority_and_two_areas(s1: Path, s2: Path) -> None:
    script = f"swapon -p 5 {s1}; swapon {s2}; swapon --show=NAME,PRIO --noheadings"
    rows = [line.split() for line in shell("sh", "-c", script).stdout.splitlines()]
    assert rows == [[str(s1), "5"], [str(s2), "-2"]]


def test_swap_is_on_before_the_command(s1: Path, tmp_path: Path) -> None:
    assert "396" in shell("free", "-k", swap=s1).stdout
    done = shell("true", swap=tmp_path / "none", status=3)
    assert "no such file" in done.stderr


def test_what_is_open_stays_current(s1: Path) -> None:
    """As free -s reads it: from the beginning of a file that it opened once."""
    script = f"""
import os, subprocess
fd = os.open("/proc/meminfo", os.O_RDONLY)
def total():
    return next(l.split()[1] for l in os.pread(fd, 9999, 0).decode().splitlines() if "SwapT" in l)
print(total()); subprocess.run(["swapon", "{s1}"], check=True); print(total())
"""
    done = shell(shutil.which("python3") or "python3", "-c", script)
    assert done.stdout.split() == ["0", "396"]


def test_a_line_for_each_call(s1: Path, tmp_path: Path) -> None:
    console = tmp_path / "console"
    shell("sh", "-c", f"swapon {s1}; swapon {s1} 2>&1", status=255, console=console, trace=True)
    first, second = console.read_text().splitlines()
    assert first.endswith("swapon = 0")
    assert "swapon = -1 EBUSY: is on already" in second


def test_the_old_kernel_prints_its_own(s1: Path) -> None:
    done = shell("cat", "/proc/meminfo", "/proc/swaps", profile="2.6.25", swap=s1)
    assert "MemAvailable" not in done.stdout and "SwapCached:" in done.stdout
    assert "\t392\t0\t-1\n" in done.stdout
