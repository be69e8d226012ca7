"""Measurements on disk are read back equal, and nothing is lost or glued together."""

import contextlib
import json
import multiprocessing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency.graph import GraphError
from latency.measurements import (
    ACCELERATORS,
    STATISTICS,
    KernelTime,
    Measurement,
    MeasurementError,
    append_measurements,
    read_measurements,
)
from latency.measurements.measurement import from_record, to_record

PLAIN = Measurement("net", "Pixel 8", 6.4)
NAMES = st.text(min_size=1, max_size=20)
TIMES = st.floats(1e-6, 1e6)
COUNTS = st.none() | st.integers(1, 10**6)
MEASUREMENTS = st.builds(
    Measurement,
    model=NAMES,
    device=NAMES,
    ms=TIMES,
    sha256=st.none() | NAMES,
    statistic=st.sampled_from(STATISTICS),
    std_ms=st.none() | st.floats(0, 1e6),
    runs=COUNTS,
    accelerator=st.sampled_from(ACCELERATORS),
    delegated=st.none() | st.booleans(),
    delegated_ops=COUNTS,
    total_ops=COUNTS,
    partitions=COUNTS,
    method=st.text(max_size=20),
    tool_version=st.text(max_size=20),
    date=st.just("2026-11-22"),
    kernels=st.lists(st.builds(KernelTime, NAMES, st.floats(0, 1e6)), max_size=3).map(tuple),
    notes=st.lists(st.text(max_size=20), max_size=3).map(tuple),
)


@given(st.lists(MEASUREMENTS, max_size=3), st.lists(MEASUREMENTS, max_size=3))
def test_what_was_appended_is_read_back_equal(tmp_path_factory, first, second):
    path = tmp_path_factory.mktemp("store") / "new" / "phone.jsonl"
    append_measurements(path, first)
    append_measurements(path, second)
    assert read_measurements(path) == [*first, *second]


def test_a_line_holds_a_measurement_without_what_is_unknown(tmp_path):
    append_measurements(tmp_path / "m.jsonl", [PLAIN, PLAIN])
    line = '{"model": "net", "device": "Pixel 8", "ms": 6.4, "statistic": "mean", '
    assert (tmp_path / "m.jsonl").read_text() == (line + '"accelerator": "gpu"}\n') * 2


@pytest.mark.parametrize("kept", [5, -1])
def test_a_torn_last_line_is_reported_and_never_glued_to(tmp_path, kept):
    path = tmp_path / "m.jsonl"
    append_measurements(path, [PLAIN, PLAIN])
    whole = path.read_bytes().removesuffix(b"\n")
    first = whole.split(b"\n")[0] + b"\n"
    path.write_bytes(torn := first + whole[len(first) :][:kept])
    for attempt in (lambda: read_measurements(path), lambda: append_measurements(path, [PLAIN])):
        with pytest.raises(MeasurementError, match=r"m\.jsonl, line 2: torn line.*delete it"):
            attempt()
    assert path.read_bytes() == torn


def test_a_whole_last_line_without_its_newline_is_gone_on_from(tmp_path):
    path = tmp_path / "m.jsonl"
    append_measurements(path, [PLAIN])
    path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    append_measurements(path, [PLAIN])
    assert read_measurements(path) == [PLAIN, PLAIN]


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "m.jsonl"
    append_measurements(path, [PLAIN])

    def full_disk(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        append_measurements(path, [PLAIN])
    assert read_measurements(path) == [PLAIN]


def _append_many(path, device):
    for ms in range(1, 51):
        append_measurements(path, [Measurement("net", device, float(ms))])


def test_processes_may_append_at_once(tmp_path):
    path = tmp_path / "m.jsonl"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_append_many, args=(path, name)) for name in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    stored = read_measurements(path)
    for name in "abc":
        assert [m.ms for m in stored if m.device == name] == list(range(1, 51))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("[]", "not a JSON object"),
        ("nonsense", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"model": "a", "device": "b"}', "'ms' is missing"),
        ('{"model": "a", "device": "b", "ms": true}', "ms is True"),
        ('{"model": "a", "device": "b", "ms": NaN}', "nan ms is no run time"),
        ('{"model": "a", "device": "b", "ms": 0}', "0 ms is no run time"),
        ('{"model": "", "device": "b", "ms": 1}', "no name"),
        ('{"model": "a", "device": "b", "ms": 1, "statistic": "best"}', "'best' is none of mean"),
        ('{"model": "a", "device": "b", "ms": 1, "runs": 0}', "0 runs"),
        ('{"model": "a", "device": "b", "ms": 1, "std_ms": -1}', "no standard deviation"),
        ('{"model": "a", "device": "b", "ms": 1, "kernels": [{"name": "x"}]}', "no kernel time"),
        ('{"model": "a", "device": "b", "ms": 1, "notes": [1]}', "1 is no note"),
        ('{"model": "a", "device": "b", "ms": 1, "delegated": 1}', "delegated is 1, not bool"),
        ('{"model": "a", "device": "b", "ms": 1, "mode": "x"}', "no measurement has a field 'mo"),
    ],
)
def test_a_mistaken_line_is_named(tmp_path, line, problem):
    path = tmp_path / "m.jsonl"
    append_measurements(path, [PLAIN])
    with path.open("a") as file:
        file.write(f"\n{line}\n")
    with pytest.raises(MeasurementError, match="line 3") as caught:
        read_measurements(path)
    assert str(caught.value).startswith(f"{path}, line 3: ")
    assert problem in str(caught.value)
    assert isinstance(caught.value, GraphError)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_any_value_in_any_field_is_read_or_refused(value):
    for name in to_record(PLAIN) | {"kernels": [], "notes": [], "runs": 1, "sha256": ""}:
        record = json.loads(json.dumps(to_record(PLAIN) | {name: value}))
        with contextlib.suppress(MeasurementError):
            assert isinstance(from_record(record), Measurement)


def test_kernel_sum_and_run_time_are_both_kept():
    kernels = (KernelTime("conv", 1.0), KernelTime("add", 0.5))
    measured = Measurement("net", "Pixel 8", 8.0, std_ms=2.0, kernels=kernels)
    assert (measured.ms, measured.kernel_sum_ms, measured.spread) == (8.0, 1.5, 0.25)
    assert (PLAIN.kernel_sum_ms, PLAIN.spread) == (None, None)
