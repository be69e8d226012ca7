"""`lensnas latency import` and `measure --on android`, the latter on a stand-in phone."""

import hashlib
import json
import os
import signal
import sys
from pathlib import Path

import pytest

# The samples and the stand-in phone are those of the importers' own tests.
sys.path.insert(0, str(Path(__file__).parents[2] / "latency" / "measurements"))

from measurement_samples import AI_HUB, GPU_LOG, PROFILE_CSV, PROFILED_LOG, TYPED_CSV
from stand_in_phone import PROPERTIES, StandIn

from latency.measurements import append_measurements, read_measurements

STORE = "m.jsonl"


@pytest.fixture
def store(terminal):
    return terminal.folder / STORE


@pytest.fixture
def phone(terminal, monkeypatch):
    """A phone that measures 8.71 ms for everything; the terminal's adb is connected to it."""
    stand_in = StandIn(terminal.folder / "stand_in")
    stand_in.set(plain={"log": GPU_LOG}, profiled={"log": PROFILED_LOG})
    monkeypatch.setenv("PATH", stand_in.path)
    return stand_in


@pytest.fixture
def measure(terminal, phone):
    """`lensnas latency measure` of a folder of three models on the phone."""
    nets = terminal.folder / "nets"
    nets.mkdir()
    for name in "abc":
        (nets / f"{name}.tflite").write_text(f"network {name}")

    def call(*options, models=("nets",), start=terminal):
        tool = ("--on", "android", "--benchmark-model", phone.tool(), "--device", "Pixel 8")
        return start("latency", "measure", *models, *tool, "-o", STORE, *options)

    return call


@pytest.fixture
def bundle(terminal):
    """A bundle whose files no phone reads, but the stand-in."""
    folder = terminal.folder / "bundle"
    folder.mkdir()
    files = []
    for precision in ("fp32", "fp16"):
        content = f"network {precision}".encode()
        (folder / f"model_{precision}.tflite").write_bytes(content)
        files.append(
            {"precision": precision, "sha256": hashlib.sha256(content).hexdigest(),
             "predicted_ms": 7.0, "low_ms": 6.0, "high_ms": 8.0}
        )  # fmt: skip
    record = {
        "study": "tiny", "task": "isp", "device": "snapdragon-8-gen-1", "origin": "trial 0",
        "architecture": {"space": "zoo", "choices": {"system": "mincho"}}, "psnr_db": 30.0,
        "dataset": "sample data", "encoding": "rgb", "sensor": None, "files": files,
    }  # fmt: skip
    (folder / "verification.json").write_text(json.dumps(record))
    return folder


@pytest.fixture
def measure_bundle(terminal, phone, bundle):
    """As short as it can be said."""

    def call(*options):
        tool = ("--on", "android", "--benchmark-model", phone.tool())
        return terminal("latency", "measure", "bundle", *tool, *options)

    return call


def test_a_bundle_keeps_the_run_times_of_its_files(terminal, measure_bundle, bundle):
    from search.export.record import read_bundle

    done = measure_bundle()
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 measured into bundle/measurements.jsonl" in done.stdout
    assert "Next: lensnas rescore STUDY bundle" in done.stdout
    stored = read_bundle(bundle)
    hashes = {file.sha256 for file in stored.files.values()}
    found = stored.measurements()
    assert {m.sha256 for m in found} == hashes
    assert [(m.device, m.accelerator, m.ms) for m in found] == [("Pixel 8", "gpu", 8.70866)] * 2
    again = measure_bundle()
    assert "0 measured into bundle/measurements.jsonl, 2 there already" in again.stdout


@pytest.mark.parametrize(
    ("state", "parts"),
    [
        ({"phones": {}}, ["no phone is connected"]),
        ({"phones": {"A": "unauthorized"}}, ["does not trust this computer"]),
        ({"phones": {"A": "device", "B": "device"}}, ["choose one: --serial A|B"]),
        ({"properties": PROPERTIES | {"ro.product.cpu.abi": "x86_64"}}, ["the phone is x86_64"]),
        ({"plain": {"log": GPU_LOG[:700], "exit": 255, "unplugged": True}}, ["no phone SERIAL1"]),
    ],
)  # fmt: skip
def test_without_a_phone_a_bundle_is_left_as_it_was(
    measure_bundle, phone, bundle, refused, state, parts
):
    phone.set(**state)
    refused(measure_bundle(), *parts)
    assert not (bundle / "measurements.jsonl").exists()


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        ({"full": True}, "No space left on device"),
        ({"plain": {"log": GPU_LOG[:700], "exit": 137}}, "was killed"),
        ({"plain": {"log": GPU_LOG.replace("will be completely", "will not be")}}, "on the CPU"),
    ],
)  # fmt: skip
def test_a_file_that_fails_is_named_and_the_bundle_has_no_time_of_it(
    measure_bundle, phone, bundle, state, problem
):
    if "full" in state:  # The tool fits still.
        measure_bundle("--runs", "1")
        (bundle / "measurements.jsonl").unlink()
        for remote in phone.remote("/data/local/tmp/lensnas").glob("*.tflite"):
            remote.unlink()
    phone.set(**state)
    done = measure_bundle()
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert [line.startswith("failed: bundle/model_fp") for line in lines] == [True, True]
    assert all(problem in line for line in lines)
    assert not (bundle / "measurements.jsonl").exists()


def test_throttling_is_told(measure_bundle, phone, bundle):
    phone.set(plain={"log": GPU_LOG.replace("std=193", "std=1930")})
    assert "runs vary by 22%" in measure_bundle("--pause", "0.1").stdout


def test_a_damaged_bundle_is_not_measured(measure_bundle, bundle, refused):
    (bundle / "model_fp16.tflite").write_bytes(b"another network")
    refused(measure_bundle(), "model_fp16.tflite is not the file that was verified")


def test_models_that_are_not_there_are_named(terminal, bundle, refused):
    refused(
        terminal("latency", "measure", "bundel", "--on", "local"), "No such file or folder: bundel"
    )
    refused(
        terminal("latency", "measure", "bundle", "x", "--on", "local"), "No such file or folder: x"
    )


def test_other_models_need_a_file_for_their_times(measure, terminal, phone, refused):
    refused(
        terminal("latency", "measure", "nets", "--on", "android"), "(--output)", "one bundle"
    )  # fmt: skip


def test_files_of_several_formats_are_imported_once(terminal, store):
    logs = terminal.folder / "logs"
    logs.mkdir()
    (logs / "run.log").write_text(GPU_LOG)
    (logs / "mialgo.csv").write_text(PROFILE_CSV)
    (logs / "hub.json").write_text(json.dumps(AI_HUB))
    (logs / ".hidden").write_text("not a log")
    (terminal.folder / "typed.csv").write_text(TYPED_CSV)
    call = ("latency", "import", "logs", "typed.csv", "--device", "Pixel 8", "-o", STORE)
    done = terminal(*call)
    assert (done.returncode, done.stderr) == (0, "")
    assert "4 imported into m.jsonl" in done.stdout
    stored = read_measurements(store)
    assert [m.model for m in stored] == ["hub", "mialgo", "mialgo_track1", "syenet"]
    assert stored[1].ms == 8.70866
    assert len(stored[1].kernels) == 3
    assert "note: syenet: runs vary by 22%" in done.stdout
    again = terminal(*call)
    assert "0 imported into m.jsonl, 4 were there" in again.stdout
    assert read_measurements(store) == stored


def test_imported_models_are_hashed_where_their_files_are(terminal, refused, store):
    (terminal.folder / "mialgo.tflite").write_bytes(b"")
    (terminal.folder / "run.log").write_text(GPU_LOG)
    call = ("latency", "import", "run.log", "--device", "x", "-o", STORE, "--models", ".")
    rows = json.loads(terminal(*call, "--json").stdout)
    # SHA-256 of nothing.
    assert rows[0]["sha256"].startswith("e3b0c44298fc1c14")
    assert read_measurements(store)[0].sha256 == rows[0]["sha256"]
    (terminal.folder / "other.log").write_text(GPU_LOG.replace("mialgo", "other"))
    call = ("latency", "import", "other.log", *call[3:])
    refused(terminal(*call), "other.tflite")


@pytest.mark.parametrize(
    ("content", "options", "parts"),
    [
        (GPU_LOG, (), ["good.log: does not say", "--device"]),
        ("hello", ("--device", "x"), ["run.log", "benchmark-model"]),
        (GPU_LOG[:900], ("--device", "x", "--format", "benchmark-model"), ["run.log, line"]),
        (GPU_LOG, ("--device", "x", "--format", "xml"), ["'xml'", "ai-hub"]),
        ("model,gpu_ms\na,b\n", ("--device", "x"), ["run.log, line 2", "'b'"]),
    ],
)
def test_a_file_that_cannot_be_imported_stops_all(
    terminal, refused, store, content, options, parts
):
    (terminal.folder / "good.log").write_text(GPU_LOG)
    (terminal.folder / "run.log").write_text(content)
    call = terminal("latency", "import", "good.log", "run.log", "-o", STORE, *options)
    refused(call, *parts)
    assert not store.exists()


def test_a_missing_file_and_an_empty_folder_are_named(terminal, refused):
    (terminal.folder / "empty").mkdir()
    options = ("--device", "x", "-o", STORE)
    refused(terminal("latency", "import", "nowhere.log", *options), "nowhere.log", "No such file")
    refused(terminal("latency", "import", "empty", *options), "empty", "no files")


def test_a_torn_store_is_named_before_anything_is_measured(measure, phone, refused, store):
    store.write_text('{"model": "a"')
    refused(measure(), "m.jsonl, line 1", "torn")
    assert not phone.calls("")


def test_a_folder_is_measured_and_what_is_there_is_left_out(measure, phone, store):
    done = measure()
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 measured into m.jsonl" in done.stdout
    stored = read_measurements(store)
    assert [(m.model, m.ms, m.accelerator) for m in stored] == [
        (name, 8.70866, "gpu") for name in "abc"
    ]
    runs = len(phone.calls("--graph="))
    assert "0 measured into m.jsonl, 3 there already" in measure().stdout
    assert len(phone.calls("--graph=")) == runs
    assert "1 measured" in measure("--again", models=["nets/b.tflite"]).stdout
    assert len(read_measurements(store)) == 4


def test_another_device_is_measured_anew(measure, store):
    assert measure().returncode == 0
    assert "3 measured" in measure("--device", "Pixel 9").stdout
    assert {m.device for m in read_measurements(store)} == {"Pixel 8", "Pixel 9"}


def test_a_failing_model_is_reported_and_the_others_go_on(measure, phone, store):
    phone.set(broken=["network b"])
    done = measure("--json")
    assert done.returncode == 1
    assert [row["model"] for row in json.loads(done.stdout)] == ["a", "c"]
    (line,) = done.stderr.splitlines()
    assert line.startswith("failed: nets/b.tflite: benchmark_model failed (exit code 1): ERROR")
    assert [m.model for m in read_measurements(store)] == ["a", "c"]
    phone.set(broken=[])
    assert "1 measured into m.jsonl, 2 there already" in measure().stdout


def test_a_stopped_run_loses_nothing_and_goes_on(measure, phone, store, terminal, until):
    phone.set(profiled={"log": PROFILED_LOG, "seconds": 1})
    running = measure(start=terminal.start)
    assert until(lambda: store.exists() and store.read_text().count("\n") >= 1)
    os.killpg(running.pid, signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "interrupted" in err
    kept = read_measurements(store)
    assert 1 <= len(kept) < 3
    phone.set(profiled={"log": PROFILED_LOG})
    assert f"{len(kept)} there already" in measure().stdout
    assert [m.model for m in read_measurements(store)] == ["a", "b", "c"]


def test_a_lost_phone_ends_the_run(measure, phone, refused, store):
    append_measurements(store, [])
    phone.set(plain={"log": "", "exit": 255, "unplugged": True})
    refused(measure(), "no phone SERIAL1 is connected")
    assert len(phone.calls("--graph=")) == 1


@pytest.mark.parametrize(
    ("options", "code_parts"),
    [
        (("--serial", "X"), ["no phone X"]),
        (("--runs", "0"), ["--runs"]),
        (("--accelerator", "npu"), ["npu"]),
        (("--on", "moon"), ["moon"]),
    ],
)
def test_a_mistaken_call_is_one_line(measure, refused, options, code_parts):
    refused(measure(*options), *code_parts)


def test_this_machine_is_measured(terminal, store, refused):
    (terminal.folder / "broken.tflite").write_text("no network")
    call = ("latency", "measure", "broken.tflite", "--on", "local", "--device", "here", "-o", STORE)
    done = terminal(*call, "--runs", "2")
    assert done.returncode == 1
    assert done.stderr.startswith("failed: broken.tflite: ")
    assert "0 measured into m.jsonl, 1 failed" in done.stdout
    assert not store.exists()
    refused(terminal(*call, "--serial", "X"), "--serial", "--on android")


def test_missing_models_are_named_before_anything_is_measured(measure, phone, refused, terminal):
    (terminal.folder / "empty").mkdir()
    refused(measure(models=["nets", "nowhere.tflite"]), "nowhere.tflite", "No such file")
    refused(measure(models=["empty"]), "empty", "no .tflite file")
    assert not phone.calls("")


def test_help_names_the_options(terminal):
    for command, option in (("import", "--format"), ("measure", "--benchmark-model")):
        done = terminal("latency", command, "--help")
        assert done.returncode == 0
        assert option in done.stdout
