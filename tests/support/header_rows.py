"""The table of swapfile headers that Linux takes or refuses, and a file for each row."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

Make = Callable[..., bytearray]
PAGES = 2048
TABLE = Path(__file__).parents[1] / "swapfile" / "data" / "swap_header_6.18.txt"
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
