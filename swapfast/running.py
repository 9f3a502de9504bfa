"""What runs on this machine, as far as swapping goes. Looking changes nothing.

- ``running(root)``: a ``Running``: the kernel's release, its LRU, its memory controller.
- ``Running.profile``: which profile of this package it is.
- ``host_profile(root)``: the same in one word.
- ``choose(root)``: a ``Choice``: the profile, and why; an error where this cannot be seen.

By hand: ``cat /sys/kernel/mm/lru_gen/enabled``. No such file, or an even number: the classic LRU.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "CLASSIC",
    "LRU_GEN",
    "MGLRU",
    "Choice",
    "Running",
    "choose",
    "host_profile",
    "lru_mask",
    "running",
]

CLASSIC, MGLRU = "classic", "mglru"
LRU_GEN = "sys/kernel/mm/lru_gen/enabled"
V1 = "sys/fs/cgroup/memory/memory.limit_in_bytes"
V2 = ("sys/fs/cgroup", "sys/fs/cgroup/unified")  # alone, and beside v1
_WORDS = {"y": 7, "n": 0}  # what a person may write there


@dataclass(frozen=True, slots=True)
class Running:
    """What runs.

    Attributes
    ----------
    kernel : str
        Its release, as ``uname -r`` says it; "" where it is not known.
    lru_gen : int or None
        Bits of lru_gen/enabled: 1 the multi-generational LRU, 2 walks of page tables, 4 bits in
        their upper levels. None: the kernel was built without it.
    cgroup : int or None
        Version of the memory controller, 1 or 2; None: there is none.
    """

    kernel: str
    lru_gen: int | None
    cgroup: int | None

    @property
    def lru(self) -> str:
        """``"classic"`` or ``"mglru"``."""
        return MGLRU if self.lru_gen is not None and self.lru_gen & 1 else CLASSIC

    @property
    def profile(self) -> str:
        """``"6.18"`` or ``"6.18-mglru"``, whatever the release: the nearest that there is."""
        return "6.18-mglru" if self.lru == MGLRU else "6.18"


def running(root: str | os.PathLike[str] = "/") -> Running:
    """Look.

    Parameters
    ----------
    root : path
        Folder with ``proc`` and ``sys``; tests have one of their own.

    Raises
    ------
    ValueError
        lru_gen/enabled says what no kernel does: file, text.
    """
    top = Path(root)
    return Running(
        _text(top / "proc/sys/kernel/osrelease") or "",
        _lru_gen(top / LRU_GEN),
        _cgroup(top),
    )


def host_profile(root: str | os.PathLike[str] = "/") -> str:
    """The profile of the kernel that runs here, by looking at it.

    Raises
    ------
    ValueError
        As `running`.
    """
    return running(root).profile


@dataclass(frozen=True, slots=True)
class Choice:
    """The profile of this machine.

    Attributes
    ----------
    running : Running
    why : str
        What was seen.
    """

    running: Running
    why: str

    @property
    def profile(self) -> str:
        """Its name."""
        return self.running.profile

    @property
    def lru_gen(self) -> int | None:
        """Bits of lru_gen/enabled where the profile has them."""
        return self.running.lru_gen if self.running.lru == MGLRU else None

    @property
    def line(self) -> str:
        """The same for a person."""
        kernel = (
            f"Linux {self.running.kernel}" if self.running.kernel else "a kernel without a name"
        )
        near = "" if self.running.kernel.startswith("6.18") else ", to which it is the nearest"
        return f"profile {self.profile} ({kernel}{near}): {self.why}"


def choose(root: str | os.PathLike[str] = "/") -> Choice:
    """The profile of the kernel that runs here, and why.

    Raises
    ------
    ValueError
        It cannot be seen which LRU runs: no sysfs, a file that may not be read, or as `running`.
    """
    path = Path(root) / LRU_GEN
    folder = path.parents[1]
    try:
        os.listdir(folder)
        if path.exists():
            path.read_bytes()
    except OSError as error:
        raise ValueError(
            f"{error.filename or folder}: {error.strerror}: it cannot be seen which LRU this "
            "machine runs; name the profile, 6.18 or 6.18-mglru"
        ) from None
    found = running(root)
    if found.lru_gen is None:
        why = f"there is no {path}, so this is the classic LRU"
    else:
        kind = "odd number: the multi-generational LRU"
        if found.lru == CLASSIC:
            kind = "even number: the classic LRU"
        why = f"{path} says {found.lru_gen:#06x}, an {kind}"
    return Choice(found, why)


def lru_mask(text: str) -> int:
    """Bits of ``"0x0007"``, ``"7"``, ``"y"`` or ``"n"``.

    Raises
    ------
    ValueError
        None of these, or bits that no kernel has.
    """
    word = text.strip().lower()
    try:
        mask = _WORDS[word] if word in _WORDS else int(word, 0)
    except ValueError:
        mask = -1
    if not 0 <= mask <= 7:
        raise ValueError(f"{text!r:.40} is no mask of lru_gen: 0 to 7, y or n")
    return mask


def _lru_gen(path: Path) -> int | None:
    text = _text(path)
    if text is None:
        return None
    try:
        return lru_mask(text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _cgroup(root: Path) -> int | None:
    if (root / V1).exists():
        return 1
    given = (_text(root / folder / "cgroup.controllers") for folder in V2)
    return 2 if any("memory" in (text or "").split() for text in given) else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
