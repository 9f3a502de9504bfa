"""Seeded mutations of bytes.

- ``mutated(rng, seeds)``: one input, made of one or two of ``seeds``.
"""

from __future__ import annotations

import random
import struct

EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, (1 << 64) - 1)
WORDS = (b"0x", b"-1", b"1e9", b"nan", b"inf", b"18446744073709551616", b"\n", b"\r\n", b",", b"=")
WORDS += (b"[[", b"]", b'"', b"'", b"\xef\xbb\xbf", b"\0", b"PK\x03\x04", b"SWAPSPACE2", b"KiB")
MOST = 1 << 16


def _once(rng: random.Random, data: bytearray, seeds: list[bytes]) -> bytearray:
    at = rng.randrange(len(data) + 1)
    size = min(rng.choice((1, 2, 4, 8, 30, 200)), len(data) - at)
    what = rng.randrange(9)
    if what == 0 and data:
        data[at % len(data)] ^= 1 << rng.randrange(8)
    elif what == 1 and data:
        data[at % len(data)] = rng.randrange(256)
    elif what == 2:
        form = rng.choice(("<B", "<H", "<I", "<Q", ">I", ">Q"))
        value = rng.choice(EDGES) & ((1 << 8 * struct.calcsize(form)) - 1)
        data[at : at + struct.calcsize(form)] = struct.pack(form, value)
    elif what == 3:
        del data[at : at + size]
    elif what == 4:
        data[at:at] = data[at : at + size] * rng.choice((1, 2, 50))
    elif what == 5:
        data[at:at] = rng.choice(WORDS)
    elif what == 6:
        data[at : at + size] = rng.randbytes(size)
    elif what == 7:
        del data[at:]
    else:
        other = rng.choice(seeds)
        begin = rng.randrange(len(other) + 1)
        data[at : at + size] = other[begin : begin + rng.choice((4, 40, 400))]
    return data[:MOST]


def mutated(rng: random.Random, seeds: list[bytes]) -> bytes:
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        data = _once(rng, data, seeds)
    return bytes(data)
