"""Random numbers and what is drawn with them: the same for ever, and as distributed as they say."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapfast import _kernels
from tests.reference.splitmix import M64, mixed, splitmix

N = 200_000
CONSTANT, LOGNORMAL, EXPONENTIAL, EMPIRICAL = range(4)
GOLDEN = ["0x8568f7c4e53b5a35", "0x56b74510442b7939"]
GOLDEN_DRAWS = [[97637, 169578, 74375], [29279, 2291, 68159], [3, 3, 2]]
words = st.integers(0, M64)
extreme = np.array([0, 1, M64 >> 1, M64 - 1, M64], np.uint64)


def bits(n: int = N, seed: int = 1, stream: int = 0) -> np.ndarray:
    return _kernels.random_bits(seed, stream, 0, n)


# ---------------------------------------------------------------- splitmix


@given(words, words, words)
def test_bits_are_those_of_the_slow_twin(seed: int, stream: int, counter: int) -> None:
    assert int(_kernels.random_bits(seed, stream, counter, 1)[0]) == splitmix(seed, stream, counter)


def test_the_mixer_is_splitmix64s() -> None:
    """The first numbers of splitmix64 from state 0, as everybody publishes them."""
    gamma = 0x9E3779B97F4A7C15
    found = [mixed(gamma * i & M64) for i in (1, 2, 3)]
    assert found == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


def test_bits_stay_what_they_are() -> None:
    """A change of these changes every result with a seed."""
    assert [hex(x) for x in _kernels.random_bits(1, 2, 3, 2).tolist()] == GOLDEN


def test_a_number_does_not_depend_on_those_before() -> None:
    all_of_them = bits(1000)
    assert np.array_equal(_kernels.random_bits(1, 0, 700, 300), all_of_them[700:])


@pytest.mark.parametrize("which", ["seed", "stream", "counter"])
def test_neighbours_have_nothing_in_common(which: str) -> None:
    """One bit of any of the three turned changes half of the bits, each as often as the other."""
    base = np.random.default_rng(5).integers(0, M64, (2000, 3), dtype=np.uint64)
    column = ["seed", "stream", "counter"].index(which)
    for bit in (0, 1, 13, 31, 32, 50, 63):
        turned = base.copy()
        turned[:, column] ^= np.uint64(1 << bit)
        changed = np.array(
            [
                splitmix(*map(int, a)) ^ splitmix(*map(int, b))
                for a, b in zip(base, turned, strict=True)
            ],
            np.uint64,
        )
        ones = np.unpackbits(changed.view(np.uint8)).reshape(len(base), 64).mean(axis=0)
        assert abs(ones - 0.5).max() < 5 * 0.5 / math.sqrt(len(base))


def test_small_seeds_streams_and_counters_share_no_number() -> None:
    found = [bits(200, seed, stream) for seed in range(20) for stream in range(20)]
    assert len(np.unique(np.concatenate(found))) == 20 * 20 * 200


def test_streams_are_not_correlated() -> None:
    u = np.array([_kernels.unit_open(bits(20_000, 1, stream)) for stream in range(8)])
    apart = np.corrcoef(u)[np.triu_indices(8, 1)]
    assert abs(apart).max() < 4.5 / math.sqrt(20_000)
    serial = [np.corrcoef(one[1:], one[:-1])[0, 1] for one in u]
    assert max(map(abs, serial)) < 4.5 / math.sqrt(20_000)


# ---------------------------------------------------------------- between 0 and 1


def test_unit_is_open() -> None:
    found = _kernels.unit_open(extreme)
    assert found[0] == 2.0**-53 and found[-1] == 1 - 2.0**-53


def test_units_are_uniform() -> None:
    u = np.sort(_kernels.unit_open(bits()))
    furthest = abs(u - (np.arange(N) + 0.5) / N).max()  # Kolmogorov and Smirnov
    assert furthest < 1.95 / math.sqrt(N)
    counts = np.bincount((u * 256).astype(int), minlength=256)
    assert ((counts - N / 256) ** 2 / (N / 256)).sum() < 255 + 4 * math.sqrt(2 * 255)


# ---------------------------------------------------------------- normal

# Known to more digits than a double has.
QUANTILES = {
    0.5: 0.0,
    0.75: 0.6744897501960817,
    0.9: 1.2815515655446004,
    0.975: 1.959963984540054,
    0.99: 2.3263478740408408,
    0.999: 3.090232306167813,
    1e-5: -4.264890793922825,
    1e-10: -6.361340902404055,
    1e-15: -7.941345326170997,
}


@pytest.mark.parametrize("u", QUANTILES)
def test_normal_at_known_quantiles(u: float) -> None:
    assert _kernels.normal(np.array([u]))[0] == pytest.approx(QUANTILES[u], rel=1e-14, abs=1e-15)


def test_normal_is_the_standard_librarys() -> None:
    u = np.concatenate(
        [np.linspace(1e-6, 1 - 1e-6, 5001), 10.0 ** -np.arange(1, 16), [0.075, 0.925, 2.0**-53]]
    )
    want = [NormalDist().inv_cdf(x) for x in u.tolist()]
    assert _kernels.normal(u) == pytest.approx(want, rel=1e-14, abs=1e-15)


@given(st.floats(2.0**-53, 0.5))
def test_normal_undoes_the_distribution(u: float) -> None:
    """Against erfc, which is of another method altogether."""
    z = _kernels.normal(np.array([u]))[0]
    assert math.erfc(-z / math.sqrt(2)) / 2 == pytest.approx(u, rel=1e-12)


@pytest.mark.parametrize("u", [0.0, 1.0, -0.1, math.nan])
def test_normal_has_no_ends(u: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        _kernels.normal(np.array([u]))


# ---------------------------------------------------------------- draws


def sigma_of(median: float, p99: float) -> float:
    return math.log(p99 / median) / QUANTILES[0.99]


def quantile_error(q: float, density: float) -> float:
    """Standard deviation of the quantile of N draws where the density is so high."""
    return math.sqrt(q * (1 - q) / N) / density


@pytest.mark.parametrize(("median", "p99"), [(80e3, 200e3), (60e3, 2e6), (400e3, 20e6)])
def test_lognormal(median: float, p99: float) -> None:
    sigma = sigma_of(median, p99)
    found = _kernels.draw(LOGNORMAL, bits(), at=median, sigma=sigma).astype(float)
    mean = median * math.exp(sigma**2 / 2)
    deviation = mean * math.sqrt(math.expm1(sigma**2))
    assert abs(found.mean() - mean) < 4 * deviation / math.sqrt(N)
    for q, want in ((0.5, median), (0.99, p99)):
        z = NormalDist().inv_cdf(q)
        error = quantile_error(q, NormalDist().pdf(z) / (sigma * want))
        assert abs(np.quantile(found, q) - want) < 4 * error


def test_exponential() -> None:
    mean = 50e3
    found = _kernels.draw(EXPONENTIAL, bits(), at=mean).astype(float)
    assert abs(found.mean() - mean) < 4 * mean / math.sqrt(N)
    assert abs(found.std() - mean) < 4 * mean * math.sqrt(2 / N)  # kurtosis 9: (9 - 1) / 4
    for q in (0.5, 0.99):
        error = quantile_error(q, (1 - q) / mean)
        assert abs(np.quantile(found, q) + mean * math.log1p(-q)) < 4 * error


def test_constant_is_constant() -> None:
    assert set(_kernels.draw(CONSTANT, extreme, at=3500.0).tolist()) == {3500}


def test_empirical_by_weight() -> None:
    times, weights = np.array([5.0, 100.0, 101.0, 9e6]), np.array([1.0, 2.5, 0.5, 4.0])
    found = _kernels.draw(EMPIRICAL, bits(), times=times, upto=weights.cumsum())
    counts = [int((found == t).sum()) for t in times]
    assert sum(counts) == N
    for count, share in zip(counts, weights / weights.sum(), strict=True):
        assert abs(count - N * share) < 4 * math.sqrt(N * share * (1 - share))


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=40), words)
def test_empirical_finds_what_a_walk_finds(weights: list[float], r: int) -> None:
    upto = np.cumsum(weights)
    times = np.arange(len(weights), dtype=float)
    share = _kernels.unit_open(np.array([r], np.uint64))[0] * upto[-1]
    want = next((i for i, end in enumerate(upto) if end > share), len(weights) - 1)
    assert _kernels.draw(EMPIRICAL, np.array([r], np.uint64), times=times, upto=upto)[0] == want


@pytest.mark.parametrize("kind", [CONSTANT, LOGNORMAL, EXPONENTIAL])
@pytest.mark.parametrize("at", [0.0, 0.4, 0.5, 1e3, 1e12, 1e300])
def test_the_ends_are_whole_numbers(kind: int, at: float) -> None:
    found = _kernels.draw(kind, extreme, at=at, sigma=3.0)
    assert (found <= 1 << 53).all()
    if kind == CONSTANT:
        assert set(found.tolist()) == {min(int(at + 0.5), 1 << 53)}


def test_draws_stay_what_they_are() -> None:
    """Rounded to whole ns, the C library's log and exp matter to nobody here."""
    r = bits(3)
    table = {"times": np.array([1.0, 2.0, 3.0]), "upto": np.array([1.0, 2.0, 3.0])}
    found = [
        _kernels.draw(LOGNORMAL, r, at=80e3, sigma=sigma_of(80e3, 200e3)).tolist(),
        _kernels.draw(EXPONENTIAL, r, at=80e3).tolist(),
        _kernels.draw(EMPIRICAL, r, **table).tolist(),
    ]
    assert found == GOLDEN_DRAWS


def test_a_table_that_is_none_is_refused() -> None:
    for table in ({}, {"times": np.ones(2), "upto": np.ones(1)}):
        with pytest.raises(ValueError, match="as many times"):
            _kernels.draw(EMPIRICAL, extreme, **table)
    with pytest.raises(ValueError, match="kind"):
        _kernels.draw(4, extreme)


# ---------------------------------------------------------------- seek

A, B, TURN = 1e6, 15e6, 8.33e6


def test_the_next_slot_comes_by_at_once() -> None:
    assert _kernels.seek(A, B, TURN, 0, 1000, extreme).tolist() == [0] * len(extreme)
    assert _kernels.seek(A, B, TURN, 0, 0, extreme).tolist() == [0] * len(extreme)


@pytest.mark.parametrize("distance", [1, 250, 1000])
def test_a_seek_is_the_way_and_half_a_turn(distance: int) -> None:
    found = _kernels.seek(A, B, TURN, distance, 1000, bits()).astype(float)
    way = A + B * math.sqrt(distance / 1000)
    assert way <= found.min() and found.max() <= way + TURN
    assert abs(found.mean() - way - TURN / 2) < 4 * TURN / math.sqrt(12 * N)
    assert abs(np.median(found) - way - TURN / 2) < 4 * quantile_error(0.5, 1 / TURN)


def test_no_seek_beyond_the_disk() -> None:
    with pytest.raises(ValueError, match="1001 slots on a disk of 1000"):
        _kernels.seek(A, B, TURN, 1001, 1000, extreme)
