"""Settings are those of a device that would have been measured like that."""

import tomllib

import numpy as np
import pytest

from swapfast.devices import DeviceConfig
from swapfast.measure.device import Point, Service, fit, samples, toml
from swapfast.measure.device.target import Facts

FACTS = Facts("vda", True, 256)
GB = 1e9


def point(depth, us, rate, write=False):
    return Point(write, depth, np.array(us, float).repeat(10).astype(np.uint64) * 1000, rate)


def many_channels():
    """Eight requests of 80 us at a time; 4 GB/s."""
    reads = [point(d, [80 * max(d / 8, 1)], min(d, 8) / 80e-6) for d in (1, 4, 16, 32)]
    return Service(tuple(reads), {False: 4.096 * GB})


def test_units_keep_up_the_highest_rate():
    found = fit(many_channels())
    assert found.read.page == 1000 and found.read.mean == 79_000
    assert (found.read.units, found.read.request) == (8, 0)
    assert found.write == found.read and not found.wrote
    for one in many_channels().points:
        assert found.read.rate(one.depth) == pytest.approx(one.rate, rel=0.02)


def test_the_slower_direction_has_a_serial_part():
    service = many_channels()
    writes = (point(1, [100], 10_000, True), point(32, [1600], 20_000, True))
    found = fit(Service(service.points + writes, {**service.bandwidth, True: 4.096 * GB}))
    assert found.wrote and found.read.units == found.write.units == 8
    assert found.write.serial == 50_000 and found.write.mean == 50_000
    assert [found.write.rate(d) for d in (1, 32)] == pytest.approx([10_000, 20_000])


def test_one_request_at_a_time_keeps_its_spread():
    reads = (point(1, [100, 300], 5_000), point(8, [1600], 5_000))
    found = fit(Service(reads, {False: 0.4096 * GB}))
    assert (found.read.units, found.read.request, found.read.page) == (1, 0, 10_000)
    assert (found.read.median, found.read.p99) == (190_000, 290_000)


def test_a_slow_thread_does_not_hide_the_spread():
    """The rate of a single thread is less than its times say: it does more than to wait."""
    reads = (point(1, [100, 300], 3_000),)
    found = fit(Service(reads, {False: 0.4096 * GB}))
    assert found.read.request == 90_000 and found.read.p99 > 190_000


@pytest.mark.parametrize("wrote", [False, True])
def test_the_settings_are_those_of_a_disk(wrote):
    service = many_channels()
    if wrote:
        writes = tuple(point(p.depth, [50], p.rate, True) for p in service.points)
        service = Service(service.points + writes, {False: 4.096 * GB, True: 2 * GB})
    text = toml(fit(service), FACTS, size=64 << 20, when="Measured today")
    (disk,) = tomllib.loads(text)["disk"]
    assert (disk.pop("name"), disk.pop("size")) == ("measured", "64MiB")
    config = DeviceConfig.of(**disk)
    assert (config.units, config.tags, config.rotational, config.duplex) == (8, 256, True, False)
    assert config.read.at == 79_000 and config.read_page == 1000
    assert config.write_page == (2048 if wrote else 1000)
    assert text.startswith("# Measured today")
    assert ("reads only" in text) != wrote


def test_a_queue_that_nobody_knows():
    (disk,) = tomllib.loads(toml(fit(many_channels()), Facts("", False, None)))["disk"]
    assert disk["tags"] == "unlimited" and disk["rotational"] is False


def test_samples_are_an_empirical_distribution(tmp_path):
    reads = (Point(False, 1, np.arange(5_000, 8_000, dtype=np.uint64), 1.8e5),)
    service = Service(reads, {False: 4.096 * GB})
    found, path = fit(service), tmp_path / 'a "file".csv'
    path.write_text(samples(reads[0], found.read))
    assert len(path.read_text().splitlines()) == 1001
    (disk,) = tomllib.loads(toml(found, FACTS, files=(str(path), str(path))))["disk"]
    drawn = DeviceConfig.of(**{key: disk[key] for key in disk if key not in ("name", "size")}).read
    assert drawn.kind == "empirical" and len(drawn.times) == 1000
    assert np.mean(drawn.times) == pytest.approx(found.read.mean)
