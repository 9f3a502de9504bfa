"""``swapfast record`` as a user runs it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from swapfast.cli.commands import swapfast
from swapfast.traces import WRITE, open_trace
from tests.support.emulators import NAME


@pytest.fixture
def run(fake, tmp_path, monkeypatch):
    """``run("-o", out, "--", ...)``: the command, beside an emulator that emulates nothing."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments, code=0):
        told = ["record", *map(str, arguments)]
        done = CliRunner().invoke(swapfast, told, catch_exceptions=False)
        assert done.exit_code == code, done.stderr
        return done

    command.program = fake.program
    return command


def test_a_trace_and_a_line(fake, tmp_path):
    out = tmp_path / "t.npz"
    told = [fake.program, "r", "1", "say", "hello", "r", "2", "r", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "swapfast", "record", "-o", out, "--reduce", "4", "--", *told],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "hello\n")
    assert done.stderr == f"swapfast: {out}: 3 of 3 references to 2 pages\n"
    trace = open_trace(out)
    assert trace.origin == (
        f"{fake.program} r 1 say hello r 2 r 1; data references by qemu-user 7.0; without the "
        "kernel's own; first references made writes; for LRU memories of 4 pages or more"
    )
    assert (trace.refs & ~WRITE).tolist() == [0, 1, 0]
    assert trace.addresses.tolist() == [1, 2]


def test_options_of_the_program_are_its_own(run, tmp_path):
    done = run("-o", "t.npz", "--keep-reads", "-q", run.program, "r", 1, "-o", "--help", "-q")
    assert (done.stdout, done.stderr) == ("", "")
    assert open_trace(tmp_path / "t.npz").refs.tolist() == [0]


def test_children_and_other_programs(run, tmp_path):
    done = run("-o", "t.npz", run.program, "r", 1, "fork", 1, "r", 2, "fork", 1, "exec")
    lines = done.stderr.splitlines()
    assert lines[0] == "swapfast: t.npz: 2 of 2 references to 2 pages"
    assert lines[2] == "swapfast: 1 program that it started was not recorded"
    (child,) = tmp_path.glob("t.*.npz")
    assert lines[1] == f"swapfast: {child.name} ({NAME}): 2 of 2 references to 2 pages"
    assert open_trace(child).addresses.tolist() == [2, 7000]
    done = run("-o", "t.npz", run.program, "r", 1, "exec")
    assert "it went on as another program by execve, which was not recorded" in done.stderr


@pytest.mark.parametrize(("end", "code"), [(("signal", 6), 134), (("exit", 9), 9)])
def test_the_exit_code_is_the_programs(run, tmp_path, end, code):
    done = run("-o", "t.npz", run.program, "r", 1, *end, code=code)
    assert ("signal 6 ended the program; the trace goes until then" in done.stderr) == (code == 134)
    assert np.array_equal(open_trace(tmp_path / "t.npz").refs, [WRITE])


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["-o", "t.npz", "none-at-all"], 127, "none-at-all: no such program; is it installed?"),
        (["-o", "t.npz", "/"], 126, "/: is a folder, not a program"),
        (["-o", "t.lackey", "true"], 2, "only .npz is written; name it t.npz"),
        (["-o", "-", "true"], 2, "this is not written to standard output"),
        (["-o", "none/t.npz", "true"], 3, "there is no folder none"),
        (["-o", "t.npz", "--reduce", "-1", "true"], 2, "--reduce"),
        (["-o", "t.npz", "--by", "perf", "true"], 2, "--by"),
        (["-o", "t.npz", "--window", "15", "true"], 2, "--window 15: a number of pages such as"),
        (["-o", "t.npz", "--window", "many", "true"], 2, "--window many: a number of pages such"),
        (["-o", "t.npz", "--window", "64", "--reduce", "9", "true"], 2, "--window goes with none"),
        (["-o", "t.npz", "--unbound", "true"], 2, "--unbound goes with --window only"),
        (["-o", "t.npz"], 2, "Missing argument"),
        (["true"], 2, "Missing option"),
    ],
)
def test_what_cannot_be(run, tmp_path, arguments, code, sentence):
    assert sentence in run(*arguments, code=code).stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_touched_is_no_trace(run, tmp_path):
    done = run("-o", "t.npz", run.program, "exit", 0, code=2)
    assert "touched nothing that was seen; there is no trace" in done.stderr
    assert list(tmp_path.iterdir()) == []
