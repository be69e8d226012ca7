"""The kernel model on timings whose truth is known."""

import math
from dataclasses import replace

import numpy as np
import pytest
from latency_graphs import ADRENO_640, MALI_G76, GraphBuilder

from latency import ProfileError, lower
from latency.kernel import CONVERSIONS
from latency.kernel_model import fit_kernel_model
from latency.kernel_model_file import load_kernel_model, write_kernel_model
from latency.kernel_shape import PRICES, SHAPE, physical_quantities, shape_features
from latency.occupancy import occupancy

GPU = ADRENO_640
TRUTH = (0.006, 1.0, 2.0, 20.0, 30.0, 5.0, 0.01)
"""Prices of the made-up GPU, one per PRICES."""


def kernels_of(count, seed=0, gpu=GPU):
    """Kernels of random convolutions, depthwise convolutions and concatenations."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        size, wide = int(rng.integers(4, 120)), 4 * int(rng.integers(1, 60))
        b = GraphBuilder((1, size, size, wide))
        x = b.conv(0, 4 * int(rng.integers(1, 60)), int(rng.choice([1, 3, 5])))
        x = b.depthwise(x, int(rng.choice([3, 5])), int(rng.choice([1, 2])))
        graph = b.graph(b.concat(x, b.conv(x, 8, 1)))
        found += [k for k in lower(graph, gpu).kernels if k.kind not in CONVERSIONS]
    return found


def true_ms(kernel, gpu=GPU):
    return math.fsum(
        p * q
        for p, q in zip(TRUTH, physical_quantities(kernel, occupancy(kernel, gpu)), strict=True)
    )


@pytest.fixture(scope="module")
def model():
    timings = [(kernel, true_ms(kernel)) for kernel in kernels_of(80)]
    return fit_kernel_model("made-up", GPU, timings, source="a formula")


def test_features_have_the_stated_length():
    for kernel in kernels_of(3):
        assert len(physical_quantities(kernel, occupancy(kernel, GPU))) == len(PRICES)
        assert len(shape_features(kernel, occupancy(kernel, GPU))) == len(SHAPE)
        assert all(map(math.isfinite, shape_features(kernel, occupancy(kernel, GPU))))


def test_kernels_never_seen_are_predicted(model):
    errors = [abs(model.kernel_ms(k) / true_ms(k) - 1) for k in kernels_of(20, seed=1)]
    assert np.median(errors) < 0.02
    assert max(errors) < 0.3


def test_the_correction_learns_what_no_price_explains_and_fades_away():
    """A made-up GPU that is 1.6 times slower at small windows of 5x5."""

    def odd_ms(kernel):
        slow = kernel.taps == 25 and kernel.kind == "conv_generic"
        return true_ms(kernel) * (1.6 if slow else 1.0)

    timings = [(kernel, odd_ms(kernel)) for kernel in kernels_of(80)]
    learned = fit_kernel_model("odd", GPU, timings, source="a formula")
    fives = [k for k in kernels_of(40, seed=2) if k.taps == 25 and k.kind == "conv_generic"]
    assert len(fives) >= 5
    errors = [abs(learned.kernel_ms(k) / odd_ms(k) - 1) for k in fives]
    plain = replace(
        learned,
        kinds={kind: replace(m, points=(), weights=()) for kind, m in learned.kinds.items()},
    )
    without = [abs(plain.kernel_ms(k) / odd_ms(k) - 1) for k in fives]
    assert np.mean(errors) < 0.5 * np.mean(without)
    b = GraphBuilder((1, 2000, 3000, 64))
    (far,) = [k for k in lower(b.graph(b.conv(0, 64, 5)), GPU).kernels if k.kind == "conv_generic"]
    assert learned.kernel_ms(far) == pytest.approx(plain.kernel_ms(far), rel=0.35)


def test_a_kind_never_timed_is_priced_like_its_nearest(model):
    assert model.timed_kind("conv_grouped") == "conv_generic"
    assert model.timed_kind("resize") is None
    b = GraphBuilder((1, 64, 64, 16))
    (shuffle,) = [
        k for k in lower(b.graph(b.depth_to_space(0)), GPU).kernels if k.kind not in CONVERSIONS
    ]
    moved_gb = (shuffle.read_bytes + shuffle.write_bytes) / 1e9
    assert TRUTH[0] <= model.kernel_ms(shuffle) <= 0.1 + 60 * moved_gb


def test_parts_add_up_and_none_is_negative(model):
    for kernel in kernels_of(10, seed=3):
        parts = model.parts_ms(kernel)
        assert min(parts) >= 0
        assert model.kernel_ms(kernel) == pytest.approx(sum(parts))


def test_a_model_survives_its_file_and_predicts_the_same(model, tmp_path):
    path = tmp_path / "m.json"
    write_kernel_model(model, path)
    again = load_kernel_model(path)
    assert again == model
    for kernel in kernels_of(5, seed=4):
        assert again.kernel_ms(kernel) == model.kernel_ms(kernel)


def test_repeated_timings_count_as_one_shape_of_more_weight():
    timings = [(kernel, true_ms(kernel)) for kernel in kernels_of(20)]
    once = fit_kernel_model("x", GPU, timings, source="")
    thrice = fit_kernel_model("x", GPU, timings * 3, source="")
    for kind, model in once.kinds.items():
        assert len(thrice.kinds[kind].points) == len(model.points) or not model.points


@pytest.mark.parametrize("ms", [0.0, -1.0, math.nan, math.inf])
def test_impossible_times_are_refused(ms):
    with pytest.raises(ProfileError, match="positive"):
        fit_kernel_model("x", GPU, [(kernels_of(1)[0], ms)], source="")
    with pytest.raises(ProfileError, match="must be given"):
        fit_kernel_model("x", GPU, [], source="")


def test_the_same_kernel_takes_other_rounds_on_another_gpu(model):
    kernel = kernels_of(1, gpu=MALI_G76)[0]
    adapted = replace(model, gpu=MALI_G76)
    assert adapted.kernel_ms(kernel) > 0
