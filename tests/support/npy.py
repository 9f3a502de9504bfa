"""Arrays as the bytes of a .npy, right ones and one that would run code."""

from __future__ import annotations

import io
import pickle
import struct

import numpy as np
from numpy.lib import format as npy

REFS = np.array([0, 1 | 1 << 31, 2, 1], dtype=np.uint32)


def packed(array, **kw) -> bytes:
    out = io.BytesIO()
    npy.write_array(out, np.asanyarray(array), **kw)
    return out.getvalue()


def header(descr: str, shape: str, fortran: str = "False", version=(1, 0)) -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n".encode()
    size = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + size + text


OBJECTS = header("'|O'", "(1,)") + pickle.dumps(print)
