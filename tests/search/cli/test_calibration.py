"""suite -> measure -> calibrate -> predict -> compare, typed as a user does, on this machine."""

import json

import numpy as np
import pytest

from latency.measurements import read_measurements
from latency.validation import spearman

SUITE = 20


@pytest.fixture(scope="module")
def measured(workplace):
    """A folder with a suite, timed here: on the CPU, which every machine has."""
    done = workplace("latency", "suite", "-o", "suite", "--size", "small", "--count", SUITE)
    assert done.returncode == 0, done.stderr
    done = workplace(
        *("latency", "measure", "suite", "--on", "local", "--device", "here"),
        *("-o", "all.jsonl", "--runs", 8, "--warmup", 2),
    )
    assert done.returncode == 0, done.stderr
    return workplace


@pytest.mark.slow
def test_the_whole_loop_ranks_networks_it_did_not_see(measured):
    """Every other probe calibrates, the rest is predicted and compared."""
    rows = sorted(read_measurements(measured.folder / "all.jsonl"), key=lambda m: m.ms)
    lines = (measured.folder / "all.jsonl").read_text().splitlines()
    chosen = {m.model for m in rows[::2]} | {rows[-1].model}
    kept = [line for line in lines if json.loads(line)["model"] in chosen]
    (measured.folder / "some.jsonl").write_text("\n".join(kept) + "\n")

    done = measured(
        *("latency", "calibrate", "some.jsonl", "--models", "suite", "--gpu", "cpu"),
        *("-o", "here.toml"),
    )
    assert done.returncode == 0, done.stderr
    assert "held-out error" in done.stdout

    predicted, true = [], []
    for row in rows:
        if row.model not in chosen:
            done = measured(
                *("latency", "predict", f"suite/{row.model}.tflite"),
                *("--device", "here.toml", "--json"),
            )
            document = json.loads(done.stdout)
            assert document["fallbacks"] == []
            assert document["low_ms"] < document["predicted_ms"] < document["high_ms"]
            predicted.append(document["predicted_ms"])
            true.append(row.ms)
    assert len(true) >= SUITE // 2 - 1
    assert spearman(np.array(predicted), np.array(true)) > 0.8


@pytest.mark.slow
def test_measuring_again_leaves_out_what_is_there(measured):
    before = (measured.folder / "all.jsonl").read_bytes()
    done = measured(
        *("latency", "measure", "suite", "--on", "local", "--device", "here", "-o", "all.jsonl")
    )
    assert done.returncode == 0
    assert (measured.folder / "all.jsonl").read_bytes() == before


@pytest.mark.slow
def test_a_suite_is_the_same_every_time_and_says_what_it_is(measured):
    suite = measured.folder / "suite"
    rows = json.loads((suite / "suite.json").read_text())
    assert len(rows) == SUITE
    assert len({row["stresses"] for row in rows}) >= 8
    assert "adb" in (suite / "measure.sh").read_text()
    done = measured("latency", "suite", "-o", "again", "--size", "small", "--count", SUITE)
    assert done.returncode == 0
    for file in suite.iterdir():
        assert (measured.folder / "again" / file.name).read_bytes() == file.read_bytes(), file.name


@pytest.mark.slow
def test_explain_tells_each_op(measured):
    model = next((measured.folder / "suite").glob("attention*.tflite"))
    done = measured("latency", "explain", model, "--json")
    document = json.loads(done.stdout)
    assert [op["index"] for op in document["ops"]] == list(range(len(document["ops"])))
    assert {op["role"] for op in document["ops"]} <= {"heads", "joins", "vanishes"}
    assert document["kernel_counts"]["reduce"] == 3
    told = measured("latency", "explain", model)
    assert "constant memory" in " ".join(told.stdout.split())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gpu", "Voodoo 2", "-o", "x.toml"], "unknown GPU 'Voodoo 2'"),
        (["--gpu", "cpu", "-o", "x.yaml"], "ends in .toml"),
        (["--gpu", "cpu", "-o", "x.toml", "--device", "there"], "no measurement of 'there'"),
        (["--gpu", "cpu", "-o", "nowhere/x.toml"], "cannot write"),
    ],
)
def test_calibrating_with_bad_input_is_one_line(measured, refused, arguments, message):
    done = measured("latency", "calibrate", "all.jsonl", "--models", "suite", *arguments)
    refused(done, message)


def test_missing_models_and_folders_are_named(terminal, refused):
    (terminal.folder / "m.jsonl").write_text('{"model": "a", "device": "d", "ms": 1.5}\n')
    done = terminal(
        *("latency", "calibrate", "m.jsonl", "--models", ".", "--gpu", "cpu", "-o", "x.toml")
    )
    refused(done, "a.tflite")
    done = terminal("latency", "validate", "--train", "nowhere")
    refused(done, "end_to_end.csv")
