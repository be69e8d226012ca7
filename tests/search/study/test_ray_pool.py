"""A pool on a real Ray cluster: two places with a CPU each and one make-believe GPU."""

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from processes import parent_of

from search.artifacts import load_weights
from search.errors import UserError
from search.study import ray_pool, ray_session
from search.study.data import prepare_data
from search.study.directories import trial_directory
from search.study.job import Failed, Job, Rung, Trained
from search.study.ray_pool import RayPool

pytestmark = pytest.mark.slow
ENDLESS = 100_000
"""Steps of a training that only its death ends."""


@pytest.fixture(scope="module")
def cluster(free_port):
    """The address of a cluster of this machine alone, as docs/cluster.md starts one."""
    os.environ["RAY_AUTH_TOKEN"] = uuid.uuid4().hex
    address = f"127.0.0.1:{free_port}"
    options = ["--num-cpus=2", "--num-gpus=1", "--include-dashboard=false", "--min-worker-port=0"]
    options += ["--max-worker-port=0", "--disable-usage-stats", "--block", f"--port={free_port}"]
    ray = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", *options]
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(ray, **output, start_new_session=True) as head:
        assert any("--block" in line for line in head.stdout), "the head did not start"
        yield address
        head.terminate()
    del os.environ["RAY_AUTH_TOKEN"]


@pytest.fixture(scope="module")
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def connected(cluster, tmp_path_factory):
    """A pool that the tests of this module share: joining takes seconds."""
    from tiny_study import tiny_study

    from search.config import parse_config

    data = {"root": str(tmp_path_factory.mktemp("data"))}
    runner = {"kind": "ray", "address": cluster}
    config = parse_config(tiny_study("tiny", {"data": data}, workers=2, runner=runner), "test")
    warnings = []
    with RayPool(config, warnings.append) as pool:
        assert warnings == []
        yield pool


@pytest.fixture
def pool(connected):
    """The shared pool, its hosts without work."""
    yield connected
    if connected.busy:
        connected.stop()


@pytest.fixture
def job_of(tiny_config):
    """Makes the job of a tiny study's trial; `steps` of training."""

    def make(number, steps=6, **changes):
        config = tiny_config(training={"steps": steps})
        job = Job(
            f"trial {number}",
            config.search_space().sample(np.random.default_rng(0)),
            config.training,
            prepare_data(config),
            seed=0,
            directory=trial_directory(config, number),
        )
        return replace(job, **changes)

    return make


def rest_of(pool):
    """The last events of what is running, by key."""
    events = {}
    while pool.busy:
        events |= {event.key: event for event in pool.wait()}
    return events


def pids():
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def is_host(pid):
    """Whether it is one of this module's cluster."""
    try:
        name, variables = (
            Path(f"/proc/{pid}/{file}").read_bytes() for file in ("cmdline", "environ")
        )
    except OSError:
        return False
    return name.startswith(b"ray::Host") and os.environ["RAY_AUTH_TOKEN"].encode() in variables


def trainings():
    """Training processes by their host: they are the children of its fork server."""
    found = {pid: parent_of(parent_of(pid)) for pid in pids()}
    return {host: pid for pid, host in found.items() if host is not None and is_host(host)}


def gpus_of(training):
    """As its fork server, and so TensorFlow, was told."""
    variables = Path(f"/proc/{parent_of(training)}/environ").read_bytes().split(b"\0")
    return [line for line in variables if line.startswith(b"CUDA_VISIBLE_DEVICES=")]


def until(condition):
    """What `condition` gives once it is true."""
    deadline = time.monotonic() + 180
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def gone(pid):
    return not Path(f"/proc/{pid}").exists()


def test_a_job_is_answered_at_its_rungs_and_its_files_come_here(pool, job_of):
    pool.start(job_of(0, rungs=(2, 4)))
    for step in (2, 4):
        [rung] = pool.wait()
        assert (rung.key, rung.step) == ("trial 0", step)
        pool.answer(rung.key, keep_going=True)
    [trained] = pool.wait()
    weights = load_weights(job_of(0).directory)
    assert isinstance(trained, Trained)
    assert sum(array.size for array in weights) >= trained.parameters > 0
    assert (job_of(0).directory / "log.txt").exists()
    [host] = pool._hosts

    pool.start(job_of(1, rungs=(2,)))
    [rung] = pool.wait()
    pool.answer(rung.key, keep_going=False)
    [pruned] = pool.wait()
    assert (pruned.pruned_at, pruned.psnr_db) == (2, None)
    assert not pool.busy
    assert pool._hosts == [host]


def test_more_jobs_than_places_wait_their_turn(pool, job_of, monkeypatch):
    monkeypatch.setattr(pool, "workers", 4)
    for number in range(4):
        pool.start(job_of(number))
    assert pool.free == 0
    events = rest_of(pool)
    assert sorted(events) == [f"trial {number}" for number in range(4)]
    assert {event.psnr_db for event in events.values()} == {events["trial 0"].psnr_db}


def test_a_machine_without_the_data_ends_the_study_with_a_reason(pool, job_of, tmp_path):
    data = replace(job_of(0).data, dataset="zurich", root=tmp_path / "zurich")
    pool.start(job_of(0, data=data))
    with pytest.raises(UserError, match=r"^on \S+: the study cannot go on: there is no .*zurich"):
        pool.wait()


def test_a_killed_training_process_loses_its_job_and_not_its_host(pool, job_of):
    pool.start(job_of(0, steps=ENDLESS, rungs=(2,)))
    [rung] = pool.wait()
    pool.answer(rung.key, keep_going=True)
    [(host, training)] = trainings().items()
    assert gpus_of(training) == [b"CUDA_VISIBLE_DEVICES="]  # It declares none.
    os.kill(training, signal.SIGKILL)
    [lost] = pool.wait()
    assert (lost.key, lost.died) == ("trial 0", True)
    assert "killed (signal 9)" in lost.reason
    pool.start(job_of(1))
    assert isinstance(rest_of(pool)["trial 1"], Trained)
    assert is_host(host)


def test_a_killed_host_loses_its_job_alone_and_is_replaced(pool, job_of, capfd):
    pool.start(job_of(0, steps=ENDLESS, rungs=(2,)))
    assert isinstance(pool.wait()[0], Rung)
    [(host, training)] = trainings().items()
    pool.start(job_of(1, rungs=(2,)))
    assert pool.wait()[0].key == "trial 1"
    pool.answer("trial 0", keep_going=True)
    os.kill(host, signal.SIGKILL)
    [lost] = pool.wait()
    assert isinstance(lost, Failed)
    assert (lost.key, lost.died) == ("trial 0", True)
    assert lost.reason.startswith("its Ray worker died: ")
    until(lambda: gone(training))
    assert (job_of(0).directory / "log.txt").exists()  # What there was at the rung is here.

    pool.start(job_of(2))
    pool.answer("trial 1", keep_going=True)
    events = rest_of(pool)
    assert isinstance(events["trial 1"], Trained)
    assert isinstance(events["trial 2"], Trained)
    assert capfd.readouterr() == ("", "")  # Ray says nothing of it.


def test_hosts_without_work_are_given_back(pool, job_of, monkeypatch):
    monkeypatch.setattr(ray_pool, "IDLE_SECONDS", 0.0)
    for number in range(2):
        pool.start(job_of(number))
    assert len(pool._hosts) == 2
    rest_of(pool)
    assert len(pool._hosts) < 2
    until(lambda: len(list(filter(is_host, pids()))) < 2)


def test_the_workers_of_a_killed_driver_end(pool, cluster, tiny_file):
    pool.stop()
    file = tiny_file(training={"steps": ENDLESS}, trials=1, finals=None)
    command = [sys.executable, "-m", "search.cli.main", "run", str(file)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    until(lambda: not any(map(is_host, pids())))
    with subprocess.Popen(
        [*command, "--runner", "ray", "--address", cluster],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as driver:  # fmt: skip
        [(host, training)] = until(trainings).items()
        driver.kill()
    until(lambda: gone(host))
    until(lambda: gone(training))


def test_training_sees_the_gpu_that_its_worker_declares(pool, job_of, monkeypatch):
    pool.stop()
    declared = pool._runner.model_copy(update={"gpus": 0.5})
    host_class = pool._ray.remote(ray_pool.Host).options(**ray_pool._declared(declared))
    monkeypatch.setattr(pool, "_runner", declared)
    monkeypatch.setattr(pool, "_host_class", host_class)
    pool.start(job_of(0, steps=ENDLESS, rungs=(2,)))
    assert isinstance(pool.wait()[0], Rung)
    [training] = trainings().values()
    assert gpus_of(training) == [b"CUDA_VISIBLE_DEVICES=0"]


def test_what_does_not_answer_as_a_cluster_is_refused(monkeypatch):
    monkeypatch.setattr(ray_session, "KNOCK_SECONDS", 2)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(
            UserError, match=f"no Ray cluster can be reached at {address}: .*refused"
        ):
            ray_session.start_session(address)
        other.listen()
        with pytest.raises(UserError, match=f"no Ray cluster answers at {address}"):
            ray_session.start_session(address)
