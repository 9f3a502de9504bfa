"""For all tests: a profile of Hypothesis, swapfiles on a container's overlayfs, Ctrl-C."""

from __future__ import annotations

import os
import signal
import tempfile

from hypothesis import settings

from swapfast.swapfile import file_system

# How long one example takes says more about the machine than about the code. A failure is printed
# as a line that repeats it.
settings.register_profile("swapfast", deadline=None, print_blob=True)
settings.load_profile("swapfast")

_folder = os.open(tempfile.gettempdir(), os.O_RDONLY)
if file_system.stacked(_folder) is not None:  # nobody turns these files on by their other names
    os.environ.setdefault(file_system.ALLOWED, "1")
os.close(_folder)

# A shell starts what runs in its background with SIGINT ignored, and children inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
