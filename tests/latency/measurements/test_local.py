"""A real network, timed here."""

import hashlib
from importlib.metadata import version

import pytest

from latency.graph import GraphError
from latency.measurements.local import measure
from latency.measurements.settings import Settings

CPU = Settings("cpu", runs=3, warmup=1)


def test_a_network_is_timed_on_this_machine(tmp_path, syenet_file):
    path = tmp_path / "syenet.tflite"
    path.write_bytes(syenet_file)
    measured = measure(path, "here", CPU)
    assert (measured.model, measured.device, measured.accelerator) == ("syenet", "here", "cpu")
    assert (measured.statistic, measured.runs, measured.delegated) == ("min", 3, None)
    assert measured.ms > 0
    assert measured.std_ms is not None
    assert measured.sha256 == hashlib.sha256(syenet_file).hexdigest()
    assert "CPU time of the process" in measured.method
    assert measured.tool_version == f"ai-edge-litert {version('ai-edge-litert')}"
    assert measured.notes[0].startswith("wall time: least ")


def test_a_file_that_is_no_network_fails(tmp_path):
    path = tmp_path / "notes.tflite"
    path.write_text("no network")
    with pytest.raises(GraphError, match=r"notes\.tflite"):
        measure(path, "here", CPU)
