"""The driver's bookkeeping, on a real SQLite storage but without training."""

from contextlib import ExitStack
from dataclasses import replace

import optuna
import pytest
from optuna.trial import TrialState

from latency import LatencyOracle, load_profile
from search.errors import UserError
from search.study.estimate import estimate
from search.study.job import Failed, Trained
from search.study.ledger import Ledger
from search.study.mirror import NumberedStorage
from search.study.observer import Silent
from search.study.pruning import AtRung
from search.study.results import read_results
from search.study.storage import create_or_resume, open_storage, owned_study

SAMPLERS = ["random", "tpe", "nsga2", "evolution", "latency_aware"]


def outcome(psnr_db=25.0, pruned_at=None):
    return Trained(
        key="k",
        curve=((6, psnr_db),),
        psnr_db=None if pruned_at else psnr_db,
        ssim=0.8,
        pruned_at=pruned_at,
        parameters=1,
        seconds={},
    )


class Fake:
    """A study in which "training" is a function of the architecture: everything else is real."""

    def __init__(self, config):
        self.config = config
        self.oracle = LatencyOracle(load_profile(config.device))
        self.held = ExitStack()
        self.reopen()

    def reopen(self):
        self.held.close()
        self.study, flush = self.held.enter_context(owned_study(self.config, Silent()))
        self.ledger = Ledger(self.study, self.config, self.config.sampling_context(), flush)

    def candidate(self):
        """The next one that may be trained, and its estimate."""
        while True:
            asked = self.ledger.ask()
            known = estimate(asked.architecture, self.config.task_facts, self.oracle)
            if self.ledger.judge(asked, known) is None:
                return asked, known

    def train(self, asked, known):
        psnr = 20 + int(asked.architecture.digest, 16) % 1000 / 100
        return self.ledger.trained_ok(asked.trial, known, outcome(psnr))

    def step(self):
        return self.train(*self.candidate())

    @property
    def results(self):
        return read_results(self.study, self.config)


def history(fake):
    """What a study has found, in the order of its indices."""
    done = [t for t in fake.results.trials if t.status == "complete"]
    return [
        (t.index, t.architecture.digest, t.psnr_db) for t in sorted(done, key=lambda t: t.index)
    ]


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("kind", ["score", "pareto"])
def test_a_resumed_study_equals_an_uninterrupted_one(tiny_config, sampler, kind):
    options = {
        "tpe": {"startup": 3},
        "latency_aware": {"startup": 3},
        "nsga2": {"population": 4},
    }.get(sampler, {})
    if sampler == "evolution":
        options = {"population": 4, "tournament": 2}
    settings = {
        "sampler": {"name": sampler, "options": options},
        "objective": {"kind": kind},
        "space": {},
    }
    straight = Fake(tiny_config("straight", **settings))
    for _ in range(10):
        straight.step()

    broken = Fake(tiny_config("broken", **settings))
    for number in range(10):
        if number in (2, 6):
            broken.candidate()  # a trial begins, and the driver is killed
            broken.reopen()
        if number == 8:
            broken.ledger.ask()  # killed between asking and judging
            broken.reopen()
        broken.step()
    assert history(broken) == history(straight)
    interrupted = [t for t in broken.results.trials if t.status == "interrupted"]
    assert len(interrupted) == 2  # What was only asked for was never there.


@pytest.mark.parametrize("written", [False, True])
def test_a_result_is_written_whole_or_not_at_all(tiny_config, monkeypatch, written):
    fake = Fake(tiny_config())
    asked, known = fake.candidate()
    write = NumberedStorage.write_changes

    def killed(*arguments):
        if written:
            write(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(NumberedStorage, "write_changes", killed)
    with pytest.raises(KeyboardInterrupt):
        fake.train(asked, known)
    monkeypatch.undo()
    fake.reopen()
    record = fake.results.trials[asked.trial.number]
    assert record.status == ("complete" if written else "interrupted")
    assert (record.psnr_db is None) != written
    assert fake.ledger.trained == written


def test_a_trained_architecture_is_not_trained_again(tiny_config):
    choices = tiny_config().space.choices | {
        "levels": [0], "width_0": [8], "stem": ["conv3"], "activation": ["relu"],
        "stem_activation": ["same"], "attention_0": [False],
    }  # fmt: skip
    fake = Fake(tiny_config(space={"choices": choices}))
    assert fake.ledger.space.size() == 2
    first, second = fake.step(), fake.step()
    assert first.architecture != second.architecture
    asked = fake.ledger.ask()
    known = estimate(asked.architecture, fake.config.task_facts, fake.oracle)
    record = fake.ledger.judge(asked, known)
    assert record is not None
    assert record.status == "duplicate"
    assert fake.ledger.trained == 2


def test_over_budget_is_recorded_with_its_reason_and_as_a_constraint(tiny_config):
    fake = Fake(tiny_config(objective={"max_runtime_ms": 0.5}))
    asked = fake.ledger.ask()
    known = estimate(asked.architecture, fake.config.task_facts, fake.oracle)
    record = fake.ledger.judge(asked, known)
    assert record is not None
    assert record.status == "infeasible"
    assert "over the budget of 0.5 ms" in record.reason
    stored = fake.study.trials[record.number]
    assert stored.constraints["runtime_ms_over_budget"] == pytest.approx(known.runtime_ms - 0.5)
    assert stored.state == TrialState.PRUNED
    assert fake.ledger.trained == 0


@pytest.mark.parametrize("kind", ["score", "pareto"])
def test_a_failed_and_a_pruned_trial_are_recorded(tiny_config, kind):
    fake = Fake(tiny_config(objective={"kind": kind}))
    asked, known = fake.candidate()
    fake.ledger.at_rung(asked.trial, 2, AtRung(21.0, known.runtime_ms))
    pruned = fake.ledger.trained_ok(asked.trial, known, outcome(21.0, pruned_at=2))
    asked, _ = fake.candidate()
    failed = fake.ledger.failed(asked.trial, Failed("k", "the loss became nan at step 3"))
    assert (pruned.status, pruned.reason) == ("pruned", "behind the others at step 2")
    assert (failed.status, failed.reason) == ("failed", "the loss became nan at step 3")
    assert fake.ledger.trained == 2
    fake.reopen()
    assert fake.ledger.trained == 2


def test_who_was_at_a_rung_survives_a_restart(tiny_config):
    fake = Fake(tiny_config())
    asked, known = fake.candidate()
    assert fake.ledger.at_rung(asked.trial, 6, AtRung(25.0, known.runtime_ms)) == []
    fake.ledger.trained_ok(asked.trial, known, outcome(25.0))
    fake.reopen()
    asked, _ = fake.candidate()
    others = fake.ledger.at_rung(asked.trial, 6, AtRung(24.0, 5.0))
    assert others == [AtRung(25.0, known.runtime_ms, final_psnr_db=25.0)]


def test_what_a_trial_ended_with_is_known_at_the_rungs_it_passed(tiny_config):
    fake = Fake(tiny_config())
    runs = []
    for psnr_db, pruned_at in ((25.0, None), (24.0, 6), (26.0, None)):
        asked, known = fake.candidate()
        fake.ledger.at_rung(asked.trial, 6, AtRung(psnr_db, known.runtime_ms))
        ended = replace(outcome(psnr_db, pruned_at), curve=((6, psnr_db), (9, psnr_db + 1)))
        if pruned_at is None:
            ended = replace(ended, psnr_db=psnr_db + 1)
        fake.ledger.trained_ok(asked.trial, known, ended)
        final_psnr_db = None if pruned_at else psnr_db + 1
        runs.append(AtRung(psnr_db, known.runtime_ms, final_psnr_db))
    asked, _ = fake.candidate()
    assert fake.ledger.at_rung(asked.trial, 6, AtRung(20.0, 5.0)) == runs
    fake.reopen()
    asked, _ = fake.candidate()
    assert fake.ledger.at_rung(asked.trial, 6, AtRung(20.0, 5.0)) == runs


def test_baselines_inside_the_space_are_the_first_trials(tiny_config):
    space = {"choices": {"levels": [0, 1], "width_0": [12], "width_1": [24]}}
    names = ["mialgo_track1", "multimedia_syenet", "enerzai_track1"]
    fake = Fake(tiny_config(baselines=names, space=space))
    records = [fake.step() for _ in range(3)]
    # SYENet lies in no space: it is trained in the finals alone.
    assert [r.baseline for r in records] == ["mialgo_track1", "enerzai_track1", None]


def test_infeasible_trials_are_not_on_the_front(tiny_config):
    fake = Fake(tiny_config(objective={"kind": "pareto", "max_runtime_ms": 20.0}, space={}))
    for _ in range(4):
        fake.step()
    results = fake.results
    assert any(t.status == "infeasible" for t in results.trials)
    assert all(t.estimate.runtime_ms <= 20.0 for t in results.pareto_front())
    assert {t.number for t in fake.study.best_trials} == {t.number for t in results.pareto_front()}


def test_optuna_reads_the_storage_by_itself(tiny_config):
    fake = Fake(tiny_config())
    record = fake.step()
    study = optuna.load_study(study_name="tiny", storage=fake.config.storage_url)
    assert study.best_trial.number == record.number
    assert study.best_value == pytest.approx(record.log2_score)


WRITES = ("create_new_trial", "write_changes")


@pytest.mark.parametrize("kill_at", range(1, 6))
def test_a_kill_while_lost_trials_are_requeued_requeues_each_once(
    tiny_config, monkeypatch, kill_at
):
    fake = Fake(tiny_config())
    fake.step()
    fake.candidate()
    fake.candidate()  # Two trials run, and the driver is killed: then again, as it recovers.
    writes = []

    def killed(name):
        write = getattr(NumberedStorage, name)

        def call(*arguments):
            writes.append(name)
            if len(writes) == kill_at:
                raise SystemExit
            return write(*arguments)

        return call

    with monkeypatch.context() as patched:
        for name in WRITES:
            patched.setattr(NumberedStorage, name, killed(name))
        if kill_at <= 4:  # Two are made, and two end.
            with pytest.raises(SystemExit):
                fake.reopen()
        else:
            fake.reopen()
    fake.reopen()
    waiting = fake.study.get_trials(states=(TrialState.WAITING,))
    assert sorted(trial.user_attrs["index"] for trial in waiting) == [1, 2]
    assert [fake.step().index for _ in range(3)] == [1, 2, 3]


def test_a_kill_between_two_baselines_leaves_none_out(tiny_config, monkeypatch):
    space = {"choices": {"levels": [0, 1], "width_0": [12], "width_1": [24]}}
    config = tiny_config(baselines=["mialgo_track1", "enerzai_track1"], space=space)
    enqueue, calls = optuna.Study.enqueue_trial, []

    def killed_at_the_second(*arguments, **named):
        calls.append(named)
        if len(calls) == 2:
            raise SystemExit
        enqueue(*arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(optuna.Study, "enqueue_trial", killed_at_the_second)
        with pytest.raises(SystemExit):
            Fake(config)
    fake = Fake(config)
    assert [fake.step().baseline for _ in range(3)] == [*config.baselines, None]
    fake.reopen()
    assert fake.step().baseline is None


def test_a_kill_while_a_study_is_made_does_not_spoil_its_name(tiny_config):
    config = tiny_config()
    storage = open_storage(config.storage_url, create=True)
    optuna.create_study(study_name="tiny", storage=storage, directions=["maximize"])
    assert Fake(config).step().index == 0
    optuna.create_study(study_name="other", storage=storage).add_trial(
        optuna.trial.create_trial(value=1.0)
    )
    with pytest.raises(UserError, match=r"'other' in .* is not of LensNAS"):
        create_or_resume(config.model_copy(update={"name": "other", "storage": config.storage_url}))
