"""Real programs whose memory is that of a simulated machine."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from swapfast.errors import TaskKilled
from swapfast.machine import Machine
from swapfast.shell.caller import parent_of
from tests.support.own_memory import (
    WHY_NOT,
    begun,
    hosting,
    marked,
    program,
    shell,
    swapfile,
)

pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "it is possible")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("programs")
    for name in ("words", "fill", "random"):
        program(name, folder)
    return folder


@pytest.fixture
def swap(tmp_path: Path) -> Path:
    return swapfile(tmp_path / "s1", 8192)


@pytest.mark.parametrize("flags", [(), ("-static",)], ids=["dynamic", "static"])
def test_every_word_is_right(flags: tuple[str, ...], tmp_path: Path, swap: Path) -> None:
    """3,000 pages in 1,024 frames, read and written again; the kernel writes into them as well."""
    try:
        words = program("words", tmp_path, *flags)
    except subprocess.CalledProcessError:
        pytest.skip("no static C library")
    done = shell("--memory", "4MiB", "--swap", swap, "--", words, 3000, 2)
    assert (done.returncode, done.stdout, done.stderr) == (0, "right\n", "")


def test_secrets_are_in_the_own_swapfile_only(programs: Path, tmp_path: Path, swap: Path) -> None:
    other = swapfile(tmp_path / "s2", 8192)
    wait, name = tmp_path / "wait", f"secrets{os.getpid()}"
    os.mkfifo(wait)
    line = f"{programs}/words 3000 1 FIRST; echo ready; cat {wait}"
    options = ("--memory", "4MiB", "--swap", swap, "--newswap", "--name", name)
    first = begun("--own-memory", *options, "--", "sh", "-c", line, stdout=subprocess.PIPE)
    try:
        assert first.stdout is not None
        assert first.stdout.readline() == b"right\n"
        assert first.stdout.readline() == b"ready\n"
        line = f"swapon {other} && {programs}/words 3000 1 SECOND"
        joined = ("--join", name, "--newswap", "--", "sh", "-c", line)
        second = begun(*joined, stdout=subprocess.PIPE)
        assert second.communicate(timeout=30)[0] == b"right\n"
        assert second.returncode == 0
    finally:
        wait.write_bytes(b"")
        assert first.wait(30) == 0
    ours, theirs = swap.read_bytes(), other.read_bytes()
    assert ours.count(b"FIRST") >= 18  # 3,000 - 1,024 pages are out, every 100th with its text
    assert theirs.count(b"SECOND") >= 18
    assert b"SECOND" not in ours
    assert b"FIRST" not in theirs


def simulated_until_killed(path: Path) -> int:
    """Pages that a simulated program touches before the OOM killer comes."""
    with Machine("4MiB", overcommit=1) as machine:
        task = machine.init.clone()
        task.swapon(path)
        heap = task.mmap("64MiB")
        for page in range(heap.pages):
            try:
                heap.write(page * 4096, b"\1")
            except TaskKilled:
                return page
    raise AssertionError("it was not killed")


def test_killed_where_a_simulated_program_is(programs: Path, tmp_path: Path) -> None:
    swap = swapfile(tmp_path / "small", 1024)
    counter = tmp_path / "counter"
    counter.write_bytes(bytes(4096))
    done = shell("--memory", "4MiB", "--swap", swap, "--", programs / "fill", 16384, counter)
    assert done.returncode == 128 + signal.SIGKILL
    assert "Out of memory: Killed process" in done.stderr
    touched = int.from_bytes(counter.read_bytes()[:8], sys.byteorder)
    expected = simulated_until_killed(swap)
    assert expected - 64 <= touched < expected  # what the C library has of its own


def test_sysinfo_tells_what_it_has(programs: Path, tmp_path: Path, swap: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_bytes(bytes(4096))
    done = shell("--memory", "4MiB", "--swap", swap, "--", programs / "fill", 3000, counter)
    assert done.returncode == 0
    # What is in memory and has a slot as well counts twice: the swap cache.
    assert 3000 <= int(done.stdout) <= 3000 + 1024


@pytest.mark.parametrize(("rule", "code"), [("global", 137), ("namespaced", 0)])
def test_who_takes_all_that_sysinfo_says_is_free(
    programs: Path, tmp_path: Path, swap: Path, rule: str, code: int
) -> None:
    """As mem01 of the Linux Test Project: in a child namespace it is killed, unless it is told."""
    small, name = swapfile(tmp_path / "small", 2048), f"all-{rule}-{os.getpid()}"
    counter = tmp_path / "counter"
    counter.write_bytes(bytes(4096))
    with hosting(tmp_path, name, "--memory", "32MiB", "--swap", swap, "--sysinfo", rule):
        line = f"swapon {small} && {programs}/fill 0 {counter}"
        inside = begun("--join", name, "--newswap", "--", "sh", "-c", line)
        assert inside.wait(60) == code


def against_native(programs: Path, swap: Path, seed: int, operations: int, memory: str) -> None:
    command = (programs / "random", seed, operations)
    native = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True)
    done = shell("--memory", memory, "--swap", swap, "--", *command, seconds=600)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == native.stdout


def test_random_operations(programs: Path, swap: Path) -> None:
    """mmap, munmap, mremap, madvise, mprotect, brk and fork, as they are without us."""
    against_native(programs, swap, 1, 3_000, "8MiB")


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "operations"), [(2, 10_000), (3, 100_000), (5, 10_000)])
def test_many_random_operations(programs: Path, swap: Path, seed: int, operations: int) -> None:
    against_native(programs, swap, seed, operations, "6MiB")


def test_programs_of_others(tmp_path: Path, swap: Path) -> None:
    numbers = tmp_path / "numbers"
    drawn = random.Random(1).sample(range(10**6), 60_000)
    numbers.write_text("".join(f"{n}\n" for n in drawn), "utf-8")
    line = f"LC_ALL=C sort -n {numbers} | tail -n 3; {sys.executable} -S {tmp_path}/threads.py"
    (tmp_path / "threads.py").write_text(THREADS, "utf-8")
    done = shell("--memory", "6MiB", "--swap", swap, "--", "sh", "-c", line)
    last = "".join(f"{n}\n" for n in sorted(drawn)[-3:])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == last + "[160, 160, 160]\n160 7 1\n"


THREADS = """
import os, threading
data, found = bytearray(10 << 20), []
for at in range(0, len(data), 65536):
    data[at] = 1
threads = [threading.Thread(target=lambda: found.append(sum(data[::65536]))) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(found, flush=True)
pid = os.fork()
if pid == 0:
    data[0] = 9
    os._exit(7 if sum(data[::65536]) == 168 else 8)
print(sum(data[::65536]), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), data[0])
"""


def killed_at_random(programs: Path, swap: Path, mark: str, seconds: float, victim: int) -> None:
    line = f"{programs}/words 3000 9 & {programs}/random 1 90000 & wait"
    options = ("--own-memory", "--memory", "4MiB", "--swap", swap)
    front = begun(*options, "--", "sh", "-c", line, mark=mark, stdout=subprocess.DEVNULL,
                  stderr=subprocess.DEVNULL)  # fmt: skip
    while len(marked(mark)) < 5 and front.poll() is None:
        time.sleep(0.01)  # until its programs run
    time.sleep(seconds)
    (machine,) = (pid for pid in marked(mark) if parent_of(pid) == front.pid)
    programs_now = sorted({*marked(mark)} - {front.pid, machine})
    for pid in (programs_now[victim % len(programs_now)] if victim else machine, machine):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)  # without one of its programs, or its twin, the machine goes on
    front.wait(20)
    end = time.monotonic() + 10
    while marked(mark) and time.monotonic() < end:
        time.sleep(0.05)
    assert marked(mark) == []


def test_kill_leaves_nobody(programs: Path, swap: Path) -> None:
    killed_at_random(programs, swap, f"{os.getpid()}a", 0.2, 0)  # the machine itself
    killed_at_random(programs, swap, f"{os.getpid()}b", 0.1, 4)


@pytest.mark.slow
def test_kills_leave_nobody(programs: Path, swap: Path) -> None:
    drawn = random.Random(7)
    for k in range(40):
        mark = f"{os.getpid()}-{k}"
        killed_at_random(programs, swap, mark, drawn.random() / 2, drawn.randrange(9))


def test_what_cannot_be_is_refused(swap: Path) -> None:
    line = "import ctypes; c = ctypes.CDLL(None, use_errno=True)\n" + "".join(
        f"c.syscall({number}, 0, 0, 0, 0, 0); print(ctypes.get_errno())\n"
        for number in (323, 101, 151, 425, 435)  # userfaultfd, ptrace, mlockall, io_uring, clone3
    )
    done = shell("--memory", "16MiB", "--swap", swap, "--", sys.executable, "-S", "-c", line)
    assert done.stdout.split() == ["1", "1", "1", "1", "38"]


def test_an_ordinary_user_is_told_what_helps() -> None:
    setting = Path("/proc/sys/vm/unprivileged_userfaultfd")
    if os.geteuid() or not setting.exists() or setting.read_text("utf-8") != "0\n":
        pytest.skip("everybody may here, or this is no root that could become somebody")
    if shutil.which("setpriv") is None:
        pytest.skip("there is no setpriv")
    become = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
    command = (*become, sys.executable, "-m", "swapfast", "shell", "--own-memory", "--", "true")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "setpriv:" in done.stderr or "No module named" in done.stderr:
        pytest.skip("swapfast is not there for other users")
    assert done.returncode == 3
    assert "sysctl vm.unprivileged_userfaultfd=1" in done.stderr
    assert done.stderr.count("\n") == 1
