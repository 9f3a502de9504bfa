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
    save_npz(tmp_path / "t.npz", generate("zipf", pages=600, refs=30600, seed=3))
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
    assert f"1 of {facts['pages']} pages is wrong: slot 5" in run("verify", image, code=1).stdout
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


def test_mistakes_are_told_before_the_job_runs(run, job):
    trace, swap = job / "t.npz", job / "s1"
    before = swap.read_bytes()
    for memory, says in (
        ("50", "less than one page"),
        ("abc%", "is not a size"),
        ("nan%", "is not a size"),
        ("4096", "memory is 64 pages of 4096 bytes at least"),
    ):
        assert says in run("checkpoint", trace, swap, job / "x", "-m", memory, code=2).stderr
    for image, says in ((job / "no" / "x", "no such folder"), (job, "is a folder")):
        stderr = run("checkpoint", trace, swap, image, "-m", "1MiB", code=3).stderr
        assert says in stderr and len(stderr.splitlines()) == 1
    assert swap.read_bytes() == before


def test_what_is_no_file_is_named(run, job):
    trace, swap, image = job / "t.npz", job / "s1", job / "job.ckpt"
    os.mkfifo(job / "fifo")
    for command in ("inspect", "verify", "restart"):
        for path in (job / "fifo", job, "/dev/zero"):
            stderr = run(command, path, code=3).stderr
            assert f"{path}: is not a regular file" in stderr.replace("\n", "")
    run("checkpoint", trace, swap, image, "-m", "1MiB")
    stderr = run("restart", image, "--swapfile", job / "none", code=3).stderr
    assert "none: is not there, and has the pages of" in stderr


def test_names_are_shown_as_they_are(run, job):
    """A name with what a terminal's markup would be."""
    image = job / "[bold]x[red].ckpt"
    run("checkpoint", job / "t.npz", job / "s1", image, "-m", "1MiB")
    assert str(image) in run("inspect", image).stdout.replace("\n", "")
    assert "all right" in run("verify", image).stdout


def test_help_has_examples(run):
    for command in ("checkpoint", "restart", "compact", "inspect", "verify", "export"):
        text = run(command, "--help").stdout
        assert "Examples" in text and "Exit code" in text and f"swapfast {command}" in text


def test_kinds(run, job):
    """Each ends with the same job, which goes on from its last image."""
    trace, swap = job / "t.npz", job / "s1"
    args = ("--memory", "50%", "--every", "7000", "--at", "22000", "--json")
    seen = []
    for kind in ("in-place", "snapshot", "incremental"):
        folder = job / kind
        folder.mkdir()
        made = run("checkpoint", trace, swap, folder / "job", *args, "--kind", kind).json
        last = Path(made["image"])
        assert last.name == ("job.3" if kind == "incremental" else "job")
        facts = run("inspect", last, "--json").json
        assert facts["kind"] == kind and len(facts["builds_on"]) == 3 * (kind == "incremental")
        assert "all right" in run("verify", last).stdout
        rest = run("restart", last, trace, "--every", "3000", "--kind", kind, "--json").json
        assert rest["restarted_at"] == 22000 and rest["references"] == len_of(trace)
        if kind == "incremental":
            assert len(run("inspect", folder / "job.6", "--json").json["builds_on"]) == 6
            # Again from an older one: the newer ones stay.
            again = ("--every", "5000", "--kind", kind, "--at", "25000")
            run("restart", folder / "job.1", trace, *again)
            facts = run("inspect", folder / "job.7", "--json").json
            assert facts["builds_on"] == [str(folder / "job"), str(folder / "job.1")]
            assert "all right" in run("verify", folder / "job.6").stdout
        else:
            assert run("inspect", folder / "job", "--json").json["builds_on"] == []
        seen.append(rest["page_table"])
        mkswap(swap, force=True)
    assert len(set(seen)) == 1


def test_compact_and_export(run, job):
    trace, swap, image = job / "t.npz", job / "s1", job / "job.ckpt"
    args = ("-m", "1MiB", "--every", "10000", "--kind", "incremental")
    run("checkpoint", trace, swap, image, *args)
    text = run("inspect", job / "job.ckpt.2").stdout
    assert f"builds on {image}" in text.replace("\n", "")
    facts = run("compact", job / "job.ckpt.2", job / "one", "--json").json
    assert facts["images_folded"] == 3 and facts["kind"] == "snapshot"
    assert "images_folded" in run("compact", job / "job.ckpt.2", job / "one").stdout
    for name in [p for p in job.iterdir() if p.name.startswith("job.ckpt")]:
        name.unlink()
    assert "all right" in run("verify", job / "one").stdout
    assert run("restart", job / "one", "--json").json["restarted_at"] == 30000
    assert "is a part of" in run("compact", job / "one", job / "one", code=3).stderr
    files = run("export", job / "one", job / "d", "--json").json["files"]
    assert str(job / "d" / "slot.npy") in files
    assert run("export", job / "one", job / "p.csv").stdout.strip() == str(job / "p.csv")
    assert "is there already" in run("export", job / "one", job / "d", code=3).stderr
    os.truncate(job / "one", 2000)
    for command in ("compact", "export"):
        assert str(job / "one") in run(command, job / "one", job / "new", code=2).stderr
    assert "No such file" in run("compact", job / "none", job / "new", code=3).stderr
