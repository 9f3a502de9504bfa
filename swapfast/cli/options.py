"""Values of options, and errors that name the option.

- ``size_of(option, text, ...)``: bytes of "64MiB".
- ``share_of(option, text, pages)``: pages of "50%" or "64MiB".
- ``shares_of(option, text, pages)``: the same of "25%,50%,75%".
- ``profile_option(default)``: the option ``--profile`` of commands that do not take "host".
- ``profile_of(name)``: a profile; "host" chooses it by looking at this machine. ``PROFILE_HELP``.
- ``replaced_by(sets)``: keys of a scenario and their values, of "KEY=VALUE".
- ``npz_name(option, path)``: refuses names that promise another format.
- ``PID``: a number of a process, or "all".
- ``no_stream``: the callback of an option that names a file to write, and takes no ``-``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from swapfast.kernel.profile import PROFILES
from swapfast.running import choose
from swapfast.traces.format import ALL, Pid
from swapfast.units import PAGE_SIZE, format_size, parse_share, parse_size, without_unit

__all__ = [
    "HOST",
    "MOST_PAGES",
    "PID",
    "PROFILE_HELP",
    "no_stream",
    "npz_name",
    "profile_of",
    "profile_option",
    "replaced_by",
    "share_of",
    "shares_of",
    "size_of",
]

Function = Callable[..., Any]

# What somebody who gives such a name expects to get.
OTHER_SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        *("csv", "tsv", "txt", "json", "log", "lackey", "trace", "npy", "raw", "u32", "zip"),
        *("tar", "parquet", "h5", "gz", "xz", "zst", "bz2", "lzma", "lz4", "7z"),
    )
)

HOST = "host"  # --profile: the kernel of this machine
PROFILE_HELP = f"{', '.join(PROFILES)}, or host: by this machine's /sys/kernel/mm/lru_gen/enabled"

MOST_PAGES = 1 << 31  # of a simulated machine, and of one swap area


class _Pid(click.ParamType):  # type: ignore[type-arg]
    """A number of a process, or "all"."""

    name = "NUMBER|all"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Pid:
        if value == ALL:
            return ALL
        if isinstance(value, int):
            return value
        if str(value).isdecimal():
            return int(str(value))
        self.fail(f"{value!r} is no number of a process, nor {ALL!r}", param, ctx)


PID = _Pid()


def size_of(
    option: str, text: str, *, least: int = 0, most: int = MOST_PAGES, what: str = "it"
) -> int:
    """Bytes of an option's value.

    Parameters
    ----------
    option, text : str
        As they stand on the command line.
    least, most : int
        Bounds in whole pages; what is beyond the last whole page does not count.
    what : str
        What has that size, for the error.

    Raises
    ------
    ValueError
        No size, or out of bounds.
    """
    hint = without_unit(text, share=False)
    if least and hint is not None:
        raise ValueError(f"{option} {text}: {hint}")
    try:
        size = parse_size(text)
    except ValueError as error:
        raise ValueError(f"{option} {text}: {_cause(error)}") from None
    if not least <= size // PAGE_SIZE <= most:
        raise ValueError(
            f"{option} {text}: {what} has {least} to {most} pages of {PAGE_SIZE} bytes "
            f"({format_size(least * PAGE_SIZE)} to {format_size(most * PAGE_SIZE)})"
        )
    return size


def share_of(option: str, text: str, pages: int) -> int:
    """Pages of an option's value: of a size, or of a share of a trace's ``pages``.

    Raises
    ------
    ValueError
        Neither, less than a page, or more than a machine can have.
    """
    hint = without_unit(text)
    if hint is not None:
        raise ValueError(f"{option} {text}: {hint}")
    try:
        found = parse_share(text, pages)
    except ValueError as error:
        cause = _cause(error)
        if "%" in text and cause.startswith("is less"):
            cause += f"; the trace has {pages}"
        elif not cause.startswith("is less"):
            cause += ', or a share of the trace\'s pages such as "50%"'
        raise ValueError(f"{option} {text}: {cause}") from None
    if found >= MOST_PAGES:
        raise ValueError(
            f"{option} {text}: is more than {MOST_PAGES - 1} pages of {PAGE_SIZE} bytes "
            f"({format_size(MOST_PAGES * PAGE_SIZE)})"
        )
    return found


def shares_of(option: str, text: str, pages: int) -> list[int]:
    """Pages of each size of a list, in its order; each once.

    Raises
    ------
    ValueError
        As `share_of`, of the one that is wrong.
    """
    return list(dict.fromkeys(share_of(option, one.strip(), pages) for one in text.split(",")))


def profile_option(default: str) -> Callable[[Function], Function]:
    """The option ``--profile``: one of the kernels that there are."""
    return click.option(
        "--profile",
        type=click.Choice(list(PROFILES)),
        default=default,
        show_default=True,
        help="The kernel.",
    )


def profile_of(name: str) -> tuple[str, int | None]:
    """A profile, and the mask of lru_gen where it is this machine's.

    What "host" chose, and why, is a line on stderr.

    Raises
    ------
    ValueError
        No such profile, or it cannot be seen what this machine runs.
    """
    if name != HOST:
        if name not in PROFILES:
            raise ValueError(f"--profile {name}: there are {', '.join(PROFILES)}, and {HOST}")
        return name, None
    try:
        chosen = choose()
    except ValueError as error:
        raise ValueError(f"--profile {HOST}: {error}") from None
    click.echo(chosen.line, err=True)
    return chosen.profile, chosen.lru_gen


def no_stream(context: click.Context, option: click.Parameter, value: Path | None) -> Path | None:
    """Refuse ``-``, which everywhere else is standard output and not the name of a file.

    Raises
    ------
    click.BadParameter
        With what to do.
    """
    if value is not None and str(value) == "-":
        raise click.BadParameter(
            "this is not written to standard output; name a file ('./-' is one of that name)",
            context,
            option,
        )
    return value


def npz_name(option: str, path: Path) -> None:
    """Refuse a name that promises another format than .npz.

    Raises
    ------
    ValueError
        With a name that does not.
    """
    if path.suffix.lower() in OTHER_SUFFIXES:
        raise ValueError(
            f"{option} {path}: only .npz is written; name it {path.with_suffix('.npz').name}"
        )


def _cause(error: ValueError) -> str:
    """What is wrong, without the value that the caller names."""
    text = str(error).removeprefix("size: ")
    return text[text.index(" is ") + 1 :] if " is " in text else text


def replaced_by(sets: tuple[str, ...]) -> dict[str, str]:
    """Keys of a scenario and what replaces their values, of texts like "machine.memory=64MiB".

    Raises
    ------
    ValueError
        One is no KEY=VALUE, or a key comes twice.
    """
    told: dict[str, str] = {}
    for one in sets:
        key, equals, value = one.partition("=")
        if not equals or not key.strip():
            raise ValueError(f"--set {one}: it is like machine.memory=64MiB")
        if key.strip() in told:
            raise ValueError(f"--set {one}: {key.strip()} comes twice")
        told[key.strip()] = value.strip()
    return told
