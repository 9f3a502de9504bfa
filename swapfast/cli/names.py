"""Names that a shell completes, beside those that click knows of an option.

- ``one_of(names, files)``: for ``shell_complete=``; with ``files``, names of files too.
- ``some_of(names)``: the same of a list with commas, of which the last is completed.
- ``SCENARIO``, ``POLICY``, ``POLICIES_ALONE``, ``PROFILE``, ``FORMAT``, ``TEST``: such functions.

What they list is looked up when a shell asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

__all__ = [
    "FORMAT",
    "POLICIES_ALONE",
    "POLICY",
    "PROFILE",
    "PROFILES_LISTED",
    "SCENARIO",
    "TEST",
    "one_of",
    "some_of",
]

Names = Callable[[], Iterable[str]]
Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def one_of(names: Names, *, files: bool = False) -> Completer:
    """Names that begin as what was typed."""

    def complete(
        context: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        found = [CompletionItem(incomplete, type="file")] if files else []
        return found + [CompletionItem(name) for name in names() if name.startswith(incomplete)]

    return complete


def some_of(names: Names) -> Completer:
    """Names that begin as what was typed after the last comma, with what stands before it."""

    def complete(
        context: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        before, comma, last = incomplete.rpartition(",")
        named = before.split(",")
        return [
            CompletionItem(f"{before}{comma}{name}")
            for name in names()
            if name.startswith(last) and name not in named
        ]

    return complete


def _scenarios() -> Iterable[str]:
    from swapfast.scenario import bundled_names

    return bundled_names()


def _policies() -> Iterable[str]:
    from swapfast.replay import policies

    return policies()


def _policies_alone() -> Iterable[str]:
    from swapfast.replacement import POLICIES

    return POLICIES


def _profiles() -> Iterable[str]:
    from swapfast.kernel.profile import PROFILES

    return PROFILES


def _with_host() -> Iterable[str]:
    from swapfast.cli.options import HOST

    return (*_profiles(), HOST)


def _formats() -> Iterable[str]:
    from swapfast.traces import FORMATS

    return FORMATS


def _tests() -> Iterable[str]:
    from swapfast.ltp import ordered_tests

    return (test.name for test in ordered_tests())


SCENARIO = one_of(_scenarios, files=True)
POLICY = one_of(_policies)
POLICIES_ALONE = some_of(_policies_alone)
PROFILE = one_of(_with_host)
PROFILES_LISTED = some_of(_profiles)
FORMAT = one_of(_formats)
TEST = one_of(_tests)
