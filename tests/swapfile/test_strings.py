"""strings and nonzero_pages against strings(1) and against the obvious way."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapfast.swapfile import mkswap, nonzero_pages, strings
from swapfast.swapfile.strings import _PIECE


def obvious(content: bytes, least: int) -> list[tuple[int, str]]:
    return [
        (found.start(), found[0].decode())
        for found in re.finditer(rb"[\t\x20-\x7e]{%d,}" % least, content)
    ]


@given(st.binary(max_size=300), st.integers(1, 9))
def test_small(content: bytes, least: int) -> None:
    assert list(strings(content, least)) == obvious(content, least)


@given(st.lists(st.tuples(st.integers(-40, 40), st.integers(1, 60)), max_size=6), st.integers(1, 8))
def test_across_pieces(spots: list[tuple[int, int]], least: int) -> None:
    """Text laid around the borders between pieces comes out whole."""
    content = bytearray(2 * _PIECE + 100)
    for index, (near, length) in enumerate(spots):
        at = (index % 2 + 1) * _PIECE + near
        content[at : at + length] = bytes(65 + index for _ in range(length))
    assert list(strings(bytes(content), least)) == obvious(bytes(content), least)


def test_string_longer_than_pieces() -> None:
    text = "x" * (3 * _PIECE + 17)
    content = b"\0\0" + text.encode() + b"\0"
    assert list(strings(content)) == [(2, text)]
    assert list(strings(text.encode())) == [(0, text)]
    assert list(strings(text.encode(), len(text))) == [(0, text)]
    assert list(strings(text.encode(), len(text) + 1)) == []


@pytest.mark.parametrize("least", [1, 4, 7])
def test_same_as_the_tool(least: int, tmp_path: Path, tool: Callable[..., object]) -> None:
    rng = np.random.default_rng(2008)
    content = rng.integers(0, 256, 3 * _PIECE + 1234, dtype=np.uint8)
    content[_PIECE - 100 : _PIECE + 100] = ord("a")
    content[5000:70000] = rng.integers(32, 127, 65000, dtype=np.uint8)
    path = tmp_path / "random"
    path.write_bytes(content.tobytes())
    expected = tool("strings", "-a", "-n", least, "-t", "d", path).stdout
    assert "".join(f"{at:7d} {text}\n" for at, text in strings(path, least)) == expected


def test_fresh_swapfile_holds_its_signature_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "s2"
    mkswap(path, size="1MiB", uuid="clear")
    assert list(strings(path)) == [(4086, "SWAPSPACE2")]
    assert list(strings(path, start=4096)) == []
    assert nonzero_pages(path).tolist() == []
    assert nonzero_pages(path, 0).tolist() == [0]
    with open(path, "r+b") as file:
        file.seek(4096 * 7 + 4095)
        file.write(b"\1")
        file.seek(4096 * 255)
        file.write(b"\x80leak")
    assert nonzero_pages(path).tolist() == [7, 255]
    assert nonzero_pages(path, 8).tolist() == [255]
    assert list(strings(path, start=4096)) == [(4096 * 255 + 1, "leak")]


@given(
    st.lists(st.integers(0, 2 * _PIECE + 4999), max_size=5),
    st.integers(0, 140),
    st.sampled_from([8, 512, 4096, 65536]),
)
def test_nonzero_pages(spots: list[int], start: int, page_size: int) -> None:
    content = np.zeros(2 * _PIECE + 5000, dtype=np.uint8)
    content[spots] = 1
    expected = sorted({at // page_size for at in spots if at // page_size >= start})
    assert nonzero_pages(content, start, page_size=page_size).tolist() == expected
    assert nonzero_pages(content, start, page_size=page_size).dtype == np.int64


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with open(path, "wb") as file:
        file.truncate(64 << 20)
        file.seek(60 << 20)
        file.write(b"\1needle")
    tracemalloc.start()
    try:
        assert list(strings(path)) == [((60 << 20) + 1, "needle")]
        assert nonzero_pages(path).tolist() == [(60 << 20) // 4096]
        assert tracemalloc.get_traced_memory()[1] < 16 * _PIECE
    finally:
        tracemalloc.stop()


def test_arguments(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="min_length"):
        strings(b"", 0)
    with pytest.raises(ValueError, match="start"):
        strings(b"", start=-1)
    with pytest.raises(ValueError, match="start_page"):
        nonzero_pages(b"", -1)
    with pytest.raises(ValueError, match="page_size"):
        nonzero_pages(b"", page_size=1000)
    with pytest.raises(FileNotFoundError):
        list(strings(tmp_path / "none"))
    assert list(strings(b"")) == []
    assert nonzero_pages(b"").tolist() == []
    assert list(strings(memoryview(b"\0text\0"))) == [(1, "text")]
