"""Devices: the presets as specified, what may be replaced, and every refusal with its reason."""

from __future__ import annotations

import math
import pickle
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapfast import _kernels
from swapfast.devices import PRESETS, DeviceConfig
from swapfast.distributions import LONGEST, Distribution, parse_distribution
from swapfast.kernel.choices import TIMES
from swapfast.units import parse_duration

US, MS = 1_000, 1_000_000
CPU_OF_A_SWAP_IN = 16 * US

# ---------------------------------------------------------------- durations

NO_DURATION = ["", "80", "us", "-1us", "1e3us", "1,5ms", "80 US", "80kB", "1.5ns", "1us2"]


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        (0, 0),
        (3500, 3500),
        ("80us", 80 * US),
        ("80 µs", 80 * US),
        ("80 μs", 80 * US),
        (" 1.5ms ", 1_500_000),
        ("8.33ms", 8_330_000),
        ("0.5us", 500),
        ("40s", 40 * 10**9),
        ("2min", 120 * 10**9),
        ("1h", 3600 * 10**9),
        ("7ns", 7),
        ("0.000000001s", 1),
    ],
)
def test_durations(text: int | str, ns: int) -> None:
    assert parse_duration(text) == ns


@pytest.mark.parametrize(
    "text",
    [*NO_DURATION, -1, 1.5, True, None, [1], {}],
)
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="duration: "):
        parse_duration(text)  # type: ignore[arg-type]


@given(st.integers(0, 10**18), st.sampled_from(["ns", "us", "ms", "s", "min", "h"]))
def test_whole_durations_are_exact(number: int, unit: str) -> None:
    size = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "min": 6 * 10**10, "h": 36 * 10**11}
    assert parse_duration(f"{number}{unit}") == number * size[unit]


# ---------------------------------------------------------------- presets


def lognormal(median: int, p99: int) -> Distribution:
    sigma = math.log(p99 / median) / 2.3263478740408408
    return Distribution("lognormal", at=float(median), sigma=sigma)


NOTHING = Distribution("constant")
DISK = Distribution("position", a=1e6, b=15e6, turn=8.33e6)
# preset -> read, write, units, (request), (page), (latency), duplex, tags, rotational
SPECIFIED = {
    "lab": (NOTHING, NOTHING, 64, (0, 3500), (0, 2600), (50 * US, 45 * US), True, 0, False),
    "nvme": (
        lognormal(80 * US, 200 * US), lognormal(20 * US, 100 * US),
        64, (0, 0), (1300, 1300), (0, 0), False, 1023, False,
    ),
    "optane": (
        lognormal(10 * US, 14 * US), lognormal(10 * US, 14 * US),
        16, (0, 0), (1700, 1700), (0, 0), False, 1023, False,
    ),
    "sata-ssd": (
        lognormal(130 * US, 500 * US), lognormal(60 * US, 2 * MS),
        8, (2 * US, 2 * US), (7700, 7700), (0, 0), False, 32, False,
    ),
    "emmc": (
        lognormal(200 * US, 1 * MS), lognormal(400 * US, 20 * MS),
        1, (20 * US, 20 * US), (16 * US, 16 * US), (0, 0), False, 31, False,
    ),
    "hdd": (DISK, DISK, 1, (0, 0), (23 * US, 23 * US), (0, 0), False, 32, True),
    "nbd": (
        NOTHING, NOTHING, 128, (4 * US, 4 * US), (35 * US, 35 * US), (250 * US, 250 * US),
        False, 128, False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SPECIFIED)
def test_presets_are_as_specified(name: str) -> None:
    d = DeviceConfig.of(name)
    found = (
        d.read, d.write, d.units, (d.read_request, d.write_request), (d.read_page, d.write_page),
        (d.read_latency, d.write_latency), d.duplex, d.tags, d.rotational,
    )  # fmt: skip
    assert found == SPECIFIED[name] and not d.synchronous and d.preset == name


def test_zram_is_time_of_the_processor() -> None:
    d = DeviceConfig.of("zram")
    assert (d.synchronous, d.load, d.store) == (True, 1500, 4000)
    assert (d.ratio, d.incompressible, d.limit) == (3.0, 0.05, 0)


def test_there_are_no_other_presets() -> None:
    assert list(PRESETS) == [*SPECIFIED, "zram"]
    assert all(preset.about for preset in PRESETS.values())
    with pytest.raises(TypeError):
        PRESETS["mine"] = PRESETS["lab"]  # type: ignore[index]


def test_lab_is_the_machine_of_today() -> None:
    """So that what was held against the kernel stays as it is."""
    d = DeviceConfig.of()
    assert d == DeviceConfig.of("lab")
    assert CPU_OF_A_SWAP_IN + d.read_latency == TIMES["swap_in"]
    today = [TIMES[name] for name in ("write_request", "write_page", "write_latency")]
    assert [d.write_request, d.write_page, d.write_latency] == today


SPEEDS = {"nvme": 3100, "sata-ssd": 530, "emmc": 250, "hdd": 180, "nbd": 117}  # MB/s


@pytest.mark.parametrize(("name", "mb_per_s"), SPEEDS.items())
def test_pages_make_the_bandwidth_that_is_said(name: str, mb_per_s: float) -> None:
    assert 4096e3 / DeviceConfig.of(name).read_page == pytest.approx(mb_per_s, rel=0.03)


def test_only_what_was_measured_is_calibrated() -> None:
    assert [name for name in PRESETS if DeviceConfig.of(name).calibrated] == ["lab"]
    assert DeviceConfig.of("lab", endurance="600TB", units=64).calibrated
    assert not DeviceConfig.of("lab", units=32).calibrated
    assert not replace(DeviceConfig.of("lab"), preset="mine").calibrated


# ---------------------------------------------------------------- what may be replaced


def test_keys_override() -> None:
    d = DeviceConfig.of(
        "nvme", read="1us", units=2, request={"read": 1, "write": "2us"}, page=3, latency="4us",
        duplex=True, tags="unlimited", rotational=True, endurance="600TB",
    )  # fmt: skip
    assert d.read == Distribution("constant", at=1000.0)
    assert d.write == DeviceConfig.of("nvme").write
    assert (d.units, d.tags, d.duplex, d.rotational) == (2, 0, True, True)
    assert (d.read_request, d.write_request, d.read_page, d.write_page) == (1, 2000, 3, 3)
    assert (d.read_latency, d.write_latency, d.endurance) == (4000, 4000, 600 * 10**12)


def test_of_one_sort_to_the_other() -> None:
    disk = DeviceConfig.of("zram", synchronous=False, read="80us", write="20us", units=4)
    assert (disk.synchronous, disk.units, disk.load) == (False, 4, 0)
    memory = DeviceConfig.of("nvme", synchronous=True, load="300ns", store="300ns", ratio=1)
    assert (memory.synchronous, memory.units, memory.load, memory.ratio) == (True, 0, 300, 1.0)


@pytest.mark.parametrize("name", PRESETS)
def test_a_config_is_plain_and_does_not_change(name: str) -> None:
    d = DeviceConfig.of(name)
    assert {type(getattr(d, f.name)) for f in fields(d)} <= {
        str,
        int,
        float,
        bool,
        Distribution,
        type(None),
    }
    assert pickle.loads(pickle.dumps(d)) == d and hash(d) == hash(DeviceConfig.of(name))
    with pytest.raises(FrozenInstanceError):
        d.units = 3  # type: ignore[misc]


# ---------------------------------------------------------------- refusals

REFUSED = [
    ({"preset": "nvmee"}, "preset: 'nvmee' is not a preset; there are ... mean 'nvme'?"),
    ({"preset": "floppy"}, "preset: 'floppy' is not a preset; there are lab, nvme, optane"),
    ({"preset": None}, "preset: None is not a preset"),
    ({"unit": 3}, "unit: 3 is not a key of a device; there are read ... ; did you mean 'units'?"),
    ({"colour": "red"}, "colour: 'red' is not a key of a device; there are read, write"),
    ({"units": 0}, "units: 0 is not a whole number from 1 to 4096"),
    ({"units": 4097}, "units: 4097 is not a whole number from 1 to 4096"),
    ({"units": 1.0}, "units: 1.0 is not a whole number"),
    ({"units": True}, "units: True is not a whole number"),
    ({"tags": 0}, "tags: 0 is not a whole number from 1 to 65536, or \"unlimited\""),
    ({"tags": "many"}, "tags: 'many' is not a whole number from 1 to 65536, or \"unlimited\""),
    ({"page": "-1us"}, "page: '-1us' is not a time from 0 on"),
    ({"page": -1}, "page: -1 is not a time from 0 on"),
    ({"page": math.nan}, "page: nan is not a time from 0 on"),
    ({"page": "2h"}, "page: '2h' is not a time of at most"),
    ({"latency": {"read": 1}}, "latency: {'read': 1} is not a time, or a table of read and write"),
    ({"latency": {"read": 1, "write": "x"}}, "latency.write: 'x' is not a time from 0 on"),
    ({"duplex": 1}, "duplex: 1 is not true or false"),
    ({"rotational": "yes"}, "rotational: 'yes' is not true or false"),
    ({"synchronous": 0}, "synchronous: 0 is not true or false"),
    ({"endurance": 0}, "endurance: 0 is not a size above 0"),
    ({"endurance": "lots"}, "endurance: 'lots' is not a size above 0"),
    ({"endurance": True}, "endurance: True is not a size above 0"),
    ({"ratio": 2}, "ratio: 2 is not for a device with a queue"),
    ({"preset": "zram", "units": 2}, "units: 2 is not for a synchronous device"),
    ({"preset": "zram", "ratio": 0.5}, "ratio: 0.5 is not a number from 1 to 4096"),
    ({"preset": "zram", "ratio": math.nan}, "ratio: nan is not a number from 1 to 4096"),
    ({"preset": "zram", "ratio": True}, "ratio: True is not a number"),
    ({"preset": "zram", "incompressible": 1.5}, "incompressible: 1.5 is not a number from 0 to 1"),
    ({"preset": "zram", "ratio": 30}, "ratio: 30.0 is not 20 at most, with incompressible at 0.05"),
    ({"preset": "zram", "limit": "0"}, "limit: '0' is not a size above 0"),
    ({"preset": "zram", "load": "x"}, "load: 'x' is not a time from 0 on"),
    ({"preset": "nvme", "synchronous": True}, "load: missing; a device has load, store"),
    (
        {"preset": "zram", "synchronous": False, "read": 0, "write": 0},
        "units: missing; a device has read, write, units",
    ),
    ({"read": []}, "read: [] is not a time from 0 on"),
    ({"read": {}}, "read: {} is not \"80us\", or a table such as"),
    ({"read": {"dist": "lognorml"}}, "read.dist: 'lognorml' is not ... mean 'lognormal'?"),
    ({"read": {"dist": 3}}, "read.dist: 3 is not a distribution; there are constant, lognormal"),
    (
        {"read": {"dist": "lognormal", "median": "80us"}},
        "read.p99: missing; lognormal has median and p99",
    ),
    (
        {"read": {"dist": "exponential", "mean": 1, "media": 2}},
        "read.media: 2 is not a key of exponential; there are mean; did you mean 'mean'?",
    ),
    (
        {"write": {"dist": "lognormal", "median": "80us", "p99": "79us"}},
        "write.p99: '79us' is not at least the median, '80us'",
    ),
    (
        {"write": {"dist": "lognormal", "median": 0, "p99": "79us"}},
        "write.median: 0 is not a time above 0",
    ),
    ({"write": {"dist": "exponential", "mean": "0us"}}, "write.mean: '0us' is not a time above 0"),
    (
        {"read": {"dist": "position", "a": 1, "b": 1, "turn": 0}},
        "read.turn: 0 is not a time above 0",
    ),
    ({"read": {"dist": "empirical", "file": 3}}, "read.file: 3 is not a path"),
    (
        {"read": {"dist": "empirical", "file": "/nowhere/at/all.csv"}},
        "read.file: '/nowhere/at/all.csv' is not a file that can be read: No such file",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "said"), REFUSED, ids=[said for _, said in REFUSED])
def test_mistakes_are_named(keys: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError) as caught:
        DeviceConfig.of(**keys)  # type: ignore[arg-type]
    first, *others = said.split(" ... ")
    assert str(caught.value).startswith(first) and all(x in str(caught.value) for x in others)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["1us", "2ms", "lognormal", "constant"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["dist", "at", "median", "p99", "read", "write"]), inner),
    max_leaves=6,
)  # fmt: skip
KEYS = ["read", "write", "units", "request", "page", "latency", "duplex", "tags", "rotational"]
KEYS += ["cpu", "synchronous", "load", "store", "ratio", "incompressible", "limit", "endurance"]


@given(st.sampled_from([*PRESETS]), st.dictionaries(st.sampled_from(KEYS), anything, max_size=3))
def test_whatever_is_set_is_a_device_or_a_value_error(preset: str, keys: dict[str, object]) -> None:
    try:
        d = DeviceConfig.of(preset, **keys)
    except ValueError:
        return
    if d.synchronous:
        assert d.units == 0 and d.ratio >= 1 and 0 <= d.incompressible <= 1
    else:
        assert d.units >= 1 and d.load == d.store == 0
    for f in fields(d):
        value = getattr(d, f.name)
        assert not isinstance(value, float) or math.isfinite(value)
        assert f.name in {"limit", "endurance"} or not isinstance(value, int) or value <= LONGEST


# ---------------------------------------------------------------- empirical


def empirical(path: Path, text: str | bytes) -> Distribution:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return parse_distribution("read", {"dist": "empirical", "file": path})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lat.csv"


def test_empirical_times_are_sorted_and_summed(path: Path) -> None:
    text = "us,weight\n80.5,2\n10,1\n80.5,0.5\n7,0\n"
    found = empirical(path, text)
    assert (found.times, found.upto) == ((10_000.0, 80_500.0), (1.0, 3.5))
    assert empirical(path, "\ufeffweight, us\r\n2,80.5\r\n1,10\r\n.5,80.5\r\n") == found
    table = {"times": np.array(found.times), "upto": np.array(found.upto)}
    drawn = _kernels.draw(3, _kernels.random_bits(1, 0, 0, 1000), **table)
    assert set(drawn.tolist()) == {10_000, 80_500}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a CSV file with the columns us and weight, but []"),
        ("us\n1\n", "a CSV file with the columns us and weight, but ['us']"),
        ("us,weight,more\n1,1,1\n", "a CSV file with the columns us and weight"),
        ("us,weight\n", "a file with a line whose weight is above 0"),
        ("us,weight\n1,0\n", "a file with a line whose weight is above 0"),
        ("us,weight\n1,1\nx,1\n", "line 3, us: 'x' is not a number from 0 to"),
        ("us,weight\n-1,1\n", "line 2, us: '-1' is not a number from 0 to"),
        ("us,weight\nnan,1\n", "line 2, us: 'nan' is not a number from 0 to"),
        ("us,weight\n1,inf\n", "line 2, weight: 'inf' is not a number from 0 to"),
        ("us,weight\n1,-2\n", "line 2, weight: '-2' is not a number from 0 to"),
        ("us,weight\n1\n", "line 2: ['1'] is not two numbers"),
        (b"us,weight\n\xff,1\n", "a file that can be read: 'utf-8' codec"),
    ],
)
def test_mistakes_in_a_file_are_named(path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        empirical(path, text)
    assert str(caught.value).startswith("read.file: ") and str(path) in str(caught.value)
    assert said in str(caught.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="can be read: not a regular file but a folder"):
        parse_distribution("read", {"dist": "empirical", "file": tmp_path})
