"""Learning rates by the size of what a weight sums over."""

import keras
import numpy as np
import pytest

from search.training.optimizer import make_optimizer, rate_share
from search.training.recipe import Recipe


@pytest.mark.parametrize(
    ("shape", "share"),
    [
        ((3, 3, 4, 8), 1.0),  # sums over 36
        ((1, 1, 4, 8), 1.0),
        ((3, 3, 16, 8), 1 / 4),
        ((1, 1, 72, 8), 1 / 2),
        ((3, 3, 64, 1), 1.0),  # depthwise: sums over 9
        ((5, 5, 64, 1), 1.0),
        ((8,), 1.0),
    ],
)
def test_wide_kernels_learn_in_proportion_more_slowly(shape, share):
    assert rate_share(shape, 36) == pytest.approx(share)
    assert rate_share(shape, None) == 1.0


@pytest.mark.parametrize(("inputs", "share"), [(None, 1.0), (36, 0.25)])
def test_a_step_moves_a_wide_kernel_by_its_share(inputs, share):
    """Adam's first step moves each weight by the learning rate, whatever its gradient."""
    recipe = Recipe(learning_rate=0.01, warmup_steps=0, full_rate_inputs=inputs)
    optimizer = make_optimizer(recipe)
    wide, narrow, bias = (
        keras.Variable(np.zeros(shape, np.float32)) for shape in [(3, 3, 16, 2), (3, 3, 4, 2), (2,)]
    )
    optimizer.build([wide, narrow, bias])
    gradients = [np.full(v.shape, 1e-2, np.float32) for v in (wide, narrow, bias)]
    optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients], [wide, narrow, bias])
    moved = [-np.unique(v.numpy()).item() for v in (wide, narrow, bias)]
    np.testing.assert_allclose(moved, [0.01 * share, 0.01, 0.01], rtol=1e-3)
