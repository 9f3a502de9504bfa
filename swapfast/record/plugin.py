"""The plugin of qemu-user, compiled on first use and kept.

- ``plugin(qemu)``: the file to give to ``-plugin``.
- ``compiler()``: what compiles it.
- ``cache_folder(given)``: where it is kept; nobody else can write there.

A plugin says which version of qemu's interface it is for, and each qemu takes a range of them. So
the plugin is tried once with each qemu, and compiled again if that asks for a later version.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shlex
import shutil
import stat
import subprocess
from contextlib import suppress
from pathlib import Path

from swapfast.errors import system_error

__all__ = ["cache_folder", "compiler", "plugin"]

HERE = Path(__file__).parent
SOURCES = ("pages.c", "arena.h", "emulator.h", "follow.h")
FLAGS = ("-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-pthread")
LIBRARIES = ("-ldl",)
FIRST_API = 1
AT_LEAST = re.compile(r"minimum version of (\d{1,4})")


def plugin(qemu: str, cache: str | os.PathLike[str] | None = None) -> Path:
    """The compiled plugin for a qemu-user.

    Parameters
    ----------
    qemu : str
        Path of the emulator.
    cache : path, optional
        Folder to keep it in, see `cache_folder`.

    Raises
    ------
    OSError
        ENOENT: there is no C compiler; ENOEXEC: it refused, or this qemu takes no plugins; EPERM:
        of the folder; others as the system says.
    """
    folder = cache_folder(cache)
    file = folder / f"pages-{_key(qemu)}.so"
    if file.exists():
        return file
    draft = folder / f".pages-{secrets.token_hex(8)}.tmp"
    try:
        api = FIRST_API
        _compile(draft, api)
        said = _tried(qemu, draft)
        later = AT_LEAST.search(said)
        if later is not None:
            _compile(draft, int(later[1]))
            said = _tried(qemu, draft)
        if said:
            sentence = f"takes no plugin that counts pages: {said:.200}"
            raise system_error(errno.ENOEXEC, sentence, qemu)
        os.rename(draft, file)  # whoever was first, it is the same file
    finally:
        with suppress(FileNotFoundError):
            os.unlink(draft)
    return file


def _key(qemu: str) -> str:
    """Changes with the source and with the emulator."""
    sources = b"".join((HERE / name).read_bytes() for name in SOURCES)
    status = os.stat(qemu)
    emulator = f"{os.path.realpath(qemu)} {status.st_size} {status.st_mtime_ns}"
    return hashlib.sha256(sources + os.fsencode(emulator)).hexdigest()[:24]


def _compile(target: Path, api: int) -> None:
    command = [*compiler(), *FLAGS, f"-DAPI={api}", "-o", str(target), str(HERE / SOURCES[0])]
    command += LIBRARIES
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode:
        said = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr)
        sentence = f"did not compile the plugin: {said.strip():.200}"
        raise system_error(errno.ENOEXEC, sentence, command[0])


def compiler() -> list[str]:
    """The C compiler: ``CC``, or the first that is there.

    Raises
    ------
    OSError
        ENOENT: there is none.
    """
    given = shlex.split(os.environ.get("CC", ""))
    for command in [given] if given else [["cc"], ["gcc"], ["clang"]]:
        if shutil.which(command[0]) is not None:
            return command
    sentence = "no C compiler, which builds the plugin; Debian and Ubuntu: apt-get install gcc"
    raise system_error(errno.ENOENT, sentence, given[0] if given else "cc")


def _tried(qemu: str, file: Path) -> str:
    """What the emulator has against a plugin; empty: nothing."""
    option = f"{_option(file)},probe=1"
    command = [qemu, "-plugin", option, "/proc/self/exe"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    return "" if done.returncode == 0 else done.stderr.strip() or f"status {done.returncode}"


def _option(file: Path) -> str:
    """A path within an option of qemu: a comma is written twice."""
    return str(file).replace(",", ",,")


def cache_folder(given: str | os.PathLike[str] | None = None) -> Path:
    """The folder for compiled files, made if it is not there.

    Parameters
    ----------
    given : path, optional
        By default ``swapfast`` in ``XDG_CACHE_HOME`` or ``~/.cache``.

    Raises
    ------
    OSError
        EPERM: it belongs to another user, or others may write to it: they could have anything run.
        Or it cannot be made.
    """
    if given is not None:
        folder = Path(given)
    else:
        base = os.environ.get("XDG_CACHE_HOME", "")
        folder = (Path(base) if os.path.isabs(base) else Path("~/.cache").expanduser()) / "swapfast"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        code, cause = error.errno or errno.EIO, os.strerror(error.errno or errno.EIO)
        sentence = f"{cause}: cannot be made; name another with --cache or XDG_CACHE_HOME"
        raise system_error(code, sentence, folder) from None
    folder = folder.resolve()
    status = folder.stat()
    if status.st_uid != os.geteuid():
        sentence = "belongs to another user; name your own with --cache or XDG_CACHE_HOME"
        raise system_error(errno.EPERM, sentence, folder)
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        sentence = "others may write to it, and it holds a program: chmod go-w, or name another"
        raise system_error(errno.EPERM, sentence, folder)
    for above in folder.parents:
        mode = above.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            sentence = f"everybody may rename it, being able to write to {above}; name another"
            raise system_error(errno.EPERM, sentence, folder)
    return folder
