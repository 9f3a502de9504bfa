"""The verdicts of two kernels on swap headers.

`data/swap_header_6.18.txt` holds what swapon(2) of a real Linux 6.18 said to each of these areas,
on files of 2048 pages and on loop devices of the same size.
"""

from __future__ import annotations

import errno
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapfast.swapfile import RULES, RULES_2_6_25, RULES_6_18, HeaderRules, SwapBacking, SwapHeader
from tests.support.header_rows import (
    BLOCK_ROWS,
    FILE_ROWS,
    HEADERS,
    PAGES,
    SIGNATURES,
    Make,
    header_page,
    write_area,
)


def test_every_row_is_known() -> None:
    assert (len(FILE_ROWS), len(BLOCK_ROWS)) == (35, 14)
    known = {*HEADERS, *SIGNATURES, "file shorter than header (2048 bytes)"}
    assert {name for name, _ in FILE_ROWS + BLOCK_ROWS} == known


@pytest.mark.parametrize(("name", "pages"), FILE_ROWS)
def test_file_as_linux_6_18(
    name: str, pages: int | None, tmp_path: Path, make_header: Make
) -> None:
    path = tmp_path / "area"
    write_area(path, name, header_page(name, make_header))
    if pages is None:
        with pytest.raises(OSError, match=r".{20}") as caught:
            SwapBacking.open(path, RULES_6_18)
        assert caught.value.errno == errno.EINVAL
        assert caught.value.filename == str(path)
        return
    with SwapBacking.open(path, RULES_6_18) as backing:
        assert backing.pages == pages
        assert bool(backing.warnings) == ("0666" in name)


@pytest.mark.parametrize(("name", "pages"), BLOCK_ROWS)
def test_block_device_as_linux_6_18(name: str, pages: int | None, make_header: Make) -> None:
    head = bytes(header_page(name, make_header))
    if pages is None:
        with pytest.raises(OSError, match="byte 1") as caught:
            RULES_6_18.check(head, PAGES, "block", path="/dev/sdz")
        assert (caught.value.errno, caught.value.filename) == (errno.EINVAL, "/dev/sdz")
    else:
        assert RULES_6_18.check(head, PAGES, "block").pages == pages


# mm/swapfile.c, sys_swapon, 2.6.25, read line by line.
@pytest.mark.parametrize(
    ("fields", "kind", "pages"),
    [
        ({}, "file", 2046),
        ({"order": ">"}, "file", "byte 1024: .*big-endian.*2.6.25"),
        ({"last_page": 0}, "file", "byte 1028"),
        ({"last_page": 1}, "file", "no usable page"),
        ({"last_page": 2}, "file", 1),
        ({"last_page": PAGES}, "file", 2047),
        ({"last_page": PAGES + 1}, "file", "byte 1028: .*2048 pages"),
        ({"bad": (5,)}, "file", "byte 1032: 1 bad"),
        ({"bad": (5,)}, "block", 2045),
        ({"bad": (PAGES - 2,)}, "block", 2045),
        ({"bad": (PAGES - 1,)}, "block", "byte 1536: bad page 2047"),
        ({"bad": (1, 0)}, "block", "byte 1540: bad page 0"),
        ({"bad": (5, 5, 5)}, "block", 2043),
        ({"last_page": 3, "bad": (1, 1, 1)}, "block", "no usable page"),
        ({"count": 638}, "block", "byte 1032: 638 bad"),
        ({"version": 2}, "file", "byte 1024: swap header version 2"),
    ],
)
def test_as_linux_2_6_25(
    fields: dict[str, object], kind: str, pages: int | str, make_header: Make
) -> None:
    head = make_header(**{"last_page": PAGES - 1, **fields})
    if isinstance(pages, str):
        with pytest.raises(OSError, match=pages) as caught:
            RULES_2_6_25.check(bytes(head), PAGES, kind)  # type: ignore[arg-type]
        assert caught.value.errno == errno.EINVAL
    else:
        found = RULES_2_6_25.check(bytes(head), PAGES, kind)  # type: ignore[arg-type]
        assert found.pages == pages


@pytest.mark.parametrize(
    ("file_pages", "kib_2_6_25", "kib_6_18"),
    [(10, 32, 36), (16384, 65528, 65532), (131072, 524280, 524284)],
)
def test_sizes_in_proc_swaps(file_pages: int, kib_2_6_25: int, kib_6_18: int) -> None:
    head = SwapHeader(last_page=file_pages - 1).pack()
    assert RULES["2.6.25"].check(head, file_pages).pages * 4 == kib_2_6_25
    assert RULES["6.18"].check(head, file_pages).pages * 4 == kib_6_18


def test_the_first_fault_is_named(make_header: Make) -> None:
    """Everything is wrong: faults come up in the kernel's order as they are mended."""
    page = make_header(0, (0,), count=700, version=3)
    page[4086:] = b"SWAP-SPACE"
    mended = [
        (4086, b"SWAPSPACE2", "version 0 swap area"),
        (1024, (1).to_bytes(4, sys.byteorder), "swap header version 3"),
        (1028, (5000).to_bytes(4, sys.byteorder), "last_page is 0"),
        (1028, (2047).to_bytes(4, sys.byteorder), "only 2048 pages"),
        (1032, (1).to_bytes(4, sys.byteorder), "room for 637"),
        (1536, (1).to_bytes(4, sys.byteorder), "bad page 0"),
    ]
    page = bytearray(page)
    for at, value, message in mended:
        with pytest.raises(OSError, match=message):
            RULES_6_18.check(bytes(page), PAGES, "block")
        page[at : at + len(value)] = value
    assert RULES_6_18.check(bytes(page), PAGES, "block").pages == 2046


@given(
    damage=st.lists(st.tuples(st.integers(1024, 1600), st.binary(max_size=8)), max_size=6),
    file_pages=st.integers(0, 2**32),
    kind=st.sampled_from(["file", "block"]),
    rules=st.sampled_from([RULES_2_6_25, RULES_6_18]),
    order=st.sampled_from(["=", "<", ">"]),
)
def test_any_page_is_accepted_or_einval(
    damage: list[tuple[int, bytes]],
    file_pages: int,
    kind: str,
    rules: HeaderRules,
    order: str,
    make_header: Make,
) -> None:
    page = make_header(1000, tuple(range(1, 20)) if kind == "block" else (), order=order)
    for at, content in damage:
        page[at : at + len(content)] = content
    try:
        found = rules.check(bytes(page), file_pages, kind)  # type: ignore[arg-type]
    except OSError as error:
        assert error.errno == errno.EINVAL
    else:
        assert 1 <= found.pages < found.end <= file_pages


@given(st.binary(max_size=64), st.integers(0, 5000))
def test_noise_is_einval(noise: bytes, at: int) -> None:
    page = bytearray(8192)
    page[at : at + len(noise)] = noise
    for rules in RULES.values():
        with pytest.raises(OSError, match="byte 4086") as caught:
            rules.check(bytes(page[:8192]), 2)
        assert caught.value.errno == errno.EINVAL
