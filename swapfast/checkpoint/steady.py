"""Looking at an image that a running job replaces.

- ``steady(path, look)``: what ``look()`` finds in one and the same image.

A job that goes on renames a new image over the old one, and only then lets go of the old one's
slots and copies. So what seems to be missing, or wrong, is so only if the image is still the one
that was looked at. Otherwise the new one is looked at instead.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import TypeVar

from swapfast.errors import system_error

__all__ = ["steady"]

MOST_LOOKS = 50

T = TypeVar("T")


def steady(
    path: str | os.PathLike[str], look: Callable[[], T], doubtful: Callable[[T], bool] | None = None
) -> T:
    """Look at an image until it is not replaced meanwhile, or nothing is wrong.

    Parameters
    ----------
    path : path
        The image.
    look : callable
        Reads it, and its files; may raise ``OSError`` and ``ValueError``.
    doubtful : callable, optional
        Whether what it found may come from slots that were in use again.

    Raises
    ------
    OSError
        EBUSY: it was replaced each of 50 times; or what ``look`` raised.
    ValueError
        What ``look`` raised.
    """
    for _ in range(MOST_LOOKS):
        before = _which(path)
        try:
            found = look()
        except (OSError, ValueError):
            if _which(path) == before:
                raise
            continue
        if doubtful is None or not doubtful(found) or _which(path) == before:
            return found
    raise system_error(
        errno.EBUSY,
        f"was replaced each of the {MOST_LOOKS} times that it was read; look at it while its job "
        "makes no checkpoint",
        path,
    )


def _which(path: str | os.PathLike[str]) -> tuple[int, ...] | None:
    try:
        now = os.stat(path)
    except OSError:
        return None
    return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns
