"""Requests are sent where they should be, and all of them are counted. No time is asserted."""

import os

import numpy as np
import pytest

from swapfast.measure._requests import requests
from swapfast.measure.device import Target, measure_device
from swapfast.measure.device.service import _buffer
from swapfast.measure.device.target import Facts

MIB = 1 << 20


@pytest.fixture
def file(tmp_path):
    """``file(size)``: a target in the page cache, for want of a device."""
    opened = []

    def make(size=MIB, own=True):
        path = tmp_path / "data"
        path.write_bytes(bytes(size))
        fd = os.open(path, os.O_RDWR if own else os.O_RDONLY)
        opened.append(fd)
        return Target(path, fd, size, own, Facts("", False, None))

    yield make
    for fd in opened:
        os.close(fd)


def test_requests_read_and_write_their_places(file):
    target = file()
    took = np.zeros(2, np.uint64)
    with _buffer(4096, np.random.default_rng(1)) as address:
        requests(target.fd, np.array([4096, 8 * 4096]), address, 4096, True, took)
    assert (took > 0).all()
    content = target.path.read_bytes()
    touched = [i for i in range(MIB // 4096) if any(content[i * 4096 : (i + 1) * 4096])]
    assert touched == [1, 8]


def test_a_request_that_is_refused_or_served_in_part(file):
    target, took = file(), np.zeros(1, np.uint64)
    with _buffer(4096) as address:
        for at in (MIB, MIB - 100):
            with pytest.raises(OSError, match="a request was refused"):
                requests(target.fd, np.array([at]), address, 4096, False, took)
        with pytest.raises(ValueError, match="took: 1 times, not 3"):
            requests(target.fd, np.array([0]), address, 4096, False, np.zeros(3, np.uint64))


def test_a_file_of_its_own_is_filled_read_and_written(file):
    target, steps = file(2 * MIB), []
    service = measure_device(
        target, depths=(1, 3), seconds=0.01, progress=lambda *step: steps.append(step)
    )
    assert [(p.write, p.depth) for p in service.points] == [
        (False, 1),
        (False, 3),
        (True, 1),
        (True, 3),
    ]
    assert all(len(p.took) >= 16 * p.depth and (p.took > 0).all() for p in service.points)
    assert all(p.rate > 0 for p in service.points) and set(service.bandwidth) == {False, True}
    content = target.path.read_bytes()
    assert all(any(content[i : i + 4096]) for i in range(0, 2 * MIB, 4096)), "no block is empty"
    done = [done for _, done, _ in steps]
    assert done == list(range(len(steps))) and {total for *_, total in steps} == {len(steps)}
    assert steps[0][0] == "filling the file" and steps[-1][0] == "large writes"


def test_what_is_there_is_only_read(file):
    target = file(own=False)
    service = measure_device(target, depths=(1,), seconds=0.01)
    assert service.of(True) == () and set(service.bandwidth) == {False}
    assert target.path.read_bytes() == bytes(MIB)


def test_an_error_in_one_thread_ends_all(file):
    target = file()
    os.truncate(target.path, 4096)
    target.own = False
    with pytest.raises(OSError, match="a request was refused"):
        measure_device(target, depths=(1, 8), seconds=3600)


@pytest.mark.parametrize("depths", [(), (4,), (1, 8, 4), (1, 2000)])
def test_wrong_depths(file, depths):
    with pytest.raises(ValueError, match="do not go up from 1"):
        measure_device(file(), depths=depths)


def test_wrong_times(file):
    with pytest.raises(ValueError, match="seconds: 0 is not"):
        measure_device(file(), seconds=0)
