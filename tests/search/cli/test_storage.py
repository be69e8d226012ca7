"""Studies that are kept elsewhere, as their user meets them."""

import json

import pytest

from search.config import load_config
from search.study.observer import Silent
from search.study.storage import owned_study

pytestmark = pytest.mark.slow


def test_a_study_in_postgresql_is_found_by_its_folder(terminal, postgres, monkeypatch):
    monkeypatch.chdir(terminal.folder)
    url = postgres.database()
    file = terminal.study(storage=url.replace("lens@", "lens:topsecret@"), finals=None)
    with owned_study(load_config(terminal.folder / file), Silent()):
        pass
    shown = terminal("show", "tiny", "--json")
    assert json.loads(shown.stdout)["study"] == "tiny", shown
    listed = terminal("studies", "--json")
    assert [study["study"] for study in json.loads(listed.stdout)] == ["tiny"]
    for folder in terminal.folder.rglob("*"):
        if folder.is_file() and folder.name != file:
            assert b"topsecret" not in folder.read_bytes()


def test_storages_that_cannot_be_had_are_refused_before_anything_is_made(terminal, refused):
    for url, why in (
        ("mysql://me:topsecret@host/db", "storage: no storage of the kind mysql"),
        ("postgresql://me:topsecret@127.0.0.1:1/db", "127.0.0.1:1/db: connection failed: "),
    ):
        said = refused(terminal("run", terminal.study(storage=url)), why)
        assert "topsecret" not in said
    assert not (terminal.folder / "runs").exists()
