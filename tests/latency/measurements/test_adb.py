"""The conversation with a phone, against a stand-in for adb that fails in every documented way."""

import hashlib

import pytest
from measurement_samples import GPU_LOG, KERNELS, PROFILED_LOG
from stand_in_phone import ELF_ARM32, PROPERTIES

from latency.measurements.adb import PhoneError, connect, measure
from latency.measurements.measurement import MeasurementError
from latency.measurements.settings import Settings

MODEL = b"a network"
PLAIN = {"log": GPU_LOG}
PROFILED = {"log": PROFILED_LOG.replace("8708.66", "9999.5")}


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "mialgo.tflite"
    path.write_bytes(MODEL)
    return path


@pytest.fixture
def time_it(phone, model):
    """The measurement on a phone whose tool behaves as given."""

    def run(plain=PLAIN, profiled=PROFILED, settings=Settings()):  # noqa: B008
        phone.set(plain=plain, profiled=profiled)
        return measure(connect(benchmark_model=phone.tool()), model, "my phone", settings)

    return run


def test_the_time_is_of_the_plain_run_and_the_kernels_of_the_profiled_one(time_it, phone):
    measured = time_it()
    assert (measured.model, measured.device, measured.accelerator) == ("mialgo", "my phone", "gpu")
    assert (measured.ms, measured.std_ms, measured.runs) == (8.70866, 0.193, 108)
    assert [(kernel.name, kernel.ms) for kernel in measured.kernels] == list(KERNELS)
    assert measured.delegated is True
    assert measured.sha256 == hashlib.sha256(MODEL).hexdigest()
    assert measured.method == "benchmark_model --use_gpu=true through adb"
    assert measured.tool_version.startswith("android_benchmark_model sha256 ")
    assert measured.notes == ("phone: Pixel 8, Android 15, arm64-v8a",)
    plain, profiled = phone.calls("--graph=")
    assert "--use_gpu=true --num_runs=50 --warmup_runs=10" in plain
    assert "--enable_op_profiling=true" in profiled
    assert "--enable_op_profiling=true" not in plain


def test_options_reach_the_tool(time_it, phone):
    cpu = GPU_LOG.replace("Use gpu: [1]", "").replace("delegate for GPU", "")
    measured = time_it({"log": cpu}, settings=Settings("cpu", runs=7, warmup=0))
    assert measured.accelerator == "cpu"
    assert "--use_gpu=false --num_runs=7 --warmup_runs=0" in phone.calls("--graph=")[0]


def test_files_are_pushed_once_and_under_their_hash(time_it, phone):
    time_it()
    assert len(phone.calls("push")) == 2
    time_it()
    assert len(phone.calls("push")) == 2
    name = hashlib.sha256(MODEL).hexdigest()[:16]
    remote = phone.remote(f"/data/local/tmp/lensnas/{name}.tflite")
    assert remote.read_bytes() == MODEL
    remote.write_bytes(MODEL[:3])  # A push that was cut short.
    time_it()
    assert len(phone.calls("push")) == 3
    assert remote.read_bytes() == MODEL


def test_a_tool_that_is_on_the_phone_already(phone, model):
    phone.set(plain=PLAIN, profiled=PROFILED)
    with pytest.raises(PhoneError, match=r"no benchmark_model on the phone.*--benchmark-model"):
        connect()
    tool = phone.remote("/data/local/tmp/benchmark_model")
    tool.parent.mkdir(parents=True)
    tool.write_bytes(b"")
    assert measure(connect(), model, "x", Settings()).tool_version == ""


@pytest.mark.parametrize(
    ("phones", "serial", "advice"),
    [
        ({}, None, "no phone is connected: plug one in and switch on USB debugging"),
        ({"A": "unauthorized"}, None, "A does not trust this computer: unlock it and accept"),
        ({"A": "offline"}, None, "A is error: device offline: plug it in again"),
        ({"A": "recovery"}, None, "A is recovery"),
        ({"A": "device", "B": "device"}, None, "several phones are connected, choose one: --ser"),
        ({"A": "device"}, "C", "no phone C is connected: 'adb devices' lists"),
    ],
)  # fmt: skip
def test_a_phone_that_is_not_ready(phone, phones, serial, advice):
    phone.set(phones=phones)
    with pytest.raises(PhoneError) as caught:
        connect(benchmark_model=phone.tool(), serial=serial)
    assert advice in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_of_several_phones(phone):
    phone.set(phones={"A": "device", "B": "device"})
    assert connect(benchmark_model=phone.tool(), serial="B").serial == "B"


def test_no_adb(phone, monkeypatch):
    monkeypatch.setenv("PATH", str(phone.folder))
    with pytest.raises(PhoneError, match="adb is not on PATH: install"):
        connect()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (ELF_ARM32, "is built for armeabi-v7a, the phone is arm64-v8a"),
        (b"\x7fELF" + bytes(30), "is built for another processor"),
        (b"#!/bin/sh\necho hello", "is not an Android program"),
        (b"", "is not an Android program"),
    ],
)
def test_a_tool_for_another_processor(phone, content, problem):
    with pytest.raises(PhoneError, match=problem):
        connect(benchmark_model=phone.tool(content))
    assert not phone.calls("push")


def test_a_phone_of_another_processor(phone):
    phone.set(properties=PROPERTIES | {"ro.product.cpu.abi": "x86_64"})
    with pytest.raises(PhoneError, match="built for arm64-v8a, the phone is x86_64"):
        connect(benchmark_model=phone.tool())


@pytest.mark.parametrize(
    ("outcome", "problem"),
    [
        ({"log": GPU_LOG[:700], "exit": 137}, "was killed, the phone may be out of memory"),
        ({"log": GPU_LOG[:700], "exit": 139}, "was ended by a crash"),
        ({"log": GPU_LOG[:700] + "\nERROR: bad model\nend", "exit": 1}, "exit code 1): ERROR: bad"),
        ({"log": "", "exit": 1}, "no output"),
        # Before Android 7, the shell tells no exit code.
        ({"log": GPU_LOG.split("INFO: count=108")[0]}, "the log ends before the timed runs"),
        ({"log": ""}, "no timed run in the log"),
        ({"log": GPU_LOG.replace("will be completely", "will not be")}, "ran on the CPU"),
    ],
)  # fmt: skip
def test_a_model_that_cannot_be_timed(time_it, outcome, problem):
    with pytest.raises(MeasurementError) as caught:
        time_it(outcome)
    assert problem in str(caught.value)
    assert not isinstance(caught.value, PhoneError)
    assert "line" not in str(caught.value)


def test_a_phone_unplugged_midway(time_it):
    with pytest.raises(PhoneError, match="no phone SERIAL1 is connected"):
        time_it({"log": GPU_LOG[:700], "exit": 255, "unplugged": True})


def test_a_full_phone(time_it, phone):
    phone.set(full=True)
    with pytest.raises(MeasurementError, match="No space left on device"):
        time_it()


def test_a_run_that_does_not_end(time_it):
    with pytest.raises(MeasurementError, match=r"not done within 0\.3 s: allow more"):
        time_it({"log": "", "seconds": 30}, settings=Settings(time_limit_s=0.3))


def test_a_profile_that_fails_costs_the_kernels_only(time_it):
    measured = time_it(profiled={"log": "", "exit": 139})
    assert (measured.ms, measured.kernels) == (8.70866, ())
    assert "no kernel times: benchmark_model was ended by a crash" in measured.notes[0]


def test_throttling_is_noted(time_it):
    measured = time_it({"log": GPU_LOG.replace("std=193", "std=1930")})
    assert "runs vary by 22%" in measured.notes[0]
