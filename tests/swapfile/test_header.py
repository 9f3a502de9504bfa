"""The header page: its layout, both directions, and whatever bytes may stand there."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapfast.swapfile import SwapHeader, max_bad_pages, parse_header

UUID = uuid.UUID("12345678-1234-5678-9abc-def012345678")
SIZES = st.sampled_from([2048, 4096, 8192, 65536])


def test_room_for_bad_pages() -> None:
    assert max_bad_pages(4096) == 637
    assert max_bad_pages(65536) == 15997


@pytest.mark.parametrize(("order", "sign"), [("little", "<"), ("big", ">")])
def test_layout(order: str, sign: str) -> None:
    header = SwapHeader(
        last_page=16383,
        bad_pages=(7, 9),
        uuid=UUID,
        label="swap",
        byteorder=order,  # type: ignore[arg-type]
    )
    page = header.pack()
    assert len(page) == 4096
    assert page[:1024] == bytes(1024)
    assert struct.unpack_from(f"{sign}3I", page, 1024) == (1, 16383, 2)
    assert page[1036:1052] == UUID.bytes
    assert page[1052:1068] == b"swap" + bytes(12)
    assert page[1068:1536] == bytes(468)
    assert struct.unpack_from(f"{sign}2I", page, 1536) == (7, 9)
    assert page[1544:4086] == bytes(2542)
    assert page[4086:] == b"SWAPSPACE2"


@st.composite
def headers(draw: st.DrawFn) -> SwapHeader:
    size = draw(SIZES)
    last_page = draw(st.integers(1, 2**32 - 1))
    text = draw(st.binary(max_size=16).filter(lambda raw: b"\0" not in raw))
    return SwapHeader(
        last_page=last_page,
        bad_pages=tuple(
            draw(st.lists(st.integers(1, last_page), max_size=min(20, max_bad_pages(size))))
        ),
        uuid=draw(st.uuids()),
        label=text.decode("utf-8", "surrogateescape"),
        byteorder=draw(st.sampled_from(["little", "big"])),
        page_size=size,
    )


@given(headers())
def test_round_trip(header: SwapHeader) -> None:
    assert parse_header(header.pack(), page_size=header.page_size) == header


def test_full_bad_page_list() -> None:
    header = SwapHeader(last_page=700, bad_pages=tuple(range(1, 638)))
    assert parse_header(header.pack()) == header
    with pytest.raises(ValueError, match=r"byte 1032.*638.*637"):
        SwapHeader(last_page=700, bad_pages=tuple(range(1, 639)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"last_page": 0}, "last_page .byte 1028"),
        ({"last_page": 2**32}, "last_page .byte 1028"),
        ({"bad_pages": (1, 0)}, r"badpages\[1\] .byte 1540"),
        ({"bad_pages": (11,)}, r"badpages\[0\] .byte 1536"),
        ({"label": "x" * 17}, "label .byte 1052"),
        ({"label": "a\0b"}, "label .byte 1052"),
        ({"version": 2}, "version .byte 1024"),
        ({"byteorder": "middle"}, "byteorder"),
        ({"page_size": 1024}, "page_size"),
        ({"page_size": 5000}, "page_size"),
    ],
)
def test_field_out_of_range(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SwapHeader(**{"last_page": 10, **change})  # type: ignore[arg-type]


def test_a_page_is_read_in_the_order_that_fits(make_header: Callable[..., bytearray]) -> None:
    big = bytes(make_header(99, order=">"))
    assert parse_header(big).byteorder == "big"
    assert parse_header(big).last_page == 99
    with pytest.raises(ValueError, match="byte 1024"):
        parse_header(big, byteorder="little")


def with_signature(signature: bytes) -> bytes:
    return bytes(4086) + signature.ljust(10, b"\0")


@pytest.mark.parametrize(
    ("page", "message"),
    [
        (b"", "only 0 bytes"),
        (bytes(4095), "only 4095 bytes"),
        (bytes(4096), "byte 4086: no swap signature"),
        (with_signature(b"HELLO"), "byte 4086: no swap signature but b'HELLO"),
        (with_signature(b"SWAP-SPACE"), "byte 4086: a version 0"),
        (with_signature(b"S1SUSPEND"), "byte 4086: a hibernation image"),
        (with_signature(b"LINHIB0001"), "byte 4086: a hibernation image"),
        (bytes(65526) + b"SWAPSPACE2", "byte 65526: .*64 KiB.*page_size=4096"),
        (bytes(SwapHeader(last_page=9).pack()[:4095]) + b"3", "byte 4086: .*SWAPSPACE3"),
    ],
)
def test_not_a_swap_area(page: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_header(page)


def test_faults_are_named_by_byte(make_header: Callable[..., bytearray]) -> None:
    for header, message in (
        (make_header(10, version=2), "byte 1024.*: 2"),
        (make_header(0), "byte 1028.*: 0"),
        (make_header(10, count=638), "byte 1032.*: 638"),
        (make_header(10, count=2**32 - 1), "byte 1032.*: 4294967295"),
        (make_header(10, (3, 11)), "byte 1540.*: 11"),
    ):
        with pytest.raises(ValueError, match=message):
            parse_header(bytes(header))


@given(st.binary(max_size=5000), st.sampled_from([2048, 4096]), st.booleans())
def test_any_bytes_are_read_or_refused(noise: bytes, page_size: int, signed: bool) -> None:
    page = bytearray(noise)
    if signed:
        page = page.ljust(page_size, b"\0")
        page[page_size - 10 : page_size] = b"SWAPSPACE2"
    try:
        header = parse_header(bytes(page), page_size=page_size)
    except ValueError as error:
        assert "byte" in str(error)
    else:
        assert header.pack()[page_size - 10 :] == b"SWAPSPACE2"


@given(st.lists(st.tuples(st.sampled_from(range(1024, 1600)), st.integers(0, 255)), max_size=8))
def test_damaged_headers_are_read_or_refused(damage: list[tuple[int, int]]) -> None:
    page = bytearray(SwapHeader(last_page=1000, uuid=UUID, label="x").pack())
    for at, value in damage:
        page[at] = value
    try:
        header = parse_header(bytes(page))
    except ValueError as error:
        assert "byte" in str(error)
    else:
        assert parse_header(header.pack()) == header
