"""LiteRT's own GPU backend on every system of the zoo: the verdicts agree, or differ as stated."""

import os

import pytest

from latency import lower, read_tflite
from latency.gpu_names import gpu_named
from latency.litert import disagreements, find_vulkan_driver, second_opinion
from spaces.zoo import ZOO

LARGE = {
    "casia": 64, "casia_teacher": 64, "channel": 64, "skd_vsp": 32, "mialgo_track2": 64,
    "pynet_bokeh": 64, "sensebrain": 64, "vic": 64, "zjut_vision": 64, "dann_isp": 64,
    "hitzst01_large": 64, "microisp_1_0": 64, "pynet_v2_mobile": 64,
}  # fmt: skip
"""Systems of hundreds of kernels, up to half a minute each to compile in software, and a side of
the input for them: what is refused does not depend on it. Asked with LENSNAS_EVERYTHING=1 only."""

NAMES = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            name in LARGE and not os.environ.get("LENSNAS_EVERYTHING"),
            reason="takes half a minute; LENSNAS_EVERYTHING=1 asks about all systems",
        ),
    )
    for name in ZOO
]


@pytest.mark.slow
@pytest.mark.skipif(
    find_vulkan_driver() is None, reason="no Vulkan driver, nor chromium's software one"
)
@pytest.mark.parametrize("name", NAMES)
def test_checker_and_litert_agree_on_published_systems(name, export):
    system = ZOO[name]
    side = LARGE.get(name, 128)
    data = export(system.network, (side, side, system.input_shape[2]))
    graph = read_tflite(data)
    opinion = second_opinion(data, time_limit_s=600)
    differences = disagreements(graph, lower(graph, gpu_named("Adreno 730")), opinion)
    assert not [d for d in differences if not d.explanation], opinion
