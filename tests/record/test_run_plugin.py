"""The plugin beside an emulator that emulates nothing: every reference of all processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

from swapfast.traces import WRITE
from tests.reference import reduction as slow
from tests.support.emulators import walked


def pages(trace):
    return trace.addresses[trace.refs & ~WRITE].tolist()


def dense(found):
    """References to virtual pages as those of a trace."""
    numbers: dict[int, int] = {}
    return [
        numbers.setdefault(v % (1 << 63), len(numbers)) | (slow.WRITE if v >> 63 else 0)
        for v in found
    ]


def test_a_program_of_one_page(fake):
    found = fake("r", 5, "r", 5, "w", 5, keep_reads=True)
    assert (pages(found.trace), found.trace.refs.tolist()) == ([5], [slow.WRITE])
    assert (found.status, found.seen, found.children, found.unrecorded) == (0, 2, [], 0)


def test_an_access_over_a_border_is_two(fake):
    found = fake("across", 10, "w", 12, keep_reads=True)
    assert pages(found.trace) == [10, 11, 12]
    assert (found.trace.refs >> 31).tolist() == [0, 0, 1]


def test_the_first_reference_is_a_write(fake):
    assert (fake("r", 1, "r", 2, "r", 1).trace.refs >> 31).tolist() == [1, 1, 0]


def test_every_reference_is_there(fake):
    found = fake("walk", 1, 100_000, 3000, keep_reads=True)
    whole = dense(walked(1, 100_000, 3000))
    assert found.trace.refs.tolist() == slow.merged(whole)
    assert found.seen == slow.told(whole)


@pytest.mark.parametrize("window", [1, 2, 3, 32, 200])
def test_what_is_left_out_no_lru_memory_would_notice(fake, window):
    whole = dense(walked(2, 60_000, 500))
    found = fake("walk", 2, 60_000, 500, keep_reads=True, reduce=window)
    assert found.seen == slow.told(whole)
    assert len(found.trace) <= len(whole)
    # Policies that ask whether a page was used a second time find that it was.
    once = set(np.flatnonzero(np.bincount(np.array(slow.merged(whole)) & ~slow.WRITE) == 1))
    assert set(np.flatnonzero(np.bincount(found.trace.refs & ~WRITE) == 1)) == once
    for memory in (window, window + 1, 2 * window, 300):
        assert slow.lru(found.trace.refs.tolist(), memory) == slow.lru(whole, memory)


@pytest.mark.parametrize("reduce", [0, 16])
@pytest.mark.parametrize(
    ("end", "status"), [(("signal", 11), 139), (("signal", 9), 137), (("exit", 3), 3)]
)
def test_nothing_is_lost_however_it_ends(fake, reduce, end, status):
    found = fake("walk", 3, 1000, 100, "w", 9, *end, reduce=reduce, keep_reads=True)
    assert found.status == status
    whole = dense([*walked(3, 1000, 100), 9 | 1 << 63])
    assert found.seen == slow.told(whole)
    memory = max(reduce, 2)
    assert pages(found.trace)[-1] == 9
    assert slow.lru(found.trace.refs.tolist(), memory) == slow.lru(whole, memory)


@pytest.mark.parametrize("reduce", [0, 16])
def test_threads(fake, reduce):
    found = fake("threads", 6, reduce=reduce)
    assert found.seen == 6 * 50_000
    assert found.lost == 0
    touched = np.unique(pages(found.trace)).tolist()
    assert touched == [1000 * t + i for t in range(1, 7) for i in range(40)]


def test_more_threads_than_buffers(fake):
    found = fake("threads", 299, reduce=8)
    assert (found.seen, found.lost) == (299 * 50_000, 0)
    assert found.trace.pages == 299 * 40


def test_a_child_is_a_trace_of_its_own(fake):
    found = fake("r", 1, "r", 2, "fork", 3, "r", 8, "w", 9)
    assert (pages(found.trace), found.seen) == ([1, 2, 7000], 3)
    (child,) = found.children
    assert (pages(child.trace), child.seen) == ([8, 9], 2)
    assert child.trace.origin.endswith(f"; process {child.pid}")


def test_children_of_children(fake):
    found = fake("r", 1, "fork", 1, "r", 2, "fork", 1, "r", 3)
    assert sorted(pages(child.trace) for child in found.children) == [[2, 7000], [3]]


def test_another_program_is_counted(fake):
    found = fake("r", 1, "failed", "fork", 1, "r", 2, "exec")
    assert (found.unrecorded, found.replaced, found.children) == (1, False, [])
    found = fake("r", 1, "exec")
    assert (found.unrecorded, found.replaced, pages(found.trace)) == (1, True, [1])


def test_a_program_that_goes_on_as_another(fake, tmp_path):
    found = fake("r", 1, "become", fake.program, "r", 2, "r", 3)
    assert (pages(found.trace), found.unrecorded, found.replaced) == ([2, 3], 0, False)
    assert found.trace.origin.startswith(f"{fake.program} r 2 r 3; data")
    found = fake("r", 1, "fork", 1, "r", 2, "become", fake.program, "r", 3)
    (child,) = found.children
    assert (pages(child.trace), child.command) == ([3], (fake.program, "r", "3"))
    script = tmp_path / "script"
    script.write_text(f"#! {fake.program}  w  \nanything\n")
    script.chmod(0o755)
    two = tmp_path / "two"
    two.write_text(f"#!{script}\n")
    two.chmod(0o755)
    for file, words in ((script, [script]), (two, [script, two])):
        found = fake("r", 1, "become", file, "r", 5)
        (origin, *_) = found.trace.origin.split("; ")
        assert origin == " ".join(map(str, [fake.program, "w", *words, "r", 5]))
        assert found.trace.addresses.tolist() == [0, 5]  # "w" takes the name of the script for 0


def test_a_program_that_cannot_be_followed(fake, tmp_path):
    setuid = tmp_path / "setuid"
    shutil.copyfile(fake.program, setuid)
    setuid.chmod(0o755)
    found = fake("r", 1, "become", setuid, "r", 2)
    assert pages(found.trace) == [2]
    if os.geteuid() == 0:
        os.chown(setuid, 65534, 65534)
        setuid.chmod(0o4755)
        found = fake("r", 1, "become", setuid, "r", 2)
        assert (pages(found.trace), found.unrecorded, found.replaced) == ([1], 1, True)
    found = fake("shifted", "r", 1, "become", fake.program, "r", 2)
    assert (pages(found.trace), found.unrecorded, found.replaced) == ([1], 1, True)
    found = fake("close", "r", 1, "become", fake.program, "r", 2)
    assert pages(found.trace) == [2]


def test_a_program_that_closes_our_files_is_recorded_on(fake):
    found = fake("r", 1, "close", "walk", 1, 50_000, 9000)
    assert found.seen == slow.told(dense([1, *walked(1, 50_000, 9000)]))
    found = fake("r", 1, "close", "fork", 1, "r", 2)
    assert [pages(child.trace) for child in found.children] == [[2]]


def test_a_child_that_cannot_be_recorded_is_counted(fake):
    found = fake("r", 1, "limit", "fork", 1, "r", 2)
    assert (pages(found.trace), found.children, found.lost) == ([1, 7000], [], 1)


def test_what_it_writes_is_its_own(fake, capfd):
    fake("r", 1, "fork", 1, "r", 2)
    assert capfd.readouterr() == ("", "")


# ---------------------------------------------------------------- signals

TEXT = {"capture_output": True, "text": True}
PROGRAM = """
import sys
from swapfast.record import record
found = record(sys.argv[1:], keep_reads=True)
print(found.status, found.seen, found.trace.pages)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_are_for_the_program(fake, number):
    command = [sys.executable, "-c", PROGRAM, fake.program, "r", "1", "r", "2", "wait"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(
            number, signal.SIG_DFL
        ),  # nohup(1) may have begun the tests
    )
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(number)
    assert process.stdout.read() == f"{128 + number} 2 2\n"
    assert process.wait() == 0


def test_a_recorder_that_dies_does_not_hold_the_program(fake):
    told = ["say", "begun", "walk", "1", "12000000", "90000", "say", "done"]
    command = [sys.executable, "-c", PROGRAM, fake.program, *told]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "begun\n"
    process.kill()  # before there is room for all of it
    process.wait()
    assert process.stdout.read() == "done\n"


def test_what_goes_on_after_the_end_goes_on(fake):
    told = ["r", "1", "leave", "walk", "1", "9000000", "9000", "fork", "1"]
    told += ["become", shutil.which("echo"), "done"]
    done = subprocess.run([sys.executable, "-c", PROGRAM, fake.program, *told], **TEXT)
    assert (done.stdout, done.stderr) == ("0 1 1\ndone\n", "")


def test_progress_is_told(fake):
    told: list[tuple[int, float]] = []
    fake("walk", 1, 4_000_000, 90_000, reduce=8, progress=lambda *facts: told.append(facts))
    assert told == sorted(told)
    assert all(0 < seen <= 4_000_000 and seconds >= 0.2 for seen, seconds in told)
