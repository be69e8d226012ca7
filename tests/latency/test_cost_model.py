"""The cost model is linear: kernels add up, and features times prices give the same."""

import pytest
from latency_graphs import ADRENO_730, GraphBuilder, mialgo, syenet

from latency import lower
from latency.cost import FEATURES, RUN, CostModel, CpuRates, fallback_ms, features
from latency.kernel import Fallback

EVERYTHING = {name: 0.5 + i for i, name in enumerate((RUN, *FEATURES))}


@pytest.mark.parametrize("network", [mialgo, syenet])
def test_kernels_add_up_to_features_times_prices(network):
    lowering = lower(network(64, 96), ADRENO_730)
    model = CostModel(EVERYTHING)
    total = model.fixed_ms(0.0, 0) + sum(model.kernel_ms(kernel) for kernel in lowering.kernels)
    values = features(lowering, EVERYTHING)
    assert total == pytest.approx(sum(EVERYTHING[n] * v for n, v in values.items()), rel=1e-12)


def test_features_of_mialgo():
    lowering = lower(mialgo(), ADRENO_730)
    pixels = 544 * 960
    assert features(lowering, (RUN, "launch", "gmac", "gbyte")) == {
        RUN: 1.0,
        "launch": 4.0,
        "gmac": pytest.approx(pixels * 3024 / 1e9),
        "gbyte": pytest.approx(pixels * 184 / 1e9),
    }
    # In: 4 channels of fp32 and fp16; out: 4 pixels of 3 fp32 and of 4 fp16 channels.
    assert features(lowering, ["conversion_gbyte"])["conversion_gbyte"] == pytest.approx(
        pixels * (4 * 6 + 4 * (3 * 4 + 4 * 2)) / 1e9
    )


def test_surcharges_count_on_their_kinds_only():
    b = GraphBuilder((1, 8, 8, 8))
    lowering = lower(b.graph(b.depth_to_space(b.depthwise(0))), ADRENO_730)
    values = features(lowering, FEATURES)
    assert values["depthwise_gmac"] == values["gmac"] == 64 * 9 * 8 / 1e9
    assert values["scattered_gbyte"] == 64 * (8 + 4 * 4) * 2 / 1e9
    assert values["winograd_gmac"] == values["reduce_gbyte"] == values["reduce_launch"] == 0


def test_conversions_cost_nothing_unless_priced():
    lowering = lower(mialgo(8, 8), ADRENO_730)
    model = CostModel({RUN: 1.0, "launch": 1.0, "gbyte": 1.0})
    assert model.kernel_ms(lowering.kernels[0]) == 0
    assert model.kernel_ms(lowering.kernels[1]) > 1


def test_fallbacks_are_priced_by_work():
    ops = [Fallback(0, "A", "", macs=2_000_000_000), Fallback(1, "B", "", bytes=500_000_000)]
    assert fallback_ms(ops, CpuRates(ms_per_gmac=10, ms_per_gbyte=500)) == 20 + 250
