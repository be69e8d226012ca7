"""LiteRT's tools, Qualcomm AI Hub, and results typed by hand."""

import json
import subprocess
import sys

import pytest
from measurement_samples import AI_HUB, DEVICE, LITERT_LOG, TYPED_CSV

from latency.measurements import KernelTime, Measurement, MeasurementError


def test_litert(one):
    measured = one(LITERT_LOG)
    assert (measured.model, measured.accelerator, measured.ms) == ("tiny", "gpu", 71.45)
    assert (measured.std_ms, measured.runs, measured.statistic) == (0.51, 14, "mean")
    classic = "INFO: count=5 first=1 curr=2 min=1 max=2 avg=98470 std=3\nINFO: count=14 avg=71453\n"
    assert one(LITERT_LOG.replace("INFO: [./litert", f"{classic}INFO: [./litert", 1)).ms == 71.453


def test_litert_results_alone_need_the_accelerator(one):
    results = LITERT_LOG.split("Use gpu: [1]\n")[1]
    with pytest.raises(MeasurementError, match="--accelerator"):
        one(results)
    assert one(results, accelerator="cpu").accelerator == "cpu"


def test_litert_says_when_part_ran_elsewhere(one):
    assert one(LITERT_LOG + "Fully accelerated:     False\n").delegated is False


def test_litert_benchmark_as_it_really_prints(one, tmp_path, syenet_file):
    """Python's tool, run here: its log goes to stderr, its results to stdout."""
    (tmp_path / "syenet.tflite").write_bytes(syenet_file)
    tool = [sys.executable, "-m", "ai_edge_litert.tools.benchmark_litert_model"]
    done = subprocess.run(
        [*tool, f"--model={tmp_path / 'syenet.tflite'}", "--num_runs=3", "--warmup_runs=1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    measured = one(done.stdout)
    assert (measured.model, measured.accelerator, measured.runs) == ("syenet", "cpu", 3)
    assert measured.ms > 0
    assert measured.std_ms is not None


def test_ai_hub_gives_the_median_and_where_the_layers_ran(one):
    measured = one(json.dumps(AI_HUB), name="net.json")
    assert (measured.ms, measured.statistic, measured.runs) == (18.0, "median", 5)
    assert (measured.accelerator, measured.delegated) == ("gpu", False)
    assert (measured.delegated_ops, measured.total_ops) == (2, 3)
    assert measured.kernels[1] == KernelTime("DEPTH_TO_SPACE d2s", 2.5)
    assert measured.notes[0] == "layers by unit: gpu 2, cpu 1"
    assert "runs vary" in measured.notes[1]


def test_ai_hub_without_single_runs_gives_the_fastest(one):
    summary = {"estimated_inference_time": 17600}
    measured = one(json.dumps(AI_HUB | {"execution_summary": summary}))
    assert (measured.ms, measured.statistic, measured.runs) == (17.6, "min", None)


@pytest.mark.parametrize(
    ("profile", "problem"),
    [
        ('{"execution_summary"', "not JSON"),
        ('{"execution_summary": []}', "no 'execution_summary'"),
        ('{"execution_summary": {}, "execution_detail": [{"compute_unit": "NPU"}]}', "is None"),
        ('{"execution_summary": {"estimated_inference_time": 5}}', "--accelerator"),
        ('{"execution_summary": {"all_inference_times": [1, "x"]}}', "not a list of times"),
        ('{"execution_summary": {}, "execution_detail": 3}', "not a list of layers"),
        ('{"execution_summary": ' + "[" * 100_000, "not JSON"),
    ],
)
def test_a_bad_ai_hub_profile_is_named(imported, profile, problem):
    with pytest.raises(MeasurementError, match=r"net\.txt") as caught:
        imported(profile)
    assert problem in str(caught.value)


def test_typed_results(imported):
    first, second = imported(TYPED_CSV, device=None)
    assert first == Measurement(
        model="mialgo_track1",
        device="Pixel 8",
        ms=6.4,
        std_ms=0.1,
        runs=20,
        method="typed",
        date="2026-11-22",
        notes=("AI Benchmark 6, pro mode",),
    )
    assert (second.model, second.ms) == ("syenet", 11.25)
    assert "runs vary by 22%" in second.notes[0]


def test_typed_results_may_name_the_accelerator_in_a_column(imported):
    first, second = imported("Model, ms, accelerator\n\na, 6.4, NPU\nb, 7, cpu\n")
    assert (first.accelerator, second.accelerator) == ("npu", "cpu")
    assert first.device == DEVICE


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", None, "empty"),
        ("model,gpu_ms\n", 1, "no row below the header"),
        ("model;gpu_ms\na;6\n", 1, "separate the columns by commas"),
        ("model,gpu_ms,phone\na,6,b\n", 1, "unknown column 'phone'; known: model, device, ms"),
        ("model,device\na,b\n", 1, "one of ms, gpu_ms"),
        ("model,gpu_ms,cpu_ms\na,6,7\n", 1, "one of ms, gpu_ms"),
        ("model,gpu_ms,model\na,6,b\n", 1, "named twice"),
        ("model,gpu_ms,accelerator\na,6,gpu\n", 1, "says the accelerator already"),
        ("model,gpu_ms\na,6\n\nb,7,8\n", 4, "3 fields below 2 columns (quote text"),
        ("model,gpu_ms\na,fast\n", 2, "gpu_ms is 'fast', not a number"),
        ('model,gpu_ms\na,"6,4"\n', 2, "write 6.4"),
        ("model,gpu_ms\na,inf\n", 2, "not a number"),
        ("model,gpu_ms\na,-1\n", 2, "no run time"),
        ("model,gpu_ms\na,\n", 2, "no run time"),
        ("model,gpu_ms\n,6\n", 2, "no model"),
        ("model,gpu_ms,runs\na,6,20.5\n", 2, "runs is '20.5', not a count"),
        ("model,ms\na,6\n", 2, "--accelerator"),
        ("model,ms,accelerator\na,6,dsp\n", 2, "'dsp' is none of gpu, cpu, npu"),
        ('model,gpu_ms\na,"6\n', 2, "not CSV"),
    ],
)
def test_a_mistake_in_typed_results_is_named(imported, tmp_path, text, line, problem):
    with pytest.raises(MeasurementError) as caught:
        imported(text, "csv")
    where = f", line {line}: " if line else ": "
    assert str(caught.value).startswith(f"{tmp_path / 'net.txt'}{where}")
    assert problem in str(caught.value)
