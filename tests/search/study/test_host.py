"""A host as a cluster runs it, in this process: its jobs are real worker processes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from search.artifacts import load_weights
from search.study.data import prepare_data, sample_maker
from search.study.directories import trial_directory
from search.study.host import Host, own_folder
from search.study.job import DataSource, DonorFile, Failed, Job, Rung, Trained
from search.study.pool import LocalPool
from search.study.ray_pool import write_changes
from search.study.shipping import Input, digest_of
from search.study.versions import versions_here


@pytest.fixture
def host(tiny_config, tmp_path):
    """Of a machine whose user has nothing yet."""
    host = Host(sample_maker(tiny_config()), versions_here(), tmp_path / "cache")
    yield host
    host.stop()
    assert list((tmp_path / "cache/hosts").glob("host-*")) == []


@pytest.fixture
def job_of(tiny_config):
    """Makes the job of a tiny study's trial."""

    def make(number=0, **changes):
        config = tiny_config()
        space, rng = config.search_space(), np.random.default_rng(number)
        fields = {
            "key": f"trial {number}",
            "architecture": space.sample(rng),
            "recipe": config.training,
            "data": prepare_data(config),
            "seed": 0,
            "directory": trial_directory(config, number),
        }
        return Job(**(fields | changes))

    return make


def trained_here(job):
    """By the local runner."""
    with LocalPool(1) as pool:
        pool.start(job)
        [event] = pool.wait()
    return event


def without_seconds(trained):
    return {k: v for k, v in vars(trained).items() if k != "seconds"}


@pytest.mark.slow
def test_a_machine_that_shares_no_disk_trains_to_the_same_weights(host, job_of, tmp_path):
    job = job_of(rungs=(2,))
    data, elsewhere = (
        job.data.root,
        DataSource("sample", tmp_path / "not here" / job.data.root.name),
    )
    first = host.run(job_of(rungs=(2,), data=elsewhere, directory=Path("/nowhere/trial")), [])
    assert isinstance(first.event, Rung)
    last = host.answer(job.key, keep_going=True)
    assert not Path("/nowhere").exists()
    assert (tmp_path / "cache/data" / data.name / "meta.json").exists()
    assert {"log.txt", "weights.npz", "preview.npz"} <= {
        *first.changes.written,
        *last.changes.written,
    }

    shipped = tmp_path / "shipped"
    for outcome in (first, last):
        write_changes(job_of(directory=shipped), outcome.changes)
    with LocalPool(1) as pool:
        pool.start(job)
        pool.wait()
        pool.answer(job.key, keep_going=True)
        [local] = pool.wait()
    assert without_seconds(local) == without_seconds(last.event)
    for ours, theirs in zip(load_weights(job.directory), load_weights(shipped), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_a_donor_comes_with_the_job_and_goes_with_the_next(host, job_of, tmp_path):
    parent = job_of()
    assert isinstance(trained_here(parent), Trained)
    content = (parent.directory / "weights.npz").read_bytes()
    named = Path("/only/the/driver/has/weights.npz")
    child = job_of(donor=DonorFile(named, parent.architecture))
    inputs = [Input(named, digest_of(content)), Input(Path("checkpoint.npz"), digest_of(b"step"))]
    contents = [np.frombuffer(content, np.uint8), np.frombuffer(b"step", np.uint8)]
    outcome = host.run(child, inputs, *contents)
    assert outcome.event.inherited == 1.0
    # What it was given is there for it, and does not come back as something new.
    [found] = (tmp_path / "cache/hosts").glob("*/job/checkpoint.npz")
    assert found.read_bytes() == b"step"
    assert "checkpoint.npz" not in outcome.changes.written

    assert isinstance(host.run(job_of(), []).event, Trained)
    assert list((tmp_path / "cache/hosts").glob("*/inputs/*")) == []
    assert list((tmp_path / "cache/hosts").glob("*/job/checkpoint.npz")) == []


@pytest.mark.slow
def test_a_killed_worker_is_a_lost_job_and_the_next_one_runs(host, job_of, worker_pids):
    rung = host.run(job_of(rungs=(2,)), [])
    assert isinstance(rung.event, Rung)
    for pid in worker_pids():
        os.kill(pid, signal.SIGKILL)
    lost = host.answer(rung.event.key, keep_going=True)
    assert isinstance(lost.event, Failed)
    assert lost.event.died
    assert "killed (signal 9)" in lost.event.reason
    assert isinstance(host.run(job_of(), []).event, Trained)


def test_a_machine_without_the_data_set_says_so(host, job_of, tmp_path):
    data = DataSource("zurich", tmp_path / "zurich")
    refusal = host.run(job_of(data=data), []).refusal
    assert refusal.startswith(f"on {os.uname().nodename}: the study cannot go on: there is no ")
    assert "zurich data, which must lie at the same path on every machine" in refusal


def test_a_machine_that_makes_other_sample_data_says_so(host, job_of, tmp_path):
    data = DataSource("sample", tmp_path / "sample-isp-000000000000")
    assert "makes other sample data here" in host.run(job_of(data=data), []).refusal


def test_a_machine_with_other_versions_says_which(tiny_config, job_of, tmp_path):
    driver = versions_here() | {"tensorflow": "1.4.0"}
    host = Host(None, driver, tmp_path)
    refusal = host.run(job_of(), []).refusal
    assert (
        f"this machine has tensorflow {versions_here()['tensorflow']} instead of 1.4.0" in refusal
    )


def test_a_cache_that_cannot_be_written_is_named(job_of, tmp_path):
    (tmp_path / "cache").write_text("a file")
    refusal = Host(None, versions_here(), tmp_path / "cache").run(job_of(), []).refusal
    assert "the study cannot go on: " in refusal
    assert f"{tmp_path / 'cache'}" in refusal


def test_what_killed_hosts_left_goes_and_what_living_ones_have_stays(tmp_path):
    script = (
        "import sys; from pathlib import Path; from search.study.host import own_folder\n"
        "print(own_folder(Path(sys.argv[1])), flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as killed, subprocess.Popen(command, **pipes) as living:
        folders = [Path(process.stdout.readline().strip()) for process in (killed, living)]
        assert all(folder.is_dir() for folder in folders)
        killed.kill()
        killed.wait()
        own = own_folder(tmp_path)
        assert sorted(tmp_path.glob("host-*")) == sorted([folders[1], own])
        living.stdin.close()
