"""The trace that a command is given.

- ``BUNDLED``: the name of the one that comes with swapfast. ``opened(name)``: that one, or a file.
"""

from __future__ import annotations

import os
from typing import Any

from swapfast.traces import Trace, bundled_trace, open_trace

__all__ = ["BUNDLED", "opened"]

BUNDLED = "bundled"


def opened(name: str | os.PathLike[str], **options: Any) -> Trace:
    """A trace by its name on the command line; a file called "bundled" goes before the other one.

    Parameters
    ----------
    name : path
    **options
        As those of `open_trace`.

    Raises
    ------
    ValueError, OSError
        As `open_trace`.
    """
    if os.fspath(name) == BUNDLED and not os.path.lexists(name):
        return bundled_trace()
    return open_trace(name, **options)
