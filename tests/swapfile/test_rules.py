"""The verdicts of two kernels on swap headers.

`data/swap_header_6.18.txt` holds what swapon(2) of a real Linux 6.18 said to each of these areas,
on files of 2048 pages and on loop devices of the same size.
"""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapfast.swapfile import RULES, RULES_2_6_25, RULES_6_18, HeaderRules, SwapBacking, SwapHeader

Make = Callable[..., bytearray]
PAGES = 2048
TABLE = Path(__file__).parent / "data" / "swap_header_6.18.txt"
OF_THE_RUNNING_KERNEL = (  # rows about what the kernel does to others; not about a header
    "truncate of the active swapfile",
    "active swapfile: O_RDONLY",
    "active swapfile: O_RDWR",
    "unlink of the active swapfile",
    "second swapon of the active file",
)
BAD = {
    "nr_badpages 1, page 5": {"bad": (5,)},
    "nr_badpages 1, page 0": {"bad": (0,)},
    "nr_badpages 1, page 0 (the header)": {"bad": (0,)},
    "nr_badpages 1, page == last_page": {"bad": (PAGES - 1,)},
    "nr_badpages 1, page > last_page": {"bad": (PAGES,)},
    "nr_badpages 1, page 0xffffffff": {"bad": (2**32 - 1,)},
    "nr_badpages 3, same page three times": {"bad": (5, 5, 5)},
    "nr_badpages 637 (max)": {"bad": tuple(range(1, 638))},
    "nr_badpages 638 (max+1)": {"bad": tuple(range(1, 639))},
    "nr_badpages 0xffffffff": {"count": 2**32 - 1},
    "nr_badpages 3 of a 4-page area (none left)": {"last_page": 3, "bad": (1, 2, 3)},
    "big-endian, 2 bad pages": {"bad": (5, 6), "order": ">"},
}
HEADERS = {
    "valid, 2048-page file": {},
    "valid": {},
    "version 0": {"version": 0},
    "version 2": {"version": 2},
    "version 0xffffffff": {"version": 2**32 - 1},
    "big-endian header": {"order": ">"},
    "last_page 0": {"last_page": 0},
    "last_page 1": {"last_page": 1},
    "last_page 2": {"last_page": 2},
    "last_page = file pages - 1": {"last_page": PAGES - 1},
    "last_page = file pages": {"last_page": PAGES},
    "last_page = device pages": {"last_page": PAGES},
    "last_page = file pages + 1": {"last_page": PAGES + 1},
    "last_page 0xfffffffe": {"last_page": 2**32 - 2},
    "last_page 0xffffffff": {"last_page": 2**32 - 1},
    "last_page half the file": {"last_page": PAGES // 2},
    "mode 0666": {},
    "file not a page multiple (+100 bytes)": {},
    "file is the header page alone": {},
    "sparse file (hole after header)": {},
    "header valid, file truncated to half afterwards": {},
    **BAD,
}
SIGNATURES = {
    "magic SWAP-SPACE (version 0)": b"SWAP-SPACE",
    "magic S1SUSPEND": b"S1SUSPEND\0",
    "magic LINHIB0001": b"LINHIB0001",
    "magic at 64 KiB page end only": bytes(10),
    "one bit of magic flipped": b"SWAPSPACE3",
}


def table() -> list[tuple[str, int | None]]:
    """(area, usable pages or None for EINVAL) of every row about a header."""
    rows = []
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        name, verdict = re.split(r"\s{2,}", line, maxsplit=1) if "  " in line else (line, "")
        if name not in OF_THE_RUNNING_KERNEL:
            ok = re.match(r"ok\s+(\d+) usable pages", verdict)
            assert ok or verdict.startswith("EINVAL"), line
            rows.append((name, int(ok[1]) if ok else None))
    return rows


ROWS = table()
FILE_ROWS = [row for row in ROWS if not row[0].startswith("block device")]
BLOCK_ROWS = [
    (name.removeprefix("block device: "), pages)
    for name, pages in ROWS
    if name.startswith("block device")
]


def header_page(name: str, make_header: Make) -> bytearray:
    """The first 64 KiB of the area that a row is about."""
    fields = {"last_page": PAGES - 1, **HEADERS.get(name, {})}
    page = make_header(**fields) + bytes(65536 - 4096)
    if name in SIGNATURES:
        page[4086:4096] = SIGNATURES[name]
    if "64 KiB" in name:
        page[65526:65536] = b"SWAPSPACE2"
    return page


def write_area(path: Path, name: str, page: bytearray) -> None:
    """A file with that header, and with what else the row says of the file."""
    content = page.ljust(PAGES * 4096, b"\0")
    if "shorter than header" in name:
        content = content[:2048]
    elif "header page alone" in name:
        content = content[:4096]
    elif "truncated to half" in name:
        content = content[: PAGES * 2048]
    elif "+100 bytes" in name:
        content += bytes(100)
    if "sparse" in name:
        with open(path, "wb") as file:
            file.write(content[:4096])
            file.truncate(PAGES * 4096)
    else:
        path.write_bytes(content)
    path.chmod(0o666 if "0666" in name else 0o600)


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
