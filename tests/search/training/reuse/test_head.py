"""Which head an inherited body starts with."""

import numpy as np
import pytest
from unets import architecture, fresh

from search.networks import candidate
from search.study.data import open_pairs, prepare_data
from search.training.closed_form import fit_output_layers
from search.training.data import training_data
from search.training.loop import first_crops
from search.training.recipe import Recipe
from search.training.reuse.head import keep_better_head

RECIPE = Recipe(steps=10, batch=2, warmup_steps=2, closed_form_images=8)


@pytest.fixture
def data(tiny_config):
    config = tiny_config()
    source = prepare_data(config)
    return training_data(open_pairs(source, "train"), open_pairs(source, "val"), 4)


@pytest.mark.slow
def test_a_head_that_fits_its_body_is_kept_and_another_one_solved(data):
    chosen = architecture()
    network = candidate(chosen)
    model, _ = fresh(chosen)
    x, y = first_crops(RECIPE, data, 1)
    fit_output_layers(model, x, y, residual=False)
    fitted = [w.numpy() for w in model.weights]

    # Solved on the crops that it is judged by: no other solution is better there.
    keep_better_head(model, network, RECIPE, data, seed=0)
    for now, then in zip(model.weights, fitted, strict=True):
        np.testing.assert_array_equal(now.numpy(), then)

    model.named["head"].kernel.assign(-model.named["head"].kernel)
    spoiled = [w.numpy() for w in model.weights]
    keep_better_head(model, network, RECIPE, data, seed=0)
    changed = [
        not np.array_equal(w.numpy(), s) for w, s in zip(model.weights, spoiled, strict=True)
    ]
    assert sum(changed) in (2, 3)  # The head's kernel and bias, and the linear path's kernel.
