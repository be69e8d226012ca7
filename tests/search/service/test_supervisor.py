"""The queue: one study that is in trouble keeps no other from its turn."""

import shutil

import pytest
import yaml
from processes import wait_for

from search.live.studies import LiveStudies
from search.live.submission import (
    STUDY_FILE,
    SUBMISSION,
    Submission,
    read_submission,
    write_submission,
)
from search.service.problems import ConflictError
from search.service.settings import Settings
from search.service.supervisor import Supervisor
from search.study.ownership import driver_lock
from search.study.storage import document_of

NOWHERE = "postgresql://x@127.0.0.1:1/x\n"


@pytest.fixture
def supervisor(runs):
    return Supervisor(Settings(runs=runs), LiveStudies(runs))


@pytest.fixture
def queued(runs, written):
    """A study that waits in the queue, although it has all its trials: there is nothing to run."""

    def make(name, queued_s):
        study = written(name, trials=3)
        content = yaml.safe_dump(document_of(study.config))
        (runs / name / STUDY_FILE).write_text(content)
        write_submission(runs / name, Submission(queued_s))

    return make


def ended(runs, name):
    return read_submission(runs / name) == Submission(3.0, wanted=False, exit_code=0)


def test_a_study_whose_storage_is_away_keeps_no_other_waiting(
    runs, supervisor, queued, capfd, monkeypatch
):
    queued("away", 1.0)
    queued("next", 3.0)
    monkeypatch.setattr("search.live.reader.READ_EVERY_S", 0.0)
    supervisor._studies.overview()  # It was known before its storage went away.
    (runs / "away" / "storage.url").write_text(NOWHERE)
    with supervisor:
        assert wait_for(lambda: ended(runs, "next"), 20)
        assert read_submission(runs / "away").wanted
        supervisor.stop("away")  # Nothing need be asked for that.
        assert not read_submission(runs / "away").wanted
    warnings = [line for line in capfd.readouterr().err.splitlines() if "warning" in line]
    assert len(warnings) == 1
    assert "127.0.0.1" in warnings[0]


def test_what_is_damaged_or_cannot_be_started_stops_no_queue(runs, supervisor, queued):
    damaged = ['{"queued_s": "x"}', "[]", "{", '{"wanted": true}']
    for number, content in enumerate(damaged):
        (runs / f"a{number}").mkdir()
        (runs / f"a{number}" / SUBMISSION).write_text(content)
    (runs / "b" / "run.log").mkdir(parents=True)
    write_submission(runs / "b", Submission(1.0))
    queued("next", 3.0)
    with supervisor:
        assert wait_for(lambda: ended(runs, "next"), 20)
    for number in range(len(damaged)):
        assert "damaged" in read_submission(runs / f"a{number}").message


def test_a_study_is_deleted_from_a_full_disk(runs, supervisor, written, monkeypatch):
    written("tiny")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: (1, 1, 0))
    supervisor.delete("tiny")
    assert list(runs.iterdir()) == []


def test_what_a_killed_server_was_deleting_is_gone_with_the_next_one(runs, supervisor):
    (runs / ".deleted-x-1" / "trials").mkdir(parents=True)
    with supervisor:
        assert list(runs.iterdir()) == []


def test_a_study_that_is_run_by_hand_takes_a_place(runs, supervisor, queued):
    queued("by_hand", 1.0)
    queued("next", 3.0)
    with driver_lock(runs / "by_hand"), supervisor:
        with pytest.raises(ConflictError, match="stop it first"):
            supervisor.delete("by_hand")
        supervisor._look()
        assert read_submission(runs / "next").wanted
