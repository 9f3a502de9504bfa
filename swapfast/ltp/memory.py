"""The memory tests of LTP 2008: testcases/kernel/mem.

- mtest01, mtest01w: fill a share of RAM and swap
- mem01, mem02: malloc, calloc
- page01, page02: many processes that all page
- data_space, stack_space: chunks written and verified in random order

malloc(3) of 128 KiB or more is mmap(2) in glibc, so it is here.
"""

from __future__ import annotations

import random
import signal
import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from swapfast.errors import TaskKilled
from swapfast.ltp.lib import (
    GIB,
    KIB,
    MIB,
    TBROK,
    TFAIL,
    TINFO,
    TPASS,
    TestContext,
    TestHang,
)
from swapfast.ltp.registry import ltp_test

if TYPE_CHECKING:
    from swapfast.kernel.state import Mapping, Task

BATCH_PAGES = 4096
POLL_CHUNKS = 64  # chunks that a writer of mtest01 takes between two looks of its parent


def _address_cap(t: TestContext) -> int:
    """The most that mem01 and one child of mtest01 allocate, bytes: by the word size."""
    return t.scaled(GIB if t.task.kernel.bits == 32 else 3 * GIB)


# --- mtest01 -----------------------------------------------------------------------------------


class _Writer:
    """A child of mtest01: mallocs chunk after chunk, writes to it with -w, reports, sleeps."""

    def __init__(self, task: Task, size: int, write: bool) -> None:
        self.task = task
        self.size = size
        self.write = write
        self.bytecount = MIB
        self.reported = False

    @property
    def active(self) -> bool:
        return not self.reported and self.task.state == "running"

    def step(self, t: TestContext) -> None:
        """One chunk. The count starts at one chunk, as in the original."""
        try:
            mapping = self.task.mmap(MIB)
        except OSError:
            t.resm(TINFO, f"stopped at {self.bytecount} bytes")
            self.task.exit(1)
            return
        if self.write:
            t.fill(mapping, b"a")
        self.bytecount += MIB
        if self.bytecount >= self.size:
            t.resm(TINFO, f"... {self.bytecount} bytes allocated{' and used' * self.write}.")
            self.reported = True

    def run(self, t: TestContext, chunks: int) -> None:
        """Up to `chunks` chunks, or less if it is done or is killed."""
        try:
            for _ in range(chunks):
                if self.active:
                    self.step(t)
        except TaskKilled as killed:
            if killed.pid != self.task.pid:
                raise


def _free_memory(t: TestContext) -> int:
    info = t.task.sysinfo()
    return (info.freeram + info.freeswap) * info.mem_unit


def _fill_memory(t: TestContext, percent: int, write: bool) -> None:
    """Fill `percent` of RAM and swap from children; with `write` wait until it is really in use."""
    info = t.task.sysinfo()
    total = (info.totalram + info.totalswap) * info.mem_unit
    free_before = (info.freeram + info.freeswap) * info.mem_unit
    wanted = total * percent // 100
    used = total - free_before
    t.resm(TINFO, f"Total memory used needed to reach maxpercent = {wanted // KIB} kbytes")
    t.resm(TINFO, f"Total memory already used on system = {used // KIB} kbytes")
    if used > wanted:
        t.resm(TFAIL, "More memory than the maximum amount you specified is already being used")
        t.exit(1)
    maximum = wanted - used
    t.resm(TINFO, f"Filling up {percent}% of ram which is {maximum // KIB} kbytes")

    writers = []
    left, cap = maximum, _address_cap(t)
    while True:
        writers.append(_Writer(t.task.fork(name=t.name), min(left, cap), write))
        if left <= cap:
            break
        left -= cap
    while any(writer.active for writer in writers):
        for writer in writers:
            writer.run(t, POLL_CHUNKS)
        if write and free_before - _free_memory(t) >= maximum:
            break
    if write and free_before - _free_memory(t) < maximum:
        _wait_for_reports(writers)
    for writer in writers:
        t.errno_of(t.task.kill, writer.task.pid, signal.SIGKILL)
    t.resm(TPASS, f"{maximum // KIB} kbytes allocated{' and used' if write else ' only'}.")
    t.exit(0)


def _wait_for_reports(writers: Sequence[_Writer]) -> None:
    """The parent sleeps until every child has reported, which one that is gone never does."""
    missing = [writer.task.pid for writer in writers if not writer.reported]
    if missing:
        gone = ", ".join(map(str, missing))
        raise TestHang(f"the parent waits for ever for a report of child {gone}, which is gone")


# --- in the order of runtest/mm ----------------------------------------------------------------


@ltp_test("mm")
def mtest01(t: TestContext) -> None:
    """Children malloc until 80 % of RAM and swap would be in use (-p80)."""
    _fill_memory(t, 80, write=False)


@ltp_test("mm")
def mtest01w(t: TestContext) -> None:
    """Children malloc and write until 80 % of RAM and swap is in use (-p80 -w)."""
    _fill_memory(t, 80, write=True)


@ltp_test("mm")
def mem01(t: TestContext) -> None:
    """malloc(3) of all free RAM and free swap, then one int written to each page, in order."""
    info = t.task.sysinfo()
    free_ram = info.freeram * info.mem_unit
    free_swap = info.freeswap * info.mem_unit
    t.resm(TINFO, f"Free Mem: {free_ram // MIB} Mb")
    t.resm(TINFO, f"Free Swap: {free_swap // MIB} Mb")
    size = min(free_ram + free_swap, _address_cap(t))
    t.resm(TINFO, f"Total Tested: {size // MIB} Mb")
    if size < 1:
        t.brkm(TBROK, "Unable to guess maxmemsize from sysinfo")
    try:
        mapping = t.task.mmap(size)
    except OSError as error:
        t.resm(TFAIL, f"malloc - alloc of {size // MIB}MB failed: {error}")
        return
    t.resm(TINFO, f"touching {size // MIB}MB of malloc'ed memory (linear)")
    pages = size // t.task.kernel.page_size
    for first in range(0, pages, BATCH_PAGES):
        # With contents the tag, the page and its turn stand for the int that the original writes.
        mapping.touch(slice(first, min(first + BATCH_PAGES, pages)), write=True, tag=t.name)
    mapping.munmap()
    t.resm(TPASS, f"malloc - alloc of {size // MIB}MB succeeded")


@ltp_test("mm")
def mem02(t: TestContext) -> None:
    """calloc(3) gives zeroes, memory holds what is written, free(3) frees, valloc(3) aligns."""
    size = t.scaled(64 * MIB)
    for call, zeroed in (("calloc", True), ("malloc", False)):
        before = _free_memory(t)
        memory = t.task.mmap(size)
        if zeroed and not t.holds(memory, b"\0"):
            t.resm(TFAIL, "calloc returned non zero memory")
            return
        t.fill(memory, b"X")
        if not t.holds(memory, b"X"):
            t.resm(TFAIL, "could not write/verify memory")
            return
        memory.munmap()
        # The original compares addresses; what it wants to know is that the memory came back.
        if _free_memory(t) < before:
            t.resm(TFAIL, "free did not dealloc memory")
            return
        t.resm(TPASS, f"{call} - {call} of {size // MIB}MB of memory succeeded")
    page_size = t.task.kernel.page_size
    sizes = random.Random(1)
    for _ in range(100):
        block = t.task.mmap(sizes.randint(1, 100000))
        if block.addr % page_size:
            t.resm(TFAIL, "Valloc returned unaligned data")
            return
        block.munmap()


def _page_children(
    t: TestContext,
    count: int,
    size: int,
    write: Callable[[TestContext, Mapping], None],
    verify: Callable[[TestContext, Mapping], bool],
) -> None:
    """`count` children allocate `size` bytes and write; when all have, each one verifies."""
    children = []
    for _ in range(count):
        child = t.adopt(t.task.fork(name=t.name))
        try:
            memory = child.task.mmap(size)
            write(child, memory)
        except TaskKilled as killed:
            if killed.pid != child.task.pid:
                raise
        else:
            children.append((child, memory))
    for child, memory in children:
        if not child.alive:
            continue
        try:
            child.task.exit(0 if verify(child, memory) else 1)
        except TaskKilled as killed:
            if killed.pid != child.task.pid:
                raise
    ends = [t.task.wait() for _ in range(count)]
    bad = [pid for pid, code, killed_by in ends if code or killed_by]
    t.check(
        not bad,
        f"{count} children found what they wrote",
        f"children {bad} lost what they wrote, or were killed",
    )


def _words(first: int, count: int) -> bytes:
    return struct.pack(f"={count}I", *range(first, first + count))


@ltp_test("mm")
def page01(t: TestContext) -> None:
    """50 processes write 256 K ints each, from the first on, and find them again."""
    pattern = _words(1, 1024)
    _page_children(
        t,
        50,
        t.scaled(256 * KIB * 4),
        lambda child, memory: child.fill(memory, pattern),
        lambda child, memory: child.holds(memory, pattern),
    )


@ltp_test("mm")
def page02(t: TestContext) -> None:
    """50 processes write 256 K ints each, from the middle outwards, and find them again."""
    page_size = t.task.kernel.page_size
    pattern = _words(7, 1024)

    def outwards(memory: Mapping) -> list[int]:
        middle = memory.pages // 2
        pairs = ((middle + step, middle - 1 - step) for step in range(memory.pages - middle))
        return [page for pair in pairs for page in pair if 0 <= page < memory.pages]

    def write(child: TestContext, memory: Mapping) -> None:
        for page in outwards(memory):
            child.fill(memory, pattern, page * page_size, page_size)

    def verify(child: TestContext, memory: Mapping) -> bool:
        return all(
            child.holds(memory, pattern, page * page_size, page_size) for page in outwards(memory)
        )

    _page_children(t, 50, t.scaled(256 * KIB * 4), write, verify)


def _chunks_in_random_order(t: TestContext, seed: int) -> None:
    """10 children fill 1 MiB each, chunk by chunk in random order, checking what was there."""
    chunk = t.task.kernel.page_size
    children = 10
    size = t.scaled(MIB)

    def body(child: TestContext) -> int:
        order = random.Random(seed + child.task.pid)
        memory = child.task.mmap(size)
        letters = [b"-"] * (size // chunk)
        child.fill(memory, b"-")
        for letter in (b"a", b"b", b"c"):
            for number in order.sample(range(len(letters)), len(letters)):
                if not child.holds(memory, letters[number], number * chunk, chunk):
                    return 1
                child.fill(memory, letter, number * chunk, chunk)
                letters[number] = letter
        return 0 if child.holds(memory, b"c") else 1

    for _ in range(children):
        t.fork(body)
    bad = [end for end in (t.task.wait() for _ in range(children)) if end[1] or end[2]]
    t.check(not bad, "every chunk held what was written", f"children that failed: {bad}")


@ltp_test("mm")
def data_space(t: TestContext) -> None:
    """Children write and verify chunks of a data space in random order."""
    _chunks_in_random_order(t, 1)


@ltp_test("mm")
def stack_space(t: TestContext) -> None:
    """Children write and verify chunks of a stack in random order."""
    _chunks_in_random_order(t, 2)
