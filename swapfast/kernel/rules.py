"""What the letter of 2008 leaves open: each question a named policy.

Source: Serge Hallyn, "swap namespaces: introduce basic, simple swap namespaces (v3)", 28 April
2008.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, get_args, get_type_hints

__all__ = ["Rules"]


@dataclass(frozen=True, slots=True)
class Rules:
    """What the letter leaves open. The defaults are the most likely reading of it.

    Attributes
    ----------
    mixed_pages : {"first-mm", "allocator", "strict"}
        Whose page is one that mms of several namespaces map after fork? The first mm's in rmap
        order; that of the namespace which allocated it; or nobody's: it is not swapped.
    shared_pages : {"initial", "first-toucher", "strict"}
        Where do MAP_SHARED anonymous pages go? To the initial namespace (they belong to an inode,
        not to an mm); to that of the first task that touches the object; or, touched from two
        namespaces, nowhere.
    inherited_swap : {"keep", "swap-in"}
        A clone inherits swap entries into its parent's area: keep them, or read them in at clone.
    last_exit : {"swapoff", "orphan"}
        The last task of a namespace leaves with its area on: swap it off, or leave it on until the
        host does.
    nested : {"allow", "deny"}
        clone(CLONE_NEWSWAP) inside a child: a fresh namespace, or EPERM.
    second_swapon : {"EPERM", "EINVAL", "EBUSY"}
        errno of a second swapon in a child.
    one_area_check : {"early", "late"}
        The one-area test beside that of MAX_SWAPFILES, before the path is looked at; or after the
        file was opened (ENOENT, ...) and the test whether this very file is on (EBUSY).
    swapon_again : {"allow", "once"}
        After swapoff, a child may turn on another file; or one only in its life.
    proc_swaps : {"global", "namespaced"}
        What /proc/swaps shows inside a child.
    sysinfo : {"global", "namespaced"}
        What sysinfo(2) counts inside a child.
    """

    mixed_pages: Literal["first-mm", "allocator", "strict"] = "first-mm"
    shared_pages: Literal["initial", "first-toucher", "strict"] = "initial"
    inherited_swap: Literal["keep", "swap-in"] = "keep"
    last_exit: Literal["swapoff", "orphan"] = "swapoff"
    nested: Literal["allow", "deny"] = "allow"
    second_swapon: Literal["EPERM", "EINVAL", "EBUSY"] = "EPERM"
    one_area_check: Literal["early", "late"] = "early"
    swapon_again: Literal["allow", "once"] = "allow"
    proc_swaps: Literal["global", "namespaced"] = "global"
    sysinfo: Literal["global", "namespaced"] = "global"

    def __post_init__(self) -> None:
        allowed = get_type_hints(type(self))
        for rule in fields(self):
            value, choices = getattr(self, rule.name), get_args(allowed[rule.name])
            if value not in choices:
                known = ", ".join(repr(c) for c in choices)
                raise ValueError(f"rule {rule.name} is one of {known}, not {value!r}")

    @classmethod
    def strict(cls) -> Rules:
        """No byte that a namespace writes reaches another's file.

        What a task inherits at clone is its own: private bytes that its parent wrote before the
        clone may reach the heir's file, once the parent is gone or the heir writes in the page.
        """
        return cls(mixed_pages="strict", shared_pages="strict")
