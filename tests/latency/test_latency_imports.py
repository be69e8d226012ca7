"""The prediction path imports nothing heavy."""

import subprocess
import sys

CODE = """
import sys
import latency
tensors = (latency.Tensor((1, 8, 8, 4)),) * 2
graph = latency.Graph(tensors, (latency.Op("RELU", (0,), (1,)),), (0,), (1,))
assert latency.LatencyOracle("snapdragon-8-gen-1").predict(graph).ms > 0
heavy = {"numpy", "scipy", "tensorflow", "keras", "tflite", "optuna", "spaces", "search"}
print(sorted(heavy & set(sys.modules)))
"""


def test_predicting_imports_nothing_heavy():
    run = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_public_names_exist():
    import latency

    assert all(hasattr(latency, name) for name in latency.__all__)
    assert not hasattr(latency, "no_such_name")
