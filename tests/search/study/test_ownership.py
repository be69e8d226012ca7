"""One driver at a time: real processes, real sessions of a real PostgreSQL server."""

import os
import subprocess
import sys

import pytest
import yaml
from cutting_proxy import CuttingProxy

from search.errors import UserError
from search.study.observer import Silent
from search.study.ownership import driver_lock
from search.study.storage import load_study, owned_study, study_names

DRIVE = """
import sys, time
from pathlib import Path
from search.config import load_config
from search.study.observer import Silent
from search.study.storage import owned_study

config = load_config(Path(sys.argv[1]))
with owned_study(config, Silent()):
    print("owned", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def drive(tiny_document, tmp_path):
    """Starts another process that owns the study of a storage until its stdin is closed."""
    started = []

    def start(url, name="tiny"):
        file = tmp_path / f"{name}.yaml"
        document = tiny_document(name, storage=url, output=str(tmp_path / "elsewhere"))
        file.write_text(yaml.safe_dump(document))
        process = subprocess.Popen(
            [sys.executable, "-c", DRIVE, str(file)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def owns(process):
    return process.stdout.readline() == "owned\n"


@pytest.fixture(params=["postgresql", "sqlite"])
def shared(request, tmp_path):
    """The URL of a database that lies in no study's folder."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shared.db'}"
    return request.getfixturevalue("postgres").database()


def test_a_second_driver_is_refused_and_told_who_is_the_first(tiny_config, drive, shared):
    first = drive(shared)
    assert owns(first)
    config = tiny_config(storage=shared)
    with (
        pytest.raises(UserError, match=rf"'lensnas run' is working on study 'tiny'.*: .+, pid "
                      rf"{first.pid}, since 2\d\d\d-"),
        owned_study(config, Silent()),
    ):  # fmt: skip
        pass
    with owned_study(tiny_config("other", storage=shared), Silent()):
        pass  # Another study of the same database is free.
    first.kill()
    first.wait()
    with owned_study(config, Silent()) as (study, _):  # Nothing is left of a killed one.
        assert study.study_name == "tiny"


def test_the_folder_of_a_study_names_its_driver(tmp_path):
    with driver_lock(tmp_path), pytest.raises(UserError, match=f"pid {os.getpid()}, since"), \
            driver_lock(tmp_path):  # fmt: skip
        pass


def test_a_driver_whose_study_was_taken_meanwhile_writes_nothing(tiny_config, drive, postgres):
    url = postgres.database()
    config = tiny_config(storage=url)
    with owned_study(config, Silent()) as (study, flush):
        study.set_user_attr("x", "mine")
        flush()
        # Its session ends as by a failing network, and another driver is faster.
        end_sessions(postgres, url)
        other = drive(url)
        assert owns(other)
        study.set_user_attr("x", "mine again")
        study.ask()
        for _ in range(2):
            with pytest.raises(UserError, match=rf"was taken over by .*pid {other.pid}"):
                flush()
        other.communicate("")
        # It is free again, but no longer as this driver knows it.
        with pytest.raises(UserError, match=rf"was driven by another .*pid {other.pid}"):
            flush()
    stored, _ = load_study(url, "tiny")
    assert stored.user_attrs["x"] == "mine"
    assert stored.get_trials() == []


def test_a_lost_session_that_the_server_still_sees_does_not_keep_its_driver_out(
    tiny_config, postgres
):
    url = postgres.database()
    with CuttingProxy(postgres.port) as proxy:
        through = url.replace(str(postgres.port), str(proxy.port))
        with owned_study(tiny_config(storage=through), Silent()) as (study, flush):
            study.set_user_attr("x", 1)
            flush()
            proxy.lose_clients()
            study.set_user_attr("x", 2)
            flush()
    assert load_study(url, "tiny")[0].user_attrs["x"] == 2


@pytest.mark.slow
def test_studies_that_begin_at_once_in_an_empty_database_all_begin(drive, shared):
    names = ["a", "b", "c"]
    processes = [drive(shared, name) for name in names]
    assert [owns(process) for process in processes] == [True] * 3
    assert study_names(shared) == names


@pytest.mark.slow
def test_of_two_drivers_that_begin_at_once_one_begins(drive, postgres):
    url = postgres.database()
    processes = [drive(url) for _ in range(2)]
    assert sorted(process.stdout.readline() for process in processes) == ["", "owned\n"]
    assert study_names(url) == ["tiny"]


def end_sessions(postgres, url):
    name = url.rsplit("/", 1)[1]
    postgres.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
