"""What the kernel allows this process.

- ``shell(host)``: notification by seccomp, namespaces, userfaultfd.
- ``measuring(host)``: what stands in the way of a measurement, whatever its plan.

What a shell does first is done, in a child that ends before it runs anything.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from swapfast.doctor.finding import Finding, found_by, parted
from swapfast.errors import said
from swapfast.measure.checks import host_refusals
from swapfast.measure.host import Host

__all__ = ["measuring", "shell"]

PART = "shell"
# What may forbid namespaces of users: the sysctl, the value that does, and the one that does not.
FORBIDS = (
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
    ("kernel.unprivileged_userns_clone", "0", "1"),
    ("user.max_user_namespaces", "0", "15000"),
)


def shell(host: Host) -> Iterator[Finding]:
    """What ``shell`` needs, and what ``--own-memory`` needs beside it."""
    seccomp, spaces = "seccomp user notification", "user namespaces"
    gives = "shell: real swapon and free, answered by a machine"
    try:
        from swapfast.shell.child import start

        child = start(("true",), newswap=True)
        os.close(child.listener)
        child.stop()
    except OSError as error:
        cause, remedy = parted(said(error))
        yield Finding(PART, seccomp, "missing", cause, gives, remedy)
    else:
        yield Finding(PART, seccomp, "ok", "a filter was put on a child, and let go", gives)
        gives = "shell --newswap without being root"
        if child.root is None:
            how = "root needs none" if host.uid == 0 else "one was made, with this user as root"
            yield Finding(PART, spaces, "ok", how, gives)
        else:
            why = "not allowed to this user"
            yield Finding(PART, spaces, "missing", why, gives, _allow_spaces(host))
    gives = "shell --own-memory: programs whose memory is simulated"
    yield found_by(PART, "userfaultfd", gives, _faults)


def _faults() -> str:
    from swapfast.shell.memory.engine import check

    check()
    return "faults of programs and of the kernel are seen, and writes"


def _allow_spaces(host: Host) -> str:
    for name, forbids, allows in FORBIDS:
        if host.text(f"proc/sys/{name.replace('.', '/')}") == forbids:
            return f"sysctl {name}={allows}"
    return "leave the sandbox that forbids them"


def measuring(host: Host) -> Iterator[Finding]:
    """Rights, and what is on."""
    name, gives = "a machine to measure", "measure, measure --device: the real kernel's counters"
    reasons = [parted(reason) for reason in host_refusals(host)]
    if host.group("swapfast") is None:
        reasons.append(("no memory controller", "boot with CONFIG_MEMCG, or mount cgroups"))
    if not reasons:
        yield Finding("measuring", name, "ok", "nothing is in the way", gives)
    for cause, remedy in reasons:
        yield Finding("measuring", name, "missing", cause, gives, remedy)
