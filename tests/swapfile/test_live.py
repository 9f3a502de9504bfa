"""The kernel of this machine as the oracle of swap headers: what swapon(2) says, and what we say.

It turns real swap areas on and off, each for a moment. So it is for root, asked for by
SWAPFAST_SWAPON=1, and not done while the machine swaps to something of its own.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from swapfast.swapfile import RULES_6_18, SwapBacking, mkswap
from swapfast.swapfile.files import kernel_areas
from tests.support.header_rows import FILE_ROWS, header_page, write_area
from tests.support.tool import Tool

PAGE = 4096
_libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture(autouse=True)
def asked_for(tmp_path: Path) -> None:
    if os.environ.get("SWAPFAST_SWAPON") != "1":
        pytest.skip("SWAPFAST_SWAPON=1 lets root ask the running kernel")
    if os.geteuid() != 0:
        pytest.skip("swapon(2) needs root")
    if kernel_areas():
        pytest.skip("the machine swaps to something; it is left alone")


def kernel_says(path: Path) -> int | None:
    """Usable pages of an area by /proc/swaps, which is off again; None: EINVAL."""
    if _libc.swapon(os.fsencode(path), 0):
        code = ctypes.get_errno()
        assert code == errno.EINVAL, os.strerror(code)
        return None
    try:
        with open("/proc/swaps") as lines:
            line = next(each for each in lines if each.startswith(f"{path} "))
        return int(line.split()[2]) // 4
    finally:
        assert _libc.swapoff(os.fsencode(path)) == 0


def we_say(path: Path) -> int | None:
    try:
        with SwapBacking.open(path, RULES_6_18) as backing:
            return backing.pages
    except OSError as error:
        assert error.errno == errno.EINVAL, error
        return None


@pytest.mark.slow
def test_headers(tmp_path: Path, make_header: Callable[..., bytearray]) -> None:
    try:
        mkswap(tmp_path / "first", size="1MiB")
        if kernel_says(tmp_path / "first") is None:
            pytest.skip("the file system of the temporary folder holds no swapfiles")
    except AssertionError as error:
        pytest.skip(f"this kernel lets nobody swapon: {error}")
    same = 0
    for number, (name, _) in enumerate(FILE_ROWS):
        path = tmp_path / f"{number}"
        write_area(path, name, header_page(name, make_header))
        os.sync()
        assert we_say(path) == kernel_says(path), name
        same += 1
    print(f"{same} headers, the same verdict and size on Linux {os.uname().release}")


@pytest.mark.slow
def test_files_of_both_tools(tmp_path: Path, tool: Tool) -> None:
    mkswap(tmp_path / "ours", size="2MiB", label="ours")
    theirs = tmp_path / "theirs"
    theirs.write_bytes(bytes(2 << 20))
    theirs.chmod(0o600)
    tool("mkswap", theirs)
    os.sync()
    for path in (tmp_path / "ours", theirs):
        assert we_say(path) == kernel_says(path) == 511
