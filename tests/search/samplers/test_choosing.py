"""The choice among probed candidates, in studies whose "training" and probes are formulas."""

import numpy as np
import optuna
import pytest

from search.attributes import CHOSEN_OVER, PROBES, RESULT
from search.config import parse_config
from search.objective import log2_score
from search.samplers import SAMPLERS, may_choose, most_promising


def context_of(kind="score", proxies=("naswot",)):
    probing = {"proxies": list(proxies)}
    document = {"name": "s", "task": "isp", "trials": 9, "objective": {"kind": kind}}
    return parse_config({**document, "probing": probing}, "s").sampling_context()


def hidden(architecture):
    """A quality in [0, 1] that nothing of the architecture tells, but its probe."""
    return int(architecture.digest, 16) % 997 / 996


def ask(study, context, number):
    study.sampler = SAMPLERS["random"](context, number)
    trial = study.ask()
    return trial, context.space.suggest(trial)


def trained(context, trials=16, probe=hidden, kind="score"):
    """A study of random architectures whose PSNR is their hidden quality, in dB above 24."""
    several = kind == "pareto"
    study = optuna.create_study(directions=["maximize", "minimize"] if several else ["maximize"])
    for number in range(trials):
        trial, architecture = ask(study, context, number)
        priced = context.price(architecture)
        if priced is None:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            continue
        psnr_db = 24 + 3 * hidden(architecture)
        trial.set_user_attr(PROBES, {"naswot": probe(architecture)})
        trial.set_user_attr(RESULT, {"psnr_db": psnr_db})
        score = log2_score(psnr_db, priced.runtime_ms, 40)
        study.tell(trial, [psnr_db, priced.runtime_ms] if several else score)
    return study


def candidates(study, context, count=8):
    """New ones of about the same run time, probed by trials that run."""
    rng, found = np.random.default_rng(5), []
    while len(found) < count:
        priced = context.price(context.space.sample(rng))
        if priced is not None and 8 < priced.runtime_ms < 9:
            study.enqueue_trial(priced.architecture.choices)
            trial, architecture = ask(study, context, 100 + len(found))
            trial.set_user_attr(PROBES, {"naswot": hidden(architecture)})
            found.append(architecture)
    return found


@pytest.mark.parametrize("kind", ["score", "pareto"])
def test_what_only_the_probe_tells_decides(kind):
    context = context_of(kind)
    study = trained(context, kind=kind)
    pool = candidates(study, context)
    qualities = sorted(map(hidden, pool))
    assert hidden(most_promising(context, study, pool)) in qualities[-2:]


def test_a_proxy_that_nothing_trained_has_a_value_of_does_not_decide():
    context = context_of()
    study = trained(context, probe=lambda architecture: None)
    pool = candidates(study, context)
    without = context_of(proxies=("synflow",))
    assert most_promising(context, study, pool) == most_promising(without, study, pool)


def test_before_there_is_anything_to_choose_by_the_first_is_chosen():
    context = context_of()
    study = trained(context, trials=0)
    pool = candidates(study, context, 3)
    assert most_promising(context, study, pool) == pool[0]


def test_there_is_a_choice_once_enough_are_trained_or_in_training():
    context = context_of()
    study = trained(context, trials=16)
    known = len(observed(context, study))
    assert may_choose(context, study, known)
    assert not may_choose(context, study, known + 1)
    trial, _ = ask(study, context, 50)
    trial.set_user_attr(PROBES, {"naswot": 0.5})
    assert not may_choose(context, study, known + 1)  # It may be passed over.
    trial.set_user_attr(CHOSEN_OVER, [])
    assert may_choose(context, study, known + 1)
    unprobed = context_of(proxies=("naswot", "synflow"))
    assert not may_choose(unprobed, study, 1)


def observed(context, study):
    context.history.update(study)
    return context.history.observations


def test_what_was_passed_over_may_be_proposed_again():
    context = context_of()
    study = trained(context, trials=6)
    trial, architecture = ask(study, context, 50)
    observed(context, study)
    assert architecture in context.history.proposed
    trial.set_user_attr(PROBES, {"naswot": 0.5})
    trial.set_user_attr(RESULT, {"status": "probed"})
    study.tell(trial, state=optuna.trial.TrialState.FAIL)
    observed(context, study)
    assert architecture not in context.history.proposed
    assert context.history.probes[architecture] == {"naswot": 0.5}
