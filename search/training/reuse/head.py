"""Which head an inherited body starts with: its own, or one solved in closed form."""

from __future__ import annotations

import numpy as np

from search.data.batches import Batch
from search.metrics import psnr_db
from search.networks import Candidate
from search.training.closed_form import fit_output_layers
from search.training.data import TrainingData
from search.training.evaluation import predict_images
from search.training.loop import first_crops
from search.training.recipe import Recipe
from spaces.ops.keras_backend import Network


def keep_better_head(
    model: Network, network: Candidate, recipe: Recipe, data: TrainingData, *, seed: int
) -> None:
    """Solve `model`'s output layers as training would begin with them, if that is better.

    A body that computes what its parent's did has learned with its head, and is worse off with
    another (docs/experiments.md); one that lost channels or blocks feeds it something else. Judged
    by PSNR on crops that the solution has not seen.
    """
    inherited, unseen = model.get_weights(), first_crops(recipe, data, seed + 1)
    before_db = _mean_psnr_db(model, unseen)
    x, y = first_crops(recipe, data, seed)
    fit_output_layers(model, x, y, residual=network.residual, tone=network.tone)
    if not _mean_psnr_db(model, unseen) > before_db:
        model.set_weights(inherited)


def _mean_psnr_db(model: Network, crops: Batch) -> float:
    x, y = crops
    return float(np.mean(psnr_db(y, predict_images(model, x))))
