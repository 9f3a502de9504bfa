"""The compiled parsers against their twin, and every boundary at which a chunk may end.

- The twin is `tests/traces/twin.py`: regular expressions over the whole text.
- Texts are generated: valid lines, nearly valid lines, and bytes of any kind between.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swapfast.traces._lines import BrokenLine
from swapfast.traces._text import CsvParser, LackeyParser
from tests.traces import twin

Parser = LackeyParser | CsvParser


def cut(text: bytes, sizes: list[int]) -> Iterator[bytes]:
    """Chunks of these sizes, round and round."""
    at = i = 0
    while at < len(text):
        size = sizes[i % len(sizes)]
        yield text[at : at + size]
        at, i = at + size, i + 1


def run(parser: Parser, chunks: Iterator[bytes]) -> twin.Parsed:
    """Feed and take as the readers do."""
    out = twin.Parsed()
    try:
        for chunk in chunks:
            parser.feed(chunk)
            out.refs += parser.take().tolist()
        parser.finish()
    except BrokenLine as error:
        out.broken = (error.line, error.cause, error.text)
    out.refs += parser.take().tolist()
    addresses = parser.addresses()
    assert len(addresses) == parser.pages
    out.page_of = {int(address): page for page, address in enumerate(addresses)}
    return out


def same(found: twin.Parsed, expected: twin.Parsed) -> None:
    assert found.refs == expected.refs
    assert found.page_of == expected.page_of
    assert (found.broken is None) == (expected.broken is None), (found.broken, expected.broken)
    if found.broken is not None and expected.broken is not None:
        assert found.broken[0] == expected.broken[0]
        assert expected.broken[1] in found.broken[1]
        assert found.broken[2] == expected.broken[2]


# --------------------------------------------------------------------- texts

# Few pages, so that references meet; and the ends of the address space.
addresses = st.one_of(
    st.integers(0, 5 * 4096),
    st.integers(0x1FFF000000, 0x1FFF000000 + 3 * 4096),
    st.integers((1 << 64) - 8192, (1 << 64) - 1),
)
sizes = st.one_of(st.sampled_from([1, 2, 4, 8, 16, 32]), st.integers(0, 10000))
ops = st.sampled_from(["I ", " L", " S", " M"])
valid = st.builds("{} {:08x},{}".format, ops, addresses, st.sampled_from([1, 4, 8, 4096]))
upper = st.builds("{} {:X},{}".format, ops, addresses, sizes)
banners = st.builds(
    lambda sign, text: sign + text.replace("=", sign[0]),
    st.sampled_from(["==", "--", "**"]),
    st.sampled_from(
        [
            "",
            "7== Lackey",
            "7== Command: sort",
            "x" * 5000,
            "8== ",
            "07== " + "x" * 5000,
            "00:00:00:01.123 7== x",
            "7= x",
            "7== ",
            "8==",
            "12345678901== x",
        ]
    ),
)
others = st.sampled_from(["==8== Lackey, an example Valgrind tool", "==8== Counted 1", "--9-- x",
                          "==7== Lackey, an example Valgrind tool", "==7== Lackey, an example",
                          "==7== Lackey", "==00:00:00:01.123 8== Lackey"])  # fmt: skip
odd = st.sampled_from(
    ["", "\r", "=", "-", "I", " L", " L ", " L 1", " L 1,", " L ,1", " L g,1", " X 10,4", "L 10,4",
     "I 10,4", "I  10,0", " L 10,0", " L 10,1048576", " L 10,1048577", " L 10,12345678",
     " L 12345678901234567,1", " L 1234567890123456,1", " L ffffffffffffffff,2", " L 10,4 ",
     " L 0x10,4", " L 10,-4", " S10,4", " S 10;4", " L " + "0" * 4090, "x" * 5000,
     "SB 0401ab70", "SB", "SB ", "SB 1", "SB 12345678901234567", "SB 10,4", "SB x", "I 10,4",
     "I 1,4", "I 1", " I 10,4", "I   10,4", " I 1,", "I  ,4"]
)  # fmt: skip
endings = st.sampled_from(["\n", "\n", "\n", "\r\n"])


def texts(*lines: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    """Lines, some of them broken, with and without a last newline."""
    body = st.lists(st.tuples(st.one_of(*lines), endings), max_size=25)
    return st.builds(
        lambda parts, last: ("".join(a + b for a, b in parts) + last).encode("latin-1"),
        body,
        st.one_of(st.just(""), *lines),
    )


splits = st.one_of(
    st.sampled_from([[1], [2], [3], [7], [1 << 20]]),
    st.lists(st.integers(1, 6000), min_size=1, max_size=4),
)
good_logs = texts(valid, valid, upper, banners)
logs = st.one_of(
    good_logs,
    texts(valid, upper, banners, odd),
    texts(valid, valid, others, others, banners),
    st.binary(max_size=60),
)


@settings(max_examples=120)
@given(logs, splits, st.booleans(), st.booleans(), st.sampled_from([None, None, 7, 8, 9]))
def test_lackey_is_its_twin(text, sizes, instructions, collapse, pid):
    found = run(LackeyParser(instructions, collapse, pid), cut(text, sizes))
    same(found, twin.lackey(text, instructions, collapse, pid))


COLUMNS = [
    ["page", "write"],
    ["op", "address", "size"],
    ["time", "address", "op"],
    ["write", "page", "size", "comment"],
    ["page"],
]
fields = st.one_of(
    st.integers(0, 4),
    st.integers(0, 1 << 14),
    st.sampled_from(
        ["R", "W", "l", "s", "M", "i", "0x10", "0XfF", "1", "0", "00", "x", "", "-1", " 1", "1.0",
         "0x", "0xg", "RW", "12", "4503599627370495", "4503599627370496", "9" * 19, "9" * 20,
         "0" * 30 + "7", "18446744073709551615", "18446744073709551616", "0x" + "f" * 16,
         "0x1" + "0" * 16, "0x" + "0" * 20 + "1", "y" * 5000, "1 ", " 0\t", '"1"', '"a,b"',
         '"a""b"', '"1" ', '"1"x', '"', '""', '"a""', ' "0x10 "', "1 0", "0x1g", "1x", "0x1 "]
    ),
)  # fmt: skip


@st.composite
def tables(draw):
    columns = draw(st.sampled_from(COLUMNS))
    good = {
        "page": st.integers(0, 5),
        "address": addresses,
        "size": st.sampled_from([1, 8, 4097]),
        "write": st.integers(0, 1),
        "op": st.sampled_from("RWLSMIrw"),
    }
    fine = st.tuples(*(good.get(c, st.just("any")) for c in columns))
    wild = st.lists(fields, min_size=max(len(columns) - 1, 1), max_size=len(columns) + 1)
    rows = st.one_of(fine, fine, fine, wild)
    separator = draw(st.sampled_from([",", ",", "\t", ";", "|", " "]))
    joints = st.sampled_from(
        [separator] * 6 + [" " + separator, separator + "  ", "\t" + separator]
    )
    others = st.sampled_from(["", " ", "\t ", "# 1,0", "#" * 5000, " # 1"])
    joint = draw(joints)
    lines = texts(rows.map(lambda row: joint.join(map(str, row))), others)
    return columns, separator, draw(lines)


@settings(max_examples=200)
@given(tables(), splits, st.booleans())
def test_csv_is_its_twin(case, sizes, collapse):
    columns, separator, text = case
    found = run(CsvParser(columns, collapse, separator), cut(text, sizes))
    same(found, twin.table(columns, text, collapse, separator))


# --------------------------------------------------------------------- every boundary

LOG = (
    b"==1== Lackey\n"
    b"I  0401ab70,3\n"
    b" S 1fff000768,8\r\n"
    b" L 1fff000ffc,8\n"
    b" L 1fff001000,1\n"
    b"\n"
    b" M 04a17de0,4\n"
    b" L 04a17de8,4\n"
    b"==1== Exit code: 0"
)


@pytest.mark.parametrize("collapse", [False, True])
def test_a_log_cut_anywhere(collapse):
    expected = twin.lackey(LOG, collapse=collapse)
    assert len(expected.refs) == (3 if collapse else 6)
    for at in range(len(LOG) + 1):
        found = run(LackeyParser(False, collapse), iter([LOG[:at], b"", LOG[at:]]))
        same(found, expected)


@pytest.mark.parametrize("length", [4095, 4096, 4097, 4098, 9000])
@pytest.mark.parametrize("start", ["==", " L ", "x"])
@pytest.mark.parametrize("size", [1, 1000, 4095, 4096, 4097, 1 << 20])
def test_long_lines_do_not_depend_on_the_cut(length, start, size):
    line = start.ljust(length, "0").encode()
    text = b" L 1000,4\n" + line + b"\n L 3000,4\n"
    same(run(LackeyParser(), cut(text, [size])), twin.lackey(text))
    text = b"1,0\n1,0," + line + b"\n2,0,\n"
    columns = ["page", "write", "comment"]
    same(run(CsvParser(columns), cut(text, [size])), twin.table(columns, text))
    text = b"1,0,\n1,0," + line[:-4]  # at the limit, and without a newline
    same(run(CsvParser(columns), cut(text, [size])), twin.table(columns, text))


def test_a_banner_is_known_by_two_bytes_of_its_own():
    # A lone "=" that begins a long line: the second byte comes with the next chunk.
    parser = LackeyParser()
    parser.feed(b"== banner\n=")
    with pytest.raises(BrokenLine, match="line 2: the line has more than 4096 bytes"):
        parser.feed(b"x" * 5000)
    parser = LackeyParser()
    parser.feed(b"=")
    parser.feed(b"=" * 5000)
    parser.feed(b"\n L 1000,4\n")
    assert parser.line == 2
    assert parser.take().tolist() == [0]


def test_collapse_is_carried_over_chunks():
    parser = LackeyParser(collapse=True)
    parser.feed(b" L 1000,4\n")
    assert parser.take().tolist() == [0]
    parser.feed(b" L 1008,4\n S 1010,4\n")
    assert parser.take().tolist() == [0 | twin.WRITE]
    parser.feed(b" L 1018,4\n S 1010,4\n L 2000,1\n L 1000,1\n")
    assert parser.take().tolist() == [1, 0]


def test_many_pages_grow_the_table():
    rng = np.random.default_rng(5)
    pages = rng.integers(0, 1 << 52, 20_000, dtype=np.uint64)
    again = rng.permutation(pages)
    text = b"".join(b"%d,0\n" % p for p in np.concatenate([pages, again]).tolist())
    found = run(CsvParser(["page", "write"]), cut(text, [65536]))
    assert found.broken is None
    assert found.addresses == list(dict.fromkeys(pages.tolist()))
    assert found.refs[20_000:] == [found.page_of[int(p)] for p in again]


def test_a_parser_refuses_more_columns_than_it_has_room_for():
    with pytest.raises(ValueError, match="more than 16 columns"):
        CsvParser(["page", "write"] + ["x"] * 15)
    CsvParser(["page", "write"] + ["x"] * 14)
