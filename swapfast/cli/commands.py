"""The commands, and nothing of what they do.

- ``swapfast``: the click group; one module a command.
- ``Commands``: its class: how every command ends.
"""

from __future__ import annotations

import io
import sys
from typing import Any, NoReturn

import click

from swapfast import __version__
from swapfast.cli.check import check
from swapfast.cli.checkpoint import checkpoint, compact, restart
from swapfast.cli.compare import compare_
from swapfast.cli.completion import completion
from swapfast.cli.doctor import doctor
from swapfast.cli.files import mkswap, strings, swaps
from swapfast.cli.gate import gate
from swapfast.cli.images import export, inspect, verify
from swapfast.cli.ltp import ltp
from swapfast.cli.man import man
from swapfast.cli.measure import measure
from swapfast.cli.mrc import mrc
from swapfast.cli.output import EXIT_INTERRUPT, EXIT_SYSTEM
from swapfast.cli.record import record
from swapfast.cli.replay import replay
from swapfast.cli.report import report
from swapfast.cli.run import run
from swapfast.cli.scenario import scenario
from swapfast.cli.shell import shell
from swapfast.cli.size import size
from swapfast.cli.sweep import sweep
from swapfast.cli.trace import trace
from swapfast.cli.validate import validate
from swapfast.screen import pipe_closed, write_no_more
from swapfast.visible import visible

__all__ = ["Commands", "swapfast"]


class Commands(click.Group):
    """A group whose output is complete when it ends well, and whose errors are fit for a terminal.

    Click writes wrong arguments to the terminal as they are, and does not look whether what was
    printed could be written.
    """

    def main(self, *args: Any, standalone_mode: bool = True, **options: Any) -> NoReturn:
        """Run a command and end the process with its exit code."""
        code = 0
        try:
            code = self._run(args, options)
            if sys.stdout is not None:
                sys.stdout.flush()
        except BrokenPipeError:
            code = pipe_closed()
        except OSError as error:
            write_no_more(1)
            if code == 0:  # otherwise it was said why
                click.echo(f"swapfast: standard output: {error.strerror}", err=True)
            code = EXIT_SYSTEM
        sys.exit(code)

    def _run(self, args: tuple[Any, ...], options: dict[str, Any]) -> int:
        try:
            done: Any = super().main(*args, **{**options, "standalone_mode": False})
            return done if isinstance(done, int) else 0
        except click.ClickException as error:
            text, said = io.StringIO(), error.format_message()
            error.show(text)
            click.echo(text.getvalue().replace(said, visible(said)), nl=False, err=True)
            return error.exit_code
        except click.Abort:
            click.echo("swapfast: interrupted", err=True)
            return EXIT_INTERRUPT
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else int(end.code is not None)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="swapfast")
def swapfast() -> None:
    """Simulate Linux swap, and give sets of tasks a swapfile of their own.

    \b
    Examples:
      swapfast run                                   the two logins of the 2008 letter
      swapfast compare isolation                     private swapfiles against shared swap
      swapfast size sort.npz --slowdown 5%           how much RAM and swap it needs
      swapfast ltp --newswap                         which LTP tests fail in a child namespace
      swapfast shell --newswap                       a shell whose swapon and free are simulated
      swapfast record -o sort.npz -- sort big.txt    which pages a program touches
      swapfast replay sort.npz --memory 50%          what a program's trace costs
      swapfast mrc sort.npz --plot curve.png         how much memory it needs
      swapfast restart job.ckpt sort.npz             a job goes on after its checkpoint
      swapfast doctor                                what this machine has, and lacks
    """


for command in (
    *(run, scenario, compare_, sweep, report, check, size),
    *(ltp, shell, replay, mrc, validate, measure),
    *(checkpoint, restart, compact, inspect, verify, export),
    *(record, trace, mkswap, swaps, strings, gate),
    *(doctor, completion, man),
):
    swapfast.add_command(command)
