"""The latency-aware sampler, in studies whose "training" is a formula."""

import statistics

import numpy as np
import optuna
import pytest
from optuna.testing.pytest_samplers import (
    BasicSamplerTestCase,
    MultiObjectiveSamplerTestCase,
)
from optuna.trial import TrialState

from search.attributes import RESULT
from search.config import parse_config
from search.objective import log2_score
from search.samplers import SAMPLERS

STARTUP = 6


def context_of(kind="score", max_runtime_ms=30.0, seed=0):
    objective = {"kind": kind, "max_runtime_ms": max_runtime_ms}
    return parse_config(
        {"name": "s", "task": "isp", "trials": 9, "seed": seed, "objective": objective}, "s"
    ).sampling_context()


def sampler_of(context, seed=0, name="latency_aware"):
    options = {"startup": STARTUP} if name == "latency_aware" else {}
    return SAMPLERS[name](context, seed, **options)


def new_study(kind="score"):
    directions = ["maximize", "minimize"] if kind == "pareto" else ["maximize"]
    return optuna.create_study(directions=directions)


def made_up_psnr(priced):
    """Size helps, less and less; a linear path, skips and PReLU do too."""
    choices = priced.architecture.choices
    psnr_db = 24 + 0.6 * np.tanh((priced.measures[2] - 11) / 3)
    psnr_db += 0.8 * (choices["global_path"] == "linear") + 0.2 * (choices.get("skip") == "add")
    return float(psnr_db + 0.2 * (choices["activation"] == "prelu"))


def ask(study, context, number, name="latency_aware"):
    study.sampler = sampler_of(context, number, name)
    trial = study.ask()
    return trial, context.space.suggest(trial)


def tell(study, trial, priced, psnr_db):
    several = len(study.directions) > 1
    score = log2_score(psnr_db, priced.runtime_ms, 40)
    study.tell(trial, [psnr_db, priced.runtime_ms] if several else score)


def searched(study, context, trials, name="latency_aware"):
    """What was trained, in order, with its PSNR."""
    found = []
    while len(found) < trials:
        trial, architecture = ask(study, context, len(study.trials), name)
        priced = context.price(architecture)
        if priced is None:
            study.tell(trial, state=TrialState.PRUNED)
            continue
        found.append((priced, made_up_psnr(priced)))
        tell(study, trial, *found[-1])
    return found


class TestOptunasOwn(BasicSamplerTestCase, MultiObjectiveSamplerTestCase):
    """Optuna's tests of any sampler, on spaces that are not ours."""

    @pytest.fixture
    def sampler(self):
        return lambda: sampler_of(context_of())

    multi_objective_sampler = sampler


@pytest.mark.parametrize("kind", ["score", "pareto"])
def test_proposals_may_be_trained_and_are_new(kind):
    context, study = context_of(kind, max_runtime_ms=9.0), new_study(kind)
    found = searched(study, context, 20)
    assert len(study.trials) == 20  # None was asked for in vain.
    assert len({priced.architecture for priced, _ in found}) == 20
    assert max(priced.runtime_ms for priced, _ in found) <= 9.0


def test_a_better_score_than_random_search_has_after_as_many_trials():
    def best(name, seed):
        found = searched(new_study(), context_of(seed=seed), 30, name)
        return max(log2_score(psnr_db, priced.runtime_ms, 40) for priced, psnr_db in found)

    gains = [best("latency_aware", seed) - best("random", seed) for seed in range(3)]
    assert statistics.median(gains) > 0.3


def test_a_front_as_wide_as_its_budget():
    context, study = context_of("pareto", max_runtime_ms=60.0), new_study("pareto")
    searched(study, context, 30)
    runtimes = sorted(trial.values[1] for trial in study.best_trials)
    assert len(runtimes) >= 5
    assert runtimes[-1] > 2 * runtimes[0]


def test_the_same_history_and_seed_give_the_same_proposal():
    one, other = new_study(), new_study()
    first, second = context_of(), context_of()
    searched(one, first, 12)
    for trial in one.trials:
        other.add_trial(trial)
    # The second context has not seen the trials come one by one, as after a resume.
    assert ask(one, first, 99)[1] == ask(other, second, 99)[1]


def test_running_trials_count():
    context, study = context_of(), new_study()
    searched(study, context, 12)
    asked = [ask(study, context, number)[1] for number in range(50, 56)]
    assert len(set(asked)) == 6


def test_a_pruned_trial_counts_with_what_others_gained_from_its_rung():
    context, study = context_of(), new_study()
    for number in range(STARTUP):
        trial, architecture = ask(study, context, number)
        curve = [(100, 24.0), (400, 24.5 + 0.1 * number)]
        trial.set_user_attr(RESULT, {"psnr_db": curve[-1][1], "curve": curve})
        tell(study, trial, context.price(architecture), curve[-1][1])
    trial, _ = ask(study, context, 50)
    trial.set_user_attr(RESULT, {"curve": [(100, 22.0)]})
    study.tell(trial, state=TrialState.PRUNED)
    context.history.update(study)
    last = context.history.observations[-1]
    gains = [0.5 + 0.1 * number for number in range(STARTUP)]
    assert last.psnr_db == pytest.approx(22.0 + statistics.fmean(gains))
    assert last.noise == pytest.approx(statistics.variance(gains))


def test_a_space_of_which_nothing_may_be_trained_is_drawn_from_as_it_is(monkeypatch):
    monkeypatch.setattr("search.samplers.latency_aware.MOST_TRIED", 600)
    context, study = context_of(max_runtime_ms=0.1), new_study()
    _, architecture = ask(study, context, 0)
    assert context.price(architecture) is None
    assert not context.history.observations


def test_the_first_trials_leave_out_few_values_of_a_choice():
    """What none of them has cannot be told from what they have in common."""

    def left_out(space, first):
        return sum(
            len(
                set(choice.values)
                - {priced.architecture.choices.get(choice.name) for priced in first}
            )
            for choice in space.choices
        )

    ours = by_chance = 0
    for seed in range(6):
        context, study = context_of(seed=seed), new_study()
        first = [priced for priced, _ in searched(study, context, STARTUP)]
        ours += left_out(context.space, first)
        by_chance += left_out(context.space, context.drawn(range(100))[:STARTUP])
    assert ours < 0.9 * by_chance
