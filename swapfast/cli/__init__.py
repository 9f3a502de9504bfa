"""The command line.

- ``main()``: the entry point; says which extra to install when click, rich or pydantic is missing.

Exit codes: 0 all well; 1 what was asked has a "no" for an answer (a test failed, data leaked, a
page was wrong); 2 wrong usage or a bad input file; 3 the system refused (no space, no permission).
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    try:
        from swapfast.cli.commands import swapfast
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("click", "rich", "pydantic"):
            raise
        sys.exit(
            f"swapfast: the command line needs {error.name}: install it with "
            "pip install 'swapfast[cli]'"
        )
    swapfast()
