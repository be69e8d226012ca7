"""Commands that are stopped, gently and not, lose nothing and go on to the same end."""

import json
import os
import signal

import pytest

pytestmark = pytest.mark.slow

GENTLE = {signal.SIGINT, signal.SIGTERM}


def measured(document):
    """What training found; the numbers of trials depend on how often it was stopped."""
    trials = [
        (t["index"], t["digest"], t["psnr_db"], t["curve"])
        for t in document["trials"]
        if t["status"] == "complete"
    ]
    return trials, document["finalists"], document["winner"]


def without_origin(measurement):
    trials, finalists, winner = measurement
    return trials, [{k: v for k, v in f.items() if k != "origin"} for f in finalists], winner


def stop(terminal, until, file, at, with_signal):
    """Run `file`, send `with_signal` when the log of its run `at` exists; the ended process."""
    process = terminal.start("run", file)
    folder = terminal.folder / "runs" / file.removesuffix(".yaml")
    try:
        assert until(lambda: process.poll() is not None or list(folder.glob(f"{at}/log.txt")))
        assert process.poll() is None, process.communicate()
        if with_signal in GENTLE:
            os.killpg(process.pid, with_signal)  # As a terminal or a service manager does.
        else:
            process.kill()
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert out == ""
    assert "Traceback" not in err
    assert terminal.all_gone()
    if with_signal in GENTLE:
        assert process.returncode == 130
        assert err.splitlines()[-1].startswith("interrupted: what was finished is stored")
    return process


def test_however_often_it_is_stopped_a_study_ends_the_same(terminal, until):
    # Enough steps that a stop finds the run at work.
    longer = {"training": {"steps": 60}, "finals": {"steps": 80}, "trials": 3}
    straight = terminal("run", terminal.study("straight", **longer), "--json")
    # A checkpoint after every step, so that every stop finds one.
    file = terminal.study("stopped", **longer, limits={"checkpoint_seconds": 0})
    stop(terminal, until, file, "trials/00000", signal.SIGKILL)
    stop(terminal, until, file, "trials/00001", signal.SIGINT)
    stop(terminal, until, file, "trials/0000[2-9]", signal.SIGTERM)
    stop(terminal, until, file, "finals/*", signal.SIGKILL)
    resumed = terminal("run", file, "--json")
    assert resumed.returncode == straight.returncode == 0, resumed.stderr
    document = json.loads(resumed.stdout)
    assert without_origin(measured(document)) == without_origin(
        measured(json.loads(straight.stdout))
    )
    assert document["counts"]["complete"] == document["trained"] == 3
    assert document["counts"]["interrupted"] >= 2
    assert not list(terminal.folder.glob("runs/stopped/**/*checkpoint*.npz*"))
    assert not list(terminal.folder.glob("runs/stopped/checkpoints/*"))


@pytest.mark.parametrize("with_signal", [signal.SIGTERM, signal.SIGKILL], ids=lambda s: s.name)
def test_stopped_preparation_leaves_no_half_data_set(terminal, until, with_signal):
    call = ["data", "prepare", "--root", "data", "--train", "100", "--val", "8", "--patch", "128"]
    process = terminal.start(*call)
    assert until(lambda: list(terminal.folder.glob("data/.*/train_input.npy")))
    process.send_signal(with_signal)
    _, err = process.communicate(timeout=60)
    assert list(terminal.folder.glob("data/sample-*")) == []
    if with_signal == signal.SIGTERM:
        assert process.returncode == 130
        assert err.splitlines()[-1].startswith("interrupted")
        assert list(terminal.folder.glob("data/.*")) == []

    again = json.loads(terminal(*call, "--json").stdout)
    fresh = [*call[:3], "fresh", *call[4:]]
    straight = json.loads(terminal(*fresh, "--json").stdout)
    for name in ("train_input.npy", "train_target.npy", "val_input.npy", "meta.json"):
        ours, theirs = (terminal.folder / d["directory"] / name for d in (again, straight))
        assert ours.read_bytes() == theirs.read_bytes()
