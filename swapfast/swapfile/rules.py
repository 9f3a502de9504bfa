"""What a kernel makes of a swap header: accepted with how many pages, or refused and why.

- `HeaderRules`: the differences between kernels as values; `check()` gives the verdict.
- `RULES_2_6_25`, `RULES_6_18`: the two kernels that are modelled; `RULES` finds them by name.
- `SwapGeometry`: the verdict of an accepted header.

Sources: mm/swapfile.c, sys_swapon, 2.6.25; mm/swapfile.c, read_swap_header and setup_swap_map,
6.18. Every refusal is EINVAL; the order of the checks is the kernel's, so that of several faults
the one is named that the kernel log would name.
"""

from __future__ import annotations

import errno
import uuid as uuids
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from swapfast.swapfile.header import (
    BADPAGES_AT,
    LAST_PAGE_AT,
    NATIVE,
    NR_BADPAGES_AT,
    SIGNATURE,
    UINT32_MAX,
    VERSION_AT,
    RawHeader,
    SwapHeader,
    describe_signature,
    label_text,
    max_bad_pages,
    other_byteorder,
    signature_of,
    unpack_bad_pages,
    unpack_words,
)


@dataclass(frozen=True, slots=True)
class SwapGeometry:
    """Pages that a kernel uses of an area.

    Attributes
    ----------
    header : SwapHeader
        The header as read.
    pages : int
        Usable pages: what /proc/swaps shows, times the page size.
    end : int
        One past the highest page that may be used; pages are 1..end-1 without the bad ones.
    """

    header: SwapHeader
    pages: int
    end: int


@dataclass(frozen=True, slots=True)
class HeaderRules:
    """How one kernel reads a swap header.

    Parameters
    ----------
    name : str
        The kernel's version.
    byte_swapped : bool
        Headers in the other byte order are read.
    uses_last_page : bool
        Page `last_page` is used. 2.6.25 takes `last_page` for the number of pages: it loses that
        page, and in exchange accepts a header that counts one page more than the file has.
    """

    name: str
    byte_swapped: bool
    uses_last_page: bool

    def check(
        self,
        head: bytes,
        file_pages: int,
        kind: Literal["file", "block"] = "file",
        *,
        page_size: int = 4096,
        path: str | None = None,
    ) -> SwapGeometry:
        """Judge a header.

        Parameters
        ----------
        head : bytes
            The beginning of the area: a page, better 65536 bytes (see `describe_signature`).
        file_pages : int
            Whole pages of the file or device.
        kind : {"file", "block"}
            Bad pages are for block devices only.
        page_size : int
            Bytes a page.
        path : str, optional
            Name for the message.

        Returns
        -------
        SwapGeometry

        Raises
        ------
        OSError
            EINVAL, with a sentence. An area whose bad pages leave nothing is refused even where
            numbers listed twice would make the kernel's count negative.
        """

        def refuse(sentence: str) -> OSError:
            return OSError(errno.EINVAL, sentence, path)

        if len(head) < page_size or signature_of(head, page_size) != SIGNATURE:
            raise refuse(describe_signature(head, page_size))
        order = NATIVE
        raw = unpack_words(head, order)
        swapped = unpack_words(head, other_byteorder(order))
        if self.byte_swapped and swapped.version == 1:
            order, raw = other_byteorder(order), swapped
        if raw.version != 1:
            hint = (
                f"the header is {other_byteorder(order)}-endian, which {self.name} does not read"
                if swapped.version == 1
                else "only version 1 is known; run mkswap"
            )
            raise refuse(f"byte {VERSION_AT}: swap header version {raw.version}; {hint}")
        end = self._end(raw, file_pages, refuse)
        bad = self._bad_pages(head, raw, order, kind, page_size, refuse)
        pages = end - 1 - len(bad)
        if pages <= 0:
            raise refuse(
                f"byte {LAST_PAGE_AT}: no usable page is left of last_page {raw.last_page} "
                f"with {len(bad)} bad pages; make the area larger"
            )
        header = SwapHeader(
            last_page=raw.last_page,
            bad_pages=bad,
            uuid=uuids.UUID(bytes=raw.uuid),
            label=label_text(raw.label),
            byteorder=order,
            page_size=page_size,
        )
        return SwapGeometry(header, pages, end)

    def _end(self, raw: RawHeader, file_pages: int, refuse: Callable[[str], OSError]) -> int:
        if raw.last_page == 0:
            raise refuse(f"byte {LAST_PAGE_AT}: last_page is 0, the area is empty; run mkswap")
        # si->max is an unsigned int: the kernel does not let last_page + 1 overflow it.
        end = min(raw.last_page + 1, UINT32_MAX) if self.uses_last_page else raw.last_page
        if end > file_pages:
            raise refuse(
                f"byte {LAST_PAGE_AT}: last_page is {raw.last_page}, but the area has only "
                f"{file_pages} pages; it was truncated, restore it or run mkswap"
            )
        return end

    def _bad_pages(
        self,
        head: bytes,
        raw: RawHeader,
        order: Literal["little", "big"],
        kind: str,
        page_size: int,
        refuse: Callable[[str], OSError],
    ) -> tuple[int, ...]:
        if raw.nr_badpages and kind == "file":
            raise refuse(
                f"byte {NR_BADPAGES_AT}: {raw.nr_badpages} bad pages, and a regular file may have "
                "none; make a new file"
            )
        most = max_bad_pages(page_size)
        if raw.nr_badpages > most:
            raise refuse(
                f"byte {NR_BADPAGES_AT}: {raw.nr_badpages} bad pages, the header has room for "
                f"{most}; run mkswap"
            )
        bad = unpack_bad_pages(head, raw.nr_badpages, order)
        highest = raw.last_page if self.uses_last_page else raw.last_page - 1
        for index, page in enumerate(bad):
            if not 1 <= page <= highest:
                raise refuse(
                    f"byte {BADPAGES_AT + 4 * index}: bad page {page} is not in 1..{highest}; "
                    "run mkswap"
                )
        return bad


RULES_2_6_25 = HeaderRules("2.6.25", byte_swapped=False, uses_last_page=False)
RULES_6_18 = HeaderRules("6.18", byte_swapped=True, uses_last_page=True)
RULES = {rules.name: rules for rules in (RULES_2_6_25, RULES_6_18)}
