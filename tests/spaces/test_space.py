"""Every search space passes this suite; a new space joins it by being registered."""

import itertools

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces import SPACES
from spaces.architecture import Architecture
from spaces.space import Choice, SearchSpace

SEEDS = st.integers(0, 2**32 - 1)
EVERY_SPACE = pytest.mark.parametrize("space", [SPACES[name] for name in SPACES], ids=list(SPACES))
SIZES = {
    "unet_isp": (544, 960),
    "unet_bokeh": (1024, 1024),
    "blocks_isp": (544, 960),
    "blocks_bokeh": (1024, 1024),
}


def toy() -> SearchSpace:
    """Two switches, one choice under both: small enough to list."""
    return SearchSpace(
        name="toy",
        choices=(
            Choice("deep", (False, True)),
            Choice("width", (4, 8, 12)),
            Choice("skip", ("add", "concat", "none"), {"deep": (True,)}),
            Choice("gate", (False, True), {"deep": (True,), "skip": ("add", "concat")}),
        ),
        network=lambda ops, x, choices: ops.conv(x, choices["width"]),
        input_channels=4,
        multiple=1,
    )


def enumerate_all(space: SearchSpace) -> set[Architecture]:
    """Every architecture, by brute force over the product of all values."""
    found = set()
    for values in itertools.product(*(c.values for c in space.choices)):
        assigned = dict(zip((c.name for c in space.choices), values, strict=True))
        found.add(space.complete(lambda choice, assigned=assigned: assigned[choice.name]))
    return found


def test_size_is_the_number_of_distinct_architectures():
    # deep=False: 3 widths. deep=True: 3 widths x (2 skips x 2 gates + 1 skip).
    assert toy().size() == 3 + 3 * 5
    assert len(enumerate_all(toy())) == toy().size()


def test_every_architecture_comes_once_and_always_in_the_same_order():
    found = list(toy().every())
    assert len(found) == toy().size()
    assert set(found) == enumerate_all(toy())
    assert found == list(toy().every())


def test_narrowed_size_agrees_with_enumeration():
    narrowed = SPACES["unet_isp"].narrow(
        {
            "levels": [0, 1],
            "stacks": [1],
            "width_0": [8, 12],
            "width_1": [16],
            "convs_0": [1],
            "convs_1": [1],
            "conv": ["conv3"],
            "activation": ["relu"],
            "attention_1": [False],
            "down": ["strided", "max_pool"],
            "up": ["transposed"],
            "skip": ["add", "none"],
            "head": ["conv3"],
        }
    )
    assert len(enumerate_all(narrowed)) == narrowed.size()


def test_narrowing_drops_what_can_no_longer_be_active():
    narrowed = SPACES["unet_isp"].narrow({"levels": [0, 1]})
    names = {c.name for c in narrowed.choices}
    assert "width_1" in names
    assert "width_2" not in names


@pytest.mark.parametrize(
    ("allowed", "message"),
    [
        ({"depth": [1]}, "unet_isp has no choice 'depth'"),
        ({"levels": [9]}, r"levels may be \[0, 1, 2, 3, 4\], not \[9\]"),
        ({"levels": []}, "levels may be"),
    ],
)
def test_bad_narrowing_is_refused(allowed, message):
    with pytest.raises(ValueError, match=message):
        SPACES["unet_isp"].narrow(allowed)


def test_conditions_may_only_look_back():
    with pytest.raises(ValueError, match="a depends on b, which is not before it"):
        SearchSpace("x", (Choice("a", (1,), {"b": (1,)}), Choice("b", (1,))), toy().network, 4, 1)


@EVERY_SPACE
@given(seed=SEEDS)
def test_samples_are_valid_and_trace(space, seed):
    architecture = space.sample(np.random.default_rng(seed))
    assert space.architecture(architecture.choices) == architecture
    height, width = SIZES[space.name]
    graph = space.trace(architecture, height, width)
    scale = 2 if space.name.endswith("isp") else 1
    assert graph.tensors[graph.outputs[0]].shape == (1, height * scale, width * scale, 3)


@EVERY_SPACE
@given(seed=SEEDS)
def test_mutation_changes_the_architecture_and_stays_inside(space, seed):
    rng = np.random.default_rng(seed)
    parent = space.sample(rng)
    child = space.mutate(parent, rng)
    assert child != parent
    assert space.architecture(child.choices) == child
    shared = set(parent.choices) & set(child.choices)
    assert sum(parent.choices[name] != child.choices[name] for name in shared) <= 1


@EVERY_SPACE
@given(seed=SEEDS)
def test_crossover_takes_every_choice_from_a_parent_that_has_it(space, seed):
    rng = np.random.default_rng(seed)
    first, second = space.sample(rng), space.sample(rng)
    child = space.crossover(first, second, rng)
    assert space.architecture(child.choices) == child
    for name, value in child.choices.items():
        donors = [p.choices[name] for p in (first, second) if name in p.choices]
        assert not donors or value in donors


@EVERY_SPACE
def test_sampling_is_deterministic_by_seed(space):
    first = [space.sample(np.random.default_rng(7)) for _ in range(3)]
    assert len(set(first)) == 1


@EVERY_SPACE
@given(seed=SEEDS)
def test_encoding_has_fixed_length_and_tells_architectures_apart(space, seed):
    rng = np.random.default_rng(seed)
    first = space.sample(rng)
    second = space.mutate(first, rng)
    vectors = [space.encode(a) for a in (first, second)]
    assert vectors[0].shape == vectors[1].shape
    assert not np.array_equal(*vectors)
    assert all(((v >= -1) & (v <= 1)).all() for v in vectors)


@EVERY_SPACE
def test_optuna_suggests_valid_architectures_and_takes_them_back(space):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    known = space.sample(np.random.default_rng(1))
    study.enqueue_trial(known.choices)
    assert space.suggest(study.ask()) == known
    for _ in range(5):
        trial = study.ask()
        architecture = space.suggest(trial)
        assert space.architecture(trial.params) == architecture


@EVERY_SPACE
def test_description_names_every_choice_and_the_size(space):
    text = space.describe()
    assert f"{space.size():.3g} architectures" in text
    assert all(f"  {choice.name}: " in text for choice in space.choices)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"levels": 7}, r"levels=7 is not one of"),
        ({"width_0": True}, r"width_0=True is not one of"),
        ({"stacks": 2}, "no active choice is called stacks"),
        ({"head": None}, "head=None is not one of"),
    ],
)
def test_a_wrong_assignment_is_named(change, message):
    plain = SPACES["unet_isp"].narrow({"levels": [0]}).sample(np.random.default_rng(0))
    with pytest.raises(ValueError, match=message):
        SPACES["unet_isp"].architecture({**plain.choices, **change})


def test_an_input_that_levels_do_not_divide_is_refused():
    space = SPACES["unet_isp"]
    architecture = space.sample(np.random.default_rng(0))
    with pytest.raises(ValueError, match="multiples of 32, not 540x960"):
        space.trace(architecture, 540, 960)
