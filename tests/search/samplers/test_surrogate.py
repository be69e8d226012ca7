"""The Gaussian process: against the textbook formula, and on functions that it should learn."""

import numpy as np
import pytest

from search.samplers.surrogate import Points, Settings, choose_settings, fit

SETTINGS = Settings(scale=0.7, share=0.4, linear=3.0, noise=0.05)


def some_points(count, seed=0):
    rng = np.random.default_rng(seed)
    return Points(rng.integers(0, 2, (count, 6)).astype(float), rng.standard_normal((count, 3)))


def matern(distance):
    return (1 + 5**0.5 * distance + 5 / 3 * distance**2) * np.exp(-(5**0.5) * distance)


def kernel(a, b, like):
    """Pair by pair, from the definition."""
    found = np.empty((len(a), len(b)))
    for i in range(len(a)):
        for j in range(len(b)):
            parts = []
            for name in ("choices", "measures"):
                mean, unit = getattr(like, name).mean(axis=0), getattr(like, name).std(axis=0)
                one = (getattr(a, name)[i] - mean) / unit
                other = (getattr(b, name)[j] - mean) / unit
                near = matern(np.linalg.norm(one - other) / np.sqrt(2 * len(unit)) / 0.7)
                parts.append(near + 3.0 * np.mean(one * other))
            found[i, j] = 0.4 * parts[0] + 0.6 * parts[1]
    return found


@pytest.mark.parametrize("extra", [0.0, 0.3])
def test_the_posterior_is_the_textbooks(extra):
    known, new = some_points(12), some_points(5, seed=1)
    values = 25 + np.random.default_rng(2).standard_normal(12)
    noises = np.full(12, extra)
    mean, deviation = fit(known, values, noises, SETTINGS).predict(new)
    centred = values - values.mean()
    plain = kernel(known, known, known) + 0.05 * np.eye(12)
    variance = centred @ np.linalg.solve(plain, centred) / 12
    covariance = plain + np.diag(noises / variance)
    cross = kernel(new, known, known)
    expected = values.mean() + cross @ np.linalg.solve(covariance, centred)
    explained = np.einsum("ij,ji->i", cross, np.linalg.solve(covariance, cross.T))
    np.testing.assert_allclose(mean, expected, rtol=1e-6)
    prior = np.diag(kernel(new, new, known))
    np.testing.assert_allclose(deviation, np.sqrt(variance * (prior - explained)), rtol=1e-5)


@pytest.mark.parametrize("extra", [0.0, 0.3])
def test_smoothed_observations_are_the_mean_there(extra):
    known = some_points(12)
    values = 25 + np.random.default_rng(2).standard_normal(12)
    surrogate = fit(known, values, np.full(12, extra), SETTINGS)
    np.testing.assert_allclose(surrogate.smooth, surrogate.predict(known)[0], rtol=1e-6)
    assert not np.allclose(surrogate.smooth, values)


def test_noise_is_told_from_signal():
    points = some_points(60)
    smooth = points.measures[:, 0] + 0.5 * points.choices[:, 0]
    noisy = smooth + 0.8 * np.random.default_rng(3).standard_normal(60)
    assert choose_settings(points, smooth).noise < choose_settings(points, noisy).noise


def test_a_smooth_function_is_learned():
    known, new = some_points(60), some_points(40, seed=1)

    def value(points):
        return np.sin(points.measures[:, 0]) + points.choices[:, 1]

    surrogate = fit(known, value(known), np.zeros(60), choose_settings(known, value(known)))
    mean, _ = surrogate.predict(new)
    assert np.corrcoef(mean, value(new))[0, 1] > 0.8


def test_a_bad_choice_is_learned_from_few_examples():
    """What stands beside it differs each time, so no neighbour tells."""
    rng = np.random.default_rng(0)

    def drawn(count):
        return Points(
            rng.integers(0, 2, (count, 40)).astype(float), rng.standard_normal((count, 4))
        )

    known, new = drawn(16), drawn(200)
    values = 30 - 5 * known.choices[:, 7]
    bad = new.choices[:, 7] == 1

    def told_apart_db(settings):
        mean, _ = fit(known, values, np.zeros(16), settings).predict(new)
        return mean[~bad].mean() - mean[bad].mean()

    neighbours_alone = told_apart_db(Settings(scale=1.0, share=0.5, linear=0.0, noise=0.1))
    assert told_apart_db(choose_settings(known, values)) > 1.5 * neighbours_alone > 0


def test_it_knows_what_it_has_seen_better_than_what_it_has_not():
    known, new = some_points(30), some_points(30, seed=1)
    surrogate = fit(known, known.measures[:, 0], np.zeros(30), SETTINGS)
    assert surrogate.predict(known)[1].max() < np.median(surrogate.predict(new)[1])


def test_equal_values_and_choices_that_never_change_are_no_problem():
    points = Points(np.ones((4, 3)), np.ones((4, 2)))
    values = np.full(4, 25.0)
    surrogate = fit(points, values, np.zeros(4), choose_settings(points, values))
    mean, deviation = surrogate.predict(points)
    np.testing.assert_allclose(mean, 25.0)
    assert np.isfinite(deviation).all()
