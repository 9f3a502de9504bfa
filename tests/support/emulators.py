"""Emulators and programs for tests of recording: compiled here, or found on the machine."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from swapfast.record.lackey import find_valgrind
from swapfast.record.qemu import find_qemu

FAKE = Path(__file__).parents[1] / "record" / "fake_qemu.c"
NAME = f"qemu-{platform.machine()}"


def compiled(source: Path | str, target: Path, *flags: str) -> Path:
    """A program, of a file or a text; the test is skipped where it cannot be made."""
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    text = source.read_text() if isinstance(source, Path) else source
    done = subprocess.run(
        ["cc", "-w", "-x", "c", "-O1", *flags, "-o", str(target), "-"],
        input=text,
        capture_output=True,
        text=True,
    )
    if done.returncode and "-static" in flags:
        pytest.skip("the C compiler makes no static programs here")
    assert done.returncode == 0, done.stderr
    return target


def fake_qemu(folder: Path, *flags: str) -> Path:
    """An emulator that emulates nothing, see record/fake_qemu.c."""
    return compiled(FAKE, folder / NAME, "-rdynamic", "-pthread", "-ldl", *flags)


def need(*tools: str) -> None:
    """Skip the test where one of qemu and lackey is not installed, or qemu takes no plugins."""
    if "qemu" in tools:
        qemu = find_qemu()
        if qemu is None:
            pytest.skip(f"{NAME} is not installed")
        said = subprocess.run([qemu, "-help"], capture_output=True, text=True).stdout
        if "-plugin" not in said:
            pytest.skip(f"this {NAME} takes no plugins")
        if shutil.which("cc") is None:
            pytest.skip("there is no C compiler")
    if "lackey" in tools and find_valgrind() is None:
        pytest.skip("valgrind is not installed")


def walked(seed: int, count: int, pages: int) -> Sequence[int]:
    """What "walk" of the fake does: virtual pages, bit 63: write."""
    found, state = [], seed
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        near = 12 if (state >> 40) % 4 else pages
        page = 0x7F0000000 + (state >> 33) % near
        found.append(page | (1 << 63 if (state >> 50) % 3 == 0 else 0))
    return found
