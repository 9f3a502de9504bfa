"""The commands, and nothing of what they do.

- ``swapfast``: the click group; one module a command.
"""

from __future__ import annotations

import click

from swapfast import __version__
from swapfast.cli.checkpoint import checkpoint, compact, restart
from swapfast.cli.files import mkswap, strings, swaps
from swapfast.cli.images import export, inspect, verify
from swapfast.cli.ltp import ltp
from swapfast.cli.measure import measure
from swapfast.cli.mrc import mrc
from swapfast.cli.replay import replay
from swapfast.cli.run import run
from swapfast.cli.trace import trace
from swapfast.cli.validate import validate

__all__ = ["swapfast"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="swapfast")
def swapfast() -> None:
    """Simulate Linux swap, and give sets of tasks a swapfile of their own.

    \b
    Examples:
      swapfast run                                   the two logins of the 2008 letter
      swapfast ltp --newswap                         which LTP tests fail in a child namespace
      swapfast replay sort.lackey --memory 50%       what a program's trace costs
      swapfast mrc sort.lackey --plot curve.png      how much memory it needs
      swapfast restart job.ckpt sort.npz             a job goes on after its checkpoint
    """


for command in (
    *(run, ltp, replay, mrc, validate, measure),
    *(checkpoint, restart, compact, inspect, verify, export),
    *(trace, mkswap, swaps, strings),
):
    swapfast.add_command(command)
