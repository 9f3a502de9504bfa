"""For all tests: swapfiles may lie on the overlayfs of a container; Ctrl-C works."""

from __future__ import annotations

import os
import signal
import tempfile

from swapfast.swapfile import file_system

_folder = os.open(tempfile.gettempdir(), os.O_RDONLY)
if file_system.stacked(_folder) is not None:  # nobody turns these files on by their other names
    os.environ.setdefault(file_system.ALLOWED, "1")
os.close(_folder)

# A shell starts what runs in its background with SIGINT ignored, and children inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
