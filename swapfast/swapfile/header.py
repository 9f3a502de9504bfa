"""The first page of a version 1 swap area: what lies where, written and read.

- `SwapHeader`: the fields of a header; `pack()` gives the page.
- `parse_header(page)`: the reverse; `ValueError` names the byte that is wrong.
- `max_bad_pages(page_size)`, `check_page_size(page_size)`: limits that follow from the layout.
- `describe_signature(head)`: what is there when it is not a swap area of this page size.

Layout ("union swap_header", include/linux/swap.h; words of 32 bits in the writer's byte order):

====================  ======  ==========================================================
byte                  length  field
====================  ======  ==========================================================
0                     1024    boot bits, free for boot loaders and disk labels
1024                  4       version, 1
1028                  4       last_page, number of the last page of the area
1032                  4       nr_badpages
1036                  16      UUID
1052                  16      volume label, padded with NUL
1068                  468     padding
1536                  4 each  numbers of the bad pages
page size - 10        10      ``SWAPSPACE2``
====================  ======  ==========================================================
"""

from __future__ import annotations

import struct
import sys
import uuid as uuids
from dataclasses import dataclass
from typing import Literal, NamedTuple

ByteOrder = Literal["little", "big"]

SIGNATURE = b"SWAPSPACE2"
AT_REST = b"SWAPFAST-1"  # a checkpoint's area while nobody runs on it
BOOTBITS_BYTES = 1024
VERSION_AT, LAST_PAGE_AT, NR_BADPAGES_AT = 1024, 1028, 1032
UUID_AT, LABEL_AT, BADPAGES_AT = 1036, 1052, 1536
LABEL_BYTES = 16
UINT32_MAX = 0xFFFF_FFFF
PAGE_SIZE = 4096  # of the simulated machines
PAGE_SIZES = (4096, 8192, 16384, 32768, 65536)  # those on which Linux makes swap areas

# Signatures that may stand where ours does: what each means, for a reader of an error message.
OTHER_SIGNATURES = {
    b"SWAP-SPACE": "a version 0 swap area, which no kernel since 2.6 reads; run mkswap on it",
    b"S1SUSPEND": "a hibernation image (S1SUSPEND); resume from it, or run mkswap to give it up",
    b"S2SUSPEND": "a hibernation image (S2SUSPEND); resume from it, or run mkswap to give it up",
    b"ULSUSPEND": "a hibernation image (ULSUSPEND); resume from it, or run mkswap to give it up",
    b"LINHIB0001": "a hibernation image (LINHIB0001); resume from it, or run mkswap to give it up",
    AT_REST: "a swapfast checkpoint at rest; restart it, or run mkswap to give it up",
}


NATIVE: ByteOrder = "little" if sys.byteorder == "little" else "big"
NO_UUID = uuids.UUID(int=0)


class RawHeader(NamedTuple):
    """The fixed words of a header as they stand on the page, not judged."""

    version: int
    last_page: int
    nr_badpages: int
    uuid: bytes
    label: bytes


def other_byteorder(order: ByteOrder) -> ByteOrder:
    """The byte order that `order` is not."""
    return "big" if order == "little" else "little"


def _prefix(order: ByteOrder) -> str:
    return "<" if order == "little" else ">"


def check_page_size(page_size: int) -> None:
    """Refuse a page size that cannot hold a header.

    Raises
    ------
    ValueError
        `page_size` is not a power of two, or leaves no room between byte 1536 and the signature
        (disk-utils/mkswap.c, init_signature_page).
    """
    if page_size < BADPAGES_AT + len(SIGNATURE) or page_size & (page_size - 1):
        raise ValueError(f"page_size: {page_size} is not a power of two of at least 2048 bytes")


def max_bad_pages(page_size: int = 4096) -> int:
    """Room for bad page numbers between byte 1536 and the signature: 637 on a 4 KiB page."""
    check_page_size(page_size)
    return (page_size - len(SIGNATURE) - BADPAGES_AT) // 4


def unpack_words(page: bytes, order: ByteOrder) -> RawHeader:
    """Read the fixed words of `page` in byte order `order`; the page must reach byte 1068."""
    return RawHeader(*struct.unpack_from(f"{_prefix(order)}3I16s16s", page, VERSION_AT))


def unpack_bad_pages(page: bytes, count: int, order: ByteOrder) -> tuple[int, ...]:
    """Read `count` bad page numbers of `page`; the caller has checked `count`."""
    return struct.unpack_from(f"{_prefix(order)}{count}I", page, BADPAGES_AT)


def signature_of(head: bytes, page_size: int) -> bytes | None:
    """The known signature at the end of the first page of `page_size` bytes, or None."""
    end = bytes(head[page_size - len(SIGNATURE) : page_size])
    for known in (SIGNATURE, *OTHER_SIGNATURES):
        if end.startswith(known):
            return known
    return None


def describe_signature(head: bytes, page_size: int = 4096) -> str:
    """Say what `head` is, given that it is not a swap area with pages of `page_size` bytes.

    Parameters
    ----------
    head : bytes
        The beginning of the file; 65536 bytes let areas of every page size be recognised.
    page_size : int
        Bytes a page.
    """
    if len(head) < page_size:
        return f"only {len(head)} bytes, a swap header takes a page of {page_size}; run mkswap"
    at = page_size - len(SIGNATURE)
    known = signature_of(head, page_size)
    if known in OTHER_SIGNATURES:
        return f"byte {at}: {OTHER_SIGNATURES[known]}"
    for size in PAGE_SIZES:
        if size != page_size and signature_of(head, size) == SIGNATURE:
            return (
                f"byte {size - len(SIGNATURE)}: a swap area made for pages of {size >> 10} KiB, "
                f"not of {page_size} bytes; run mkswap with page_size={page_size}"
            )
    found = bytes(head[at:page_size])
    if not any(found):
        return f"byte {at}: no swap signature; run mkswap first"
    return f"byte {at}: no swap signature but {found!r}; run mkswap first"


@dataclass(frozen=True, slots=True)
class SwapHeader:
    """The header of a version 1 swap area.

    Parameters
    ----------
    last_page : int
        Number of the last page of the area, 1..2**32-1; the header is page 0.
    bad_pages : tuple of int
        Pages never to be used, each 1..last_page, at most `max_bad_pages(page_size)`.
        A page listed twice counts twice, as it does in the kernel.
    uuid : uuid.UUID
        Name for machines.
    label : str
        Name for people, at most 16 bytes in UTF-8 (mkswap writes 15 and a NUL). Bytes that are
        not UTF-8 are kept as lone surrogates (PEP 383).
    byteorder : {"little", "big"}
        Order of the bytes in a word.
    page_size : int
        Bytes a page.
    version : int
        Always 1.

    Raises
    ------
    ValueError
        A field is out of range; the message names the field and its byte on the page.
    """

    last_page: int
    bad_pages: tuple[int, ...] = ()
    uuid: uuids.UUID = NO_UUID
    label: str = ""
    byteorder: ByteOrder = NATIVE
    page_size: int = 4096
    version: int = 1

    def __post_init__(self) -> None:
        check_page_size(self.page_size)
        if self.byteorder not in ("little", "big"):
            raise ValueError(f'byteorder: {self.byteorder!r} is neither "little" nor "big"')
        if self.version != 1:
            raise ValueError(f"version (byte {VERSION_AT}): {self.version}, only 1 is known")
        if not 1 <= self.last_page <= UINT32_MAX:
            raise ValueError(
                f"last_page (byte {LAST_PAGE_AT}): {self.last_page} is not in 1..{UINT32_MAX}"
            )
        most = max_bad_pages(self.page_size)
        if len(self.bad_pages) > most:
            raise ValueError(
                f"nr_badpages (byte {NR_BADPAGES_AT}): {len(self.bad_pages)}, "
                f"the page has room for {most}"
            )
        for index, page in enumerate(self.bad_pages):
            if not 1 <= page <= self.last_page:
                raise ValueError(
                    f"badpages[{index}] (byte {BADPAGES_AT + 4 * index}): {page} is not in "
                    f"1..last_page ({self.last_page})"
                )
        encoded = self.label.encode("utf-8", "surrogateescape")
        if len(encoded) > LABEL_BYTES or b"\0" in encoded:
            raise ValueError(
                f"label (byte {LABEL_AT}): {self.label!r} is longer than {LABEL_BYTES} bytes "
                "or contains NUL"
            )

    def pack(self) -> bytes:
        """The page: `page_size` bytes, boot bits and padding zero."""
        page = bytearray(self.page_size)
        prefix = _prefix(self.byteorder)
        struct.pack_into(
            f"{prefix}3I16s16s",
            page,
            VERSION_AT,
            self.version,
            self.last_page,
            len(self.bad_pages),
            self.uuid.bytes,
            self.label.encode("utf-8", "surrogateescape"),
        )
        struct.pack_into(f"{prefix}{len(self.bad_pages)}I", page, BADPAGES_AT, *self.bad_pages)
        page[-len(SIGNATURE) :] = SIGNATURE
        return bytes(page)


def label_text(raw: bytes) -> str:
    """The label of 16 raw bytes: up to the first NUL."""
    return raw.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def parse_header(
    page: bytes, *, page_size: int = 4096, byteorder: ByteOrder | None = None
) -> SwapHeader:
    """Read a header; whether a kernel would use the area is `HeaderRules.check`.

    Parameters
    ----------
    page : bytes
        The first page of the area, or more of it.
    page_size : int
        Bytes a page.
    byteorder : {"little", "big"}, optional
        Without it the order in which the version reads 1.

    Raises
    ------
    ValueError
        Not a version 1 swap header; the message names the byte and the cause.
    """
    check_page_size(page_size)
    if len(page) < page_size or signature_of(page, page_size) != SIGNATURE:
        raise ValueError(describe_signature(page, page_size))
    order = byteorder or NATIVE
    raw = unpack_words(page, order)
    if byteorder is None and raw.version != 1:
        swapped = unpack_words(page, other_byteorder(order))
        if swapped.version == 1:
            order, raw = other_byteorder(order), swapped
    most = max_bad_pages(page_size)
    if raw.nr_badpages > most:
        raise ValueError(
            f"nr_badpages (byte {NR_BADPAGES_AT}): {raw.nr_badpages}, the page has room for {most}"
        )
    return SwapHeader(
        version=raw.version,
        last_page=raw.last_page,
        bad_pages=unpack_bad_pages(page, raw.nr_badpages, order),
        uuid=uuids.UUID(bytes=raw.uuid),
        label=label_text(raw.label),
        byteorder=order,
        page_size=page_size,
    )
