"""`lensnas zoo`, run as a user does."""

import json

import pytest
from typer.testing import CliRunner

from latency import LatencyOracle, lower, read_tflite
from search.cli.zoo import app
from search.errors import UserError
from spaces.zoo import ZOO

DEVICES = {"isp": "snapdragon-8-gen-1", "bokeh": "kirin-9000"}


def run(*arguments):
    result = CliRunner().invoke(app, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_list_as_json_has_every_system_and_the_oracles_prediction():
    documents = json.loads(run("list", "--json").stdout)
    assert [document["name"] for document in documents] == list(ZOO)
    for document in documents:
        system = ZOO[document["name"]]
        oracle = LatencyOracle(DEVICES[system.task])
        assert document["predicted_ms"] == oracle.predict(system.trace()).ms
        assert document["low_ms"] < document["predicted_ms"] < document["high_ms"]
        assert document["published"]["gpu_ms"] == system.published.gpu_ms


def test_list_of_one_task_is_a_table_of_its_systems():
    text = run("list", "--task", "bokeh").stdout
    first_words = [line.split()[0] for line in text.splitlines() if line.strip()]
    listed = [word for word in first_words if word in ZOO]
    assert listed == [name for name in ZOO if ZOO[name].task == "bokeh"]


def test_build_writes_the_system_with_all_its_weights(tmp_path):
    path = tmp_path / "out.tflite"
    result = run("build", "mialgo_track1", "-o", str(path), "--resolution", "64x96")
    system = ZOO["mialgo_track1"]
    graph = read_tflite(path)
    gpu = LatencyOracle("snapdragon-8-gen-1").profile.gpu
    assert graph.parameters == system.parameters
    assert lower(graph, gpu).kernels == lower(system.trace((64, 96)), gpu).kernels
    # The published file has names and traces of its converter, which ours leaves out; neither's
    # size depends on the resolution.
    assert 0.9 < path.stat().st_size / 2**20 / system.published.size_mb < 1
    assert "random weights" in result.stdout
    predicted = LatencyOracle("snapdragon-8-gen-1").predict(system.trace((64, 96)))
    first, size, time, kernels = (line.strip() for line in result.stdout.splitlines())
    assert "64x96x4 input" in first
    assert size == f"size {path.stat().st_size / 2**20:.4g} MiB, published 0.014 MiB"
    assert f"predicted {predicted.ms:.3g} ms" in time
    assert "published 6.8 ms at 544x960" in time
    assert kernels == f"{len(predicted.kernels)} kernels, the same as traced"


def test_build_says_what_the_gpu_refuses(tmp_path):
    text = run(
        "build", "jmu_cvlab", "-o", str(tmp_path / "x.tflite"), "--resolution", "64x96"
    ).stdout
    assert "not for this GPU: op 1 STRIDED_SLICE: " in text
    assert ", and 4 more" in text


def test_show_is_a_card_of_what_is_known_and_assumed():
    text = run("show", "zjut_vision").stdout
    system = ZOO["zjut_vision"]
    for part in (
        "13,359,638 parameters",
        "959.255 GMAC",
        "psnr_db 23.53",
        "fused",
        system.training,
    ):
        assert part in text
    assert "never submitted" in run("show", "casia_teacher").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "nobody"], "no zoo system called 'nobody'"),
        (["score", "--budget", "soon"], "budget 'soon': write seconds"),
        (["score", "--budget", "0s"], "budget '0s'"),
        (["score", "--systems", "antins_cv"], "antins_cv is a system of bokeh"),
        (["score", "--weights", "vgg=x"], "weights 'vgg=x': write one of vgg19"),
        (["score", "--weights", "vgg19=/none"], "no such file"),
        (["list", "--task", "denoise"], "unknown task 'denoise'"),
        (["build", "nobody", "-o", "x.tflite"], "no zoo system called 'nobody'"),
        (["build", "mincho", "-o", "x.tflite", "--resolution", "64"], "write HxW"),
        (["build", "mincho", "-o", "x.tflite", "--resolution", "64x90"], "multiples of 32"),
        (["build", "mincho", "-o", "x.tflite", "--resolution", "0x32"], "multiples of 32"),
    ],
)
def test_mistakes_are_one_line(arguments, message):
    with pytest.raises(UserError, match=message):
        run(*arguments)
