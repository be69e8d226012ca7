"""Storages that go away and come back: real PostgreSQL servers, cut connections, SQLite's locks."""

import sqlite3
import subprocess
import sys
import threading
import time

import pytest
from cutting_proxy import CuttingProxy
from optuna.trial import TrialState

from search.errors import UserError
from search.study import database
from search.study.job import Failed, Trained
from search.study.ledger import Ledger
from search.study.observer import Silent
from search.study.pruning import AtRung
from search.study.results import read_results
from search.study.storage import load_study, owned_study


class Heard(Silent):
    def __init__(self):
        self.warnings, self.notes = [], []

    def warn(self, message):
        self.warnings.append(message)

    def note(self, message):
        self.notes.append(message)


def work(owned, config, total):
    """Everything that a driver asks of its storage; "training" is a function of the network."""
    study, flush = owned
    ledger = Ledger(study, config, config.sampling_context(), flush)
    told = []
    while ledger.trained < total:
        asked = ledger.ask()
        known = config.sampling_context().estimate(asked.architecture)
        if ledger.judge(asked, known) is not None:
            continue
        psnr_db = 20 + int(asked.architecture.digest, 16) % 1000 / 100
        ledger.at_rung(asked.trial, 2, AtRung(psnr_db, known.runtime_ms))
        if asked.index % 5 == 4:
            told.append(ledger.failed(asked.trial, Failed("k", "it exploded")))
            continue
        pruned_at = 2 if asked.index % 5 == 3 else None
        outcome = Trained(
            "k", ((2, psnr_db),), None if pruned_at else psnr_db, 0.8, pruned_at, 1, {}
        )
        told.append(ledger.trained_ok(asked.trial, known, outcome))
    return told


def write(owned, value):
    study, flush = owned
    study.set_user_attr("x", value)
    flush()


def found(study, config):
    return [
        (t.number, t.index, t.status, t.architecture and t.architecture.digest, t.psnr_db, t.curve)
        for t in read_results(study, config).trials
    ]


@pytest.mark.slow
@pytest.mark.parametrize("where", ["before", "after"])
def test_connections_cut_at_any_write_change_nothing(tiny_config, postgres, where):
    settings = {"baselines": ["mialgo_track1", "enerzai_track1"], "finals": None, "space": {}}
    config = tiny_config("straight", storage=postgres.database(), **settings)
    with owned_study(config, Silent()) as owned:
        straight = work(owned, config, 6)
        expected = found(owned[0], config)

    heard, url = Heard(), postgres.database()
    # Several after one another, and then far enough apart that every kind of call has its turn.
    with CuttingProxy(
        postgres.port, lambda n: where if n > 20 and (n % 9 == 0 or n in (31, 32)) else None
    ) as proxy:
        through = url.replace(str(postgres.port), str(proxy.port))
        config = tiny_config("cut", storage=through, **settings)
        with owned_study(config, heard) as owned:
            told = work(owned, config, 6)
            assert found(owned[0], config) == expected
        assert proxy.cuts > 4
    assert [r.psnr_db for r in told] == [r.psnr_db for r in straight]
    assert found(*load_study(url, "cut")) == expected
    assert len(heard.warnings) == len(heard.notes) > 0


@pytest.mark.parametrize("where", ["before", "after"])
def test_each_write_that_could_be_doubled_is_done_once(tiny_config, postgres, where):
    armed = []
    with CuttingProxy(postgres.port, lambda _: armed.pop() if armed else None) as proxy:
        url = postgres.database().replace(str(postgres.port), str(proxy.port))
        config = tiny_config(storage=url)
        with owned_study(config, Silent()) as owned:
            study, flush = owned

            def cut(call):
                result = call()
                armed.append(where)
                flush()
                assert not armed
                return result

            waiting = cut(lambda: study.enqueue_trial({}, user_attrs={"a": 1}))
            first = cut(study.ask)
            assert (first.number, first.user_attrs) == (0, {"a": 1})
            second = cut(study.ask)
            cut(lambda: second.suggest_categorical("x", [1, 2]))
            cut(lambda: second.report(0.5, 3))
            cut(lambda: second.set_user_attr("b", [2]))
            cut(lambda: second.set_constraint("c", -1.0))
            cut(lambda: study.tell(1, 0.25))
            cut(lambda: study.tell(0, state=TrialState.FAIL))
            assert waiting is None
            trials = load_study(config.storage, config.name)[0].get_trials()
            assert [t.state for t in trials] == [TrialState.FAIL, TrialState.COMPLETE]
            assert trials[1].values == [0.25]
            assert trials[1].intermediate_values == {3: 0.5}
            assert trials[1].user_attrs == {"b": [2]}
            assert trials[1].constraints == {"c": -1.0}
        assert proxy.cuts == 9


def test_a_killed_server_that_comes_back_is_waited_for(tiny_config, postgres):
    heard = Heard()
    config = tiny_config(storage=postgres.database())
    with owned_study(config, heard) as owned:
        before = work(owned, config, 2)
        postgres.kill()
        restart = threading.Timer(2, postgres.start)
        restart.start()
        try:
            after = work(owned, config, 4)
        finally:
            restart.join()
        assert [t.psnr_db for t in read_results(owned[0], config).trials if t.psnr_db] == [
            t.psnr_db for t in before + after if t.psnr_db
        ]
    (warning,), (note,) = heard.warnings, heard.notes
    assert "lens@127.0.0.1" in warning
    assert "is away: waiting for it, 600 s at most" in warning
    assert note.startswith("the storage is back, after")


def test_a_server_that_stays_away_ends_the_run_in_one_line(tiny_config, postgres):
    heard = Heard()
    config = tiny_config(storage=postgres.database(), storage_wait_s=1)
    with owned_study(config, heard) as owned:
        work(owned, config, 1)
        postgres.stop()
        try:
            with pytest.raises(UserError, match=r"was away for 1 s \(.*\): what was") as caught:
                write(owned, 1)
        finally:
            postgres.start()
    assert "\n" not in str(caught.value)
    with owned_study(config, heard) as owned:
        assert len(work(owned, config, 3)) == 2
    assert len(heard.warnings) == 1


def test_rights_that_are_missing_are_not_waited_for(tiny_config, postgres):
    config = tiny_config(storage=postgres.database())
    heard = Heard()
    with owned_study(config, heard) as owned:
        name = config.storage.rsplit("/", 1)[1]
        postgres.sql("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM lens", name)
        with pytest.raises(Exception, match="commit") as caught:
            write(owned, 1)
    assert "permission denied" in database.first_line(caught.value)
    assert heard.warnings == []


HOLD = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


def hold(path, seconds):
    """Another process that has the database locked, once this returns."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_a_locked_sqlite_file_is_waited_for_and_then_named(tiny_config, monkeypatch):
    monkeypatch.setattr(database, "SQLITE_BUSY_S", 0.1)
    heard = Heard()
    config = tiny_config(storage_wait_s=30)
    with owned_study(config, heard) as owned:
        work(owned, config, 1)
        holder = hold(config.directory / "study.db", 1)
        write(owned, 1)
        work(owned, config, 3)
        assert holder.wait() == 0
        assert len(owned[0].get_trials()) >= 3
        assert ["is locked" in w for w in heard.warnings] == [True]
        assert len(heard.notes) == 1
    config = tiny_config(storage_wait_s=0.2)
    with owned_study(config, heard) as owned:
        holder = hold(config.directory / "study.db", 60)
        with pytest.raises(UserError, match=r"study\.db was away for 0\.2 s \(database is locked"):
            write(owned, 2)
        holder.kill()
        holder.wait()
    with sqlite3.connect(config.directory / "study.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_waiting_does_not_look_at_the_calendar(tiny_config, postgres, monkeypatch):
    config = tiny_config(storage=postgres.database(), storage_wait_s=30)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    with owned_study(config, Heard()) as owned:
        postgres.kill()
        postgres.start()
        assert len(work(owned, config, 2)) == 2
