"""``swapfast scenario``: files to begin with, and what they may say."""

from __future__ import annotations

from typing import Any

import click

from swapfast.cli.names import SCENARIO
from swapfast.cli.options import replaced_by
from swapfast.cli.output import JSON, console, echo, emit_json, reported
from swapfast.scenario import Scenario, bundled_names, open_scenario
from swapfast.scenario.plan import plan

__all__ = ["scenario"]

BEGIN = "two-containers"


@click.group()
def scenario() -> None:
    """Scenario files: one to begin with, a schema for editors, and what one says in full.

    \b
    Examples:
      swapfast scenario list
      swapfast scenario init > mine.toml
      swapfast scenario show isolation
      swapfast scenario schema > scenario.schema.json
    """


@scenario.command(name="list")
@JSON
def names(as_json: bool) -> None:
    """The scenarios that come with swapfast: `swapfast run NAME` runs one.

    \b
    Example:
      swapfast scenario list
    """
    with reported():
        told = []
        for name in bundled_names():
            one = open_scenario(name).scenario()
            told.append((name, one.title, one.scopes))
        if as_json:
            keys = ("name", "title", "scopes")
            emit_json({"scenarios": [dict(zip(keys, one, strict=True)) for one in told]})
            return
        rows = [(name, title, ", ".join(scopes)) for name, title, scopes in told]
        console.table(("name", "title", "scopes"), rows, left=("name", "title", "scopes"))


@scenario.command()
def init() -> None:
    """Print a commented scenario to begin with: two containers and one disk.

    \b
    Examples:
      swapfast scenario init > mine.toml
      swapfast run mine.toml
    """
    with reported():
        for line in open_scenario(BEGIN).text.splitlines():
            echo(line)


@scenario.command()
def schema() -> None:
    """Print a JSON schema of scenario files, for editors that complete and check.

    \b
    Example:
      swapfast scenario schema > scenario.schema.json
    """
    with reported():
        emit_json(Scenario.model_json_schema(by_alias=True))


@scenario.command()
@click.argument("name", shell_complete=SCENARIO)
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Replace a key.")
@JSON
def show(name: str, sets: tuple[str, ...], as_json: bool) -> None:
    """Print a scenario in full: every default filled in, every size in bytes, every time in ns.

    NAME is a file or a scenario that comes with swapfast. What is printed is a scenario again, with
    the same meaning.

    \b
    Examples:
      swapfast scenario show isolation
      swapfast scenario show density --set count=200 --json
    """
    with reported():
        chosen = open_scenario(name).scenario(replaced_by(sets))
        told = _without_none(chosen.model_dump(by_alias=True, mode="json"))
        if as_json:
            emit_json(told)
            return
        import tomli_w  # only here

        if chosen.side_by_side:
            whole = plan(chosen)
            echo(
                f"# {len(whole.runners)} programs in {len(whole.groups)} cgroups, "
                f"{len(whole.areas)} swapfiles, {len(chosen.scopes)} scopes"
            )
        for line in tomli_w.dumps(told).splitlines():
            echo(line)


def _without_none(value: Any) -> Any:
    """TOML has no word for what is not given."""
    if isinstance(value, dict):
        return {k: _without_none(v) for k, v in value.items() if v is not None and v != {}}
    if isinstance(value, list):
        return [_without_none(one) for one in value]
    return value
