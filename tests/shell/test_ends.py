"""Whatever way something ends: exit codes, signals, kills; nothing hangs, and nothing is left."""

from __future__ import annotations

import errno
import os
import pty
import random
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from swapfast.swapfile.files import claim
from tests.support.shells import command_line, environment, results, shell, started

PATIENCE = 20  # seconds


def test_exit_codes() -> None:
    shell("true")
    shell("sh", "-c", "exit 200", status=200)
    shell("sh", "-c", "kill -9 $$", status=137)
    shell("sh", "-c", "kill -TERM $$", status=143)
    assert "no-such: No such file" in shell("no-such", status=127).stderr
    assert "Permission denied" in shell("/etc/passwd", status=126).stderr


def test_a_shell_in_a_shell() -> None:
    inner = " ".join(command_line(("true",), {}))
    done = shell("sh", "-c", inner, status=3)
    assert "a shell of a simulated machine already" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of system calls")
def test_sandboxes() -> None:
    """One sentence that says what is not allowed; nobody is left waiting."""
    for number, said in ((317, "a sandbox forbids seccomp(2)"), (310, "may not look into")):
        done = shell("true", sandbox=number, status=3)
        assert said in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_machine_that_cannot_boot() -> None:
    done = shell("true", memory="1KiB", status=3)
    assert "memory" in done.stderr


def test_signals_do_what_they_do_without_it() -> None:
    """Those that Python ignores for itself, too."""
    script = "import signal; print([int(signal.getsignal(n) == 0) for n in (2, 3, 13, 15, 20, 25)])"
    native = subprocess.run(
        ["python3", "-c", script], capture_output=True, text=True, env=environment()
    )
    assert shell("python3", "-c", script).stdout == native.stdout


def test_who_is_ended_by_the_system_ends_the_command() -> None:
    one = started("sh", "-c", "echo on; exec sleep 60")
    with one:
        assert one.stdout.readline() == "on\n"
        one.send(signal.SIGTERM)
        assert one.wait() == 128 + signal.SIGTERM


def terminal(*command: object) -> tuple[int, int]:
    """A shell that has a terminal: its pid, and the other end."""
    words = command_line(command, {})
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(words[0], words, environment())
    return pid, fd


def until(fd: int, text: bytes) -> bytes:
    """What a terminal shows, as far as that."""
    seen = b""
    end = time.monotonic() + PATIENCE
    while text not in seen:
        assert time.monotonic() < end
        try:
            seen += os.read(fd, 1000)
        except OSError:
            break
    return seen


def test_ctrl_c_is_the_commands() -> None:
    pid, fd = terminal(
        "sh", "-c", "trap 'echo caught; exit 4' INT; echo on; while :; do sleep 0.05; done"
    )
    until(fd, b"on")
    os.write(fd, b"\x03")
    assert b"caught" in until(fd, b"caught")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 4
    os.close(fd)


def test_a_shell_for_a_person_has_the_terminal() -> None:
    pid, fd = terminal("sh", "-i")
    os.write(fd, b"echo ready $((40 + 2))\n")
    until(fd, b"ready 42")
    os.write(fd, b"sleep 60\n")
    time.sleep(0.2)
    os.write(fd, b"\x03")
    os.write(fd, b"echo still $((1 + 1))\n")
    assert b"still 2" in until(fd, b"still 2")
    os.write(fd, b"exit 6\n")
    until(fd, b"never")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 6
    os.close(fd)


def test_what_goes_on_in_the_background_is_answered(tmp_path: Path, s1: Path) -> None:
    """The prompt is back at once; the machine stays for who is left, and goes then."""
    said, go = tmp_path / "said", tmp_path / "go"
    later = f"(while [ ! -e {go} ]; do sleep 0.02; done; swapon --show=NAME --noheadings > {said})"
    done = shell("sh", "-c", f"swapon {s1}; {later} >/dev/null 2>&1 & echo $PPID")
    server = int(done.stdout)
    with pytest.raises(OSError) as error:
        claim(str(s1))
    assert error.value.errno == errno.EBUSY
    go.touch()
    _gone(server)
    assert said.read_text() == f"{s1}\n"
    claim(str(s1)).close()


def _gone(pid: int) -> None:
    end = time.monotonic() + PATIENCE
    with suppress(FileNotFoundError):
        while (stat := Path(f"/proc/{pid}/stat").read_text()).split()[2] != "Z":
            assert time.monotonic() < end, stat
            time.sleep(0.01)


# ---------------------------------------------------------------- kills

COUNT = "ls /proc/$PPID/fd | wc -l"


def after_kills(threads: Path, seed: int, count: int, longest: float, more: str = "") -> list[str]:
    """Eight threads ask, and are killed wherever they are; what all say before and after."""
    draw = random.Random(seed)
    kills = "; ".join(
        f"timeout -s KILL {draw.uniform(0.001, longest):.3f} {threads} 8 1000000"
        for _ in range(count)
    )
    work = f"{threads} 8 50"
    script = f"{work}; {COUNT}; {kills}; {work}; sleep 0.1; {COUNT}{more}"
    return shell("sh", "-c", script).stdout.splitlines()


def test_callers_that_are_killed_leave_nothing(program: Callable[..., Path]) -> None:
    lines = after_kills(program("threads"), 1, 6, 0.1, "; cat /proc/$PPID/status")
    assert lines[1] == lines[3] and lines[0] == lines[2] == "0 wrong"
    assert "Threads:\t1" in lines


@pytest.mark.slow
def test_a_hundred_thousand_calls_by_eight_threads(program: Callable[..., Path]) -> None:
    assert shell(program("threads"), 8, 12_500).stdout == "0 wrong\n"


@pytest.mark.slow
def test_two_hundred_kills(program: Callable[..., Path]) -> None:
    lines = after_kills(program("threads"), 2, 200, 0.2)
    assert lines[1] == lines[3] and lines[0] == lines[2] == "0 wrong"


def test_a_machine_that_is_killed(program: Callable[..., Path], s1: Path, tmp_path: Path) -> None:
    """Calls fail with ENOSYS from then on, nobody hangs, and the swapfile is free."""
    calls = program("calls", "-static")
    for _ in range(2):
        script = f"{calls} swapon {s1} 0; echo $PPID; {calls} sleep 200 , sysinfo , swapoff {s1}"
        one = started("sh", "-c", script)
        with one:
            one.stdout.readline()
            os.kill(int(one.stdout.readline()), signal.SIGKILL)
            assert one.wait() == 3
            assert "was killed" in one.stderr.read()
        claim(str(s1)).close()


def test_a_machine_that_is_killed_among_calls(program: Callable[..., Path]) -> None:
    draw = random.Random(3)
    for _ in range(2):
        one = started("sh", "-c", f"echo $PPID; exec {program('threads')} 8 5000")
        with one:
            server = int(one.stdout.readline())
            time.sleep(draw.uniform(0.01, 0.2))
            os.kill(server, signal.SIGKILL)
            assert one.wait() == 3


def test_a_machine_that_is_asked_to_end(
    s1: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM of its process: it takes its socket away, and lets its files go."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    one = started("sh", "-c", f"swapon {s1}; echo $PPID; exec sleep 0.5", name="x")
    with one:
        os.kill(int(one.stdout.readline()), signal.SIGTERM)
        assert one.wait() == 3
    assert list(tmp_path.glob("swapfast*")) == []
    claim(str(s1)).close()


def test_who_waits_is_killed(s1: Path) -> None:
    """The command goes on, and the machine with it, until it ends."""
    one = started("sh", "-c", "echo $PPID; read line; swapon --show")
    with one:
        server = int(one.stdout.readline())
        one.send(signal.SIGKILL)
        one.wait()
        one.write("\n")
        _gone(server)


def test_enosys_is_what_is_said_where_nobody_answers(program: Callable[..., Path]) -> None:
    calls = program("calls", "-static")
    script = f"kill -9 $PPID; exec {calls} sleep 50 , sysinfo , swapoff /none , openat /dev/null"
    done = shell("sh", "-c", f"{calls} sysinfo; {script}", status=3)
    assert results(done.stdout)[0] == ("sysinfo", 0)
