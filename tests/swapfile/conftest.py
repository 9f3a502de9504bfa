"""What the swapfile tests share: the tools of util-linux, and swapfiles made to order."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.tool import Tool, run_tool


@pytest.fixture
def tool() -> Tool:
    """Run a system tool and return what it did; skip the test where the tool is not installed."""
    return run_tool


@pytest.fixture
def allocated(tmp_path: Path) -> Callable[[str, int], Path]:
    """Make a file of zeros with all its blocks, mode 0600."""

    def make(name: str, size: int) -> Path:
        path = tmp_path / name
        with open(path, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)
        path.chmod(0o600)
        return path

    return make


def raw_header(
    last_page: int,
    bad: tuple[int, ...] = (),
    *,
    count: int | None = None,
    version: int = 1,
    order: str = "=",
    page_size: int = 4096,
) -> bytearray:
    """A header page written by hand, so that it may be wrong; room is made for any `bad`."""
    page = bytearray(page_size)
    counted = len(bad) if count is None else count
    struct.pack_into(f"{order}3I", page, 1024, version, last_page, counted)
    fitting = bad[: (page_size - 10 - 1536) // 4]
    struct.pack_into(f"{order}{len(fitting)}I", page, 1536, *fitting)
    page[-10:] = b"SWAPSPACE2"
    return page


@pytest.fixture(scope="session")
def make_header() -> Callable[..., bytearray]:
    return raw_header
