"""checkpoint, restart, inspect and verify on the command line: the story of the README."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from swapfast.swapfile import mkswap
from swapfast.traces import generate, save_npz


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A folder with a trace and a swapfile."""
    save_npz(tmp_path / "t.npz", generate("zipf", pages=600, refs=30000, seed=3))
    mkswap(tmp_path / "s1", size="8MiB")
    return tmp_path


def test_goes_on_elsewhere_with_the_same_counters(run, job):
    trace, swap, image = job / "t.npz", job / "s1", job / "job.ckpt"
    args = ("--memory", "50%", "--every", "7000", "--json")
    whole = run("checkpoint", trace, swap, image, *args).json
    for _ in range(2):
        mkswap(swap, force=True)
        image.unlink(missing_ok=True)
        part = run("checkpoint", trace, swap, image, *args, "--at", "14000").json
        assert part["references"] == 14000 and part["pgmajfault"] > 0
        there = job / f"there{time.monotonic_ns()}"
        there.mkdir()
        for name in (image, swap):
            shutil.move(name, there / name.name)
        seen = run("inspect", there / "job.ckpt", "--json").json
        assert seen["generation"] == 2 and seen["tasks"][0]["name"] == "job"
        rest = run("restart", there / "job.ckpt", trace, "--every", "7000", "--json").json
        assert rest["restarted_at"] == 14000 and rest["references"] == whole["references"]
        assert {k: rest[k] for k in ("pgfault", "pgmajfault", "pswpin", "pswpout", "now_ns")} == {
            k: whole[k] for k in ("pgfault", "pgmajfault", "pswpin", "pswpout", "now_ns")
        }
        assert rest["page_table"] == whole["page_table"]
        mkswap(swap, size="8MiB")


@pytest.mark.slow
def test_killed_in_the_middle(run, job):
    trace, swap, image = job / "t.npz", job / "s1", job / "job.ckpt"
    args = ["checkpoint", trace, swap, image, "-m", "50%", "--every", "50", "-q"]
    child = subprocess.Popen([sys.executable, "-m", "swapfast", *map(str, args)])
    while not image.exists() and child.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert "pages, all right" in run("verify", image).stdout
    facts = run("restart", image, trace, "--json").json
    assert facts["restarted_at"] % 50 == 0 and facts["references"] == len_of(trace)


def len_of(trace: Path) -> int:
    from swapfast.traces import open_trace

    return len(open_trace(trace))


def test_verify_says_which(run, job):
    trace, swap, image = job / "t.npz", job / "s1", job / "job.ckpt"
    run("checkpoint", trace, swap, image, "-m", "1MiB")
    assert "all right" in run("verify", image).stdout
    with open(swap, "r+b") as file:
        file.seek(5 * 4096 + 9)
        file.write(b"\xff")
    facts = run("verify", image, "--json", code=1).json
    assert facts["wrong_slots"] == [5] and facts["pages"] > 300
    assert "slots 5" in run("verify", image, code=1).stdout
    os.truncate(image, 1000)
    for command in ("inspect", "verify", "restart"):
        result = run(command, image, code=2)
        assert str(image) in result.stderr and len(result.stderr.splitlines()) == 1


def test_tables_and_refusals(run, job):
    trace, swap, image = job / "t.npz", job / "s1", job / "job.ckpt"
    assert "ENOENT" not in run("inspect", image, code=3).stderr
    run("checkpoint", trace, swap, image, "-m", "1MiB", "--at", "100")
    text = run("inspect", image).stdout
    assert "in-place, generation 1" in text and "job" in text and "bytes a page" in text
    assert "at rest" in run("checkpoint", trace, swap, image, "-m", "1MiB", code=3).stderr
    result = run("restart", image, "--give-up")
    assert "restarted_at" in result.stdout
    assert "holds no checkpoint" in run("restart", image, code=2).stderr


def test_help_has_examples(run):
    for command in ("checkpoint", "restart", "inspect", "verify"):
        text = run(command, "--help").stdout
        assert "Examples" in text and "Exit code" in text and f"swapfast {command}" in text
