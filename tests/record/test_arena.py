"""The memory of a recorded process is read in order, to its end, and not believed."""

from __future__ import annotations

import numpy as np
import pytest

from swapfast.record._stream import Arena, Stream

BUFFERS, REFS, SLOTS, WINDOW = 512, 7152, 256, 32
SLOT = [("page", "u8"), ("first", "u8"), ("last", "u8"), ("first_w", "u4"), ("rest_w", "u4")]
BUFFER = np.dtype(
    [
        *[("n", "u4"), ("filling", "u4"), ("began", "u8"), ("seen", "u8")],
        *[
            *[("here", "u8"), ("look_round", "u8"), ("open", "u8"), ("unused", "u8", 2)],
            ("order", "u2", WINDOW),
            ("slot", SLOT, SLOTS),
            ("refs", "u8", REFS),
        ],
    ]
)
HEAD = np.dtype(
    {
        "names": [
            *["magic", "pid", "parent", "queued", "reused", "began", "fresh", "threads"],
            *["lost_threads", "lost_children", "executing", "closed", "taken", "freed"],
            *["queue", "free", "buffer"],
        ],
        "formats": [
            *["S8", "i4", "i4", "u8", "u8", "u8", "u4", "u4", "u4", "u4", "u4", "u4", "u8", "u8"],
            *[("u4", BUFFERS), ("u4", BUFFERS), (BUFFER, BUFFERS)],
        ],
        "offsets": [
            *[0, 8, 12, 16, 24, 32, 40, 44, 48, 52, 56, 60, 64, 72],
            *[4096, 4096 + 4 * BUFFERS, 8192],
        ],
    }
)


class Process:
    """What the plugin writes, written here."""

    def __init__(self):
        self.memory = np.zeros(HEAD.itemsize, dtype=np.uint8)
        self.a = self.memory.view(HEAD)[0]
        self.a["magic"] = b"swapfst1"
        self.a["pid"] = 4711

    def fill(self, number, pages, began=0, hand_over=True):
        b = self.a["buffer"][number]
        b["n"], b["filling"], b["began"], b["seen"] = len(pages), 1, began, 10 * len(pages)
        b["refs"][: len(pages)] = [page << 1 for page in pages]
        self.a["fresh"] = max(self.a["fresh"], number + 1)
        if hand_over:
            self.a["queue"][self.a["queued"] % BUFFERS] = number
            self.a["queued"] += 1


@pytest.fixture
def process():
    return Process()


def pages_of(stream):
    stream.finish()
    return stream.addresses()[stream.take()].tolist()


def test_buffers_come_in_the_order_of_the_queue_and_are_given_back(process):
    arena, stream = Arena(process.memory), Stream()
    process.fill(3, [7, 8])
    process.fill(1, [9])
    process.fill(2, [5, 6], hand_over=False)
    assert arena.drain(stream) == 2
    assert arena.drain(stream) == 0
    assert (process.a["taken"], process.a["freed"]) == (2, 2)
    assert process.a["free"][:2].tolist() == [3, 1]
    assert process.a["buffer"]["n"][:4].tolist() == [0, 0, 2, 0]
    assert stream.seen == 30
    assert pages_of(stream) == [7, 8, 9]


def test_what_a_dead_process_left_comes_by_age(process):
    arena, stream = Arena(process.memory), Stream()
    process.fill(0, [1], began=5, hand_over=False)
    process.fill(2, [2, 3], began=4, hand_over=False)
    process.fill(1, [4], began=3)
    arena.drain_all(stream)
    assert pages_of(stream) == [4, 2, 3, 1]


def test_the_round_of_a_dead_process_is_ended(process):
    arena, stream = Arena(process.memory), Stream(merge=False)
    process.fill(0, [1, 2], hand_over=False)
    b = process.a["buffer"][0]
    for at, (page, first, last) in enumerate([(20, 1, 9), (21, 2, 2), (22, 3, 8)]):
        b["slot"][page % SLOTS] = (page + 1, first, last, 0, 1)
        b["order"][at] = page % SLOTS
    b["open"] = 3
    arena.drain_all(stream)
    stream.finish()
    refs = stream.take()
    pages = stream.addresses()[refs & 0x7FFFFFFF].tolist()
    assert pages == [1, 2, 20, 21, 22, 22, 20]
    assert (refs >> 31).tolist() == [0, 0, 0, 0, 0, 1, 1]


def test_the_queue_is_a_ring(process):
    arena, stream = Arena(process.memory), Stream()
    for turn in range(3 * BUFFERS):
        process.fill(turn % 5, [turn])
        assert arena.drain(stream) == 1
    assert process.a["freed"] == 3 * BUFFERS
    assert pages_of(stream) == list(range(3 * BUFFERS))


@pytest.mark.parametrize(
    ("field", "value"),
    [("queued", BUFFERS + 1), ("queue", BUFFERS), ("n", REFS + 1), ("fresh", 600)],
)
def test_a_program_that_wrote_there_is_an_error(process, field, value):
    arena = Arena(process.memory)
    process.fill(0, [1])
    if field == "n":
        process.a["buffer"][0]["n"] = value
    elif field == "queue":
        process.a["queue"][0] = value
    else:
        process.a[field] = value
    with pytest.raises(ValueError, match="has written over its record"):
        arena.drain_all(Stream())


def test_a_wrecked_round_is_left_alone(process):
    arena, stream = Arena(process.memory), Stream()
    process.fill(0, [1], hand_over=False)
    process.a["buffer"][0]["open"] = WINDOW + 1
    process.a["buffer"][0]["order"][:] = 0xFFFF
    arena.drain_all(stream)
    assert pages_of(stream) == [1]


def test_facts_of_a_process(process):
    arena = Arena(process.memory)
    assert (arena.pid, arena.executing, arena.lost) == (4711, False, 0)
    process.a["executing"], process.a["lost_threads"], process.a["lost_children"] = 1, 2, 3
    assert (arena.executing, arena.lost) == (True, 5)
    arena.close()
    assert process.a["closed"] == 1


def test_other_memory_is_refused():
    with pytest.raises(ValueError, match="not the record of a process"):
        Arena(bytearray(100))
    with pytest.raises(ValueError, match="not the record of a process"):
        Arena(bytearray(HEAD.itemsize))
