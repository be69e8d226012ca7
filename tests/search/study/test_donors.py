"""Whose weights a candidate starts from: whole studies, and who is nearest."""

import hashlib
from dataclasses import replace

import pytest

from search.artifacts import load_weights, save_weights
from search.errors import UserError
from search.networks import zoo_architecture
from search.study.directories import trial_directory
from search.study.donors import likeness, parent_of, super_network_file
from search.study.driver import run_study
from search.study.observer import Silent
from search.training.reuse.storage import load_donor
from spaces import SPACES
from spaces.wiring import wiring

PARENTS = {"kind": "parents"}
SUPER = {"kind": "super_network", "steps": 4}
ONE_KIND = {
    "choices": {
        "levels": [0, 1], "stacks": [1], "packing": [1], "conv": ["conv3"], "stem": ["conv3"],
        "activation": ["relu"], "down": ["strided"], "up": ["depth_to_space"], "skip": ["add"],
        "width_0": [8, 12], "width_1": [8, 16], "global_path": ["linear"],
    }
}  # fmt: skip
"""Networks that differ in their sizes alone."""


class Stages(Silent):
    def __init__(self):
        self.titles = []

    def stage(self, title, done, total):
        self.titles.append(title)


class Interrupting(Silent):
    """As Ctrl-C after the second trial."""

    def __init__(self):
        self.left = 2

    def trial(self, record):
        self.left -= record.status == "complete"
        if not self.left:
            raise KeyboardInterrupt


def told(results):
    return [
        (t.architecture.digest, t.psnr_db, t.inherited, t.parent)
        for t in sorted(results.complete, key=lambda t: t.index)
    ]


@pytest.mark.slow
def test_children_start_from_the_nearest_trained_candidate(tiny_config):
    finals = {"top": 1, "steps": 8, "seeds": 1}
    config = tiny_config(reuse=PARENTS, space=ONE_KIND, trials=4, finals=finals)
    results = run_study(config, Silent())
    first, *others = sorted(results.complete, key=lambda t: t.number)
    assert (first.inherited, first.parent) == (None, None)
    for trial in others:
        assert 0 < trial.inherited <= 1
        earlier = [t for t in results.complete if t.number < trial.number]
        assert parent_of(trial.architecture, earlier, config).trial == trial.parent
    # The finals start afresh: as those of a study without reuse.
    (final,) = results.finals
    finals["top"] = 4
    alone = tiny_config("alone", space=ONE_KIND, trials=4, finals=finals)
    assert final.psnr_db in {run.psnr_db for run in run_study(alone, Silent()).finals}


@pytest.mark.slow
def test_an_interrupted_study_has_the_same_parents(tiny_config):
    settings = {"reuse": PARENTS, "space": ONE_KIND, "trials": 4, "finals": None}
    whole = run_study(tiny_config("whole", **settings), Silent())
    config = tiny_config("parts", **settings)
    with pytest.raises(KeyboardInterrupt):
        run_study(config, Interrupting())
    assert told(run_study(config, Silent())) == told(whole)


@pytest.mark.slow
def test_a_super_network_is_trained_once_and_all_candidates_start_from_it(tiny_config):
    settings = {"reuse": SUPER, "finals": None, "space": ONE_KIND}
    config = tiny_config(trials=2, **settings)
    first, again = Stages(), Stages()
    run_study(config, first)
    assert "Super-network" in first.titles
    assert load_donor(super_network_file(config).path).layers
    results = run_study(tiny_config(trials=3, **settings), again)
    assert "Super-network" not in again.titles
    assert all(trial.inherited > 0.9 for trial in results.complete)
    with pytest.raises(UserError, match=r"reuse\.steps: 4 -> 5"):
        run_study(tiny_config(trials=3, **settings | {"reuse": SUPER | {"steps": 5}}), Silent())


@pytest.mark.slow
def test_a_space_that_cannot_be_shared_ends_the_study_before_it_begins(tiny_config):
    attention = {"attention_0": ["none"]}
    space = {
        "name": "blocks_isp",
        "choices": {"block_0": ["instance3"], "levels": [0], **attention},
    }
    config = tiny_config(reuse=SUPER, space=space, finals=None)
    with pytest.raises(UserError, match="cannot share the weights of instance_norm"):
        run_study(config, Silent())


@pytest.mark.slow
def test_the_nearest_needs_weights_in_common_and_a_file(tiny_config):
    config = tiny_config(trials=3, space=ONE_KIND, finals=None)
    complete = run_study(config, Silent()).complete
    own = complete[0].architecture
    assert parent_of(own, complete, config).trial == complete[0].number
    assert parent_of(own, [], config) is None
    assert parent_of(zoo_architecture("microisp_0_5"), complete, config) is None
    (trial_directory(config, complete[0].number) / "weights.npz").unlink()
    assert parent_of(own, complete[:1], config) is None
    moved = replace(complete[0], architecture=None)
    assert parent_of(own, [moved], config) is None


@pytest.mark.slow
def test_a_parents_damaged_weights_end_the_study_in_one_line(tiny_config):
    settings = {"reuse": PARENTS, "space": ONE_KIND, "finals": None}
    config = tiny_config(trials=1, **settings)
    [parent] = run_study(config, Silent()).complete
    path = trial_directory(config, parent.number) / "weights.npz"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == parent.weights_sha256
    save_weights(path.parent, [2 * weights for weights in load_weights(path.parent)])
    with pytest.raises(UserError, match=rf"damaged: {path}: its SHA-256 .* delete it"):
        run_study(tiny_config(trials=2, **settings), Silent())
    path.unlink()
    results = run_study(tiny_config(trials=2, **settings), Silent())
    assert [t.parent for t in results.complete] == [None, None]


def layers_of(**sizes):
    space = SPACES["unet_isp"].narrow(ONE_KIND["choices"] | {"convs_0": [1, 2], "levels": [0]})
    chosen = {"width_0": 8, "convs_0": 1} | sizes
    pick = space.complete(lambda choice: chosen.get(choice.name, choice.values[0]))
    return wiring(space.bind(pick), 4)


def test_likeness_is_of_what_either_has():
    own = layers_of()
    assert likeness(own, own) == 1
    wider, deeper = layers_of(width_0=12), layers_of(width_0=12, convs_0=2)
    assert 0 < likeness(own, deeper) < likeness(own, wider) < 1
    assert likeness(own, wider) == likeness(wider, own)
    space = SPACES["unet_isp"].narrow({"stem": ["strided3"], "packing": [1]})
    strided = space.complete(lambda choice: choice.values[0])
    assert likeness(own, wiring(space.bind(strided), 4)) == 0
