"""Three checkpoints, with an end at each call: ``python -m tests.faults.cuts SERIES STEP``.

Runs under ``shim.c``. A process of its own does the same script again and again: it is killed at
the first call of its checkpoints, then at the second, and so on (or every STEPth); then the call is
EIO, ENOSPC, or done by half. Afterwards every image that was acknowledged is there, as it was or as
the one that was being made, and its job has every byte. Prints the counts as JSON.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import mmap
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

from swapfast.checkpoint import verify
from swapfast.machine import restart
from tests.checkpoint.jobs import contents
from tests.checkpoint.test_crashes import AREA, namespace_of, scribble, small_job

KILL = -1  # SHIM_KILL
CODES = {"kill": KILL, "EIO": errno.EIO, "ENOSPC": errno.ENOSPC, "short": 0}
# Of one checkpoint: swapfile, image and folder; the copy of a snapshot is synced as its image is.
OWN_FILE = {"fdatasync": 1, "fsync": 2, "rename": 1}
COPY = {"fdatasync": 0, "fsync": 3, "rename": 1}
# Kind and name of each checkpoint; "rows" and "pages" are incremental ones of a pinned one and of a
# snapshot, which build on the last that was acknowledged.
SERIES = {
    "own file": [("pinned", "job"), ("pinned", "job"), ("in-place", "job")],
    "snapshots": [("snapshot", "job"), ("snapshot", "job"), ("snapshot", "job")],
    "chain in the file": [("rows", "job"), ("rows", "job.1"), ("rows", "job.2")],
    "chain of copies": [("pages", "job"), ("pages", "job.1"), ("pages", "job.2")],
}
shim = ctypes.CDLL(None)


def digest(seen: dict[Any, Any]) -> bytes:
    """A word for what the tasks see."""
    whole = hashlib.sha256()
    for key, data in seen.items():
        whole.update(repr(key).encode() + (data or b"-"))
    return whole.digest()


class Board:
    """What a process said before it ended: per checkpoint a state of the job, tried and done."""

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, 4096)

    def state(self, number: int) -> bytes:
        return self.memory[64 * number : 64 * number + 32]

    def told(self, number: int) -> bytes:
        """b"\\0" nothing, b"t" tried, b"f" failed, b"d" done."""
        return self.memory[64 * number + 32 : 64 * number + 33]

    def failed(self, before: int) -> bool:
        return any(self.told(number) == b"f" for number in range(before))

    def say(self, number: int, what: bytes, state: bytes = b"") -> None:
        self.memory[64 * number : 64 * number + len(state)] = state
        self.memory[64 * number + 32 : 64 * number + 33] = what


def script(folder: Path, series: list[tuple[Any, str]], board: Board) -> list[str]:
    """Work and checkpoints; calls are counted in the checkpoints only. What was wrong."""
    machine = small_job(folder)
    last: str | None = None
    wrong: list[str] = []
    for number, (kind, name) in enumerate(series):
        try:
            for part in range(2):
                scribble(machine, f"checkpoint {number}", 10 * number + part)
        except OSError as error:  # the file is not used any more, and memory is short without it
            if error.filename == str(folder / AREA) and board.failed(number):
                break
            raise
        before = contents(machine)
        board.say(number, b"t", digest(before))
        chained = kind == "pages" or (kind == "rows" and last is not None)
        made: Any = "incremental" if chained else "pinned" if kind == "rows" else kind
        parent = folder / last if chained and last is not None else None
        first = shim.shim_so_far()
        shim.shim_resume()
        try:
            namespace_of(machine).checkpoint(folder / name, kind=made, parent=parent)
        except OSError as error:
            shim.shim_pause()
            board.say(number, b"f")
            if error.filename is None:
                wrong.append(f"{error!r} names no file")
            machine.verify()
            if contents(machine) != before:
                wrong.append(f"{error!r}: the job has other bytes")
        else:
            shim.shim_pause()
            board.say(number, b"d")
            last = name
        calls = [shim.shim_call(n).decode() for n in range(first, shim.shim_so_far())]
        most = COPY if kind in ("snapshot", "pages") else OWN_FILE
        done = {what: calls.count(what) for what in most}
        if any(done[what] > most[what] for what in most) or (
            board.told(number) == b"d" and done != most
        ):
            wrong.append(f"{done} where {most} are due")
    machine.close()
    return wrong


def process(folder: Path, series: str, board: Board, nth: int, code: int) -> tuple[int, str]:
    """Run the script in a child; its calls, or -1 if it was killed, and what was wrong."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            shim.shim_arm(nth, code)
            shim.shim_pause()
            wrong = script(folder, SERIES[series], board)
            found = json.dumps([shim.shim_so_far(), "; ".join(wrong)])
        except BaseException:
            shim.shim_pause()
            found = json.dumps([0, traceback.format_exc()])
        os.write(writer, found.encode()[: 1 << 15])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        found = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        sort = signal.Signals(os.WTERMSIG(status))
        return -1, "" if sort == signal.SIGKILL and code == KILL else f"ended by {sort.name}"
    calls, wrong = json.loads(found)
    return calls, wrong


def look(folder: Path, series: str, board: Board, tally: Counter[str]) -> str:
    """Whether every name has what was acknowledged, or what was being made; else what is wrong."""
    checkpoints = list(enumerate(SERIES[series]))
    names = list(dict.fromkeys(name for _, (_, name) in checkpoints))
    if series == "chain in the file":  # the file has the slots of the newest, and says so
        told = [n for n, (_, _) in checkpoints if board.told(n) == b"d"]
        newer = [n for n in range(max(told, default=0), len(names)) if (folder / names[n]).exists()]
        names = names[newer[-1] :] if newer else names
    for name in names:
        mine = [n for n, (_, other) in checkpoints if other == name]
        done = max((n for n in mine if board.told(n) == b"d"), default=-1)
        allowed = {board.state(n) for n in mine if n >= done and board.told(n) != b"\0"}
        if not (folder / name).exists():
            if done >= 0:
                return f"{name}: lost"
            tally["nothing yet"] += 1
            continue
        copy = folder.with_name("copy")
        shutil.copytree(folder, copy)
        try:
            if wrong := verify(copy / name):
                return f"{name}: slots {wrong}"
            with restart(copy / name) as machine:
                machine.verify()
                seen = digest(contents(machine))
        finally:
            shutil.rmtree(copy)
        if seen not in allowed:
            return f"{name}: a third state"
        tally["acknowledged" if done >= 0 and seen == board.state(done) else "newer"] += 1
    return ""


def main(series: str, step: int) -> None:
    shim.shim_call.restype = ctypes.c_char_p
    # In memory: a kill does not lose what the system has, and nobody waits for the disk.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    root = Path(tempfile.mkdtemp(prefix="swapfast-cuts-", dir=memory))
    tally: Counter[str] = Counter()
    problems = []
    total, runs = 1, 0
    for nth in (-1, *range(0, 1 << 16, step)):
        if nth >= total:
            break
        for kind, code in CODES.items() if nth >= 0 else [("nothing", 0)]:
            folder, board = root / "run", Board()
            folder.mkdir()
            calls, wrong = process(folder, series, board, nth, code)
            total = calls if nth < 0 else total
            runs += nth >= 0
            # The image names its swapfile: elsewhere, it is taken from beside the image.
            moved = folder.rename(root / "moved")
            try:
                wrong = wrong or look(moved, series, board, tally)
            except (ValueError, OSError, AssertionError):
                wrong = traceback.format_exc()
            if wrong:
                problems.append(f"call {nth} {kind}: {wrong}")
            shutil.rmtree(moved)
    shutil.rmtree(root)
    json.dump({"calls": total, "runs": runs, "images": tally, "problems": problems}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
