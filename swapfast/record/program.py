"""What execve(2) would run: the file behind a command, and the interpreter of a script.

- ``find(command)``: a ``Program``, or the error that a shell would have.

Emulators load one ELF file. They do not look along ``PATH`` nor follow ``#!`` as the kernel does,
and what they say about other files helps nobody.
"""

from __future__ import annotations

import errno
import os
import platform
import stat
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from swapfast.errors import system_error

__all__ = ["MACHINES", "Program", "find"]

HEAD = 256  # bytes of a file that the kernel looks at
SCRIPTS_MOST = 5  # a script whose interpreter is a script, ...
MACHINES = {"x86_64": 62, "aarch64": 183}
"""``e_machine`` of the ELF files that this kind of machine runs."""


@dataclass(frozen=True)
class Program:
    """A command as the kernel would begin it.

    Attributes
    ----------
    name : str
        As it was called, without folders.
    file : str
        An ELF file of this machine.
    arguments : tuple of str
        The first is the name that the program sees.
    loses_rights : bool
        The file is setuid or setgid: as under a debugger, it runs with the rights of its caller.
    """

    name: str
    file: str
    arguments: tuple[str, ...]
    loses_rights: bool


def find(command: Sequence[str]) -> Program:
    """Look along ``PATH``, follow ``#!``, and see whether an emulator can run what is there.

    Raises
    ------
    OSError
        ENOENT: no such program or interpreter; EACCES: it may not be run, or not be read;
        ENOEXEC: neither an ELF file nor a script, or for another machine; ELOOP: scripts of
        scripts.
    ValueError
        An empty command.
    """
    if not command or not command[0]:
        raise ValueError("no program was named")
    path = _along_path(command[0])
    arguments = (command[0], *command[1:])
    for _ in range(SCRIPTS_MOST):
        head = _head(path)
        if not head.startswith(b"#!"):
            _check_elf(path, head)
            return Program(os.path.basename(command[0]), path, arguments, _loses_rights(path))
        line = head[2:].split(b"\n")[0].strip()
        words = [os.fsdecode(word) for word in line.split(None, 1)]
        if not words:
            raise system_error(errno.ENOEXEC, "its #! names no interpreter", path)
        arguments = (*words, path, *arguments[1:])
        try:
            _check_runs(words[0])
        except FileNotFoundError:
            sentence = f"its interpreter {words[0]} is not there"
            raise system_error(errno.ENOENT, sentence, path) from None
        path = words[0]
    raise system_error(errno.ELOOP, "is a script of a script of a script", command[0])


def _along_path(name: str) -> str:
    if "/" in name:
        _check_runs(name)
        return name
    refused: OSError | None = None
    for folder in os.get_exec_path():
        path = os.path.join(folder or ".", name)
        try:
            _check_runs(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            refused = refused or error
            continue
        return path
    if refused is not None:
        raise refused
    raise system_error(errno.ENOENT, "no such program; is it installed?", name)


def _check_runs(path: str) -> None:
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise system_error(errno.ENOENT, "no such program", path) from None
    if stat.S_ISDIR(mode):
        raise system_error(errno.EACCES, "is a folder, not a program", path)
    if not stat.S_ISREG(mode) or not os.access(path, os.X_OK):
        raise system_error(errno.EACCES, "may not be run: no permission to execute it", path)


def _head(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(HEAD)
    except PermissionError:
        sentence = "may be run, but not be read, and a recorder has to read it"
        raise system_error(errno.EACCES, sentence, path) from None


def _check_elf(path: str, head: bytes) -> None:
    if not head.startswith(b"\x7fELF") or len(head) < 20:
        sentence = "is neither an ELF file nor a script that begins with #!"
        raise system_error(errno.ENOEXEC, sentence, path)
    order = ">" if head[5] == 2 else "<"
    (machine,) = struct.unpack_from(f"{order}H", head, 18)
    here = platform.machine()
    if MACHINES.get(here, machine) != machine or head[4] != 2:
        bits = 64 if head[4] == 2 else 32
        sentence = (
            f"is a {bits}-bit program for machine {machine}; only those of {here} are recorded"
        )
        raise system_error(errno.ENOEXEC, sentence, path)


def _loses_rights(path: str) -> bool:
    status = os.stat(path)
    user = status.st_mode & stat.S_ISUID and status.st_uid != os.geteuid()
    group = status.st_mode & stat.S_ISGID and status.st_gid != os.getegid()
    return bool(user or group)
