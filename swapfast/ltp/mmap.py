"""The tests of mmap(2) and munmap(2) in LTP 2008: testcases/kernel/syscalls/mmap and munmap.

- qmm01, mm01, mm02: mmap001 with 1, 10000 and 1000 pages
- munmap01, munmap02, munmap03

The machine has anonymous memory only, so what the originals map from a file is MAP_SHARED
anonymous. Where a signal handler of the original catches SIGSEGV, the access fails with EFAULT.
"""

from __future__ import annotations

import errno

from swapfast.ltp.lib import TFAIL, TPASS, TestContext, errno_name
from swapfast.ltp.registry import ltp_test


def _mmap001(t: TestContext, pages: int) -> None:
    """Map `pages` shared pages, write all, read all back, in a child too, unmap."""
    size = pages * t.task.kernel.page_size
    try:
        mapping = t.task.mmap(size, shared=True)
    except OSError as error:
        t.resm(TFAIL, f"mmap of {pages} pages failed: {error}")
        return
    t.fill(mapping, b"mmap001.")
    if not t.holds(mapping, b"mmap001."):
        t.resm(TFAIL, "contents of the mapping changed")
        return
    mapping.munmap()
    t.resm(TPASS, f"mmap, write, verify and munmap of {pages} pages succeeded")


@ltp_test("syscalls")
def qmm01(t: TestContext) -> None:
    """mmap001 with one page (-m 1)."""
    _mmap001(t, 1)


@ltp_test("mm")
def mm01(t: TestContext) -> None:
    """mmap001 with 10000 pages (-m 10000)."""
    _mmap001(t, max(int(10000 * t.scale), 1))


@ltp_test("mm")
def mm02(t: TestContext) -> None:
    """mmap001 with its own default of 1000 pages."""
    _mmap001(t, max(int(1000 * t.scale), 1))


def _access(t: TestContext, offset: int, unmap: tuple[int, int | None], shared: bool) -> int:
    """The errno of a read at `offset` of 4 pages after munmap of a part."""
    size = 4 * t.task.kernel.page_size
    mapping = t.task.mmap(size, shared=shared)
    t.fill(mapping, b"A")
    mapping.munmap(*unmap)
    page = offset // t.task.kernel.page_size
    return t.errno_of(lambda: mapping.touch(slice(page, page + 1), write=False))


@ltp_test("syscalls")
def munmap01(t: TestContext) -> None:
    """munmap(2) of a whole shared mapping: any access to it is a fault."""
    for page in range(4):
        got = _access(t, page * t.task.kernel.page_size, (0, None), shared=True)
        t.expect(f"access to page {page} of an unmapped region", got, errno.EFAULT)


@ltp_test("syscalls")
def munmap02(t: TestContext) -> None:
    """munmap(2) from the second page on: the first can still be used, the others are gone."""
    page_size = t.task.kernel.page_size
    part = (page_size, 3 * page_size)
    got = _access(t, 0, part, shared=False)
    t.expect("access to the page that stayed mapped", got, 0)
    got = _access(t, page_size, part, shared=False)
    t.expect("access to the first page that was unmapped", got, errno.EFAULT)


@ltp_test("syscalls")
def munmap03(t: TestContext) -> None:
    """munmap(2) refuses a length of 0 and an address within a page with EINVAL."""
    mapping = t.task.mmap(4 * t.task.kernel.page_size)
    for what, offset, length in (("length 0", 0, 0), ("an address within a page", 1, 4096)):
        got = t.errno_of(mapping.munmap, offset, length)
        t.check(
            got == errno.EINVAL and mapping.mapped_pages == 4,
            f"munmap(2) of {what}: EINVAL",
            f"munmap(2) of {what}: {errno_name(got)}, {mapping.mapped_pages} pages left",
        )
    mapping.munmap()
