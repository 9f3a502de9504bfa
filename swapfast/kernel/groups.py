"""What the core does not know of memory groups: names, faults, and who dies with whom.

- ``GroupRow``: one group, as a node of the tree.
- ``Groups``: all of one kernel, by the numbers that the core gives them.
- ``check_name``: what mkdir(2) refuses.

The core has limits and pages (`swapfast.core.memcg_table`). Every group has a name here; one that
was made without is called by its number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from swapfast.core import memcg_table
from swapfast.kernel.group_scopes import GroupScopes

if TYPE_CHECKING:
    from swapfast._core import Core

__all__ = ["MOST_DEPTH", "NAME_MAX", "GroupRow", "Groups", "check_name"]

MOST_DEPTH = 14  # levels below the root, as mm/words.pxd has it
NAME_MAX = 255  # bytes


@dataclass(eq=False, slots=True)
class GroupRow:
    """One memory group.

    Attributes
    ----------
    number : int
        Its number in the core.
    name : str
        Of its directory; empty for the root.
    parent : GroupRow or None
    children : dict of str to GroupRow
        By name, in order of creation.
    pgfault, pgmajfault : int
        Faults of tasks in it, and of groups below that were removed.
    oom_group : bool
        memory.oom.group: its tasks die together.
    gone : bool
        It was removed; another one may have its number.
    """

    number: int
    name: str
    parent: GroupRow | None
    children: dict[str, GroupRow] = field(default_factory=dict)
    pgfault: int = 0
    pgmajfault: int = 0
    oom_group: bool = False
    gone: bool = False

    @property
    def path(self) -> str:
        """From the root, which is "/"."""
        names = [row.name for row in self.upward() if row.parent is not None]
        return "/" + "/".join(reversed(names))

    def upward(self) -> Iterator[GroupRow]:
        """Itself and all above it, the root last."""
        row: GroupRow | None = self
        while row is not None:
            yield row
            row = row.parent

    def below(self) -> Iterator[GroupRow]:
        """Itself and all below it, in the order of the core's walks."""
        yield self
        for child in self.children.values():
            yield from child.below()


class Groups:
    """The memory groups of one kernel.

    Parameters
    ----------
    core : Core
    policy : str
        Replacement policy of the root.

    Attributes
    ----------
    rows : dict of int to GroupRow
        By number.
    root : GroupRow
    scopes : GroupScopes
        Where their pages go.
    chosen : dict of int to dict
        What somebody wrote about areas, word by word, by number: see `scope_kinds`.
    limited : set of int
        Numbers of those with amounts in tiers.
    pressure_of : callable or None
        The text of a pressure file, of programs side by side: number of a group, and resource.
    """

    pressure_of: Callable[[int, str], str] | None = None

    def __init__(self, core: Core, policy: str) -> None:
        self._core = core
        number = memcg_table.add(core, policy)
        self.root = GroupRow(number, "", None)
        self.rows = {number: self.root}
        self.scopes = GroupScopes(core)
        self.chosen: dict[int, dict[str, int | str]] = {}
        self.limited: set[int] = set()

    def __getitem__(self, number: int) -> GroupRow:
        return self.rows[number]

    def add(
        self, policy: str, limit: int = 0, parent: int = memcg_table.ROOT, name: str | None = None
    ) -> GroupRow:
        """A group below another one.

        Parameters
        ----------
        policy : str
        limit : int
            Pages, 0 for none.
        parent : int
            The number of the one above.
        name : str, optional
            ``group-N`` by default, N being its number.

        Raises
        ------
        ValueError
            No such policy; the tree is too deep; the name is taken, or is none.
        MemoryError
            No room for one more.
        """
        above = self.rows[parent]
        if name is not None:
            check_name(name)
            if name in above.children:
                raise ValueError(f"{name!r} is in {above.path} already")
        number = memcg_table.add(self._core, policy, limit, parent)
        if name is None:
            name = f"group-{number}"
            while name in above.children:  # somebody made one of that name
                name += "+"
        row = GroupRow(number, name, above)
        self.rows[number] = above.children[name] = row
        self.scopes.inherit(number, parent)
        return row

    def remove(self, row: GroupRow) -> None:
        """Forget a group; the one above keeps what it counted.

        Raises
        ------
        ValueError
            It is the root, has children, or mappings are charged to it.
        """
        memcg_table.remove(self._core, row.number)
        assert row.parent is not None, "the core refuses to remove the root"
        row.parent.pgfault += row.pgfault
        row.parent.pgmajfault += row.pgmajfault
        del row.parent.children[row.name], self.rows[row.number]
        self.chosen.pop(row.number, None)
        self.limited.discard(row.number)
        self.scopes.forget(row.number)
        row.gone = True


def check_name(name: str) -> None:
    """Refuse what is no name of a directory.

    Raises
    ------
    ValueError
        Empty, ``.``, ``..``, with a slash, a newline or a null byte, or too long.
    """
    if name in ("", ".", "..") or set(name) & set("/\n\0"):
        raise ValueError(f"{name!r:.60} is no name of a memory group")
    if len(name.encode("utf-8", "surrogatepass")) > NAME_MAX:
        raise ValueError(f"{name!r:.60} has more than {NAME_MAX} bytes")
