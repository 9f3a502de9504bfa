"""Entries become references: numbered, merged, and cut anywhere."""

from __future__ import annotations

import resource

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapfast.record._stream import Stream
from tests.reference import reduction as slow

PAGES = [0, 1, 2, 1024, 0x7FFF_FFFF_FFFF, 0x555_5555_5000, (1 << 52) - 1]
entries = st.lists(
    st.builds(lambda at, write: PAGES[at] << 1 | write, st.integers(0, 6), st.integers(0, 1)),
    max_size=60,
)


def through(stream, parts):
    out = []
    for part in parts:
        stream.feed(np.array(part, dtype=np.uint64))
        out += stream.take().tolist()
    stream.finish()
    return out + stream.take().tolist()


@given(entries, st.integers(0, 60), st.integers(0, 5), st.booleans())
def test_pages_are_numbered_by_first_touch(given_, cut, window, first):
    stream = Stream(window, first)
    out = through(stream, [given_[:cut], given_[cut:]])
    numbers = {page: at for at, page in enumerate(dict.fromkeys(e >> 1 for e in given_))}
    refs, met = [], set()
    for entry in given_:
        write = entry & 1 or (first and entry >> 1 not in met)
        met.add(entry >> 1)
        refs.append(numbers[entry >> 1] | (slow.WRITE if write else 0))
    assert out == (slow.reduced(slow.merged(refs), window) if window else slow.merged(refs))
    assert stream.addresses().tolist() == list(numbers)
    assert (stream.pages, stream.seen) == (len(numbers), slow.told(refs))


def test_memory_does_not_depend_on_the_length():
    stream = Stream(64)
    rng = np.random.default_rng(1)

    def some():
        for _ in range(20):
            stream.feed(rng.integers(0, 2000, 200_000).astype(np.uint64))
            stream.take()
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    before = some()
    assert some() - before < 2000  # KiB; what went through has 32 MB


def test_windows_are_checked():
    with pytest.raises(ValueError, match="less than 2"):
        Stream(1 << 31)
    with pytest.raises(OverflowError):
        Stream(-1)
