"""Hostile output paths: a folder full of traps, and a name put together from bytes.

- ``output(data)``: publish to that name; whatever happens, nothing that was there is harmed.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
from pathlib import Path

from swapfast.publish import publish, target

PARTS = (
    *(b"file", b"input", b"hard", b"link", b"dangling", b"loop", b"loop2", b"fifo", b"socket"),
    *(b"folder", b"to-folder", b"chain", b"up", b"new", b".", b"..", b"", b"/", b"/dev/null"),
    *(b"/dev/stdout", b"/proc/self/fd/0", b"n" * 255, b"n" * 256, b"\xff", b"\x1b[2J", b"a\nb"),
    *(b"/proc/self/comm", b"to-null", b"to-fifo", b"/dev/full", b"/dev/fd/999", b" ", b"-"),
)


def traps(folder: Path) -> None:
    """What may lie in a folder."""
    folder.mkdir()
    (folder / "file").write_bytes(b"old")
    (folder / "input").write_bytes(b"read")
    os.link(folder / "input", folder / "hard")
    (folder / "folder").mkdir()
    (folder / "folder" / "file").write_bytes(b"old")
    os.mkfifo(folder / "fifo")
    with socket.socket(socket.AF_UNIX) as one:
        here = os.open(folder, os.O_RDONLY)
        one.bind(f"/proc/self/fd/{here}/socket")
        os.close(here)
    for name, to in (
        *(("link", "file"), ("dangling", "new2"), ("loop", "loop2"), ("loop2", "loop")),
        *(("to-folder", "folder"), ("chain", "to-folder/../link"), ("up", "..")),
        *(("to-null", "/dev/null"), ("to-fifo", "fifo")),
    ):
        (folder / name).symlink_to(to)


def state(folder: Path) -> dict[str, tuple[int, object]]:
    """Kind and content of everything."""
    found: dict[str, tuple[int, object]] = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        content: object = None
        if stat.S_ISREG(mode):
            content = path.read_bytes()
        elif stat.S_ISLNK(mode):
            content = os.readlink(path)
        found[os.fsdecode(path.relative_to(folder))] = (stat.S_IFMT(mode), content)
    return found


def output(base: Path, data: bytes) -> bool:
    """The first byte says how the block ends; the others are parts of a name."""
    how = data[0] if data else 0
    parts = [PARTS[byte % len(PARTS)] for byte in data[1:6]]
    name = b"/".join(parts)
    if not name.startswith((b"/dev", b"/proc")):
        name = name.lstrip(b"/")  # nothing of the machine is touched
    folder = base / "traps"
    shutil.rmtree(folder, ignore_errors=True)
    traps(folder)
    before, home, written = state(folder), os.getcwd(), None
    outside = {p.name for p in base.iterdir()}
    os.chdir(folder)
    try:
        if os.path.realpath(name).startswith(os.fsencode(os.path.realpath(folder))):
            given = os.fsdecode(name)
            written = target(given, inputs=["input"])
        else:
            given = os.fsdecode(name)
            target(given, inputs=["input"])  # may be fine, and is left alone
            return True
        with publish(given, inputs=["input"]) as file:
            file.write(b"new")
            if how % 3 == 1:
                raise ValueError("the block fails")
            if how % 3 == 2:
                file.close()
    except (ValueError, OSError) as error:
        if isinstance(error, OSError):
            assert error.filename == os.fsdecode(name), error
        assert state(folder) == before
        return False
    finally:
        os.chdir(home)
        assert {p.name for p in base.iterdir()} == outside
    after = state(folder)
    changed = os.fsdecode(os.path.relpath(written, os.path.realpath(folder)))
    assert after.pop(changed) == (stat.S_IFREG, b"new")
    before.pop(changed, None)
    assert after == before
    return True
