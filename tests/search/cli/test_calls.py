"""Calls that end before anything is trained: help, and mistakes of many kinds."""

import json

import pytest

STUDY = "name: x\ntask: isp\ntrials: 1\n"


@pytest.mark.parametrize(
    ("call", "parts"),
    [
        (
            ["--help"],
            ["Usage: lensnas", "run", "export", "lensnas run studies/quickstart_isp.yaml"],
        ),
        (["run", "--help"], ["STUDY", "--trials", "--finish", "Ctrl-C", "--json"]),
        (["export", "--help"], ["STUDY", "--precision", "--force"]),
        (["latency", "--help"], ["predict", "devices"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_help_is_readable_in_80_columns(terminal, call, parts):
    done = terminal(*call)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(part in done.stdout for part in parts)
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize("call", [[], ["data"], ["latency"]], ids=lambda c: " ".join(c) or "none")
def test_no_command_shows_the_commands(terminal, call):
    done = terminal(*call)
    assert done.returncode == 2
    assert "Commands" in done.stdout


def test_the_version_is_told(terminal):
    done = terminal("--version")
    assert (done.returncode, done.stdout.split()[0]) == (0, "lensnas")


@pytest.mark.parametrize(
    ("call", "parts"),
    [
        (["rnu"], ["'rnu'", "lensnas --help"]),
        (["run"], ["STUDY", "lensnas run --help"]),
        (["run", "x.yaml", "--fast"], ["--fast", "lensnas run --help"]),
        (["run", "x.yaml", "--trials", "many"], ["--trials", "integer"]),
        (["show", "nobody"], ["no study 'nobody'", "lensnas studies"]),
        (["export", "nobody"], ["no study 'nobody'"]),
        (["latency", "predict", "nowhere.tflite"], ["nowhere.tflite", "No such file"]),
        (
            ["zoo", "build", "mialgo_track1", "-o", "x", "--precision", "int8"],
            ["int8", "lensnas export"],
        ),
        (["zoo", "list", "--task", "portrait"], ["'portrait'", "bokeh, isp"]),
        (["data", "inspect", "nowhere"], ["nowhere"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_a_mistaken_call_is_one_line(terminal, refused, call, parts):
    refused(terminal(*call), *parts)


def test_a_file_that_is_no_model_is_named(terminal, refused):
    (terminal.folder / "notes.tflite").write_text("no model")
    refused(terminal("latency", "predict", "notes.tflite"), "notes.tflite", "not a TensorFlow Lite")


def test_an_unknown_device_lists_the_known_ones(terminal, refused):
    (terminal.folder / "x.tflite").write_bytes(b"")
    done = terminal("latency", "predict", "x.tflite", "--device", "nokia-3310")
    refused(done, "'nokia-3310'", "snapdragon-8-gen-1")


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (STUDY + "trails: 3\n", ["study.yaml", "no setting trails"]),
        (STUDY + "training: {steps: fast}\n", ["training.steps", "'fast'"]),
        (STUDY + "training: {steps: -1}\n", ["training.steps", "-1"]),
        (STUDY + "device: nokia-3310\n", ["nokia-3310"]),
        (STUDY + "space: {choices: {levels: [9]}}\n", ["levels", "[9]"]),
        (STUDY + "baselines: [alexnet]\n", ["'alexnet'", "lensnas zoo list"]),
        (STUDY + "storage: 'sqlite:////proc/none/x.db'\n", ["/proc/none"]),
        (STUDY + "storage: 'nonsense://x'\n", ["nonsense"]),
        ("name: [", ["is not YAML"]),
        ("", ["must hold a mapping"]),
        (b"\x93NUMPY\x01\x00\xff\xfe", ["is not YAML"]),
        (b"a: 1\n" * 300_000, ["larger than a study file"]),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, list) else "",
)
def test_a_mistaken_study_file_is_one_line(terminal, refused, content, parts):
    data = content if isinstance(content, bytes) else content.encode()
    (terminal.folder / "study.yaml").write_bytes(data)
    refused(terminal("run", "study.yaml"), *parts)


def test_a_study_file_that_cannot_be_read_is_named(terminal, refused):
    refused(terminal("run", "nowhere.yaml"), "nowhere.yaml", "No such file")
    refused(terminal("run", "."), "Is a directory")


def test_an_impossible_total_names_the_option(terminal, refused):
    refused(terminal("run", terminal.study(), "--trials", "0"), "--trials", "greater than or equal")


def test_a_study_that_was_never_run_says_how(terminal, refused):
    refused(terminal("show", terminal.study()), "lensnas run tiny.yaml")


def test_only_debug_shows_a_traceback(terminal):
    done = terminal("--debug", "run", "nowhere.yaml")
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: cannot read the study file")


def test_no_studies_yet(terminal):
    assert "lensnas run" in terminal("studies").stdout
    assert json.loads(terminal("studies", "--json").stdout) == []


@pytest.mark.parametrize("call", [["zoo", "list"], ["latency", "devices"]], ids=" ".join)
def test_lists_fit_80_columns_and_are_json_on_demand(terminal, call):
    plain, as_json = terminal(*call), terminal(*call, "--json")
    assert plain.returncode == as_json.returncode == 0
    assert max(map(len, plain.stdout.splitlines())) <= 80
    for row in json.loads(as_json.stdout):
        assert row["name"] in plain.stdout
