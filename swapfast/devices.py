"""Devices that swap areas lie on: presets, and the settings of one as plain numbers.

- ``PRESETS``: name -> ``Preset``: settings, and whether they are measured or a guess.
- ``DeviceConfig.of("nvme", units=4)``: a preset with some settings replaced, checked.

A request waits for one of the ``units``, holds it for its service time, goes through the serial
part (``request``, and ``page`` for each page of 4096 bytes), and is done ``latency`` later. What
the processor does for a swap-in is no part of the device; it is 16 us with the defaults, so that
a swap-in from ``lab`` takes 66 us altogether. A ``synchronous`` device (zram) has no queue at all:
its ``load`` and ``store`` are time of the processor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Self

from swapfast.distributions import Distribution, duration, nearest, parse_distribution, wrong
from swapfast.units import PAGE_SIZE, parse_size

__all__ = ["PRESETS", "DeviceConfig", "Preset"]

MOST_UNITS, MOST_TAGS = 4096, 65_536


@dataclass(frozen=True)
class Preset:
    """A kind of device.

    Parameters
    ----------
    about : str
        What it stands for.
    calibrated : bool
        Whether its times were measured; else they are a guess, within a factor of two.
    keys : mapping
        Its settings, as `DeviceConfig.of` takes them.
    """

    about: str
    calibrated: bool
    keys: Mapping[str, Any]


def _lognormal(median: str, p99: str) -> dict[str, str]:
    return {"dist": "lognormal", "median": median, "p99": p99}


_HDD = {"dist": "position", "a": "1ms", "b": "15ms", "turn": "8.33ms"}
_OPTANE = _lognormal("10us", "14us")

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "lab": Preset(
            "the virtio disk that the policies were held against",
            True,
            {
                "read": "0ns",
                "write": "0ns",
                "units": 64,
                "request": {"read": "0ns", "write": "3500ns"},
                "page": {"read": "0ns", "write": "2600ns"},
                "latency": {"read": "50us", "write": "45us"},
                "duplex": True,
            },
        ),
        "nvme": Preset(
            "a fast flash drive, 3.1 GB/s",
            False,
            {
                "read": _lognormal("80us", "200us"),
                "write": _lognormal("20us", "100us"),
                "units": 64,
                "page": "1300ns",
                "tags": 1023,
            },
        ),
        "optane": Preset(
            "a drive without flash, even and quick",
            False,
            {"read": _OPTANE, "write": _OPTANE, "units": 16, "page": "1700ns", "tags": 1023},
        ),
        "sata-ssd": Preset(
            "a flash drive on SATA, 530 MB/s",
            False,
            {
                "read": _lognormal("130us", "500us"),
                "write": _lognormal("60us", "2ms"),
                "units": 8,
                "request": "2us",
                "page": "7700ns",
                "tags": 32,
            },
        ),
        "emmc": Preset(
            "the flash of a small board, 250 MB/s",
            False,
            {
                "read": _lognormal("200us", "1ms"),
                "write": _lognormal("400us", "20ms"),
                "units": 1,
                "request": "20us",
                "page": "16us",
                "tags": 31,
            },
        ),
        "hdd": Preset(
            "a disk of 7200 turns a minute, 180 MB/s",
            False,
            {
                "read": _HDD,
                "write": _HDD,
                "units": 1,
                "page": "23us",
                "rotational": True,
                "tags": 32,
            },
        ),
        "nbd": Preset(
            "a disk of another machine over 1 Gb/s",
            False,
            {
                "read": "0ns",
                "write": "0ns",
                "units": 128,
                "request": "4us",
                "page": "35us",
                "latency": "250us",
                "tags": 128,
            },
        ),
        "zram": Preset(
            "memory, compressed with lz4",
            False,
            {"synchronous": True, "load": "1.5us", "store": "4us"},
        ),
    }
)
"""What there is, each a row of settings; `DeviceConfig.of` replaces some of them."""


# ---------------------------------------------------------------- one key each


def _both(key: str, value: Any) -> dict[str, int]:
    """One time for reads and writes, or a table of two."""
    if not isinstance(value, Mapping):
        ns = duration(key, value)
        return {f"read_{key}": ns, f"write_{key}": ns}
    if set(value) != {"read", "write"}:
        raise wrong(key, dict(value), "a time, or a table of read and write")
    return {f"{way}_{key}": duration(f"{key}.{way}", value[way]) for way in ("read", "write")}


def _whole(most: int) -> Callable[[str, Any], dict[str, int]]:
    def parse(key: str, value: Any) -> dict[str, int]:
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            raise wrong(key, value, f"a whole number from 1 to {most}")
        return {key: value}

    return parse


def _tags(key: str, value: Any) -> dict[str, int]:
    if value == "unlimited":
        return {key: 0}
    try:
        return _whole(MOST_TAGS)(key, value)
    except ValueError as error:
        raise ValueError(f'{error}, or "unlimited"') from None


def _flag(key: str, value: Any) -> dict[str, bool]:
    if not isinstance(value, bool):
        raise wrong(key, value, "true or false")
    return {key: value}


def _bytes(key: str, value: Any) -> dict[str, int]:
    allowed = 'a size above 0 such as "600TB" or "64MiB"'
    try:
        size = 0 if isinstance(value, bool) else parse_size(value)
    except ValueError:
        raise wrong(key, value, allowed) from None
    if size == 0:
        raise wrong(key, value, allowed)
    return {key: size}


def _number(least: float, most: float) -> Callable[[str, Any], dict[str, float]]:
    def parse(key: str, value: Any) -> dict[str, float]:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        if not fits or not least <= value <= most:  # NaN is not
            raise wrong(key, value, f"a number from {least:g} to {most:g}")
        return {key: float(value)}

    return parse


def _time(key: str, value: Any) -> dict[str, int]:
    return {key: duration(key, value)}


def _service(key: str, value: Any) -> dict[str, Distribution]:
    return {key: parse_distribution(key, value)}


_QUEUED: dict[str, Callable[[str, Any], Mapping[str, Any]]] = {
    "read": _service,
    "write": _service,
    "units": _whole(MOST_UNITS),
    "request": _both,
    "page": _both,
    "latency": _both,
    "duplex": _flag,
    "tags": _tags,
    "rotational": _flag,
    "cpu": _time,
}
_COMPRESSED: dict[str, Callable[[str, Any], Mapping[str, Any]]] = {
    "load": _time,
    "store": _time,
    "ratio": _number(1, 4096),
    "incompressible": _number(0, 1),
    "limit": _bytes,
}
_KEYS = {**_QUEUED, **_COMPRESSED, "synchronous": _flag, "endurance": _bytes}
_NEEDED = {False: ("read", "write", "units"), True: ("load", "store")}  # by synchronous


def _apart(synchronous: bool, name: str) -> bool:
    """Whether a key means nothing to the other sort of device."""
    return name in (_QUEUED if synchronous else _COMPRESSED)


_NO_TIME = Distribution("constant")


@dataclass(frozen=True)
class DeviceConfig:
    """One device, in plain numbers: ns, bytes and counts. Made by `of`, which checks them.

    Parameters
    ----------
    preset : str
        Where its settings come from.
    read, write : Distribution
        How long a request holds a unit.
    units : int
        Requests served at a time.
    read_request, write_request, read_page, write_page : int
        The serial part: for each request, and for each page of it.
    read_latency, write_latency : int
        Added after that, and holds nothing.
    duplex : bool
        Reads and writes have units and a serial part of their own.
    tags : int
        Requests in flight at most; 0 is no limit.
    rotational : bool
        The kernel takes it for a rotating disk.
    cpu : int or None
        Time of the processor for a swap-in, beside the device. None: what the machine's ``swap_in``
        has of it.
    synchronous : bool
        The processor does it all: ``load`` and ``store`` and what follows count, nothing above.
    load, store : int
        Time of the processor for a page.
    ratio : float
        How many times smaller pages get, all of them together: orig_data_size / compr_data_size in
        mm_stat of zram.
    incompressible : float
        Share of pages stored as they are, 1 / ``ratio`` at most.
    limit : int
        Bytes of memory that its pages may take in whole pages, mem_limit of zram; 0 is no limit.
        A page beyond that stays in memory, dirty.
    endurance : int
        Bytes that may be written in its life; 0 is unknown.
    """

    preset: str
    read: Distribution = _NO_TIME
    write: Distribution = _NO_TIME
    units: int = 0
    read_request: int = 0
    write_request: int = 0
    read_page: int = 0
    write_page: int = 0
    read_latency: int = 0
    write_latency: int = 0
    duplex: bool = False
    tags: int = 0
    rotational: bool = False
    cpu: int | None = None
    synchronous: bool = False
    load: int = 0
    store: int = 0
    ratio: float = 3.0
    incompressible: float = 0.05
    limit: int = 0
    endurance: int = 0

    @classmethod
    def of(cls, preset: str = "lab", **keys: Any) -> Self:
        """A preset, some of its settings replaced.

        Parameters
        ----------
        preset : str
            One of `PRESETS`.
        read, write : str, int or dict
            A constant time; or ``{"dist": "lognormal", "median": "80us", "p99": "200us"}``,
            ``{"dist": "exponential", "mean": ...}``, ``{"dist": "position", "a": ..., "b": ...,
            "turn": ...}``, ``{"dist": "empirical", "file": "lat.csv"}`` (columns us and weight).
        request, page, latency : str, int or dict
            A time for both directions, or ``{"read": ..., "write": ...}``.
        units : int
        tags : int or "unlimited"
        duplex, rotational, synchronous : bool
        cpu, load, store : str or int
        ratio, incompressible : float
        limit, endurance : str or int
            Sizes.

        Raises
        ------
        ValueError
            No such preset or key, a value that cannot be, a key of the other sort of device, or
            one missing. The message has the key, the value, and what is allowed.
        """
        if not isinstance(preset, str) or preset not in PRESETS:
            raise wrong("preset", preset, f"a preset; {nearest(preset, PRESETS)}")
        for name, value in keys.items():
            if name not in _KEYS:
                raise wrong(name, value, f"a key of a device; {nearest(name, _KEYS)}")
        told = {**PRESETS[preset].keys, **keys}
        synchronous = _flag("synchronous", told.get("synchronous", False))["synchronous"]
        for name, value in keys.items():
            if _apart(synchronous, name):
                sort = "synchronous device" if synchronous else "device with a queue"
                raise wrong(name, value, f"for a {sort}")
        for name in _NEEDED[synchronous]:
            if name not in told:
                raise ValueError(f"{name}: missing; a device has {', '.join(_NEEDED[synchronous])}")
        fields: dict[str, Any] = {}
        for name, value in told.items():
            if not _apart(synchronous, name):
                fields |= _KEYS[name](name, value)
        config = cls(preset, **fields)
        config._check_ratio()
        return config

    def _check_ratio(self) -> None:
        share = self.incompressible
        if self.ratio * share > 1:
            allowed = f"{1 / share:g} at most, with incompressible at {share:g}"
            raise wrong("ratio", self.ratio, allowed)

    @property
    def compressed(self) -> tuple[float, float]:
        """Bytes of a page that compresses: the least, and how far they go from there.

        The mean of all pages is 4096 / ``ratio``, those counted that are stored whole. The others
        are uniform around theirs, half of it to either side as far as a page has bytes.
        """
        rest = 1 - self.incompressible
        mean = PAGE_SIZE * (1 / self.ratio - self.incompressible) / rest if rest else PAGE_SIZE
        side = min(mean / 2, PAGE_SIZE - mean)
        return mean - side, 2 * side

    @property
    def random(self) -> bool:
        """Whether what it does is drawn from a seed."""
        if self.synchronous:
            return False
        return any(one.kind != "constant" for one in (self.read, self.write))

    @property
    def calibrated(self) -> bool:
        """Whether its times were measured: a measured preset, of which nothing was replaced.

        The endurance is no time.
        """
        preset = PRESETS.get(self.preset)
        return (
            preset is not None
            and preset.calibrated
            and replace(self, endurance=0) == type(self).of(self.preset)
        )
