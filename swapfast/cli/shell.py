"""``swapfast shell``: real programs meet a simulated machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path

import click

from swapfast.cli import names
from swapfast.cli.options import PROFILE_HELP, no_stream, profile_of, size_of
from swapfast.cli.output import reported, tell
from swapfast.kernel.options import LEAST_PAGES
from swapfast.kernel.rules import Rules
from swapfast.machine import Machine
from swapfast.scenario import open_scenario
from swapfast.scenario.computer import make_machine

__all__ = ["shell"]

MEMORY, PROFILE = "64MiB", "6.18"


@click.command(context_settings={"allow_interspersed_args": False})
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- CMD...]")
@click.option("--newswap", is_flag=True, help="In a child swap namespace.")
@click.option("--memory", help=f"RAM of the machine.  [default: {MEMORY}]")
@click.option(
    "--profile",
    metavar="KERNEL",
    shell_complete=names.PROFILE,
    help=f"{PROFILE_HELP}.  [default: {PROFILE}]",
)
@click.option(
    "--swap",
    "swaps",
    multiple=True,
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Turn this swapfile on before CMD runs; may be given again.",
)
@click.option("--name", help="Let other terminals join the machine by this name.")
@click.option("--join", metavar="NAME", help="In the machine of that name, which runs already.")
@click.option(
    "--sysinfo",
    type=click.Choice(["global", "namespaced"]),
    help="What sysinfo(2) counts inside a child namespace.  [default: global]",
)
@click.option(
    "--rule",
    "rules",
    multiple=True,
    metavar="NAME=VALUE",
    help="What the RFC leaves open, like proc_swaps=namespaced; may be given again.",
)
@click.option(
    "--scenario",
    metavar="FILE",
    shell_complete=names.SCENARIO,
    help="The [machine] of a scenario, in place of the options.",
)
@click.option(
    "--console",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=no_stream,
    help="Append the machine's lines to this file.  [default: stderr]",
)
@click.option(
    "--own-memory", is_flag=True, help="Memory of programs is the machine's, and its swap holds it."
)
@click.option("--trace", is_flag=True, help="A line on the console for each call that is answered.")
def shell(
    command: tuple[str, ...],
    newswap: bool,
    memory: str | None,
    profile: str | None,
    swaps: tuple[Path, ...],
    name: str | None,
    join: str | None,
    sysinfo: str | None,
    rules: tuple[str, ...],
    scenario: str | None,
    console: Path | None,
    own_memory: bool,
    trace: bool,
) -> None:
    """Run a shell, or CMD, whose calls about swap are answered by a simulated machine.

    swapon(2), swapoff(2), sysinfo(2), clone3(2) with CLONE_NEWSWAP (bit 32), and /proc/swaps,
    /proc/meminfo and /proc/vmstat are the machine's; everything else is this computer's, whose own
    swap does not change. No right is needed.

    \b
    Examples:
      swapfast shell                                  then: swapon s1; swapon --show; free
      swapfast shell --swap s1 -- free -m
      swapfast shell --newswap --name letter          the first login of the letter
      swapfast shell --newswap --join letter          in another terminal: the second one
      swapfast shell --newswap --sysinfo namespaced -- /opt/ltp/runltp -f syscalls
      swapfast shell --own-memory --memory 64MiB --swap s1 -- ./program

    Exit code: that of CMD, or 128 and the number of the signal that ended it; 2 wrong usage, 3 the
    system refused; 126 and 127 CMD cannot be run, or is not there.
    """
    from swapfast.shell import Ended, Wish  # what they need is not on every system
    from swapfast.shell import join as join_machine
    from swapfast.shell import run as run_machine

    command = command or (os.environ.get("SHELL") or "/bin/sh",)
    machine = {"memory": memory, "profile": profile, "sysinfo": sysinfo, "rule": rules}
    with reported():
        try:
            if join is None:
                boot = _machine(memory, profile, sysinfo, rules)
                if scenario is not None:
                    _alone("scenario", machine)
                    boot = partial(make_machine, open_scenario(scenario).scenario().machine)
                wish = Wish(command, boot, newswap, swaps, name, console, trace, own_memory)
                code = run_machine(wish)
            else:
                others = {"swap": swaps, "name": name, "console": console, "trace": trace}
                others["own-memory"] = own_memory
                _alone("join", {**machine, "scenario": scenario, **others})
                code = join_machine(join, command, newswap)
        except Ended as error:
            tell(f"swapfast: {error}")
            code = error.code
    sys.exit(code)


def _machine(
    memory: str | None, profile: str | None, sysinfo: str | None, rules: tuple[str, ...]
) -> Callable[[], Machine]:
    """What boots the machine of some options."""
    size = size_of("--memory", memory or MEMORY, least=LEAST_PAGES, what="a machine")
    chosen, lru_gen = profile_of(profile or PROFILE)
    told = dict(_rule(text) for text in rules)
    if sysinfo is not None:
        told["sysinfo"] = sysinfo
    return partial(Machine, size, chosen, rules=Rules(**told), lru_gen=lru_gen)  # type: ignore[arg-type]


def _rule(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    known = [rule.name for rule in fields(Rules)]
    if not equals or name not in known:
        raise ValueError(f"--rule {text}: it is NAME=VALUE with one of {', '.join(known)}")
    return name, value


def _alone(option: str, others: Mapping[str, object]) -> None:
    """Refuse options of a machine that another option chooses.

    Raises
    ------
    ValueError
        One is given.
    """
    for name, value in others.items():
        if value:
            raise ValueError(f"--{name} is of a new machine; it does not go with --{option}")
