"""The filter for programs whose memory is simulated: which calls stop, and which fail.

- ``program()``: its instructions. ``FAILS``: what fails, and why it has to.

It is beside that of `swapfast.shell.filter`. Calls that are made on behalf of this process, from
the scratch page, are let through.
"""

from __future__ import annotations

import errno

from swapfast.shell.filter import (
    ALLOW,
    AND_SET,
    ARCH,
    EQUAL,
    LOAD,
    NUMBER,
    REFUSE,
    RETURN,
    X32,
    X86_64,
    instruction,
    returning,
)

__all__ = [
    "BRK",
    "CLONE",
    "FORK",
    "MADVISE",
    "MMAP",
    "MREMAP",
    "MUNMAP",
    "SCRATCH",
    "program",
]

SCRATCH = 0x100000000000  # a page of each program, for calls that are made in it
AFTER = SCRATCH + 2  # behind the instruction there
TRACE = 0x7FF00000  # SECCOMP_RET_TRACE
ADDRESS = 8  # offset of the instruction pointer in struct seccomp_data

# Numbers of x86-64.
MMAP, MUNMAP, BRK, MREMAP, MADVISE, CLONE, FORK = 9, 11, 12, 25, 28, 56, 57
STOPS = (MMAP, MUNMAP, BRK, MREMAP, MADVISE, CLONE, FORK)
FAILS = {
    errno.EPERM: (
        101,  # ptrace: a program has one tracer
        149,  # mlock, mlockall, mlock2: such pages could not be taken away
        151,
        325,
        216,  # remap_file_pages
        323,  # userfaultfd: it has one
        425,  # io_uring_setup: the kernel would use pages behind the program's back
        440,  # process_madvise: it would take pages away unseen
    ),
    errno.ENOSYS: (435,),  # clone3: its flags are no arguments; C libraries go on with clone
}


def program() -> bytes:
    """The instructions of the filter."""
    mine = returning(TRACE, STOPS)
    for code, numbers in FAILS.items():
        mine += returning(REFUSE | code, numbers)
    mine += instruction(RETURN, ALLOW)
    twin = (
        instruction(LOAD, ADDRESS)
        + instruction(EQUAL, AFTER & 0xFFFFFFFF, 0, 3)
        + instruction(LOAD, ADDRESS + 4)
        + instruction(EQUAL, AFTER >> 32, 0, 1)
        + instruction(RETURN, ALLOW)
    )
    other = instruction(RETURN, REFUSE | errno.ENOSYS)  # of another ABI
    return (
        instruction(LOAD, ARCH)
        + instruction(EQUAL, X86_64, 1, 0)
        + other
        + twin
        + instruction(LOAD, NUMBER)
        + instruction(AND_SET, X32, 0, 1)
        + other
        + mine
    )
