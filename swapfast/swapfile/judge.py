"""One judge of swapfiles: what swapon refuses, ``swapfast swaps`` says.

- `unfit(fd, file_pages, path)`: why a file can be no swap area, whatever its header says.
- `without_checkpoint(head)`: the beginning of a file, unless it holds a checkpoint.
- `judge(path)`: `SwapFacts`: the header of a file, and what each kernel makes of the file.
"""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import dataclass

from swapfast.inputs import open_input
from swapfast.swapfile.extents import unsupported_extent
from swapfast.swapfile.file_system import unfit_file_system
from swapfast.swapfile.files import named, read_at
from swapfast.swapfile.header import PAGE_SIZE, PAGE_SIZES, SIGNATURE, parse_header, signature_of
from swapfast.swapfile.rules import RULES
from swapfast.swapfile.stamp import read_stamp

__all__ = ["SwapFacts", "Verdict", "judge", "unfit", "without_checkpoint"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one kernel makes of a file.

    Attributes
    ----------
    pages : int
        Usable pages; 0 if it is refused.
    refused : str or None
        Why.
    """

    pages: int
    refused: str | None


@dataclass(frozen=True, slots=True)
class SwapFacts:
    """A file that may be a swapfile.

    Attributes
    ----------
    path : str
        As given.
    size : int
        Bytes.
    label, uuid : str or None
        None where there is no header.
    verdicts : dict of str to Verdict
        By kernel.
    """

    path: str
    size: int
    label: str | None
    uuid: str | None
    verdicts: dict[str, Verdict]


def judge(path: str | os.PathLike[str]) -> SwapFacts:
    """Look at a file as swapon would, and change nothing.

    Raises
    ------
    OSError
        It cannot be read; EINVAL: a FIFO, a socket or a device; EISDIR: a folder.
    """
    name = os.fspath(path)
    with open_input(name) as file, named(name):
        fd = file.fileno()
        head = read_at(fd, PAGE_SIZES[-1], 0)
        status = os.fstat(fd)
        file_pages = status.st_size // PAGE_SIZE
        fault = None
        if status.st_nlink > 1:
            fault = "has several names (hard links); a swapfile must have one, copy it"
        fault = fault or unfit(fd, file_pages, os.path.realpath(name))
    verdicts = {}
    for kernel, rules in RULES.items():
        try:
            pages = rules.check(without_checkpoint(head), file_pages, path=name).pages
            verdicts[kernel] = Verdict(0, fault) if fault else Verdict(pages, None)
        except OSError as error:
            verdicts[kernel] = Verdict(0, error.strerror)
    label = uuid = None
    with contextlib.suppress(ValueError):
        header = parse_header(head[:PAGE_SIZE], page_size=PAGE_SIZE)
        label, uuid = header.label, str(header.uuid)
    return SwapFacts(name, status.st_size, label, uuid, verdicts)


def unfit(fd: int, file_pages: int, path: str, *, restart: bool = False) -> str | None:
    """Say why a file can be no swap area.

    Parameters
    ----------
    fd : int
        The file, open.
    file_pages : int
        Its whole pages.
    path : str
        Its name, without links.
    restart : bool
        It holds a checkpoint, see `unfit_file_system`.

    Returns
    -------
    str or None
        A phrase to follow the name, with what to do; None: it can be one.
    """
    fault = unfit_file_system(fd, path, restart=restart)
    if fault is not None:
        return fault
    fault = unsupported_extent(fd, file_pages * PAGE_SIZE)
    return None if fault is None else f"{fault}; write it out with dd, or create it with mkswap"


def without_checkpoint(head: bytes) -> bytes:
    """The beginning of a file, as given.

    Raises
    ------
    OSError
        EINVAL: it holds a checkpoint. A run that crashed left the signature of a file that is on,
        and its checkpoint's slots.
    """
    stamp = read_stamp(head)
    if stamp is not None and stamp.generation and signature_of(head, PAGE_SIZE) == SIGNATURE:
        raise OSError(
            errno.EINVAL,
            f"holds a checkpoint (generation {stamp.generation}); restart it, or run mkswap to "
            "give it up",
        )
    return head
