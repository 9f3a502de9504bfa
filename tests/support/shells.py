"""Shells of simulated machines, as tests start them: this file is also the program that they run.

- ``shell(*command, newswap=True, ...)``: what a command did in one; ``started``: it runs.
- ``passable(folder)``: for other users.
- ``results(stdout)``: what calls.c printed, (name, errno).
- ``compiled(name, folder)``: a program of tests/shell/programs.
"""

from __future__ import annotations

import atexit
import ctypes
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "tests" / "shell" / "programs"
NOBODY = 65534
PR_SET_DUMPABLE = 4
TIME_OUT = 60  # seconds; no command takes one


def command_line(command: tuple[object, ...], options: dict[str, Any]) -> list[str]:
    """This file with options of a shell: ``swap`` may be a list, a flag is True."""
    words = [sys.executable, __file__]
    for name, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            words += [f"--{name}"] if one is True else [f"--{name}", str(one)]
    return [*words, "--", *map(str, command)]


def environment() -> dict[str, str]:
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    return {**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C", "PATH": path}


class Nursery:
    """A process with all libraries loaded, of which every shell is a fork: a sixth of the time."""

    def __init__(self) -> None:
        self._wire, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._wire.settimeout(2 * TIME_OUT)
        command = [sys.executable, __file__, "--serve", str(theirs.fileno())]
        self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=environment())
        theirs.close()
        atexit.register(self.end)

    def start(self, words: list[str], cwd: str, fds: list[int]) -> int:
        """This file with these words, by its pid."""
        message = json.dumps({"words": words, "cwd": cwd, "env": environment()})
        socket.send_fds(self._wire, [message.encode()], fds)
        return int(json.loads(self._wire.recv(100)))

    def wait(self, pid: int) -> int:
        """Its exit code."""
        self._wire.send(json.dumps({"wait": pid}).encode())
        code = json.loads(self._wire.recv(100))
        assert code is not None, "it hangs"
        return int(code)

    def end(self) -> None:
        self._wire.close()
        self._process.wait()


@cache
def nursery() -> Nursery:
    return Nursery()


class Running:
    """A command that runs in a shell; at the end of a block it has ended."""

    def __init__(self, words: list[str], cwd: Path | None, files: tuple[Any, Any, Any]) -> None:
        self.stdin, self.stdout, self.stderr = files[0][1], files[1][0], files[2][0]
        theirs = [files[0][0], files[1][1], files[2][1]]
        self._code: int | None = None
        self.pid = nursery().start(words, str(cwd or os.getcwd()), [f.fileno() for f in theirs])
        for file in theirs:
            file.close()

    def write(self, text: str) -> None:
        self.stdin.write(text)
        self.stdin.flush()

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self) -> int:
        if self._code is None:
            self._code = nursery().wait(self.pid)
        return self._code

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.stdin.close()
        self.wait()
        self.stdout.close()
        self.stderr.close()


def pipe() -> tuple[Any, Any]:
    reading, writing = os.pipe()
    return open(reading), open(writing, "w")


def started(*command: object, **options: Any) -> Running:
    """A command that runs in a shell, with pipes."""
    return Running(command_line(command, options)[2:], None, (pipe(), pipe(), pipe()))


def shell(
    *command: object, status: int = 0, cwd: Path | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """What a command did in a shell."""
    words = command_line(command, options)[2:]
    with ExitStack() as files:

        def store() -> Any:
            return files.enter_context(tempfile.TemporaryFile("w+"))

        out, err = store(), store()
        theirs = [files.enter_context(open(os.dup(one.fileno()), "w")) for one in (out, err)]
        pairs = ((store(), store()), (out, theirs[0]), (err, theirs[1]))
        with Running(words, cwd, pairs) as running:
            code = running.wait()
            out.seek(0)
            err.seek(0)
            done = subprocess.CompletedProcess(words, code, out.read(), err.read())
    assert code == status, (code, done.stdout, done.stderr)
    return done


def serve(wire: socket.socket) -> None:
    """Fork a shell for each message, or wait for one."""
    load()
    while True:
        message, fds, _, _ = socket.recv_fds(wire, 1 << 20, 3)
        if not message:
            return
        told = json.loads(message)
        answer = waited(told["wait"]) if "wait" in told else forked(told, fds, wire)
        for fd in fds:
            os.close(fd)
        wire.send(json.dumps(answer).encode())


def waited(pid: int) -> int | None:
    end = time.monotonic() + TIME_OUT
    while time.monotonic() < end:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(pid, 9)
    return None


def forked(told: dict[str, Any], fds: list[int], wire: socket.socket) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        wire.close()
        os.chdir(told["cwd"])
        os.environ.update(told["env"])
        for number, fd in enumerate(fds):
            os.dup2(fd, number)
            os.close(fd)
        code = main(told["words"])
        sys.stderr.flush()
    finally:
        os._exit(code)


def load() -> None:
    """What a machine loads when it is first used, before another user may not read it any more."""
    from swapfast.machine import Machine
    from swapfast.swapfile.backing import SwapBacking

    assert SwapBacking
    with Machine("1MiB", "2.6.25") as machine:
        machine.proc_swaps()


def passable(folder: Path) -> None:
    """Other users may look for files there: pytest makes folders of its own for its user alone."""
    for one in (folder, *folder.parents):
        if str(one).startswith(f"{tempfile.gettempdir()}/") and one.stat().st_uid == os.geteuid():
            one.chmod(0o755)


def results(stdout: str) -> list[tuple[str, int]]:
    """Of lines "name errno"."""
    words = [line.split() for line in stdout.splitlines()]
    return [(w[0], int(w[1])) for w in words if len(w) == 2 and w[1].isdigit()]


def compiled(name: str, folder: Path, *flags: str) -> Path | None:
    """A program of ours; None: there is no compiler, or no static library."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    target = folder / f"{name}{'-'.join(flags)}"
    source = PROGRAMS / f"{name}.c"
    done = subprocess.run(
        [compiler, "-O1", "-Wall", *flags, "-o", target, source, "-pthread"], capture_output=True
    )
    return target if done.returncode == 0 else None


def refusing(number: int) -> bytes:
    """A filter under which a system call fails with EPERM."""
    rows = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x50001), (0x06, 0, 0, 0x7FFF0000)]
    return b"".join(struct.pack("HBBI", *row) for row in rows)


def forbidden(flags: int) -> None:
    """unshare(2), where a sandbox does not allow it."""
    raise PermissionError(1, "Operation not permitted")


def main(words: list[str]) -> int:
    """Options as `swapfast shell` has them, without the time that its libraries take to load."""
    from swapfast.kernel.rules import Rules
    from swapfast.machine import Machine
    from swapfast.shell import Ended, Unable, Wish, _notify, child, join, run

    options: dict[str, Any] = {"memory": "64MiB", "swaps": [], "rules": {}, "profile": "6.18"}
    while words[0] != "--":
        name = words.pop(0).removeprefix("--")
        if name in ("newswap", "trace"):
            options[name] = True
        elif name == "swap":
            options["swaps"].append(words.pop(0))
        elif name in ("proc_swaps", "sysinfo", "last_exit", "nested"):
            options["rules"][name] = words.pop(0)
        else:
            options[name] = words.pop(0)
    if "uid" in options:
        uid = int(options["uid"])
        load()
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    if "sandbox" in options:
        _notify.install(refusing(int(options["sandbox"])), listen=False)
    if "forbid" in options:
        child.leave = forbidden
    memory, profile, rules = options["memory"], options["profile"], Rules(**options["rules"])
    try:
        if "join" in options:
            return join(options["join"], words[1:], options.get("newswap", False))
        return run(
            Wish(
                words[1:],
                lambda: Machine(memory, profile, rules=rules),
                options.get("newswap", False),
                options["swaps"],
                options.get("name"),
                options.get("console"),
                options.get("trace", False),
            )
        )
    except (Ended, Unable, OSError) as error:
        print(f"swapfast: {error}", file=sys.stderr)
        return 3


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve(socket.socket(fileno=int(sys.argv[2])))
    else:
        sys.exit(main(sys.argv[1:]))
