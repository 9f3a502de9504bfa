"""What the figures are measured against.

- ``Loops``: ``loops.c``, compiled when first asked for: what a C programmer writes in an hour.
- ``libcachesim``: the peer's own loop over a binary trace; None without its package.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["PEER_POLICIES", "Loops", "PeerTrace", "libcachesim"]

SOURCE = Path(__file__).parent / "loops.c"
PEER_POLICIES = {
    "lru": "LRU",
    "fifo": "FIFO",
    "clock": "Clock",
    "sieve": "Sieve",
    "s3fifo": "S3FIFO",
    "arc": "ARC",
    "opt": "Belady",
}


class Loops:
    """The functions of ``loops.c``; arrays are passed as they are."""

    def __init__(self) -> None:
        folder = tempfile.mkdtemp(prefix="swapfast-bench-")
        library = os.path.join(folder, "loops.so")
        compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
        flags = ["-O3", "-shared", "-fPIC", "-o", library, str(SOURCE)]
        subprocess.run([compiler[0], *flags], check=True)
        self._library = ctypes.CDLL(library)

    def __call__(self, name: str, *arguments: Any) -> tuple[int, float]:
        """Call a function; its result, and CPU seconds."""
        function = getattr(self._library, name)
        function.restype = ctypes.c_uint64
        passed = [
            a.ctypes.data_as(ctypes.c_void_p) if isinstance(a, np.ndarray) else ctypes.c_uint64(a)
            for a in arguments
        ]
        begin = time.process_time()
        result = function(*passed)
        return int(result), time.process_time() - begin


@cache
def loops() -> Loops:
    """Compiled once a run."""
    return Loops()


@cache
def libcachesim() -> Any:
    """The peer's module, or None."""
    try:
        import libcachesim as module
    except ImportError:
        return None
    return module


class PeerTrace:
    """A trace in libCacheSim's binary format, in a file of its own."""

    def __init__(self, refs: np.ndarray[Any, Any]) -> None:
        self.n = len(refs)
        records = np.zeros(
            self.n, dtype=[("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")]
        )
        pages = refs & np.uint32(0x7FFFFFFF)
        records["id"] = pages.astype(np.uint64) + 1
        records["size"] = 1
        records["next"] = self._next_use(pages)
        handle, self.path = tempfile.mkstemp(suffix=".oracleGeneral.bin")
        os.close(handle)
        records.tofile(self.path)

    @staticmethod
    def _next_use(pages: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Position of the next reference to the same page; -1 for none."""
        order = np.argsort(pages, kind="stable")
        following = np.full(len(pages), -1, dtype=np.int64)
        same = pages[order[1:]] == pages[order[:-1]]
        following[order[:-1][same]] = order[1:][same]
        return following

    def misses(self, policy: str, frames: int) -> tuple[int, float]:
        """Misses of the peer's policy, and CPU seconds."""
        peer = libcachesim()
        reader = peer.TraceReader(
            self.path,
            peer.TraceType.ORACLE_GENERAL_TRACE,
            peer.ReaderInitParam(ignore_obj_size=True),
        )
        simulated = getattr(peer, PEER_POLICIES[policy])(cache_size=frames)
        begin = time.process_time()
        ratio = simulated.process_trace(reader)[0]
        seconds = time.process_time() - begin
        # Its many small objects are tidied up by malloc at the next large request: not on our time.
        del simulated, reader
        if sys.platform == "linux":
            ctypes.CDLL(None).malloc_trim(0)
        return round(ratio * self.n), seconds

    def close(self) -> None:
        """Remove the file."""
        os.unlink(self.path)
