"""Studies that are read while their driver writes them."""

import shutil
import threading

import pytest

from search.errors import UserError
from search.live.studies import LiveStudies, StorageAwayError, UnknownStudyError
from search.live.submission import Submission, write_submission
from search.study.ownership import driver_lock, pid_here
from search.study.results import read_results
from search.study.rows import RowStorage


@pytest.fixture(autouse=True)
def _always_read(monkeypatch):
    monkeypatch.setattr("search.live.reader.READ_EVERY_S", 0.0)


@pytest.fixture
def url(request, tmp_path):
    """A storage besides the study's folder: none, an SQLite file, or a database."""
    if request.param == "own":
        return None
    if request.param == "file":
        return f"sqlite:///{tmp_path}/shared.db"
    return request.getfixturevalue("postgres").database()


@pytest.fixture
def live(runs):
    return LiveStudies(runs)


@pytest.mark.parametrize("url", ["own", "file", "postgres"], indirect=True)
def test_what_is_read_step_by_step_is_what_is_stored(live, written, url):
    study = written(url=url)
    known = [live.results("tiny")]
    steps = [study.begin() for _ in range(2)]
    for change in (
        lambda: study.end(*steps[1]),
        lambda: study.trials(2),
        lambda: study.end(*steps[0]),
    ):
        change()
        known.append(live.results("tiny"))
        assert known[-1].results == read_results(study.study, study.config)
        assert live.results("tiny") is known[-1]  # Nothing has changed since.
    versions = [one.version for one in known]
    assert versions == sorted(set(versions))
    [overview] = live.overview()
    assert overview.counts["complete"] == overview.trained == 4
    assert overview.best_log2_score == known[-1].results.best.log2_score
    assert overview.trials_per_hour == 1800.0  # Of one worker, two seconds a trial.


def test_a_finished_trial_is_read_once(live, written, monkeypatch):
    study = written(trials=5)
    live.results("tiny")
    asked, read = study.begin(), []
    original = RowStorage.trials_since

    def counted(self, *arguments):
        found = original(self, *arguments)
        read.append([trial.number for trial in found])
        return found

    monkeypatch.setattr(RowStorage, "trials_since", counted)
    live.results("tiny")
    live.results("tiny")
    study.end(*asked)
    live.results("tiny")
    live.results("tiny")
    new = asked[0].trial.number
    assert [set(numbers) >= {new} for numbers in read] == [True, True, True, False]
    assert max(map(len, read)) <= 2


def test_a_study_that_is_made_anew_is_another(live, written, runs):
    written(trials=2)
    before = live.results("tiny")
    shutil.rmtree(runs / "tiny")
    with pytest.raises(UnknownStudyError, match="tiny"):
        live.results("tiny")
    written(trials=1)
    after = live.results("tiny")
    assert (len(before.results.complete), len(after.results.complete)) == (2, 1)
    assert after.version > before.version


def test_a_server_that_starts_again_has_other_versions(live, written, runs):
    written(trials=2)
    # Else a page that was open meanwhile would take its own for the newest.
    before = live.results("tiny").version
    assert LiveStudies(runs).results("tiny").version > before


def test_many_may_ask_at_once(live, written):
    study = written(trials=3)
    wrong = []

    def ask():
        last = 0
        for _ in range(30):
            now = live.results("tiny")
            if now.version < last or len(now.results.complete) < 3:
                wrong.append(now)
            last = now.version

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    study.trials(3)
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(live.results("tiny").results.complete) == 6


def test_a_state_is_told_by_locks_and_what_is_wanted(live, written, runs):
    written(trials=1)

    def state():
        return live.summary("tiny").state

    assert state() == "stopped"
    with driver_lock(runs / "tiny"):
        assert state() == "running"
        assert pid_here(live.holder("tiny")) is not None
    assert live.holder("tiny") is None
    write_submission(runs / "tiny", Submission(1.0))
    assert state() == "queued"
    write_submission(runs / "tiny", Submission(1.0, wanted=False, exit_code=2, message="why"))
    assert (state(), live.summary("tiny").message) == ("failed", "why")
    write_submission(runs / "tiny", Submission(1.0, wanted=False, exit_code=0))
    assert state() == "finished"  # The space had no more candidates.


def test_looking_at_a_lock_never_keeps_a_driver_out(live, written, runs):
    written()
    ends = threading.Event()

    def look():
        while not ends.is_set():
            live.holder("tiny")

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(200):
            with driver_lock(runs / "tiny"):
                pass
    finally:
        ends.set()
        looking.join()


def test_another_drivers_claim_in_postgresql_is_seen(live, written, postgres, runs):
    from search.study.observer import Silent
    from search.study.storage import owned_study

    study = written(url=postgres.database())
    assert live.summary("tiny").state == "stopped"
    with owned_study(study.config, Silent()):
        assert live.summary("tiny").state == "running"


def test_a_storage_that_is_away_is_said_of_its_study_alone(live, written, runs, tmp_path):
    written("good")
    written("away", url=f"sqlite:///{tmp_path}/shared.db")
    live.overview()
    (runs / "away" / "storage.url").write_text("postgresql://x@127.0.0.1:1/x\n")
    (runs / "cut").mkdir()
    (runs / "cut" / "study.db").write_bytes(b"no database" * 1000)
    (runs / "not a name").mkdir()
    found = {study.name: study for study in live.overview()}
    assert list(found) == ["away", "cut", "good"]
    assert found["good"].state == "stopped"
    assert "127.0.0.1" in found["away"].message
    assert "database" in found["cut"].message
    with pytest.raises(UserError):
        live.results("away")


def test_a_table_that_vanishes_is_an_answer_of_one_line(live, written, runs):
    study = written(trials=1)
    live.results("tiny")
    with study.study._storage._backend.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE trial_params")
        connection.exec_driver_sql("DROP TABLE trials")
    with pytest.raises(StorageAwayError, match="no such table"):
        live.results("tiny")


@pytest.mark.parametrize("name", ["", "..", ".", "a/b", "x\n", "\0", "nobody", "a" * 65])
def test_an_unknown_name_is_refused(live, name):
    with pytest.raises(UnknownStudyError):
        live.results(name)


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff\xfe\0", b"postgresql://x:1:2:3/y"])
def test_a_damaged_storage_url_is_said_of_its_study_alone(live, written, runs, content):
    written("good")
    (runs / "bad").mkdir()
    (runs / "bad" / "storage.url").write_bytes(content)
    found = {study.name: study for study in live.overview()}
    assert found["good"].state == "stopped"
    assert "storage.url is damaged" in found["bad"].message


def test_stored_values_of_another_form_are_an_answer_of_one_line(live, written):
    study = written(trials=2)
    engine = study.study._storage._backend.engine
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE trial_user_attributes SET value_json = '[1]' WHERE key = 'candidate'"
        )
    for _ in range(2):
        with pytest.raises(UserError, match="of the stored study tiny is damaged"):
            live.results("tiny")
    assert "damaged" in live.overview()[0].message


def test_who_asks_while_another_waits_for_a_storage_that_is_away_is_told_at_once(
    live, written, runs, tmp_path, monkeypatch
):
    written("away", url=f"sqlite:///{tmp_path}/shared.db")
    (runs / "away" / "storage.url").write_text("postgresql://x@127.0.0.1:1/x\n")
    with pytest.raises(StorageAwayError):
        live.results("away")
    monkeypatch.setattr("search.live.reader.ASK_AGAIN_S", 0.0)
    asked, goes_on = threading.Event(), threading.Event()

    def slow(*_, **__):
        asked.set()
        goes_on.wait(60)
        raise UserError("it is still away")

    monkeypatch.setattr("search.live.studies.open_storage", slow)

    def ask():
        with pytest.raises(StorageAwayError):
            live.results("away")

    first = threading.Thread(target=ask)
    first.start()
    assert asked.wait(60)
    try:
        ask()
    finally:
        goes_on.set()
        first.join()
