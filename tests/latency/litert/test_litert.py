"""LiteRT really run on this machine: CPU timing, and the GPU backend where Vulkan is."""

import pytest
import tflite_files

from latency import GraphError, lower, read_tflite
from latency.gpu_names import gpu_named
from latency.litert import (
    LiteRTError,
    SecondOpinion,
    disagreements,
    find_vulkan_driver,
    second_opinion,
    time_model,
)
from latency.litert.second_opinion import refusals

needs_vulkan = pytest.mark.skipif(
    find_vulkan_driver() is None, reason="no Vulkan driver, nor chromium's software one"
)
GPU = gpu_named("Adreno 730")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return tflite_files.write_all(tmp_path_factory.mktemp("models"), count=10)


def test_cpu_times_are_those_of_a_run(files):
    timing = time_model(files.good[0], runs=5, warmup=1)
    assert timing.runs == 5
    assert 0 < timing.cpu_min_ms <= timing.cpu_median_ms
    assert 0 < timing.wall_min_ms <= timing.wall_median_ms


def test_a_file_that_is_none_is_an_error_in_one_line(tmp_path):
    (tmp_path / "x.tflite").write_text("hello")
    with pytest.raises(LiteRTError, match=r"x\.tflite: ") as caught:
        time_model(tmp_path / "x.tflite")
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, GraphError)


def test_a_worker_that_takes_too_long_is_stopped(files):
    with pytest.raises(LiteRTError, match=r"not done within 0\.2 s"):
        time_model(files.good[0], runs=100_000, time_limit_s=0.2)


def test_without_a_driver_the_error_says_what_to_install(files, monkeypatch):
    monkeypatch.setenv("VK_ICD_FILENAMES", "/nowhere/icd.json")
    with pytest.raises(LiteRTError, match="install"):
        second_opinion(files.good[0])


def test_refusals_are_read_from_what_litert_prints():
    stderr = (
        "ERROR: Following operations are not supported by GPU delegate:\n"
        'RESHAPE: Tensor "a" has bad input dims size: 6.\n'
        "MIRROR_PAD: Only reflect is supported.\n"
        "1 operations will run on the GPU, and the remaining 6 operations will run on the CPU.\n"
        "OTHER: not part of the list\n"
    )
    assert refusals(stderr) == (
        ("RESHAPE", 'Tensor "a" has bad input dims size: 6.'),
        ("MIRROR_PAD", "Only reflect is supported."),
    )


def test_differences_are_listed_and_known_ones_explained(files):
    graph = read_tflite(files.good[0])
    lowering = lower(graph, GPU)
    agree = SecondOpinion(True, (), "", "test")
    assert disagreements(graph, lowering, agree) == ()
    refuses = SecondOpinion(False, (("CONV_2D", "no"), ("GATHER", "no")), "failed", "test")
    found = {item.kind: item for item in disagreements(graph, lowering, refuses)}
    assert found["CONV_2D"].explanation == ""
    assert found["GATHER"].explanation


@needs_vulkan
def test_the_gpu_backend_runs_a_good_model(files):
    opinion = second_opinion(files.good[0])
    assert opinion.accepted, opinion
    assert time_model(files.good[0], "gpu", runs=2, warmup=1).wall_min_ms > 0


@needs_vulkan
def test_checker_and_litert_agree_on_planted_ops(files):
    check_agreement([*files.good[:3], *files.bad])


@needs_vulkan
@pytest.mark.slow
@pytest.mark.timeout(3000)  # A process each, which a busy machine starts slowly.
def test_checker_and_litert_agree_on_a_hundred_random_graphs(tmp_path):
    files = tflite_files.write_all(tmp_path, count=100)
    check_agreement([*files.good, *files.bad])


def check_agreement(paths):
    """Same verdict on each file, or a difference with a stated reason."""
    refused = 0
    for path in paths:
        graph = read_tflite(path)
        lowering = lower(graph, GPU)
        opinion = second_opinion(path)
        unexplained = [d for d in disagreements(graph, lowering, opinion) if not d.explanation]
        assert not unexplained, (path.name, unexplained, opinion)
        refused += bool(lowering.fallbacks)
    assert refused >= len(paths) // 4
