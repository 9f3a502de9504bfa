"""What trace, mrc and replay do with traces of every kind, and where they write."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import numpy as np
import pytest

from swapfast.traces import FORMATS, WRITE, Trace, generate, open_trace, save_npz
from swapfast.traces.kinds import KINDS

LOG = b"==7== Lackey\n L 1000,4\n S 2000,4\n"


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "a.log"
    path.write_bytes(LOG)
    return path


def test_standard_output_gets_the_archive_and_nothing_else(log, tmp_path):
    command = [sys.executable, "-m", "swapfast", "trace", "-q", str(log), "-o", "-"]
    done = subprocess.run(command, capture_output=True, cwd=tmp_path)
    assert done.returncode == 0
    assert b"refs             2" in done.stderr
    with np.load(io.BytesIO(done.stdout)) as arrays:
        assert len(arrays["refs"]) == 2
    named = tmp_path / "named.npz"
    subprocess.run([*command[:-1], str(named)], check=True, capture_output=True)
    assert named.read_bytes() == done.stdout
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.log", "named.npz"]


def test_standard_output_has_one_content(log):
    command = [sys.executable, "-m", "swapfast", "trace", str(log), "-o", "-", "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--output - and --json both write to standard output" in done.stderr


@pytest.mark.parametrize("name", ["out.csv", "out.npy", "out.RAW", "out.npz.gz", "out.lackey"])
def test_a_name_of_another_format_is_refused(run, log, tmp_path, name):
    done = run("trace", log, "-o", tmp_path / name, code=2)
    assert f"{name}: only .npz is written" in done.stderr
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("name", ["out", "out.npz", "out.v2"])
def test_other_names_are_names(run, log, tmp_path, name):
    run("trace", log, "-o", tmp_path / name)
    assert len(open_trace(tmp_path / name)) == 2


def test_an_output_is_neither_input_nor_device(run, log, tmp_path):
    os.link(log, tmp_path / "b")
    os.symlink(log, tmp_path / "c")
    os.mkfifo(tmp_path / "d")
    for name in ("a.log", "b", "c", "d", "/dev/null", "none/out"):
        code = 2 if name == "a.log" else 3
        run("trace", log, "-o", tmp_path / name if name != "/dev/null" else name, code=code)
        assert log.read_bytes() == LOG
    done = run("mrc", log, "--plot", tmp_path / "b", code=3)
    assert "is read" in done.stderr
    assert "--plot -: a picture is not written" in run("mrc", log, "--plot", "-", code=2).stderr


@pytest.mark.parametrize("command", [["trace"], ["mrc"], ["replay", "-m", "50%"]])
def test_a_log_of_several_processes(run, tmp_path, command):
    path = tmp_path / "two.lackey"
    path.write_bytes(LOG + LOG.replace(b"==7==", b"==8==") + b" L 3000,4\n")
    done = run(*command, path, code=2)
    assert "7, 8" in done.stderr and "--log-file=NAME.%p" in done.stderr
    facts = run(*command, path, "--pid", "8", "--json").json
    assert facts.get("pages", facts.get("curves", [{}])[0].get("pages")) == 3
    assert "no reference of process 9" in run(*command, path, "--pid", "9", code=2).stderr


def test_a_sample_says_when_it_is_too_small(run, log):
    done = run("mrc", log, "--sample", "1%", code=2)
    assert "1 % of 2 pages is less than 1000 pages" in done.stderr
    assert done.stdout == ""
    for value in ("0%", "101%", "x", "nan", "-1%"):
        assert f"--sample {value}: " in run("mrc", log, "--sample", value, code=2).stderr
    one, other = (run("mrc", log, *s, "--json").json["curves"][0] for s in ([], ["--sample", "1"]))
    del one["wall_s"], other["wall_s"]
    assert one == other


def test_sizes_are_named_with_their_option(run, log):
    assert "--sizes x: " in run("mrc", log, "--sizes", "x", code=2).stderr


# --------------------------------------------------------------------- formats and kinds

MSR = b"128166372003061629,hm,0,Read,20480,8192,413\n128166372016382155,hm,0,Write,0,512,22\n"


def test_the_table_of_formats(run):
    lines = run("trace", "--formats").stdout.splitlines()
    assert [line.split()[0] for line in lines[1 : lines.index("")]] == list(FORMATS)
    assert [line.split()[0] for line in lines[lines.index("") + 2 :]] == list(KINDS)


def test_the_kind_is_shown_kept_and_warned_about(run, tmp_path):
    (tmp_path / "disk").write_bytes(MSR)
    done = run("trace", tmp_path / "disk", "-o", tmp_path / "t.npz")
    assert "sectors: requests to a disk" in done.stdout
    assert done.stderr.count("warning: a replay of disk is not valid: it has requests to a") == 1
    assert "miss-ratio" not in done.stderr
    for path in (tmp_path / "disk", tmp_path / "t.npz"):
        assert run("trace", path, "--json").json["kind"] == "sectors"
        assert "a replay of disk is not valid" in run("replay", path, "-m", "2", code=2).stderr
        assert "a replay of disk is not valid" in run("replay", path, "-m", "100%").stderr
        assert run("mrc", path).stderr == ""
        assert "a replay of disk is not valid" in run("size", path).stderr


def test_page_faults_have_no_curve(run, tmp_path):
    (tmp_path / "f").write_bytes(b"a 7 1.5: 1 page-faults: 7f00001000\n")
    assert (
        "warning: a miss-ratio curve of f is not valid: it has" in run("mrc", tmp_path / "f").stderr
    )


def test_memories_that_are_small_for_a_window(run, tmp_path):
    path = tmp_path / "w.npz"
    trace = Trace(np.tile(np.arange(200, dtype=np.uint32), 3) | WRITE, origin="it")
    trace.kind, trace.window = "window", 16
    save_npz(path, trace)
    warning = "warning: it: what memories below 128 pages (512 KiB) need is not in it: the last 16"
    assert warning in run("replay", path, "-m", "508KiB").stderr
    assert warning in run("mrc", path).stderr
    assert warning in run("mrc", path, "--sizes", "1MiB,500KiB").stderr
    assert warning in run("size", path, "--slowdown", "10000").stderr
    assert run("replay", path, "-m", "512KiB").stderr == ""
    assert run("mrc", path, "--sizes", "512KiB,100%").stderr == ""
    assert run("size", path, "--slowdown", "0").stderr == ""
    assert run("trace", path, "--json").json["window"] == 16


def test_a_trace_of_every_access_has_no_warning(run, log):
    for command in (["trace"], ["mrc"], ["replay", "-m", "100%"]):
        assert run(*command, log).stderr == ""


def test_all_processes_of_a_log(run, tmp_path):
    path = tmp_path / "two.lackey"
    path.write_bytes(LOG + LOG.replace(b"==7==", b"==8=="))
    assert run("trace", path, "--pid", "all", "--json").json["pages"] == 4
    for pid in ("x", "-1", "ALL"):
        assert "is no number of a process" in run("trace", path, "--pid", pid, code=2).stderr


def test_the_bundled_trace_by_its_name(run, tmp_path, monkeypatch):
    """sort(1), which comes with swapfast; a file of that name goes before it."""
    monkeypatch.chdir(tmp_path)
    assert run("trace", "bundled", "--json").json["pages"] == 2272
    assert run("replay", "bundled", "-m", "50%", "-p", "lru", "--json").json["refs"] == 222184
    assert len(run("mrc", "bundled", "--sizes", "50%", "--json").json) > 0
    save_npz("bundled.npz", generate("zipf", pages=50, refs=500, seed=1))
    os.rename("bundled.npz", "bundled")
    assert run("trace", "bundled", "--json").json["pages"] == 50
