import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState

from search.errors import UserError
from search.study.mirror import MirroredStorage, NumberedStorage


def new_storage(kind=NumberedStorage):
    storage = kind("sqlite:///:memory:")
    optuna.create_study(storage=storage, study_name="s", direction="maximize")
    return storage


def mirrored(storage):
    mirror = MirroredStorage(storage, "s")
    return optuna.load_study(study_name="s", storage=mirror), mirror


def content(study):
    """All of a study but its storage's ids."""
    return dict(study.user_attrs), [
        (
            t.number, t.state, t.values, t.params, t.distributions, t.user_attrs, t.system_attrs,
            t.intermediate_values, t.datetime_start, t.datetime_complete,
        )
        for t in study.get_trials()
    ]  # fmt: skip


STEPS = ["ask", "enqueue", "report", "attr", "constraint", "tell", "fail", "study", "flush"]


def play(study, step, running):
    """One thing that a driver does."""
    if step == "ask":
        trial = study.ask()
        trial.suggest_categorical("width", [8, 16])
        trial.suggest_int("levels", 0, 3)
        running.append(trial)
    elif step == "enqueue":
        study.enqueue_trial({"width": 16}, user_attrs={"index": len(study.trials)})
    elif step == "study":
        study.set_user_attr("final", [len(study.trials)])
    elif running and step == "report":
        running[0].report(1.5, len(running[0].user_attrs))
    elif running and step == "attr":
        running[-1].set_user_attr(f"note {len(running[-1].user_attrs)}", {"psnr_db": 30.25})
    elif running and step == "constraint":
        running[-1].set_constraint(f"limit {len(running[-1].constraints)}", -1.0)
    elif running and step in ("tell", "fail"):
        trial = running.pop(0)
        trial.set_user_attr("result", {"status": step})
        state = TrialState.FAIL if step == "fail" else None
        study.tell(trial.number, None if state else 2.0, state=state)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from(STEPS), max_size=20))
def test_what_is_flushed_is_stored_as_it_is(steps):
    storage = new_storage()
    study, mirror = mirrored(storage)
    running = []
    for step in [*steps, "flush"]:
        play(study, step, running)
        if step == "flush":
            mirror.flush()
            assert content(mirrored(storage)[0]) == content(study)


def test_what_is_not_flushed_was_never_there():
    storage = new_storage()
    study, mirror = mirrored(storage)
    study.ask()
    mirror.flush()
    study.ask()
    study.set_user_attr("final", 1)
    assert len(storage.get_all_trials(1)) == 1
    assert "final" not in storage.get_study_user_attrs(1)


def commits_of(storage, write):
    commits = []
    optuna.storages._rdb.storage.sqlalchemy.event.listen(storage.engine, "commit", commits.append)
    write()
    return len(commits)


def test_a_new_trial_and_its_end_are_one_transaction_each():
    storage = new_storage()
    study, mirror = mirrored(storage)
    trial = study.ask()
    for name in "abcdefgh":
        trial.suggest_int(name, 0, 9)
        trial.set_user_attr(name, name)
    assert commits_of(storage, mirror.flush) == 1
    trial.set_user_attr("result", {"status": "complete"})
    trial.set_constraint("limit", -1.0)
    study.tell(trial.number, 2.0)
    assert commits_of(storage, mirror.flush) == 1


class Unsteady(NumberedStorage):
    """Loses its connection at the `fail_at`-th write: before it, or after it was committed."""

    writes, fail_at, after = 0, None, False


def unsteady(name):
    def call(self, *arguments, **options):
        self.writes += 1
        failing = self.writes == self.fail_at
        if failing and not self.after:
            raise StorageInternalError("server closed the connection")
        answer = getattr(NumberedStorage, name)(self, *arguments, **options)
        if failing:
            raise StorageInternalError("server closed the connection")
        return answer

    return call


for name in ("create_new_trial", "write_changes", "set_study_user_attr"):
    setattr(Unsteady, name, unsteady(name))


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("fail_at", range(1, 13))
def test_a_flush_that_broke_anywhere_may_be_repeated(fail_at, after):
    storage = new_storage(Unsteady)
    study, mirror = mirrored(storage)
    storage.writes, storage.fail_at, storage.after = 0, fail_at, after
    running = []
    broke = 0
    for step in ["enqueue", "ask", "ask", "attr", "constraint", "report", "tell", "study", "fail"]:
        play(study, step, running)
        try:
            mirror.flush()
        except StorageInternalError:
            broke += 1
            mirror.flush()
        assert content(mirrored(storage)[0]) == content(study)
    assert broke == (fail_at <= storage.writes)


def test_trials_of_somebody_else_are_refused():
    storage = new_storage()
    study, mirror = mirrored(storage)
    study.ask()
    other, of_other = mirrored(storage)
    other.ask()
    of_other.flush()
    with pytest.raises(UserError, match="somebody else has added trial 0 to the study"):
        mirror.flush()
    assert len(storage.get_all_trials(1)) == 1
