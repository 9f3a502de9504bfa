"""Page traces: read, made, described.

- ``Trace``: references, pages, origin. ``StreamedTrace``: one too long for memory; ``HOLD``: the
  most references that are kept in memory.
- ``open_trace(path)``: whatever the file is: lackey log, CSV, npz, npy, raw.
- ``save_npz(path, trace)``; ``generate(pattern, ...)``, ``GENERATORS``; ``bundled_trace()``.
"""

from swapfast.traces.formats import FORMATS, bundled_trace, open_trace
from swapfast.traces.generate import GENERATORS, generate
from swapfast.traces.npz import save_npz
from swapfast.traces.streamed import StreamedTrace
from swapfast.traces.trace import HOLD, WRITE, Trace

__all__ = [
    "FORMATS",
    "GENERATORS",
    "HOLD",
    "WRITE",
    "StreamedTrace",
    "Trace",
    "bundled_trace",
    "generate",
    "open_trace",
    "save_npz",
]
