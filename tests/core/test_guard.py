"""The one handler of SIGBUS: a copy that fails is told, and a SIGBUS of others ends the process."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

ARM = """
import faulthandler, mmap, os, signal, sys, tempfile
import numpy as np
from swapfast.core import mapping_table, memcg_table, scope_table
import swapfast as sf
from swapfast import _core, _kernels

def arm(extensions):
    for one in extensions:
        if one == "core":
            core = _core.Core(64, True, False)
            memcg_table.add(core, "lru"); scope_table.add(core)
            mapping_table.add(core, _core.ANON, 64, 10, 1, 0, 0)
            _core.touch(core, 1, np.zeros(1, np.uint32))
        else:
            _kernels.write_pages(np.zeros(4096, np.uint8), np.zeros(1, np.uint32),
                                 np.zeros(4096, np.uint8))

def foreign():
    with tempfile.TemporaryFile() as file:
        file.truncate(8192)
        lost = mmap.mmap(file.fileno(), 8192)
        file.truncate(0)
        return lost[4096]
"""
ORDERS = [("core",), ("kernels", "core"), ("core", "kernels", "core"), ("core", "kernels") * 3]


def ends(code: str) -> int:
    done = subprocess.run([sys.executable, "-c", ARM + code], timeout=60, capture_output=True)
    return done.returncode


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("cause", ["foreign()", "os.kill(os.getpid(), signal.SIGBUS)"])
def test_a_foreign_sigbus_ends_the_process(order: tuple[str, ...], cause: str) -> None:
    assert ends(f"arm({order!r}); {cause}") == -signal.SIGBUS


@pytest.mark.parametrize("order", ORDERS)
def test_a_handler_that_was_there_before_is_called(order: tuple[str, ...]) -> None:
    handler = "signal.signal(signal.SIGBUS, lambda *_: os._exit(7))"
    sent = "os.kill(os.getpid(), signal.SIGBUS); [i for i in range(100000)]"
    assert ends(f"{handler}; arm({order!r}); {sent}") == 7


def test_a_signal_that_is_ignored_stays_so() -> None:
    ignored = "signal.signal(signal.SIGBUS, signal.SIG_IGN)"
    sent = "os.kill(os.getpid(), signal.SIGBUS)"
    assert ends(f"{ignored}; arm(('core', 'kernels')); {sent}") == 0
