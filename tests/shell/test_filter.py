"""The filter, instruction by instruction: which calls are asked about, of which ABI."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from swapfast.shell import _notify
from swapfast.shell.filter import ALLOW, NOTIFY, REFUSE, SENTENCES, program
from tests.support.shells import shell

X86_64, I386, AARCH64 = 0xC000003E, 0x40000003, 0xC00000B7
X32 = 0x40000000
NUMBERS = {
    "open": 2,
    "openat": 257,
    "openat2": 437,
    "sysinfo": 99,
    "swapon": 167,
    "swapoff": 168,
    "unshare": 272,
    "clone3": 435,
}
ENOSYS = REFUSE | errno.ENOSYS


def verdict(code: bytes, number: int, arch: int) -> int:
    """What the kernel would make of a call: the few instructions of BPF that a filter has."""
    rows = list(struct.iter_unpack("HBBI", code))
    loaded = at = 0
    while True:
        operation, yes, no, value = rows[at]
        at += 1
        if operation == 0x20:
            loaded = {0: number, 4: arch}[value]
        elif operation == 0x15:
            at += yes if loaded == value else no
        else:
            assert operation == 0x06
            return int(value)


def test_what_is_asked_about() -> None:
    code = program(NUMBERS, X86_64)
    assert len(code) // 8 < 64
    asked = {n for n in range(600) if verdict(code, n, X86_64) == NOTIFY}
    assert asked == set(NUMBERS.values())
    assert all(verdict(code, n, X86_64) == ALLOW for n in range(600) if n not in asked)


def test_other_abis_turn_on_nothing() -> None:
    code = program(NUMBERS, X86_64)
    assert {n for n in range(600) if verdict(code, n, I386) != ALLOW} == {87, 115}
    assert verdict(code, 87, I386) == ENOSYS
    assert {n for n in range(600) if verdict(code, X32 | n, X86_64) != ALLOW} == {167, 168}
    assert verdict(code, X32 | 167, X86_64) == ENOSYS
    assert verdict(code, 167, 0xDEAD) == ALLOW


def test_a_processor_without_open() -> None:
    code = program({**NUMBERS, "open": -1}, AARCH64)
    assert verdict(code, 2, AARCH64) == ALLOW
    assert verdict(code, 257, AARCH64) == NOTIFY
    assert verdict(code, X32 | 167, AARCH64) == ALLOW


def test_programs_of_32_bit(program: Callable[..., Path], s1: Path) -> None:
    """int 0x80 of a program of 64 bit is a call of the other ABI."""
    done = shell(program("other_abi", "-static"))
    if done.stdout == "":
        pytest.skip("this kernel has no calls of 32 bit")
    assert done.stdout == f"swapon {errno.ENOSYS}\nswapoff {errno.ENOSYS}\ngetpid 0\n"


def test_every_refusal_has_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    from swapfast.shell.filter import Unable, install

    for code in (errno.EBUSY, errno.ENOSYS, errno.EINVAL, errno.EPERM, errno.EACCES, errno.ENOMEM):

        def refused(program: bytes, listen: bool = True, code: int = code) -> int:
            raise OSError(code, "no")

        monkeypatch.setattr(_notify, "install", refused)
        with pytest.raises(Unable) as error:
            install()
        assert error.value.errno == code
        assert error.value.strerror == SENTENCES.get(code, "seccomp(2): no")
    monkeypatch.setattr(_notify, "ARCH", 0)
    with pytest.raises(Unable, match="x86-64"):
        install()
