"""One tiny study from its file to a .tflite file that somebody else's interpreter runs."""

import contextlib
import json
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(workplace):
    """The first run of a study; its results are in `workplace`."""
    done = workplace("run", workplace.study(), "--json")
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def results(finished):
    return json.loads(finished.stdout)


@pytest.fixture(scope="module")
def bundle(workplace, results):
    """The exported winner, as `export --json` describes it."""
    done = workplace("export", "tiny.yaml", "-o", "bundle", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_a_run_tells_its_progress_on_stderr_and_nothing_of_tensorflow(finished, results):
    lines = finished.stderr.splitlines()
    assert "Study tiny: 2 trials" in lines[0]
    assert "predicted for snapdragon-8-gen-1" in lines[1]
    for trial in results["trials"]:
        assert any(
            line.startswith(f"trial {trial['number']:>4}  {trial['psnr_db']:5.2f} dB")
            for line in lines
        )
    assert not [line for line in lines if line[:1] in "IWE" and "0000 " in line]
    assert "WARNING" not in finished.stderr


def test_trials_as_a_table_for_other_programs(workplace, results):
    done = workplace("show", "tiny", "--csv", "out/trials.csv")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    frame = pd.read_csv(workplace.folder / "out/trials.csv")
    assert frame["psnr_db"].tolist() == [t["psnr_db"] for t in results["trials"]]
    assert set(frame["choice.levels"]) <= {0, 1}


def test_every_command_tells_the_same(workplace, results):
    by_file = workplace("show", "tiny.yaml", "--json")
    by_name = workplace("show", "tiny", "--json")
    assert json.loads(by_file.stdout) == json.loads(by_name.stdout) == results
    [listed] = json.loads(workplace("studies", "--json").stdout)
    best = max(trial["log2_score"] for trial in results["trials"])
    assert (listed["study"], listed["trained"], listed["best_log2_score"]) == ("tiny", 2, best)
    shown = workplace("show", "tiny").stdout
    assert max(map(len, shown.splitlines())) <= 80
    assert "predicted for snapdragon-8-gen-1" in shown
    for finalist in results["finalists"]:
        assert f"{finalist['psnr_db']:.2f}" in shown


def test_running_it_again_trains_nothing(workplace, results):
    weights = sorted((workplace.folder / "runs/tiny").glob("*/*/weights.npz"))
    before = [path.stat().st_mtime_ns for path in weights]
    again = workplace("run", "tiny.yaml", "--json")
    assert json.loads(again.stdout) == results
    assert len(weights) == 3
    assert [path.stat().st_mtime_ns for path in weights] == before


def test_the_report_is_one_file(workplace, results):
    done = workplace("report", "tiny", "-o", "pages/tiny.html")
    assert done.returncode == 0, done.stderr
    page = (workplace.folder / "pages/tiny.html").read_text()
    assert done.stdout == "Report: pages/tiny.html\n"
    assert results["finalists"][0]["origin"] in page
    assert "sample data" in page


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_an_exported_file_runs_by_hand(workplace, bundle, precision):
    """Loaded as a phone's developer would: no signature runner, no code of ours."""
    [facts] = [f for f in bundle["files"] if f["precision"] == precision]
    path = workplace.folder / f"bundle/model_{precision}.tflite"
    assert path.stat().st_size == facts["size_bytes"]
    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    [image], [rgb] = interpreter.get_input_details(), interpreter.get_output_details()
    assert image["shape"].tolist() == image["shape_signature"].tolist() == [1, 544, 960, 4]
    assert rgb["shape"].tolist() == rgb["shape_signature"].tolist() == [1, 1088, 1920, 3]
    assert image["dtype"] == rgb["dtype"] == np.float32
    [names] = interpreter.get_signature_list().values()
    assert names == {"inputs": ["image"], "outputs": ["rgb"]}

    frame, target, keras_output = _reference(workplace, bundle)
    interpreter.set_tensor(image["index"], frame)
    interpreter.invoke()
    output = interpreter.get_tensor(rgb["index"])
    assert np.isfinite(output).all()
    error = np.abs(np.clip(output, 0, 1) - np.clip(keras_output, 0, 1))
    assert error.max() == pytest.approx(facts["max_error"], rel=0.5)
    assert error.mean() == pytest.approx(facts["mean_error"], rel=0.5)
    for image, psnr_db in ((output, facts["psnr_db"]), (keras_output, facts["keras_psnr_db"])):
        error = np.mean((np.clip(image, 0, 1).astype(np.float64) - target) ** 2)
        assert -10 * np.log10(error) == pytest.approx(psnr_db, abs=1e-3)


def _reference(workplace, bundle):
    """Frame, target and Keras's output, made as the verification says it made them."""
    from search.artifacts import load_weights
    from search.data.pairs import PreparedPairs, encoder_for
    from search.export.verification.frame import full_frame
    from search.networks import candidate
    from search.tasks import TASKS
    from spaces.architecture import Architecture
    from spaces.ops.keras_backend import Network

    architecture = Architecture.from_json(json.dumps(bundle["architecture"]))
    [data] = (workplace.folder / "runs/data").glob("sample-isp-*")
    held_out = PreparedPairs(data, "val")
    frame, target = full_frame(held_out, encoder_for(held_out.meta), TASKS["isp"])
    network = candidate(architecture)
    model = Network(network.network, network.input_channels)
    [directory] = (workplace.folder / "runs/tiny/finals").glob(f"{architecture.digest}-*")
    model.set_weights(load_weights(directory))
    return frame, target, model(frame, training=False).numpy()


def test_the_bundle_agrees_with_the_study_and_with_the_oracle(workplace, results, bundle):
    folder = workplace.folder / "bundle"
    record = json.loads((folder / "verification.json").read_text())
    assert {"directory": "bundle", **record} == bundle
    assert sorted(p.name for p in folder.iterdir()) == [
        "check.npz",
        "model_card.md",
        "model_fp16.tflite",
        "model_fp32.tflite",
        "pictures",
        "report.html",
        "report.md",
        "study.yaml",
        "verification.json",
        "weights.npz",
    ]
    [winner] = [f for f in results["finalists"] if f["digest"] == results["winner"]]
    assert bundle["origin"] == winner["origin"]
    for facts in bundle["files"]:
        model = folder / f"model_{facts['precision']}.tflite"
        done = workplace("latency", "predict", model, "--json")
        predicted = json.loads(done.stdout)["predicted_ms"]
        assert predicted == facts["predicted_ms"]
        assert predicted == pytest.approx(winner["predicted_ms"], rel=1e-3)
        assert facts["failures"] == []


def _contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_same_export_is_the_same_bytes_and_keeps_what_is_not_its_own(workplace, bundle):
    first = _contents(workplace.folder / "bundle")
    again = workplace.folder / "again"
    (again / "pictures").mkdir(parents=True)
    (again / "pictures/old.jpg").write_text("of an earlier export")
    (again / "model_int8.tflite").write_text("of an earlier export")
    (again / "notes.txt").write_text("mine")
    (again / "verification.json").write_text("{}")
    done = workplace("export", "tiny", "-o", "again")
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert _contents(again) == {**first, Path("notes.txt"): b"mine"}
    assert not [*workplace.folder.rglob(".lensnas-export-*")]


def test_the_study_in_the_bundle_is_the_one_that_was_run(workplace, bundle):
    from search.config import load_config

    kept = load_config(workplace.folder / "bundle/study.yaml")
    assert kept == load_config(workplace.folder / "tiny.yaml")


def test_a_bundle_is_verified_again_anywhere_and_on_its_studys_data(workplace, bundle, terminal):
    anywhere = terminal("export", "--verify", workplace.folder / "bundle")
    assert (anywhere.returncode, anywhere.stderr) == (0, "")
    lines = anywhere.stdout.splitlines()
    assert lines[0].startswith("model_fp32.tflite: all ")
    assert lines[-1].endswith("bundle: verified again, nothing has changed")
    there = workplace("export", "tiny", "--verify", "bundle", "--json")
    assert (there.returncode, there.stderr) == (0, "")
    findings = json.loads(there.stdout)
    assert not [finding for finding in findings if finding["problems"]]
    assert findings[-1] == {
        "name": "4 validation images", "told": "those of the export", "problems": [],
    }  # fmt: skip
    full = [f["told"] for f in findings if f["told"].startswith("1 full frame, PSNR ")]
    assert [f"PSNR {file['psnr_db']:.2f} dB, SSIM {file['ssim']:.4f}" in told
            for file, told in zip(bundle["files"], full, strict=True)] == [True, True]  # fmt: skip


def test_8_bit_files_of_a_resolution_are_made_and_rendered(workplace, results):
    options = ["--precision", "int8,int8_qat", "--resolution", "256x192", "--images", "1"]
    done = workplace("export", "tiny", "-o", "small", "--qat-steps", "5", "--force", *options)
    assert (done.returncode, done.stderr) == (0, "")
    found = sorted(path.name for path in (workplace.folder / "small").glob("*.tflite"))
    assert found == ["model_int8_128x96.tflite", "model_int8_qat_128x96.tflite"]
    assert all(name in done.stdout for name in found)
    mosaic = np.random.default_rng(0).integers(64, 1023, (192, 256), np.uint16)
    Image.fromarray(mosaic).save(workplace.folder / "mosaic.png")
    done = workplace("render", "small", "mosaic.png", "-o", "mosaic_rgb.png")
    assert (done.returncode, done.stderr) == (0, "")
    assert Image.open(workplace.folder / "mosaic_rgb.png").size == (256, 192)


def test_a_measured_export_scores_the_study_again(workplace, results, bundle):
    """Really measured: LiteRT runs the winner's file on this machine."""
    measure = ("latency", "measure", "bundle", "--on", "local", "--runs", "1", "--warmup", "0")
    done = workplace(*measure, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    fp32 = next(m for m in json.loads(done.stdout) if m["model"] == "model_fp32")
    try:
        done = workplace("rescore", "tiny", "bundle", "--json")
        shown = workplace("rescore", "tiny", "bundle").stdout
    finally:
        (workplace.folder / "bundle/measurements.jsonl").unlink()
    rows = json.loads(done.stdout)["rows"]
    [row] = [row for row in rows if row["digest"] == results["winner"]]
    assert (row["measured_ms"], row["measured_on"]) == (fp32["ms"], "this machine")
    assert (row["rank_measured"], row["stage"]) == (1, "finals")
    winner = results["finalists"][0]
    assert row["predicted_log2_score"] == winner["log2_score"]
    difference = np.log2(winner["predicted_ms"] / fp32["ms"])
    assert row["measured_log2_score"] == pytest.approx(winner["log2_score"] + difference)
    assert "Measured: this machine, cpu, LiteRT" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_an_export_renders_photographs_and_makes_a_submission(workplace, results, bundle):
    mosaic = np.random.default_rng(0).integers(64, 1024, (120, 200)).astype(np.uint16)
    Image.fromarray(mosaic).save(workplace.folder / "photo.png")
    done = workplace("render", "bundle", "photo.png", "-o", "out/picture.png", "--tile", "32x64")
    assert (done.returncode, done.stderr) == (0, "")
    assert "photo.png: 200 x 120 RAW, black 64, white 1023" in done.stdout
    assert "tiles of" in done.stdout
    with Image.open(workplace.folder / "out/picture.png") as picture:
        assert picture.size == (200, 120)
    [data] = (workplace.folder / "runs/data").glob("sample-isp-*")
    done = workplace("submit", "bundle", "--data", data, "-o", "out/sub.zip", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    # The study's own PSNR, but for the rounding of pictures to 8 bits.
    psnr_db = json.loads(done.stdout)["psnr_db"]
    assert psnr_db == pytest.approx(bundle["psnr_db"], abs=0.05)


def test_what_needs_a_measurement_says_so(workplace, results, bundle, refused):
    refused(workplace("rescore", "tiny"), "no export of tiny was measured: see lensnas latency")
    refused(workplace("rescore", "tiny", "bundle"), "bundle has no measurement of its files")
    refused(
        workplace("render", "bundle", "x.dng", "-o", "x.png", "--tile", "big"), "'big' is no size"
    )


@pytest.fixture
def other_place(workplace, results, terminal):
    """An empty directory, and where the finished study is seen from it."""
    return terminal, workplace.folder / "runs"


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--trial", "99"], ["trial 99", "not there"]),
        (["--precision", "int4"], ["'int4'", "fp32, fp16"]),
        (["--precision", "fp32,"], ["fp32, fp16"]),
        (["--resolution", "1920x1081"], ["resolution 1920x1081", "multiple of"]),
        (["--resolution", "big"], ["resolution 'big'", "WIDTHxHEIGHT"]),
        (["--qat-steps", "0"], ["--qat-steps"]),
        (["--verify", "nowhere"], ["nowhere is no bundle"]),
        (["--verify", "x", "--trial", "1"], ["--verify takes a bundle as it is"]),
        (["--verify", "x", "--resolution", "64x64"], ["--verify takes a bundle as it is"]),
        (["--resolution", "8x8"], ["no side may be shorter than 11"]),
        (["-o", "/dev/null"], ["cannot write /dev/null", "is no folder"]),
        (["--images", "0"], ["--images"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_what_cannot_be_exported_is_named(other_place, refused, options, parts):
    terminal, runs = other_place
    refused(terminal("export", "tiny", "--runs", runs, *options), *parts)


def test_a_trial_that_did_not_complete_is_not_exported(workplace, results, terminal, refused):
    (terminal.folder / "runs/tiny").mkdir(parents=True)
    storage = terminal.folder / "runs/tiny/study.db"
    storage.write_bytes((workplace.folder / "runs/tiny/study.db").read_bytes())
    with contextlib.closing(sqlite3.connect(storage)) as database, database:
        database.execute(
            "UPDATE trial_user_attributes SET value_json = "
            """replace(value_json, '"complete"', '"infeasible"') WHERE key = 'result'"""
        )
    refused(terminal("export", "tiny", "--trial", "0"), "trial 0 of study tiny is infeasible")


def test_lost_or_damaged_weights_are_named(workplace, results, refused):
    [weights] = workplace.folder.glob(f"runs/tiny/finals/{results['winner']}-*/weights.npz")
    whole = weights.read_bytes()
    try:
        weights.unlink()
        refused(workplace("export", "tiny"), str(weights.relative_to(workplace.folder)), "missing")
        weights.write_bytes(whole[: len(whole) // 2])
        refused(workplace("export", "tiny"), "damaged")
        weights.write_bytes(whole)
        _scale_weights(weights, 1.5)
        refused(workplace("export", "tiny"), "damaged", "SHA-256 is not the one recorded")
    finally:
        weights.write_bytes(whole)


def _scale_weights(path, factor):
    with np.load(path) as arrays:
        np.savez(path, **{name: arrays[name] * np.float32(factor) for name in arrays.files})


@contextlib.contextmanager
def _nothing_recorded_of_weights(workplace, winner):
    """The study as one from before the digests of weights were kept."""
    from search.study.storage import load_study

    study, _ = load_study(f"sqlite:///{workplace.folder / 'runs/tiny/study.db'}", "tiny")
    [key] = [key for key in study.user_attrs if key.startswith(f"final:{winner}")]
    recorded = study.user_attrs[key]
    study.set_user_attr(key, {k: v for k, v in recorded.items() if k != "weights_sha256"})
    try:
        yield
    finally:
        study.set_user_attr(key, recorded)


def test_a_failed_check_writes_nothing_without_force(workplace, results, refused):
    [weights] = workplace.folder.glob(f"runs/tiny/finals/{results['winner']}-*/weights.npz")
    whole = weights.read_bytes()
    call = ["export", "tiny", "--precision", "fp32", "-o", "forced"]
    try:
        _scale_weights(weights, "nan")
        with _nothing_recorded_of_weights(workplace, results["winner"]):
            refused(workplace(*call), "--force", "not finite", code=1)
            assert not (workplace.folder / "forced").exists()
            forced = workplace(*call, "--force", "--json")
    finally:
        weights.write_bytes(whole)
    assert forced.returncode == 0, forced.stderr
    [facts] = json.loads(forced.stdout, parse_constant=pytest.fail)["files"]
    assert "the output is not finite" in facts["failures"]
    assert "Failed check" in (workplace.folder / "forced/model_card.md").read_text()
    for name in ("report.md", "report.html"):
        assert (
            "FAILED model_fp32.tflite: the output is not finite"
            in (workplace.folder / "forced" / name).read_text()
        )
    again = workplace("export", "--verify", "forced")
    assert (again.returncode, again.stderr) == (1, "")
    assert "model_fp32.tflite: FAILED: the output is not finite" in again.stdout


def test_a_folder_that_cannot_be_made_is_named(other_place, refused):
    terminal, runs = other_place
    (terminal.folder / "file").write_text("in the way")
    call = terminal("report", "tiny", "--runs", runs, "-o", "file/report.html")
    refused(call, "exists: file")


def test_a_damaged_storage_is_named_and_left_out_of_the_list(workplace, results, terminal, refused):
    for name, damage in (("cut", slice(0, 9000)), ("text", slice(0, 0)), ("whole", slice(None))):
        folder = terminal.folder / "runs" / name
        folder.mkdir(parents=True)
        whole = (workplace.folder / "runs/tiny/study.db").read_bytes()
        (folder / "study.db").write_bytes(whole[damage] or b"no database" * 1000)
    refused(terminal("show", "cut"), "storage", "malformed")
    refused(terminal("run", terminal.study("text")), "storage", "not a database")
    refused(terminal("show", "whole"), "no study 'whole'")
    listed = terminal("studies")
    assert listed.returncode == 0
    assert listed.stderr.count("warning: left out") == 3


def test_a_larger_total_goes_on(workplace, results):
    """Last, for it changes the study."""
    done = workplace("run", "tiny.yaml", "--trials", "3", "--finish", "--json")
    assert done.returncode == 0, done.stderr
    longer = json.loads(done.stdout)
    assert longer["trials"][:2] == results["trials"]
    assert (longer["trained"], len(longer["trials"])) == (3, 3)
    assert done.stderr.count("\ntrial ") == 1
    assert Path(workplace.folder, longer["report"]).is_file()
    assert Path(workplace.folder, longer["export"]["directory"], "model_fp32.tflite").is_file()
