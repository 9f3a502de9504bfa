"""Several shells in one machine: the letter's two logins, names, and who may come in."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from swapfast.shell import door
from tests.support.shells import NOBODY, Running, passable, shell, started

PATIENCE = 10  # seconds


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where sockets are: a short path, and nobody else's."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def typed(login: Running, line: str) -> list[str]:
    """What a shell prints for a line."""
    login.write(f"{line} 2>&1; echo done $?\n")
    lines = []
    while not lines or not lines[-1].startswith("done "):
        line = login.stdout.readline()
        assert line, (lines, login.stderr.read())
        lines.append(line.rstrip("\n"))
    return lines


@pytest.fixture
def logins() -> Iterator[Callable[..., Running]]:
    """``logins("sh", name="x")``: a shell to type into; all of them end with the test."""
    with ExitStack() as running:
        yield lambda *command, **options: running.enter_context(started(*command, **options))


def test_the_letters_session(
    logins: Callable[..., Running], folder: Path, s1: Path, s2: Path
) -> None:
    first = logins("sh", name="letter", newswap=True, proc_swaps="namespaced")
    assert typed(first, "cat /proc/swaps")[1:] == ["done 0"]
    (name,) = folder.glob("swapfast-*")
    assert name.stat().st_mode & 0o777 == 0o600
    second = logins("sh", join="letter", newswap=True)
    host = logins("sh", join="letter")
    assert typed(first, f"swapon {s1}") == ["done 0"]
    assert typed(second, f"swapon {s2}") == ["done 0"]
    assert "Operation not permitted" in typed(first, f"swapon {s2}")[0]
    assert "Device or resource busy" in typed(host, f"swapon {s1}")[0]
    assert typed(first, "swapon --show=NAME --noheadings") == [str(s1), "done 0"]
    assert typed(second, "swapon --show=NAME --noheadings") == [str(s2), "done 0"]
    assert typed(host, "swapon --show=NAME --noheadings") == [str(s1), str(s2), "done 0"]
    assert typed(host, f"swapoff {s2}")[-1] != "done 0"
    for one, left in ((second, [str(s1)]), (first, [])):
        one.write("exit 5\n")
        assert one.wait() == 5
        assert typed(host, "swapon --show=NAME --noheadings")[:-1] == left
    assert list(folder.glob("swapfast-*")) == [name]  # it goes on without who started it
    host.stdin.close()
    host.wait()
    end = time.monotonic() + PATIENCE
    while list(folder.glob("swapfast-*")):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_name_that_is_taken(logins: Callable[..., Running]) -> None:
    first = logins("sh", name="x")
    typed(first, "true")
    assert "a machine of the name x runs" in shell("true", name="x", status=3).stderr
    shell("true", name="y")


def test_nobody_of_that_name() -> None:
    assert "no machine of the name z runs" in shell("true", join="z", status=3).stderr


def test_a_socket_that_a_killed_machine_left_is_taken_over(folder: Path) -> None:
    path = Path(door.place("x"))
    left = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    left.bind(str(path))
    left.close()
    assert "no machine" in shell("true", join="x", status=3).stderr
    shell("true", name="x")
    assert not path.exists()
    path.write_text("mine")
    assert "in the way" in shell("true", name="x", status=3).stderr
    assert path.read_text() == "mine"
    assert list(folder.glob("swapfast*")) == [path]


def test_two_who_take_over_at_once(folder: Path) -> None:
    left = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    left.bind(door.place("x"))
    left.close()
    mine = door.Door.open("x")
    with pytest.raises(OSError, match="runs; use --join x"):
        door.Door.open("x")
    mine.close()
    assert list(folder.glob("swapfast*")) == []


def test_bad_names() -> None:
    for name in ("", "a/b", "..", "-x", "a" * 33, "a b", "ä"):
        with pytest.raises(ValueError, match="a name has letters"):
            door.place(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="root may become others")
def test_another_user_does_not_come_in(folder: Path) -> None:
    """Not even where the mode of the socket would let it."""
    passable(folder)
    mine = door.Door.open("x")
    path = Path(door.place("x"))
    path.chmod(0o777)
    pid = os.fork()
    if pid == 0:
        code = 2
        try:
            os.setresuid(NOBODY, NOBODY, NOBODY)
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as caller:
                caller.connect(str(path))
                caller.settimeout(PATIENCE)
                code = 0 if caller.recv(10) == b"" else 1
        finally:
            os._exit(code)
    end = time.monotonic() + PATIENCE
    guest, left = None, None
    while left is None and time.monotonic() < end:
        guest = guest or mine.answer()
        found, status = os.waitpid(pid, os.WNOHANG)
        left = status if found else None
        time.sleep(0.01)
    mine.close()
    assert guest is None and left == 0


def test_who_sends_nonsense_or_nothing(logins: Callable[..., Running], s1: Path) -> None:
    first = logins("sh", name="x")
    typed(first, "true")
    silent = door.knock("x")
    for message in (b"", b"{", b"[]", b'{"pid": 1, "newswap": false, "own": false, "root": null}'):
        with door.knock("x") as guest:
            guest.send(message) if message else None
            guest.shutdown(socket.SHUT_WR)
            guest.settimeout(PATIENCE)
            assert b"error" in guest.recv(1000) or message == b""
    assert typed(first, f"swapon {s1}") == ["done 0"]
    silent.close()
