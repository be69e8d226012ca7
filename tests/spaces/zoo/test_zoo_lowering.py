"""A traced system and its exported file launch the same kernels on a phone's GPU."""

from collections import Counter

import numpy as np
import pytest

from latency.delegate import lower
from latency.gpu import Gpu
from latency.tflite import read_tflite
from search.export.conversion.signature import run_tflite
from spaces.zoo import ZOO

ADRENO_730 = Gpu("adreno", "7xx", compute_units=4, wave_size=128)
MALI_G78 = Gpu("mali", "valhall-2", compute_units=24)

# Large enough that no pooling or strided layer ends at a single pixel, where the converter
# would fold more than it does at the challenge's resolution.
RESOLUTION = {"microisp_0_5": (192, 160), "microisp_1_0": (192, 160)}
SLOW = {
    "microisp_0_5", "microisp_1_0", "pynet_v2_mobile", "mialgo_track2", "pynet_bokeh", "sensebrain",
    "skd_vsp", "casia", "casia_teacher", "channel", "vic", "zjut_vision",
}  # fmt: skip
REFUSED = {"jmu_cvlab", "vic", "zjut_vision"}

EXPORTED = [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in ZOO]


@pytest.mark.parametrize("name", EXPORTED)
def test_a_system_is_traced_exported_and_run_alike(name, build_and_export):
    system = ZOO[name]
    height, width = RESOLUTION.get(name, (128, 96))
    shape = (height, width, system.input_shape[2])
    model, file = build_and_export(system.network, shape)
    frame = np.random.default_rng(1).random((1, *shape), np.float32)
    expected = np.array(model(frame))
    np.testing.assert_allclose(
        run_tflite(file)(frame), expected, atol=1e-3 * np.abs(expected).max()
    )
    for gpu in (ADRENO_730, MALI_G78):
        traced = lower(system.trace((height, width)), gpu)
        exported = lower(read_tflite(file), gpu)
        assert traced.kernels == exported.kernels
        assert bool(traced.fallbacks) == bool(exported.fallbacks) == (name in REFUSED)


@pytest.mark.parametrize("name", sorted(set(ZOO) - REFUSED))
def test_every_system_that_ran_on_the_phone_is_delegated_whole(name):
    gpu = ADRENO_730 if ZOO[name].task == "isp" else MALI_G78
    assert not lower(ZOO[name].trace(), gpu).fallbacks


def test_the_transpositions_of_vic_are_refused_for_their_rank():
    fallbacks = lower(ZOO["vic"].trace(), MALI_G78).fallbacks
    refused = [f for f in fallbacks if "rank" in f.reason or "dimension" in f.reason]
    assert {f.kind for f in refused} == {"RESHAPE", "TRANSPOSE"}


def test_zjut_visions_transposed_convolutions_are_refused_for_their_fused_relu():
    fallbacks = lower(ZOO["zjut_vision"].trace(), MALI_G78).fallbacks
    refused = [f for f in fallbacks if "fused" in f.reason]
    assert [f.kind for f in refused] == ["TRANSPOSE_CONV"] * 6


def test_the_indexed_channels_of_jmu_cvlab_stay_on_the_cpu():
    fallbacks = lower(ZOO["jmu_cvlab"].trace(), ADRENO_730).fallbacks
    assert Counter(f.kind for f in fallbacks)["STRIDED_SLICE"] == 4
