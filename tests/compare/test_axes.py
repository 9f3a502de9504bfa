"""Lists of values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapfast.compare.axes import axis, product


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("machine.memory=256MiB,512MiB", ["256MiB", "512MiB"]),
        ("m=96MiB:256MiB:32MiB", ["96MiB", "128MiB", "160MiB", "192MiB", "224MiB", "256MiB"]),
        ("m=1GiB:1GiB:1GiB", ["1GiB"]),
        ("m=512MiB:2GiB:768MiB", ["512MiB", "1280MiB", "2048MiB"]),
        ("m=1MiB:2MB:1MiB", ["1048576"]),
        ("s=0:200:50", ["0", "50", "100", "150", "200"]),
        ("s=200:0:-100,60", ["200", "100", "0", "60"]),
        ("r=0.1:0.35:0.1", ["0.1", "0.2", "0.3"]),
        ("t=1us:3us:1us", ["1us", "2us", "3us"]),
        ("t=500us:1ms:500us", ["500us", "1000us"]),
        ("o=\"s0:10,s1:1\",'a,b'", ["s0:10,s1:1", "a,b"]),
        ("o=s0:10", ["s0:10"]),
        ("e=a=b", ["a=b"]),
    ],
)
def test_lists_and_ranges(text: str, values: list[str]) -> None:
    assert list(axis(text).values) == values


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("memory", "is not KEY=A,B,C"),
        ("=3", "is not KEY=A,B,C"),
        ("m=", "a value is empty"),
        ("m=1,,2", "a value is empty"),
        ("m=1,", "a value is empty"),
        ("m=1,1", "a value comes twice"),
        ("m=1:5:0", "no step leads from 1 to 5"),
        ("m=1:5:-1", "no step leads from 1 to 5"),
        ("m=1:1000000:1", "10,000 are the most"),
        ('m="a"b', "a quote is not closed, or something follows it"),
        ('m="a', "a quote is not closed"),
    ],
)
def test_what_is_no_list_says_why(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        axis(text)
    assert text[:20] in str(caught.value)


@given(st.integers(-50, 50), st.integers(1, 9), st.integers(0, 40))
def test_a_range_is_that_of_python(first: int, step: int, count: int) -> None:
    last = first + step * count
    found = [int(v) for v in axis(f"k={first}:{last}:{step}").values]
    assert found == list(range(first, last + 1, step))


def test_every_combination_comes_once() -> None:
    found = product([axis("a=1,2"), axis("b=x,y,z")])
    assert len(found) == 6 and {"a": "2", "b": "y"} in found
    assert product([]) == [{}]
    with pytest.raises(ValueError, match="--set a: comes twice"):
        product([axis("a=1"), axis("a=2")])
