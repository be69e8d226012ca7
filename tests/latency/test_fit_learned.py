"""Borrowed kernel models: a phone made of a scaled one is found again."""

import math
from dataclasses import replace

import numpy as np
import pytest
from latency_graphs import GraphBuilder

from latency import Gpu, LatencyOracle, ProfileError, load_profile, lower, write_profile
from latency.fit_learned import fit_borrowed, predict_ms
from latency.profile import lender_names, load_lender

GPU = Gpu("adreno", "7xx", compute_units=4, wave_size=128)
RUN_MS, SCALES = 2.0, (0.4, 0.8, 0.6)


def network(seed):
    rng = np.random.default_rng(seed)
    size = int(rng.choice([64, 128, 256, 400]))
    b = GraphBuilder((1, size, size, 4))
    x = b.conv(0, int(rng.choice([8, 16, 32, 64])))
    for _ in range(int(rng.integers(1, 6))):
        skip = x
        x = b.unary("RELU", b.conv(x, b.shape(x)[3], int(rng.choice([1, 3, 5]))))
        if rng.random() < 0.5:
            x = b.binary("ADD", x, skip)
        if rng.random() < 0.5:
            x = b.depthwise(x)
    return lower(b.graph(b.depth_to_space(b.conv(x, 12))), GPU)


@pytest.fixture(scope="module")
def lender():
    found = load_lender("adreno-640")
    return replace(found, model=replace(found.model, gpu=GPU))


def true_ms(lowering, lender):
    parts = np.array([lender.model.parts_ms(kernel) for kernel in lowering.kernels]).sum(axis=0)
    return RUN_MS + float(parts @ SCALES)


def timings(lender, count, noise=0.0):
    rng = np.random.default_rng(7)
    found = []
    for seed in range(count):
        lowering = network(seed)
        ms = true_ms(lowering, lender) * math.exp(noise * rng.normal())
        found.append((f"net{seed}", lowering, ms))
    return found


def test_a_scaled_phone_is_found_again(lender):
    profile = fit_borrowed("x", GPU, timings(lender, 12), [lender], source="a test")
    for seed in range(100, 110):
        lowering = network(seed)
        predicted = predict_ms(profile.learned, lowering)
        assert predicted == pytest.approx(true_ms(lowering, lender), rel=0.03)
    assert profile.learned.run_ms == pytest.approx(RUN_MS, rel=0.15)
    assert profile.fit.interval_factor < 1.15


def test_shrinkage_holds_what_few_noisy_timings_cannot_tell(lender):
    few = timings(lender, 4, noise=0.1)
    free = fit_borrowed("x", GPU, few, [lender], source="", shrinkage=1e-4)
    held = fit_borrowed("x", GPU, few, [lender], source="", shrinkage=1.0)

    def spread(profile):
        scales = np.array(profile.learned.sources[0].scales)
        return scales.std() / scales.mean()

    assert spread(held) < 0.5 * spread(free)


def test_two_lenders_are_averaged(lender):
    other = load_lender("mali-g76")
    both = fit_borrowed("x", GPU, timings(lender, 8), [lender, other], source="")
    single = [
        fit_borrowed("x", GPU, timings(lender, 8), [one], source="") for one in (lender, other)
    ]
    lowering = network(50)
    mean = np.mean([predict_ms(profile.learned, lowering) for profile in single])
    assert predict_ms(both.learned, lowering) == pytest.approx(mean)


def test_held_out_rows_are_not_the_fitted_ones(lender):
    profile = fit_borrowed("x", GPU, timings(lender, 6, noise=0.2), [lender], source="")
    assert all(row.held_out_ms != row.fitted_ms for row in profile.fit.rows)


def test_a_borrowed_profile_survives_its_file_and_predicts(lender, tmp_path):
    profile = fit_borrowed("x", GPU, timings(lender, 6), [lender], source="a test")
    write_profile(profile, tmp_path / "x.toml")
    again = load_profile(tmp_path / "x.toml")
    assert again == profile
    b = GraphBuilder((1, 128, 128, 4))
    estimate = LatencyOracle(again).predict(b.graph(b.conv(0, 12)))
    assert estimate.low_ms < estimate.ms < estimate.high_ms
    kernels = math.fsum(kernel.ms for kernel in estimate.kernels)
    assert estimate.ms == pytest.approx(kernels + estimate.fixed_ms)


def test_too_few_and_impossible_timings_are_refused(lender):
    with pytest.raises(ProfileError, match="2 timings; at least 3"):
        fit_borrowed("x", GPU, timings(lender, 2), [lender], source="")
    broken = [*timings(lender, 3), ("bad", network(1), math.nan)]
    with pytest.raises(ProfileError, match="bad: measured nan ms"):
        fit_borrowed("x", GPU, broken, [lender], source="")


def test_unknown_lenders_are_listed():
    assert {"adreno-616", "adreno-640", "mali-g76"} <= set(lender_names())
    with pytest.raises(ProfileError, match=r"unknown kernel model 'voodoo'; known: .*mali-g76"):
        load_lender("voodoo")
