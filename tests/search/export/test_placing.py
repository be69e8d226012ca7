"""Where bundles are made and how they get to their place."""

import os
import time

import pytest

from search.errors import UserError
from search.export.placing import check_place, put_in_place, workplace


def written(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content)
    return folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_nothing_stays_of_a_place_of_work(tmp_path):
    output = tmp_path / "new" / "bundle"
    with workplace(output) as work:
        assert work.parent == output.parent
        written(work / "frames", a="1")
    assert names(output.parent) == []


def test_it_lies_in_a_folder_that_is_there_for_that_may_be_a_disk_of_its_own(tmp_path):
    with workplace(tmp_path) as work:
        assert work.parent == tmp_path


def test_what_a_killed_export_left_goes_and_a_running_ones_stays(tmp_path):
    killed = written(tmp_path / ".lensnas-export-killed", __alive="", frame="large")
    unborn = written(tmp_path / ".lensnas-export-unborn")
    with workplace(tmp_path) as running:
        for folder in (killed, running):
            os.utime(folder, (time.time() - 3600,) * 2)
        with workplace(tmp_path) as other:
            assert names(tmp_path) == sorted(path.name for path in (running, other, unborn))


def test_models_of_an_earlier_export_go_and_what_is_not_its_own_stays(tmp_path):
    """Also where that was killed while it was put in place, and has no record."""
    output = written(tmp_path / "bundle", model_fp32__tflite="old", model_int8_96x64__tflite="old",
                     model_mine__tflite="mine", measurements__jsonl="mine")  # fmt: skip
    made = written(tmp_path / "made", model_fp32__tflite="new", verification__json="{}")
    put_in_place(made, output)
    assert names(output) == [
        "measurements.jsonl", "model_fp32.tflite", "model_mine.tflite", "verification.json",
    ]  # fmt: skip
    assert (output / "model_fp32.tflite").read_text() == "new"


def test_places_that_cannot_be_are_named(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    for output, problem in (
        (tmp_path / "file", "is no folder"),
        (tmp_path / "file/a/b", f"{tmp_path}/file is no folder"),
        (tmp_path / "link", "is a link to nothing"),
    ):
        with pytest.raises(UserError, match=problem):
            check_place(output)
    check_place(tmp_path)
    check_place(tmp_path / "new/bundle")
