"""``swapfast completion``: what makes a shell complete commands, options and names."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from swapfast.cli.output import echo, reported

__all__ = ["completion"]

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_SWAPFAST_COMPLETE"  # click's own, of the name of the program


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes SHELL complete commands, options, and names of scenarios and policies.

    \b
    Examples:
      echo 'eval "$(swapfast completion bash)"' >> ~/.bashrc
      echo 'eval "$(swapfast completion zsh)"' >> ~/.zshrc        after compinit
      swapfast completion fish > ~/.config/fish/completions/swapfast.fish

    Exit code: 0 printed, 2 no such shell.
    """
    with reported():
        known = get_completion_class(shell)
        if known is None:
            raise ValueError(f"this version of click completes nothing in {shell}; upgrade it")
        group = context.find_root().command
        for line in known(group, {}, "swapfast", VARIABLE).source().splitlines():
            echo(line)
