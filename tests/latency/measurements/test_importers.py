"""Logs and op profiles of benchmark_model, and what in them must not be mistaken."""

from dataclasses import replace

import pytest
from measurement_samples import (
    DEVICE,
    GPU_LOG,
    INITIALIZATION,
    KERNEL_TABLE,
    KERNELS,
    PROFILE_CSV,
    PROFILED_LOG,
    START_COLUMN,
)

from latency.measurements import (
    KernelTime,
    Measurement,
    MeasurementError,
    join_profiles,
)

TIMED_LINE = next(i for i, line in enumerate(GPU_LOG.split("\n"), 1) if "avg=8708" in line)


def test_a_log_gives_the_timed_runs_not_the_warm_up(one):
    assert one(GPU_LOG) == Measurement(
        model="mialgo",
        device=DEVICE,
        ms=8.70866,
        std_ms=0.193,
        runs=108,
        accelerator="gpu",
        delegated=True,
        delegated_ops=4,
        total_ops=4,
        partitions=1,
        method="benchmark_model --use_gpu=true",
        date="2026-11-22",
    )


def _unprefixed(line):
    return line.removeprefix("INFO: ").removeprefix("VERBOSE: ")


PREFIXED = {
    "none": _unprefixed,
    "logcat": lambda line: f"05-31 10:38:42.587 22206 22206 I tflite  : {_unprefixed(line)}",
    "logcat -v year": lambda line: f"2026-05-31 10:38:42.587  226  226 I tflite: {line}",
    "logcat -v brief": lambda line: f"I/tflite  (22206): {_unprefixed(line)}",
    "Windows line ends": lambda line: f"{line}\r",
}


@pytest.mark.parametrize("prefix", PREFIXED.values(), ids=PREFIXED)
def test_prefixes_change_nothing(one, prefix):
    text = "\n".join(prefix(line) for line in PROFILED_LOG.split("\n"))
    assert one(text) == one(PROFILED_LOG)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_logs_redirected_on_windows_are_read(one, encoding):
    assert one(PROFILED_LOG.encode(encoding)) == one(PROFILED_LOG)


def test_kernels_are_those_of_the_timed_runs_and_do_not_replace_the_run_time(one):
    measured = one(PROFILED_LOG)
    assert [(kernel.name, kernel.ms) for kernel in measured.kernels] == list(KERNELS)
    assert measured.ms == 8.70866
    assert measured.kernel_sum_ms == pytest.approx(1.723)
    assert one(GPU_LOG + INITIALIZATION).kernels == ()


def test_a_start_column_is_not_a_time_and_called_twice_costs_twice(one):
    kernels = (KernelTime("TfLiteGpuDelegateV2", 6.25), KernelTime("CONV_2D", 1.5))
    assert one(GPU_LOG + START_COLUMN).kernels == kernels


def test_kernels_inside_a_delegate_take_its_place(one):
    inside = KERNEL_TABLE.split("\n", 1)[1]
    kernels = one(GPU_LOG + START_COLUMN + "Delegate internal: \n" + inside).kernels
    assert [(k.name, k.ms) for k in kernels] == [*KERNELS, ("CONV_2D", 1.5)]


def test_times_may_be_printed_with_exponents(one):
    text = GPU_LOG.replace("avg=8708.66 std=193", "avg=2.9e+06 std=1.5e+05")
    measured = one(text.replace("Inference (avg): 8708.66", "Inference (avg): 2.9e+06"))
    assert (measured.ms, measured.std_ms) == (2900, 150)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("count=1 curr=8708.66", (8.70866, None, 1)),
        ("count=3 curr=8708.66(all same)", (8.70866, 0, 3)),
    ],
)
def test_runs_without_statistics(one, line, expected):
    timed = GPU_LOG.split("\n")[TIMED_LINE - 1]
    measured = one(GPU_LOG.replace(timed, f"INFO: {line}"))
    assert (measured.ms, measured.std_ms, measured.runs) == expected


def test_the_summary_alone_is_a_mean_of_unknown_runs(one):
    summary = "Inference timings in us: Init: 1, First inference: 9, Warmup (avg): 8, "
    measured = one(f"{summary}Inference (avg): 2.9e+06\n", accelerator="gpu")
    assert (measured.model, measured.ms, measured.runs) == ("net", 2900, None)
    with pytest.raises(MeasurementError, match="on which accelerator: name it"):
        one(f"{summary}Inference (avg): 2.9e+06\n")


def test_a_log_of_several_runs(imported):
    second = GPU_LOG.replace("mialgo", "syenet").replace("Use gpu: [1]", "Num threads: [4]")
    second = second.replace("INFO: Created TensorFlow Lite delegate for GPU.\n", "")
    first, other = imported("$ sh all.sh\n" + GPU_LOG + second)
    assert (first.model, first.accelerator) == ("mialgo", "gpu")
    assert (other.model, other.accelerator) == ("syenet", "cpu")
    assert other.method == "benchmark_model --num_threads=4"
    assert other.delegated is None


COMPLETE = (
    "INFO: Explicitly applied GPU delegate, and the model graph will be completely executed by "
    "the delegate.\n"
)
REPLACED = "Replacing 4 out of 4 node(s)"


def test_a_partial_delegation_is_noted_with_what_was_refused(one):
    text = GPU_LOG.replace(
        COMPLETE,
        COMPLETE.replace("completely executed by", "partially executed by"),
    ).replace(
        "VERBOSE: " + REPLACED,
        "ERROR: Following operations are not supported by GPU delegate:\n"
        "UNPACK: Operation is not supported.\n"
        "3 operations will run on the GPU, and the remaining 1 operations will run on the CPU.\n"
        "VERBOSE: Replacing 3 out of 4 node(s)",
    )
    text = text.replace(
        "INFO: Initialized session",
        "VERBOSE: Replacing 1 out of 2 node(s) with delegate (TfLiteXNNPackDelegate) node, "
        "yielding 2 partitions for subgraph 0.\nINFO: Initialized session",
    )
    measured = one(text)
    assert (measured.accelerator, measured.delegated) == ("gpu", False)
    assert (measured.delegated_ops, measured.total_ops, measured.partitions) == (3, 4, 1)
    assert measured.notes == (
        "refused: UNPACK: Operation is not supported.",
        "the gpu ran 3 of 4 ops, the CPU the others",
    )


def test_delegation_without_the_closing_line_counts_nodes(one):
    assert one(GPU_LOG.replace(COMPLETE, "")).delegated is True
    assert one(GPU_LOG.replace(COMPLETE, "").replace("4 out of 4", "3 out of 4")).delegated is False
    old = one(GPU_LOG.replace(COMPLETE, "").replace("4 out of 4", "4"))
    assert (old.delegated, old.delegated_ops, old.total_ops) == (None, 4, None)


@pytest.mark.parametrize(
    "tell",
    [
        "ERROR: Failed to apply GPU delegate.",
        "INFO: Though GPU delegate is explicitly applied, the model graph will not be executed by "
        "the delegate.",
        "No operations will run on the GPU, and all 65 operations will run on the CPU.",
        "WARNING: GPU acceleration is unsupported on this platform.",
    ],
)
def test_a_time_of_the_cpu_is_never_taken_for_the_gpus(one, tell):
    xnnpack = COMPLETE.replace("GPU", "XNNPACK")
    measured = one(GPU_LOG.replace(COMPLETE, f"{tell}\n{xnnpack}"))
    assert (measured.accelerator, measured.delegated) == ("cpu", False)
    assert "asked for the gpu, ran on the CPU" in measured.notes[0]


def test_a_fallback_to_opengl_is_noted(one):
    tell = "ERROR: No selector for floor_mod\nERROR: Falling back to OpenGL\n"
    measured = one(GPU_LOG.replace("INFO: Initialized OpenCL-based API.\n", tell))
    assert measured.accelerator == "gpu"
    assert measured.notes == ("OpenCL failed, the GPU ran through OpenGL",)


def test_throttling_is_noted(one):
    measured = one(GPU_LOG.replace("std=193", "std=1930"))
    assert "runs vary by 22%" in measured.notes[0]
    assert one(GPU_LOG).notes == ()


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (GPU_LOG.split("INFO: count=108")[0], TIMED_LINE, "ends before the timed runs"),
        (GPU_LOG.split("INFO: count=50")[0] + "Killed\n", 15, "benchmark_model failed: Killed"),
        ("STARTING!\nERROR: Benchmarking failed.\n", 2, "Benchmarking failed."),
        (GPU_LOG.replace("avg=8708.66", "avg=nan"), TIMED_LINE, "two logs mixed"),
        (GPU_LOG.replace("avg=8708.66", "avg=870.866"), TIMED_LINE, "two logs mixed"),
        (GPU_LOG.replace("avg=8708.66", "avg=fast"), TIMED_LINE, "'fast' is no number"),
        (GPU_LOG.replace("count=108", "count=0"), TIMED_LINE, "no timed run was made"),
        (GPU_LOG.replace("8708.66", "-1"), TIMED_LINE, "no run time"),
    ],
)
def test_a_bad_log_names_the_line(imported, tmp_path, text, line, problem):
    with pytest.raises(MeasurementError, match=r"net\.txt, line") as caught:
        imported(text, "benchmark-model")
    assert str(caught.value).startswith(f"{tmp_path / 'net.txt'}, line {line}: ")
    assert problem in str(caught.value)


def test_csv_profile_with_unquoted_commas(one):
    measured = one(PROFILE_CSV)
    assert measured.kernels == (
        KernelTime("Convolution (NHWC, F32) IGEMM", 0.6305),
        KernelTime("convolution_2d 4 -> add 5", 0.3),
        KernelTime("RELU", 0.0695),
    )
    assert (measured.statistic, measured.ms) == ("kernel_sum", pytest.approx(1.0))
    assert "a run takes longer" in measured.notes[0]


def test_csv_profile_with_a_start_column(one):
    text = PROFILE_CSV.replace("node type, first", "node type, start, first")
    for first in ("0.61", "0.31", "0.07"):
        text = text.replace(f", {first}, ", f", 5.25, {first}, ")
    assert one(text).kernels == one(PROFILE_CSV).kernels


def test_a_profile_is_joined_to_its_run(one):
    run = replace(one(GPU_LOG), model="net")
    profile, other = one(PROFILE_CSV), replace(one(PROFILE_CSV), model="other")
    (joined, rest) = join_profiles([profile, run, other])
    assert joined == replace(run, kernels=profile.kernels)
    assert rest == other
    assert join_profiles([profile, run, replace(run, ms=9.0)]) == [
        profile,
        run,
        replace(run, ms=9.0),
    ]


def test_the_device_must_be_known(imported):
    with pytest.raises(MeasurementError, match=r"on which device: name it \(--device\)"):
        imported(GPU_LOG, device=None)


def test_unknown_files_and_formats_list_the_known(imported):
    for text, format in (("hello", None), (GPU_LOG, "xml")):
        with pytest.raises(MeasurementError, match="ai-hub, litert, benchmark-model, op-profile"):
            imported(text, format)
