"""Which flags clone(2) and unshare(2) refuse, in the kernel's order of checks.

- ``check_clone_flags``, ``check_clone_rights``, ``check_unshare``.

Sources: kernel/fork.c (copy_process, sys_unshare) and kernel/nsproxy.c (copy_namespaces) of 2.6.25
and 6.18.
"""

from __future__ import annotations

import errno

from swapfast import flags as f
from swapfast.errors import system_error
from swapfast.kernel.rules import Rules

__all__ = ["check_clone_flags", "check_clone_rights", "check_unshare"]

NEW_NAMESPACES = (
    f.CLONE_NEWNS
    | f.CLONE_NEWUTS
    | f.CLONE_NEWIPC
    | f.CLONE_NEWUSER
    | f.CLONE_NEWPID
    | f.CLONE_NEWNET
    | f.CLONE_NEWSWAP
)


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
