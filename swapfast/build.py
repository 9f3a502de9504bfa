"""Is the compiled core there?

- ``check_built()``: an ImportError that names the cure instead of one that names a file.
"""

from __future__ import annotations

import os
from importlib.machinery import PathFinder  # importlib.util would cost half a millisecond

__all__ = ["check_built"]


def check_built() -> None:
    """Raise if ``swapfast._core`` was never built.

    Raises
    ------
    ImportError
        The package is a source tree; the sentence says how to build it.
    """
    if PathFinder.find_spec("swapfast._core", [os.path.dirname(__file__)]) is None:
        raise ImportError(
            "swapfast's compiled core is not built in this source tree. Run 'make setup' and use "
            ".venv/bin/python, or install the package with 'pip install .'",
            name="swapfast._core",
        )
