"""Run a program under valgrind and keep the pages it touches as a trace.

- ``python tools/capture_trace.py -o sort.npz --reduce 256 -- sort -S 32M big.txt > /dev/null``
- ``capture(command)``: a ``Trace`` of everything that lackey logs; the log goes through a pipe and
  is never on disk.
- ``reduced(refs, pages)``: fewer references, the same LRU faults for ``pages`` of memory or more.
- ``first_writes(refs)``: the first reference to each page made a write.

Of a program that forks, the parent is followed. Its own input and output are untouched; what there
is to say goes to standard error. Exit code 0, or 2 if there is no trace.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from swapfast.traces import WRITE, Trace, save_npz
from swapfast.traces.text import read_lackey

CHUNK = 1 << 20


def capture(command: Sequence[str], *, instructions: bool = False) -> tuple[Trace, int]:
    """Run a program under lackey.

    Parameters
    ----------
    command : sequence of str
        The program and its arguments.
    instructions : bool
        Keep instruction fetches.

    Returns
    -------
    trace : Trace
        Consecutive references to one page are merged.
    status : int
        Exit status of the program.

    Raises
    ------
    FileNotFoundError
        There is no valgrind, or no such program.
    ValueError
        What came through the pipe is no log.
    """
    for name in ("valgrind", command[0]):
        if shutil.which(name) is None:
            raise FileNotFoundError(2, "no such program; is it installed?", name)
    reader, writer = os.pipe()
    try:
        try:
            process = subprocess.Popen(
                [
                    "valgrind",
                    "--tool=lackey",
                    "--trace-mem=yes",
                    "--child-silent-after-fork=yes",
                    f"--log-fd={writer}",
                    *command,
                ],
                pass_fds=[writer],
            )
        finally:
            os.close(writer)  # the program's copy is the last: its end is the log's
        try:
            trace = read_lackey(f"/dev/fd/{reader}", instructions=instructions, collapse=True)
        except BaseException:
            process.kill()
            raise
        finally:
            status = process.wait()
    finally:
        os.close(reader)
    return trace, status


def reduced(refs: NDArray[np.uint32], pages: int) -> NDArray[np.uint32]:
    """Leave out references that no LRU memory of ``pages`` pages or more would notice.

    Of three references to a page the middle one can go if fewer than ``pages`` pages, this one
    counted, are touched from the first to the third: with or without it the page is among those
    that stay. If it wrote, the third one does instead; the page cannot be evicted between them.
    This is the "safely allowed drop" of Kaplan, Smaragdakis and Wilson, Trace Reduction for
    Virtual Memory Simulations, SIGMETRICS 1999.

    Notes
    -----
    Dropping all hits of a small LRU memory is simpler and wrong: a page that is always in use
    would look as if it were never used again.
    """
    out = refs.copy()
    kept = np.ones(len(refs), dtype=bool)
    recent: OrderedDict[int, int] = OrderedDict()  # page -> time; the ``pages`` used last
    first: dict[int, int] = {}  # page -> time of its last reference that stays
    middle: dict[int, int] = {}  # page -> time of the one after, which may still go
    for start in range(0, len(refs), CHUNK):
        for time, page in enumerate((refs[start : start + CHUNK] & ~WRITE).tolist(), start):
            if page not in first:
                first[page] = time
            else:
                if page in middle:
                    full = len(recent) == pages
                    if full and recent[next(iter(recent))] > first[page]:
                        first[page] = middle[page]
                    else:
                        kept[middle[page]] = False
                        out[time] |= out[middle[page]] & WRITE
                middle[page] = time
            recent[page] = time
            recent.move_to_end(page)
            if len(recent) > pages:
                recent.popitem(last=False)
    return out[kept]


def first_writes(refs: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """What a program reads first, somebody has written: its loader, or the kernel from a file.

    A page that is only read would be the shared zero page, which takes no memory.
    """
    out = refs.copy()
    out[np.unique(refs & ~WRITE, return_index=True)[1]] |= WRITE
    return out


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Run a program under valgrind's lackey and keep the pages it touches."
    )
    parser.add_argument("-o", "--output", required=True, metavar="FILE.npz")
    parser.add_argument(
        "--reduce",
        type=int,
        default=0,
        metavar="PAGES",
        help="leave out what an LRU memory of at least so many pages would not notice",
    )
    parser.add_argument("--instructions", action="store_true", help="keep instruction fetches")
    parser.add_argument(
        "--keep-reads",
        action="store_true",
        help="do not make the first reference to each page a write",
    )
    parser.add_argument("command", nargs="+", help="the program and its arguments, after --")
    options = parser.parse_args(arguments)
    if options.reduce < 0:
        parser.error(f"--reduce: a number of pages, not {options.reduce}")
    try:
        trace, status = capture(options.command, instructions=options.instructions)
        refs, what = trace.refs, "all references" if options.instructions else "data references"
        origin = f"{os.path.basename(options.command[0])}, {what} (lackey)"
        if options.reduce:
            refs = reduced(refs, options.reduce)
            origin += f", for {options.reduce} pages or more"
        if not options.keep_reads:
            refs = first_writes(refs)
        save_npz(options.output, Trace(refs, trace.pages, origin, trace.addresses))
    except (OSError, ValueError) as error:
        print(f"capture_trace: {error}", file=sys.stderr)
        return 2
    if status:
        print(f"capture_trace: the program ended with status {status}", file=sys.stderr)
    print(
        f"capture_trace: {options.output}: {len(refs)} of {len(trace)} references to "
        f"{trace.pages} pages",
        file=sys.stderr,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
