import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from search.cli.data import app
from search.data.inspect import contact_sheet, inspect_directory, inspect_source
from search.data.pairs import PreparedPairs
from search.errors import UserError

runner = CliRunner()


def run(*arguments):
    return runner.invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def zurich(tmp_path):
    for name, mode in (("train/huawei_raw", "I;16"), ("train/canon", "RGB")):
        (tmp_path / name).mkdir(parents=True)
        for index in range(2):
            Image.new(mode, (8, 8), 9 if mode != "RGB" else (9, 9, 9)).save(
                tmp_path / name / f"{index}.png"
            )
    return tmp_path


def test_report_of_a_sample_set(isp_set):
    text = inspect_directory(isp_set).to_text()
    assert text.count("sample data (synthetic RAW from 14 photographs)") >= 2
    for part in ("48x48x4", "96x96x3", "120", "fitted 3x3 colour matrix", "CC-BY"):
        assert part in text


def test_contact_sheet_shows_raw_darker_than_the_target(isp_set):
    source = PreparedPairs(isp_set, "val")
    sheet = np.asarray(contact_sheet(source, pairs=1)).astype(float)
    left, right = sheet[30:200, 10:190], sheet[30:200, 205:385]
    assert left.mean() < right.mean()
    assert left[..., 1].mean() > left[..., 0].mean()
    assert left[..., 1].mean() > left[..., 2].mean()


def test_one_source_can_be_inspected(bokeh_set):
    found = inspect_source(PreparedPairs(bokeh_set, "val"))
    assert found.to_dict()["splits"]["val"]["input_shapes"] == {"96x96x3": 8}


def test_prepare_and_inspect_on_the_command_line(tmp_path, photo_folder):
    arguments = ("prepare", "--root", tmp_path / "data", "--photos", photo_folder, "--train", 5,
                 "--val", 2, "--patch", 32)  # fmt: skip
    prepared = run(*arguments, "--json")
    assert prepared.exit_code == 0, prepared.output
    answer = json.loads(prepared.stdout)
    assert answer["dataset"] == "sample data (synthetic RAW from 6 photographs)"
    assert answer["counts"] == {"train": 5, "val": 2}
    assert answer["directory"] in run(*arguments).stdout

    sheet = tmp_path / "sheets" / "sheet.png"
    inspected = run("inspect", answer["directory"], "--sheet", sheet)
    assert inspected.exit_code == 0, inspected.output
    assert "sample data" in inspected.stdout
    assert Image.open(sheet).size[0] > 192
    as_json = json.loads(run("inspect", answer["directory"], "--json").stdout)
    assert as_json["splits"]["train"]["pairs"] == 5
    assert as_json["sensor"]["white_level"] == 1023


def test_inspect_real_layout_with_broken_files(zurich):
    assert run("inspect", zurich).exit_code == 0
    (zurich / "train/canon/1.png").write_bytes(b"")
    found = run("inspect", zurich, "--json")
    assert found.exit_code == 1
    answer = json.loads(found.stdout)
    assert answer["dataset"] == "Zurich RAW-to-RGB"
    assert "missing split" in answer["notes"]
    (broken,) = answer["splits"]["train"]["broken"]
    assert broken["file"].endswith("1.png")
    assert "broken: " in run("inspect", zurich, "--dataset", "zurich", "--sheet",
                             zurich / "s.png").stdout  # fmt: skip
    assert (zurich / "s.png").exists()


def test_user_errors_reach_the_caller(tmp_path, isp_set, photo_folder):
    assert isinstance(run("inspect", tmp_path / "none").exception, UserError)
    both = run("prepare", "--photos", photo_folder, "--debian")
    assert "not both" in str(both.exception)
    with pytest.raises(UserError, match="neither a prepared data set nor in the layout"):
        inspect_directory(tmp_path)
    with pytest.raises(UserError, match=f"choose one: {isp_set.name}"):
        inspect_directory(isp_set.parent)
    unwritable = run("inspect", isp_set, "--sheet", tmp_path / "sheet.unknown")
    assert "cannot write the contact sheet" in str(unwritable.exception)


def test_importing_the_data_modules_does_not_import_tensorflow():
    import subprocess
    import sys

    code = (
        "import sys, search.cli.data, search.data.batches;"
        "sys.exit(any(m in sys.modules for m in ('tensorflow', 'keras', 'scipy', 'skimage')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
