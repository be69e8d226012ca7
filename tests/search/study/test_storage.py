import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from search.errors import UserError
from search.study.storage import create_or_resume, load_study, open_storage, study_names


def test_sqlite_runs_in_wal_mode(tiny_config):
    config = tiny_config()
    create_or_resume(config)
    with sqlite3.connect(config.directory / "study.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"space": {"choices": {"levels": [0]}}}, r"space\."),
        ({"objective": {"kind": "pareto"}}, 'objective.kind: "score" -> "pareto"'),
        ({"objective": {"max_runtime_ms": 9.0}}, "objective.max_runtime_ms: absent -> 9.0"),
        ({"training": {"steps": 7}}, "training.steps: 6 -> 7"),
        ({"data": {"seed": 5}}, "data.seed: 0 -> 5"),
        ({"device": "kirin-9000"}, "device: "),
        ({"seed": 1}, "seed: 0 -> 1"),
    ],
)
def test_other_settings_under_an_old_name_are_refused(tiny_config, changes, difference):
    create_or_resume(tiny_config())
    with pytest.raises(UserError, match=difference) as caught:
        create_or_resume(tiny_config(**changes))
    assert "choose another name" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"trials": 9},
        {"sampler": {"name": "nsga2"}},
        {"finals": {"top": 2}},
        {"pruning": {"rungs": [3]}},
        {"workers": 2},
        {"runner": {"kind": "ray", "cpus": 2}},
        {"baselines": ["mialgo_track1"]},
    ],
)
def test_what_does_not_change_results_may_change(tiny_config, changes):
    create_or_resume(tiny_config())
    create_or_resume(tiny_config(**changes))
    _, stored = load_study(tiny_config().storage_url, "tiny")
    assert stored == tiny_config(**changes)


def test_a_setting_that_is_new_to_an_old_study_has_its_default(tiny_config):
    study = create_or_resume(tiny_config())
    stored = study.user_attrs["config"]
    for document in (stored["config"]["training"], stored["identity"]["training"]):
        del document["levels"]
    study.set_user_attr("config", stored)
    with pytest.raises(UserError, match=r"training\.levels\.body: absent"):
        create_or_resume(tiny_config(training={"levels": {"body": "l1"}}))
    create_or_resume(tiny_config())


def test_lpips_may_come_and_go_but_its_weights_do_not_change(tiny_config, lpips_file, tmp_path):
    create_or_resume(tiny_config())
    create_or_resume(tiny_config(evaluation={"lpips": str(lpips_file)}))
    moved = tmp_path / "moved.npz"
    moved.write_bytes(lpips_file.read_bytes())
    create_or_resume(tiny_config(evaluation={"lpips": str(moved)}))
    create_or_resume(tiny_config())
    with np.load(lpips_file) as arrays:
        np.savez(tmp_path / "other.npz", **{**arrays, "linear1": np.ones(64)})
    with pytest.raises(UserError, match=r"other\.npz holds other weights than study 'tiny'"):
        create_or_resume(tiny_config(evaluation={"lpips": str(tmp_path / "other.npz")}))
    # What was refused left nothing behind, and the study can be read without any file.
    assert load_study(tiny_config().storage_url, "tiny")[1] == tiny_config()


def test_a_study_from_before_there_was_lpips_is_resumed(tiny_config, lpips_file):
    study = create_or_resume(tiny_config())
    stored = study.user_attrs["config"]
    del stored["config"]["evaluation"]
    study.set_user_attr("config", stored)
    assert load_study(tiny_config().storage_url, "tiny")[1] == tiny_config()
    create_or_resume(tiny_config(evaluation={"lpips": str(lpips_file)}))


def test_reading_a_study_that_is_not_there(tiny_config, tmp_path):
    with pytest.raises(UserError, match="there is no study storage at"):
        load_study(f"sqlite:///{tmp_path / 'none.db'}", "x")
    assert not (tmp_path / "none.db").exists()
    config = tiny_config()
    create_or_resume(config)
    with pytest.raises(UserError, match="there is no study 'other'"):
        load_study(config.storage_url, "other")
    assert study_names(config.storage_url) == ["tiny"]


def test_a_file_that_is_no_database(tmp_path):
    (tmp_path / "x.db").write_bytes(b"not a database, only text" * 100)
    with pytest.raises(UserError, match=r"cannot open the storage .*not a database"):
        open_storage(f"sqlite:///{tmp_path / 'x.db'}", create=True)


def test_passwords_are_not_shown():
    with pytest.raises(UserError) as caught:
        open_storage("postgresql://me:secret@127.0.0.1:1/none", create=True)
    assert "secret" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="Permission denied"):
        open_storage(f"sqlite:///{tmp_path}/a/study.db", create=True)
