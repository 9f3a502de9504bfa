"""Scopes of cgroups: tables of areas, each handed down to the core once for all that have it.

- ``Table``: areas in the order in which they are used, by the core's numbers.
- ``GroupScopes``: which group has which.

Source: mm/swap_state.c and mm/swapfile.c have one list for the whole machine, swap_avail_head; the
tables stand for what the patches of 2014, 2025 and 2026 leave of it for one memcg.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from swapfast.core import scope_table

if TYPE_CHECKING:
    from swapfast._core import Core

__all__ = ["GroupScopes", "Table"]

HOST = 0  # the first scope


@dataclass(frozen=True)
class Table:
    """Areas in order.

    Attributes
    ----------
    areas : tuple of int
        Numbers in the core, first those that may be used, in order; behind them the refused ones.
    ranks : tuple of int
        Of each: equal ones take turns. The least is 0 and none is left out.
    refused : int
        How many are refused, at the end.
    owner : int or None
        The group below which alone the table is shared: it has amounts of its own.
    """

    areas: tuple[int, ...] = ()
    ranks: tuple[int, ...] = ()
    refused: int = 0
    owner: int | None = None

    @classmethod
    def of(
        cls,
        areas: Sequence[int],
        ranks: Sequence[int],
        refused: Sequence[bool] = (),
        owner: int | None = None,
    ) -> Table:
        """A table of areas with ranks that mean no more than their order; the highest is first."""
        dense = {rank: place for place, rank in enumerate(sorted(set(ranks)))}
        no = refused or [False] * len(areas)
        order = sorted(range(len(areas)), key=lambda i: (no[i], -ranks[i]))
        return cls(
            tuple(areas[i] for i in order),
            tuple(dense[ranks[i]] for i in order),
            sum(no),
            owner,
        )


class GroupScopes:
    """The scopes of the groups of one kernel.

    Parameters
    ----------
    core : Core

    Attributes
    ----------
    of : dict of int to int
        Scopes by group; a group without one goes where its namespace goes.
    tables : dict of int to Table
        By scope.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self.of: dict[int, int] = {}
        self.tables: dict[int, Table] = {}
        self._scopes: dict[Table, int] = {}
        self._users: dict[int, int] = {}  # groups, by scope

    def hand_down(self, wanted: Mapping[int, Table], but: Table) -> None:
        """Give groups their tables; those with equal tables share a scope.

        The pages of a group whose table is a new one go on in the cluster in use, if they may.

        Parameters
        ----------
        wanted : dict of int to Table
            By group; others keep what they have.
        but : Table
            Where all go: nobody needs a scope for that.
        """
        for group, table in sorted(wanted.items()):
            if table != but and table not in self._scopes:
                self._make(table, self.of.get(group, HOST))
        for group, table in wanted.items():
            self._give(group, None if table == but else self._scopes[table])

    def inherit(self, group: int, parent: int) -> None:
        """A new group has the scope of the one above."""
        self._give(group, self.of.get(parent))

    def forget(self, group: int) -> None:
        """The group is gone."""
        scope = self.of.pop(group, None)
        if scope is not None:
            self._leave(scope)

    def _make(self, table: Table, like: int) -> None:
        scope = scope_table.add(self._core, False)
        scope_table.set_table(
            self._core, scope, table.areas, table.ranks, refused=table.refused, like=like
        )
        self.tables[scope] = table
        self._scopes[table] = scope
        self._users[scope] = 0

    def _give(self, group: int, scope: int | None) -> None:
        old = self.of.get(group)
        if old == scope:
            return
        scope_table.give(self._core, group, scope)
        if scope is None:
            del self.of[group]
        else:
            self.of[group] = scope
            self._users[scope] += 1
        if old is not None:
            self._leave(old)

    def _leave(self, scope: int) -> None:
        self._users[scope] -= 1
        if self._users[scope] == 0:
            del self._users[scope], self._scopes[self.tables.pop(scope)]
            scope_table.remove(self._core, scope)
