"""Fitting: exact on exact data, agreeing with SciPy, honest with few or bad timings."""

import math

import numpy as np
import pytest
from latency_graphs import ADRENO_730, GraphBuilder, mialgo, syenet
from scipy.optimize import nnls as scipy_nnls

from latency import LatencyOracle, ProfileError, fit_profile, load_profile, lower, write_profile
from latency.cost import features
from latency.fit import interval_factor, nnls

PRICES = {"run": 2.0, "gmac": 1.5, "gbyte": 25.0}


def convs(size, channels, depth):
    b = GraphBuilder((1, size, size, 4))
    x = 0
    for _ in range(depth):
        x = b.unary("RELU", b.conv(x, channels))
    return b.graph(x)


NETWORKS = {
    "mialgo": mialgo(),
    "syenet": syenet(),
    "wide": convs(256, 64, 3),
    "deep": convs(512, 12, 10),
    "small": convs(128, 8, 2),
    "large": convs(1024, 16, 4),
}


def timed(noise=None):
    """Every network with the time the true prices give it, times exp(noise)."""
    noise = noise if noise is not None else [0.0] * len(NETWORKS)
    rows = []
    for (name, graph), error in zip(NETWORKS.items(), noise, strict=True):
        values = features(lower(graph, ADRENO_730), PRICES)
        ms = sum(PRICES[n] * v for n, v in values.items())
        rows.append((name, graph, ms * math.exp(error)))
    return rows


def fitted(rows, **more):
    return fit_profile("phone", ADRENO_730, rows, source="test", date="2026-01-01", **more)


def test_exact_timings_give_back_the_prices():
    profile = fitted(timed())
    assert profile.coefficients == pytest.approx(PRICES)
    assert profile.fit.interval_factor == pytest.approx(1, abs=1e-6)
    for row in profile.fit.rows:
        assert row.fitted_ms == pytest.approx(row.measured_ms)
        assert row.held_out_ms == pytest.approx(row.measured_ms)


def test_predictions_are_the_fitted_values():
    rng = np.random.default_rng(0)
    rows = timed(rng.normal(0, 0.1, len(NETWORKS)))
    oracle = LatencyOracle(fitted(rows))
    for (_, graph, _), row in zip(rows, oracle.profile.fit.rows, strict=True):
        assert oracle.predict(graph).ms == pytest.approx(row.fitted_ms)
        assert oracle.predict(graph).notes == ()


def test_noise_widens_the_interval():
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.1, len(NETWORKS))
    factors = [fitted(timed(scale * noise)).fit.interval_factor for scale in (0.1, 1, 2)]
    assert factors == sorted(factors)
    assert factors[0] > 1.0


def test_intervals_cover_new_networks():
    """Nine in ten new timings fall inside, over many fits of noisy data."""
    rng = np.random.default_rng(2)
    inside = total = 0
    for _ in range(30):
        rows = timed(rng.normal(0, 0.15, len(NETWORKS)))
        oracle = LatencyOracle(fitted(rows))
        for _, graph, ms in timed(rng.normal(0, 0.15, len(NETWORKS))):
            estimate = oracle.predict(graph)
            inside += estimate.low_ms <= ms <= estimate.high_ms
            total += 1
    assert inside / total > 0.85


def test_a_fitted_profile_survives_writing(tmp_path):
    profile = fitted(timed(), hardware={"soc": "none", "clock_mhz": 800})
    write_profile(profile, tmp_path / "phone.toml")
    assert load_profile(tmp_path / "phone.toml") == profile


def test_prices_are_never_negative():
    # Times that fall with size would ask for negative rates.
    rows = [(name, graph, 100.0 / (1 + i)) for i, (name, graph, _) in enumerate(timed())]
    assert all(price >= 0 for price in fitted(rows).coefficients.values())


def test_a_feature_nobody_shows_is_left_out():
    profile = fitted(timed(), feature_names=("run", "gmac", "gbyte", "depthwise_gmac"))
    assert set(profile.coefficients) == set(PRICES)


@pytest.mark.parametrize("seed", range(20))
def test_nnls_agrees_with_scipy(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(12, 5)), rng.normal(size=12)
    expected, residual = scipy_nnls(a, b)
    found = nnls(a, b)
    assert (found >= 0).all()
    assert np.linalg.norm(a @ found - b) == pytest.approx(residual)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_nnls_of_collinear_columns():
    a = np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]])
    found = nnls(a, np.array([1.0, 2.0, 3.0]))
    assert (found >= 0).all()
    np.testing.assert_allclose(a @ found, [1, 2, 3])


def test_interval_factor_by_hand():
    # Six rows off by 10 % alternately, three prices: t(3) = 2.353.
    measured = np.exp(np.array([0.1, -0.1] * 3))
    expected = math.exp(2.353 * 0.1 * math.sqrt(7 / 6))
    assert interval_factor(measured, np.ones(6), 3) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("rows", "more", "message"),
    [
        (timed()[:3], {}, "3 timings cannot give 3 prices"),
        ([(n, g, -1.0) for n, g, _ in timed()], {}, "mialgo: measured -1.0 ms"),
        ([(n, g, math.nan) for n, g, _ in timed()], {}, "measured nan ms"),
        (timed(), {"feature_names": ("run", "joule")}, "unknown feature 'joule'"),
    ],
)
def test_unusable_timings_are_refused(rows, more, message):
    with pytest.raises(ProfileError, match=message):
        fitted(rows, **more)


def test_a_network_with_fallbacks_is_refused():
    b = GraphBuilder((1, 8, 8, 4))
    graph = b.graph(b.unary("ROUND", b.conv(0, 8)))
    with pytest.raises(ProfileError, match="op 1 ROUND runs on the CPU"):
        fitted([("bad", graph, 1.0), *timed()])
