"""Swap and IPC namespaces: the RFC's rules, and only they.

- ``Rules``: the questions that the letter of 2008 leaves open, each a named policy.
- ``SwapNamespace``: which areas a set of tasks may use. The initial one may have many; a child at
  most one, and none at birth. An area is in at most one namespace.
- ``check_clone_flags``, ``check_clone_rights``, ``check_unshare``: in the kernel's order of checks.

Sources: Serge Hallyn, "swap namespaces: introduce basic, simple swap namespaces (v3)", 28 April
2008; kernel/fork.c (copy_process, sys_unshare) and kernel/nsproxy.c (copy_namespaces) of 2.6.25
and 6.18.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal, get_args, get_type_hints

from swapfast import flags as f
from swapfast.errors import system_error

if TYPE_CHECKING:
    from swapfast.areas import SwapArea
    from swapfast.machine import Machine

__all__ = ["Rules", "SwapNamespace", "check_clone_flags", "check_clone_rights", "check_unshare"]

NEW_NAMESPACES = (
    f.CLONE_NEWNS
    | f.CLONE_NEWUTS
    | f.CLONE_NEWIPC
    | f.CLONE_NEWUSER
    | f.CLONE_NEWPID
    | f.CLONE_NEWNET
    | f.CLONE_NEWSWAP
)


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


class SwapNamespace:
    """The filter on swap areas of a set of tasks.

    Attributes
    ----------
    number : int
        0 is the initial namespace.
    owner : int
        Its number in the core.
    areas : list of SwapArea
        Areas that are on in it.
    tasks : int
        Live tasks in it.
    swapped_on : int
        Areas ever turned on in it.
    """

    __slots__ = ("areas", "machine", "number", "owner", "swapped_on", "tasks")

    def __init__(self, number: int, owner: int, machine: Machine) -> None:
        self.number = number
        self.owner = owner
        self.machine = machine
        self.areas: list[SwapArea] = []
        self.tasks = 0
        self.swapped_on = 0

    @property
    def initial(self) -> bool:
        """Whether it is the namespace of the host."""
        return self.number == 0

    def checkpoint(
        self,
        path: str | os.PathLike[str],
        *,
        kind: Literal["in-place", "pinned", "snapshot", "incremental"] = "in-place",
        parent: str | os.PathLike[str] | None = None,
        checksums: bool = True,
    ) -> None:
        """Checkpoint its tasks into its swapfile and an image; as `Machine.checkpoint`."""
        self.machine.checkpoint(self, path, kind=kind, parent=parent, checksums=checksums)

    def check_one_area(self, rules: Rules) -> None:
        """Refuse a second area in a child namespace.

        Raises
        ------
        OSError
            As ``rules.second_swapon`` says.
        """
        if self.initial:
            return
        code = getattr(errno, rules.second_swapon)
        if self.areas:
            raise system_error(
                code,
                "a child swap namespace has one swapfile, and "
                f"{self.areas[0].path} is on; swapoff it first",
            )
        if rules.swapon_again == "once" and self.swapped_on:
            raise system_error(code, "this swap namespace has had its one swapfile")

    def __repr__(self) -> str:
        return f"<SwapNamespace {self.number}: {len(self.areas)} areas, {self.tasks} tasks>"


def _refuse(sentence: str) -> OSError:
    return system_error(errno.EINVAL, sentence)


def check_clone_flags(flags: int, *, modern: bool) -> None:
    """What clone(2) checks first: flags that exclude each other (kernel/fork.c, copy_process).

    Parameters
    ----------
    flags : int
        CLONE_* and the exit signal in the low byte; CLONE_NEWSWAP is bit 32.
    modern : bool
        6.18 rather than 2.6.25.

    Raises
    ------
    OSError
        EINVAL.
    """
    if flags < 0 or flags >> 33:
        raise _refuse("clone: unknown flag bits; CLONE_NEWSWAP is bit 32, the highest")
    if flags & f.CLONE_NEWNS and flags & f.CLONE_FS:
        raise _refuse("CLONE_NEWNS and CLONE_FS exclude each other")
    if modern and flags & f.CLONE_NEWUSER and flags & f.CLONE_FS:
        raise _refuse("CLONE_NEWUSER and CLONE_FS exclude each other")
    if flags & f.CLONE_THREAD and not flags & f.CLONE_SIGHAND:
        raise _refuse("CLONE_THREAD needs CLONE_SIGHAND")
    if flags & f.CLONE_SIGHAND and not flags & f.CLONE_VM:
        raise _refuse("CLONE_SIGHAND needs CLONE_VM")
    if modern and flags & f.CLONE_THREAD and flags & (f.CLONE_NEWUSER | f.CLONE_NEWPID):
        raise _refuse("CLONE_THREAD excludes CLONE_NEWUSER and CLONE_NEWPID")
    if flags & f.CLONE_NEWSWAP:
        if not flags & f.CLONE_NEWIPC:
            raise _refuse("CLONE_NEWSWAP needs CLONE_NEWIPC: shared memory is not to cross")
        if flags & f.CLONE_VM:
            raise _refuse("CLONE_NEWSWAP excludes CLONE_VM: an mm is in one swap namespace")


def check_clone_rights(
    flags: int, *, modern: bool, privileged: bool, child: bool, rules: Rules
) -> None:
    """What clone(2) checks last: new namespaces (kernel/nsproxy.c, copy_namespaces).

    Parameters
    ----------
    flags : int
    modern : bool
        6.18 rather than 2.6.25.
    privileged : bool
        The caller has CAP_SYS_ADMIN.
    child : bool
        The caller is in a child swap namespace.
    rules : Rules

    Raises
    ------
    OSError
        EPERM: no CAP_SYS_ADMIN, or a nested swap namespace where that is denied; EINVAL:
        CLONE_NEWIPC with CLONE_SYSVSEM (6.18).
    """
    if flags & NEW_NAMESPACES and not privileged:
        raise system_error(errno.EPERM, "a new namespace needs CAP_SYS_ADMIN")
    if modern and flags & f.CLONE_NEWIPC and flags & f.CLONE_SYSVSEM:
        raise _refuse("CLONE_NEWIPC excludes CLONE_SYSVSEM")
    if flags & f.CLONE_NEWSWAP and child and rules.nested == "deny":
        raise system_error(errno.EPERM, "swap namespaces are not nested (rule nested='deny')")


def check_unshare(flags: int, *, modern: bool, privileged: bool, alone: bool) -> None:
    """The checks of unshare(2), in the kernel's order.

    Parameters
    ----------
    flags : int
    modern : bool
    privileged : bool
    alone : bool
        Nobody shares the caller's mm.

    Raises
    ------
    OSError
        EINVAL: unknown bits (CLONE_NEWSWAP among them: a swap namespace is made by clone only), or
        VM, SIGHAND, THREAD of a caller that shares its mm; EPERM: no CAP_SYS_ADMIN.
    """
    known = (
        f.CLONE_THREAD
        | f.CLONE_FS
        | f.CLONE_SIGHAND
        | f.CLONE_VM
        | f.CLONE_FILES
        | f.CLONE_SYSVSEM
        | (NEW_NAMESPACES & ~f.CLONE_NEWSWAP)
    )
    if not modern:
        known &= ~(f.CLONE_NEWPID | f.CLONE_SYSVSEM)
    if flags & f.CLONE_NEWSWAP:
        raise _refuse("a swap namespace cannot be unshared; clone a task with CLONE_NEWSWAP")
    if flags & ~known:
        raise _refuse(f"unshare: unknown flag bits {flags & ~known:#x}")
    if flags & f.CLONE_THREAD and (not modern or not alone):
        raise _refuse("CLONE_THREAD cannot be unshared")
    if flags & (f.CLONE_VM | f.CLONE_SIGHAND) and not alone:
        raise _refuse("the mm is shared; only its last user may unshare it")
    if flags & NEW_NAMESPACES and not privileged:
        raise system_error(errno.EPERM, "a new namespace needs CAP_SYS_ADMIN")
