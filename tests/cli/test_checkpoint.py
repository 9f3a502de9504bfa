"""checkpoint, restart, inspect and verify on the command line: the story of the README."""

from __future__ import annotations

import contextlib
import os
import re
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


def test_incremental_ones_at_the_same_references(run, job):
    """Every figure is that of a job that was never stopped and made the same checkpoints."""
    args = ("-m", "40%", "--every", "7000", "--kind", "incremental", "--json")
    seen = []
    for name in ("whole", "part"):
        folder = job / name
        folder.mkdir()
        mkswap(folder / "s", size="5MiB")
        stop = ("--at", "14000") if name == "part" else ()
        seen.append(run("checkpoint", job / "t.npz", folder / "s", folder / "i", *args, *stop).json)
    rest = run("restart", seen.pop()["image"], job / "t.npz", *args[2:]).json
    for name in set(seen[0]) - {"image", "swapfile"}:
        assert rest[name] == seen[0][name], name


def test_image_swapfile_and_trace_are_three_files(run, job):
    trace, swap = job / "t.npz", job / "s1"
    (job / "link").symlink_to(swap)
    (job / "trace.tmp").write_bytes(trace.read_bytes())
    (job / "s.1").write_bytes(trace.read_bytes())
    before = {p: p.read_bytes() for p in job.iterdir()}
    for image, other, says in (
        (swap, trace, "IMAGE and SWAPFILE are one file"),
        (f"{job}/./s1", trace, "IMAGE and SWAPFILE are one file"),
        (job / "link", trace, "IMAGE and SWAPFILE are one file"),
        (trace, trace, "IMAGE and TRACE are one file"),
        (job / "trace", job / "trace.tmp", "a name that is needed beside IMAGE"),
        (job / "s", job / "s.1", "a name that is needed beside IMAGE"),
    ):
        for kind in ("in-place", "incremental"):
            args = ("-m", "50%", "--every", "100", "--kind", kind)
            stderr = run("checkpoint", other, swap, image, *args, code=2).stderr
            assert says in stderr and str(Path(image)) in stderr and len(stderr.splitlines()) == 1
    assert {p: p.read_bytes() for p in job.iterdir()} == before
    run("checkpoint", trace, swap, job / "i", "-m", "50%")
    os.link(trace, job / "hard")
    stderr = run("restart", job / "i", job / "i", "--every", "9", code=2).stderr
    assert "IMAGE and TRACE are one file" in stderr
    assert "one file" in run("checkpoint", trace, swap, job / "hard", "-m", "1MiB", code=2).stderr


def test_options_are_named(run, job):
    trace, swap = job / "t.npz", job / "s1"
    before = swap.read_bytes()
    for option, value in (
        ("--memory", "0"),
        ("--memory", "-1"),
        ("--memory", "64KiB"),
        ("--memory", "99999TiB"),
        ("--every", "0"),
        ("--every", "x"),
        ("--at", "-1"),
        ("--kind", "pinned"),
        ("--profile", "3.0"),
        ("--policy", "arc"),
    ):
        memory = () if option == "--memory" else ("--memory", "50%")
        stderr = run("checkpoint", trace, swap, job / "x", *memory, option, value, code=2).stderr
        assert option in stderr and value in stderr
    for command in (("checkpoint", trace, swap, "-", "-m", "50%"), ("compact", "x", "-")):
        assert "not written to standard output" in run(*command, code=2).stderr
    assert "not written to standard output" in run("export", "x", "-", code=2).stderr
    for option in ("--every", "--at"):
        stderr = run("restart", job / "x", option, "5", code=2).stderr
        assert f"{option} counts references of a TRACE" in stderr
    assert swap.read_bytes() == before and not (job / "x").exists()


@pytest.mark.parametrize("kind", ["in-place", "snapshot", "incremental"])
def test_ctrl_c_says_which_image_is_there(run, job, kind):
    trace, swap, image = job / "t.npz", job / "s1", job / "job.ckpt"
    save_npz(trace, generate("zipf", pages=600, refs=600_000, seed=3))
    args = ["checkpoint", trace, swap, image, "-m", "50%", "--every", "1000", "-q", "--kind", kind]
    child = subprocess.Popen(
        [sys.executable, "-m", "swapfast", *map(str, args)], stderr=subprocess.PIPE, text=True
    )
    second = job / "job.ckpt.1" if kind == "incremental" else image
    while not second.exists():
        assert child.poll() is None
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    stderr = child.communicate()[1]
    assert child.returncode == 130 and len(stderr.splitlines()) == 1
    assert stderr.startswith("swapfast: interrupted; ") and stderr.endswith(": restart it\n")
    last, reference = re.fullmatch(
        r"swapfast: interrupted; (.+) has the job at reference (\d+): restart it\n", stderr
    ).groups()
    assert not list(job.glob("*.tmp"))
    assert "all right" in run("verify", last).stdout
    facts = run("restart", last, "--json").json
    assert facts["restarted_at"] == int(reference) > 0


def test_ctrl_c_before_the_first(run, job):
    child = subprocess.Popen(
        [sys.executable, "-c", STOPPED, str(job / "t.npz"), str(job / "s1"), str(job / "i")],
        stderr=subprocess.PIPE,
        text=True,
    )
    stderr = child.communicate()[1]
    assert child.returncode == 130
    assert stderr == (
        "swapfast: interrupted before the first checkpoint; nothing was written to IMAGE\n"
    )
    assert not (job / "i").exists() and not list(job.glob("*.tmp"))
    run("checkpoint", job / "t.npz", job / "s1", job / "i", "-m", "50%", "--at", "1000")


STOPPED = """
import signal, sys
from swapfast.cli import checkpoint, main
from swapfast.kernel import batches
run = batches.run
def stopped(*arguments, **options):
    run(*arguments, **options)
    signal.raise_signal(signal.SIGINT)
batches.run = stopped
sys.argv = ["swapfast", "checkpoint", *sys.argv[1:], "-m", "50%", "-q"]
main()
"""


def test_a_closed_stderr_does_no_harm(run, job):
    command = [sys.executable, "-m", "swapfast", "checkpoint", job / "t.npz", job / "s1", job / "i"]
    command += ["-m", "50%", "--every", "9000"]
    shell = " ".join(map(str, command))
    for close in ("2>&-", "2>/dev/full"):
        subprocess.run(f"{shell} {close} >{job}/out", shell=True, check=True)
        assert "all right" in run("verify", job / "i").stdout
        mkswap(job / "s1", force=True)
    assert subprocess.run(f"{shell} -m 0 2>&-", shell=True).returncode == 2


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
        ("50", "did you mean 50% or 50MiB?"),
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
