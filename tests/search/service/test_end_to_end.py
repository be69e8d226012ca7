"""A study of a real service, from its submission to its bundle, over a server that is killed."""

import io
import json
import os
import signal
import threading
import zipfile

import pytest
from processes import wait_for

from search.errors import UserError
from search.live.studies import LiveStudies
from search.service.client import Client, RefusedError
from search.study.ownership import pid_here
from search.study.results import read_results
from search.study.storage import load_study

pytestmark = pytest.mark.slow


def test_a_study_goes_on_while_its_server_is_killed_and_is_exported(served, study_yaml, tmp_path):
    served.start()
    client = Client(served.url)
    # Long enough to be killed in the middle.
    longer = {"training": {"steps": 40}, "trials": 3, "finals": {"seeds": 1}}
    assert client.submit(study_yaml("watched", **longer)).state == "queued"
    client.submit(study_yaml("second", trials=1, finals=None))
    seen = []

    def watch():
        seen.extend(client.watch("watched"))

    watching = threading.Thread(target=watch)
    watching.start()
    assert wait_for(lambda: any(p.overview.counts.get("complete") for p in seen))
    driver = LiveStudies(tmp_path / "runs").holder("watched")
    os.killpg(pid_here(driver), signal.SIGSTOP)  # Or a fast machine has it finished too soon.
    served.kill()
    assert LiveStudies(tmp_path / "runs").holder("watched") == driver
    served.start()
    states = {study.name: study.state for study in client.studies()}
    assert states == {"watched": "running", "second": "queued"}  # One at a time.
    with pytest.raises(RefusedError, match="runs already") as refusal:
        client.submit(study_yaml("watched", **longer))
    assert refusal.value.status == 409
    with pytest.raises(RefusedError, match="stop it first"):
        client.delete("watched")
    os.killpg(pid_here(driver), signal.SIGCONT)

    watching.join(timeout=200)
    assert seen[-1].overview.state == "finished"
    # One driver from beginning to end: nothing was lost or run again.
    stored = read_results(*load_study(f"sqlite:///{tmp_path}/runs/watched/study.db", "watched"))
    assert [t.status for t in stored.trials] == ["complete"] * 3
    got = client.results("watched")
    assert got.trials == stored.trials
    assert got.finals == stored.finals
    front = tuple(trial.record() for trial in client.pareto("watched").trials)
    assert front == stored.pareto_front()

    bundle = zipfile.ZipFile(io.BytesIO(client.export("watched")))
    names = {name.removeprefix("watched-winner/") for name in bundle.namelist()}
    record = json.loads(bundle.read("watched-winner/verification.json"))
    assert {"pictures/1_target.jpg", "report.html", "model_card.md"} < set(record["contents"])
    assert names == {
        "model_fp32.tflite", "model_fp16.tflite", "verification.json", *record["contents"],
    }  # fmt: skip
    model = bundle.read("watched-winner/model_fp32.tflite")
    predicted = client.predict_file(model, got.config.device)
    assert predicted.low_ms < predicted.predicted_ms < predicted.high_ms

    assert wait_for(lambda: client.show("second").overview.state == "finished")
    client.delete("second")
    assert [study.name for study in client.studies()] == ["watched"]
    with pytest.raises(UserError, match="no study 'second'"):
        client.results("second")


def test_a_study_is_stopped_as_by_ctrl_c_and_resumed(served, study_yaml):
    served.start()
    client = Client(served.url)
    client.submit(study_yaml("long", training={"steps": 3000}, trials=2, finals=None))
    assert wait_for(lambda: client.show("long").overview.counts.get("running"))
    client.stop("long")
    assert wait_for(lambda: client.show("long").overview.state == "stopped")
    assert "interrupted: what was finished is stored" in client.log("long")
    with pytest.raises(RefusedError, match="does not run"):
        client.stop("long")
    # Its file may say what it is to go on with, as long as its trials compare.
    with pytest.raises(RefusedError, match=r"other settings .*training\.steps") as refusal:
        client.submit(study_yaml("long", training={"steps": 5}, trials=2, finals=None))
    assert refusal.value.status == 409
    assert client.resume("long").state == "queued"
    assert wait_for(lambda: client.show("long").overview.counts.get("running"))
    client.stop("long")
    assert wait_for(lambda: client.show("long").overview.state == "stopped")
    client.delete("long")
    assert client.studies() == []


def test_a_run_that_fails_says_why_and_the_next_one_runs(served, study_yaml):
    served.start()
    client = Client(served.url)
    data = {"dataset": "zurich", "root": "runs/data"}
    client.submit(study_yaml("broken", data=data))
    [seen] = [p for p in client.watch("broken") if p.overview.state == "failed"]
    assert "runs/data" in seen.overview.message
