"""The filter of seccomp: which calls are asked about, and which never reach this machine's kernel.

- ``program(numbers, arch)``: its instructions.
- ``install()``: put it on this process; what refuses it is said in a sentence.

A call that is not asked about costs the comparisons of the filter. Programs of another ABI (32
bit, x32) are not asked about either; they may do everything but swapon(2) and swapoff(2), which
fail with ENOSYS, so that nothing that runs in a shell turns on swap of the real machine.
"""

from __future__ import annotations

import errno
import struct

__all__ = ["Unable", "install", "program"]

LOAD, EQUAL, AND_SET, RETURN = 0x20, 0x15, 0x45, 0x06  # BPF: LD|W|ABS, JMP|JEQ|K, JMP|JSET|K, RET|K
ALLOW, NOTIFY, REFUSE = 0x7FFF0000, 0x7FC00000, 0x00050000  # SECCOMP_RET_*
NUMBER, ARCH = 0, 4  # offsets in struct seccomp_data
X86_64, I386 = 0xC000003E, 0x40000003
OTHER_SWAP = {I386: (87, 115)}  # swapon, swapoff of programs of another ABI
X32 = 0x40000000  # set in the numbers of that ABI


class Unable(OSError):
    """The kernel, or a sandbox around this process, does not allow a shell."""


def instruction(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    """One instruction; ``yes`` and ``no`` are how many to leave out."""
    return struct.pack("HBBI", code, yes, no, value)


def returning(action: int, numbers: tuple[int, ...]) -> bytes:
    """End with an action where the number of the call is one of these."""
    return b"".join(
        instruction(EQUAL, number, 0, 1) + instruction(RETURN, action) for number in numbers
    )


def program(numbers: dict[str, int], arch: int) -> bytes:
    """The instructions of the filter.

    Parameters
    ----------
    numbers : dict of str to int
        Calls to ask about; -1: this processor has no such call.
    arch : int
        AUDIT_ARCH_* of this processor.
    """
    refuse = REFUSE | errno.ENOSYS
    mine = returning(NOTIFY, tuple(n for n in numbers.values() if n >= 0))
    if arch == X86_64:
        swap = tuple(X32 | numbers[name] for name in ("swapon", "swapoff"))
        mine = returning(refuse, swap) + mine
    mine = instruction(LOAD, NUMBER) + mine + instruction(RETURN, ALLOW)
    code = instruction(LOAD, ARCH) + instruction(EQUAL, arch, 0, len(mine) // 8) + mine
    for other, swap in OTHER_SWAP.items():
        theirs = instruction(LOAD, NUMBER) + returning(refuse, swap) + instruction(RETURN, ALLOW)
        code += instruction(EQUAL, other, 0, len(theirs) // 8) + theirs
    return code + instruction(RETURN, ALLOW)


def install() -> int:
    """Filter this process and all that it will start.

    Returns
    -------
    int
        The descriptor of its notifications.

    Raises
    ------
    Unable
        EBUSY: somebody listens already; others: it is not allowed here, or not known.
    """
    from swapfast.shell import _notify  # not before there is a shell

    if _notify.ARCH == 0:
        raise Unable(errno.ENOSYS, "a shell is simulated on x86-64 and aarch64 only")
    try:
        return _notify.install(program(_notify.NUMBERS, _notify.ARCH))
    except OSError as error:
        code = error.errno or errno.EIO
        sentence = SENTENCES.get(code, f"seccomp(2): {error.strerror}")
        raise Unable(code, sentence) from None


SENTENCES = {
    errno.EBUSY: "this is a shell of a simulated machine already, or a container whose runtime "
    "listens to system calls; leave it first",
    errno.ENOSYS: "this kernel has no seccomp(2); it needs CONFIG_SECCOMP_FILTER",
    errno.EINVAL: "this kernel has no user notification of seccomp; it needs Linux 5.14 or newer",
    errno.EPERM: "a sandbox forbids seccomp(2); allow it there (Docker: its seccomp profile)",
    errno.EACCES: "a sandbox forbids seccomp(2); allow it there (Docker: its seccomp profile)",
}
