"""Checkpoint a swap namespace, and restart it: today, elsewhere, after a power cut.

The memory stays where it is swapped to; an image holds the rest.

- ``checkpoint(kernel, namespace, path)``, ``restart(path, calls)``, ``release(kernel, namespace)``:
  what `swapfast.SwapNamespace.checkpoint` and `swapfast.Machine.restart` stand on.
- ``compact(path, out)``: one image of a chain of incremental ones.
- ``inspect(path)``: what an image holds. ``verify(path)``: are all its bytes still right?
- ``export(path, out)``: the same for other tools: JSON, CSV, npy.
- ``read_image(path)``.

Idea: Dave Hansen, 2007; Serge Hallyn's RFC of 28 April 2008 gives the job its own swapfile for it.
"""

from swapfast.checkpoint.chain import read_image
from swapfast.checkpoint.commit import checkpoint, release
from swapfast.checkpoint.compact import compact
from swapfast.checkpoint.export import export
from swapfast.checkpoint.image import Image
from swapfast.checkpoint.inspect import inspect, verify
from swapfast.kernel.face import restart

__all__ = [
    "Image",
    "checkpoint",
    "compact",
    "export",
    "inspect",
    "read_image",
    "release",
    "restart",
    "verify",
]
