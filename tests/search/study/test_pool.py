"""Workers that die, hang or want too much: real processes, real signals."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest

from search.artifacts import WEIGHTS
from search.study.checkpoints import result_digest
from search.study.data import prepare_data
from search.study.job import DonorFile, Failed, Job, Retried, Rung, Trained
from search.study.limits import Limits, held_bytes
from search.study.pool import LocalPool
from search.study.retrying import RetryingPool

RUNGS = (4, 8)
OFTEN = Limits(checkpoint_seconds=0)


@pytest.fixture
def job(tiny_config, tmp_path):
    """Makes jobs of one tiny network; each has a directory of its own."""
    config = tiny_config(training={"steps": 12})
    data = prepare_data(config)
    space = config.search_space()
    architecture = space.sample(np.random.default_rng(0))

    def make(key="job", **changes):
        directory = tmp_path / key
        made = Job(
            key, architecture, config.training, data, 0, directory, rungs=RUNGS,
            limits=OFTEN, checkpoint=directory / "checkpoint.npz",
        )  # fmt: skip
        return replace(made, **changes)

    return make


@pytest.fixture
def pool():
    with LocalPool(2) as workers:
        yield RetryingPool(workers)


def run(pool, jobs, on_rung=lambda event: None):
    """Every event of `jobs` but for rungs, after the last."""
    for job in jobs:
        pool.start(job)
    events = []
    while pool.busy:
        for event in pool.wait():
            if isinstance(event, Rung):
                on_rung(event)
                pool.answer(event.key, True)
            else:
                events.append(event)
    return events


def result(event):
    assert isinstance(event, Trained), event
    return event.curve, event.psnr_db, event.ssim, event.weights_sha256


@pytest.mark.slow
def test_a_killed_workers_job_goes_on_from_its_checkpoint_to_the_same_end(job, pool, worker_pids):
    [straight] = run(pool, [job("straight")])
    rungs = []

    def kill(event):
        rungs.append(event.step)
        if rungs.count(event.step) == 1:
            [pid] = worker_pids()
            os.kill(pid, signal.SIGKILL)

    events = run(pool, [job("killed")], kill)
    assert [type(event) for event in events] == [Retried, Retried, Trained]
    assert "killed (signal 9)" in events[0].reason
    assert [event.deaths for event in events[:2]] == [1, 2]
    assert result(events[2]) == result(straight)
    assert rungs == [4, 4, 8, 4, 8]
    killed = job("killed")
    log = (killed.directory / "log.txt").read_text()
    assert [line for line in log.splitlines() if line.startswith("going on")] == [
        "going on from the checkpoint of step 3",
        "going on from the checkpoint of step 7",
    ]
    written = [(j.directory / WEIGHTS).read_bytes() for j in (killed, job("straight"))]
    assert written[0] == written[1]


@pytest.mark.slow
def test_inherited_weights_do_not_disturb_it(job, pool, worker_pids):
    run(pool, [job("parent")])
    parent = job("parent")
    donor = DonorFile(parent.directory / WEIGHTS, parent.architecture)
    [straight] = run(pool, [job("straight", donor=donor)])
    killed = []

    def kill(event):
        if event.step == 8 and not killed:
            killed.extend(worker_pids())
            os.kill(killed[0], signal.SIGKILL)

    *retried, ended = run(pool, [job("child", donor=donor)], kill)
    assert len(retried) == len(killed) == 1
    assert result(ended) == result(straight)
    assert ended.inherited == straight.inherited > 0


def test_one_that_always_dies_fails_after_its_retries(job, pool, worker_pids):
    def kill(event):
        [pid] = worker_pids()
        os.kill(pid, signal.SIGTERM if event.step == 4 else signal.SIGKILL)

    limits = OFTEN.model_copy(update={"retries": 1})
    # SIGTERM ends no worker: its driver decides.
    events = run(pool, [job(limits=limits)], kill)
    assert [type(event) for event in events] == [Retried, Failed]
    assert events[1].reason.endswith("most often for want of memory (2 times)")


def test_without_retries_the_first_death_is_the_last(job, pool, worker_pids):
    def kill(event):
        [pid] = worker_pids()
        os.kill(pid, signal.SIGSEGV)

    [event] = run(pool, [job(limits=Limits(retries=0))], kill)
    assert event == Failed("job", "the worker died of signal 11", died=True)


def test_one_that_fails_by_itself_is_not_started_again(job, pool):
    wild = {"learning_rate": 0.99, "steps": 200, "loss": "mse", "clip_norm": 1e9}
    recipe = job().recipe.model_copy(update=wild)
    [event] = run(pool, [job(recipe=recipe)])
    assert "the loss became" in event.reason
    assert not event.died


def test_one_that_hangs_is_ended_and_its_neighbour_is_not(job, pool, worker_pids):
    """A stopped process answers nothing, takes no time of the CPU, and no signal but one."""
    pool.start(job("hanging", limits=Limits(minutes=0.05)))
    [pid] = worker_pids()
    os.kill(pid, signal.SIGSTOP)
    events = run(pool, [job("neighbour", limits=Limits(minutes=10))])
    by_key = {event.key: event for event in events}
    assert by_key["hanging"] == Failed("hanging", "it took longer than limits.minutes: 0.05")
    assert isinstance(by_key["neighbour"], Trained)


def test_one_that_allocates_without_end_is_ended_and_its_neighbour_is_not(job, pool):
    limits = Limits(memory_gb=0.7)
    greedy = job().recipe.model_copy(update={"batch": 4096, "crop": 128})
    events = run(pool, [job("greedy", recipe=greedy, limits=limits), job(limits=limits)])
    by_key = {event.key: event for event in events}
    reason = "its worker allocated more than limits.memory_gb: 0.7"
    assert by_key["greedy"] == Failed("greedy", reason)
    assert isinstance(by_key["job"], Trained)


def test_held_memory_is_what_was_allocated():
    before = held_bytes(os.getpid())
    block = np.ones(25_000_000)
    assert held_bytes(os.getpid()) - before == pytest.approx(block.nbytes, rel=0.2)
    ended = os.fork()
    if not ended:
        os._exit(0)
    os.waitpid(ended, 0)
    assert held_bytes(ended) == 0


def test_a_checkpoint_is_of_what_decides_the_result_and_nothing_else(job, tmp_path):
    own = result_digest(job())
    same = job("other", threads=7, deaths=1, limits=Limits(minutes=1), checkpoint=None)
    moved = replace(same.data, root=tmp_path / "elsewhere" / same.data.root.name)
    assert result_digest(replace(same, data=moved)) == own
    parent = tmp_path / "parent.npz"
    parent.write_bytes(b"weights")
    others = [
        job(seed=1),
        job(rungs=(4,)),
        job(recipe=job().recipe.model_copy(update={"batch": 3})),
        job(data=replace(same.data, kept=(0, 1))),
        job(donor=DonorFile(parent)),
    ]
    digests = {result_digest(other) for other in others}
    assert len(digests) == len(others)
    assert own not in digests
    parent.write_bytes(b"others")
    assert result_digest(job(donor=DonorFile(parent))) not in digests
