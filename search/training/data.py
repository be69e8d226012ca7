"""`TrainingData`: a data set as one network sees it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from search.data.batches import Batch, train_batches, validation_arrays
from search.data.pairs import Encoder, Encoding, PairSource, encoder_for, for_channels

from .recipe import Recipe


@dataclass(frozen=True)
class Validation:
    """A fixed validation set: `inputs` [N, h, w, C] encoded, `targets` [N, H, W, 3] uint8."""

    inputs: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True)
class TrainingData:
    """Pairs to train on and to look at, the `encode` of their inputs, and the validation set."""

    pairs: PairSource
    held_out: PairSource
    encode: Encoder
    validation: Validation


def training_data(
    pairs: PairSource,
    held_out: PairSource,
    channels: int,
    *,
    encoding: Encoding | None = None,
    validation_images: int | None = None,
) -> TrainingData:
    """Both splits for a network of `channels` inputs; the validation set is read and encoded.

    `validation_images`: how many of it, None for all; 0 for who reads `held_out` itself.
    Raises UserError where network, encoding and data do not fit.
    """
    encode = encoder_for(pairs.meta, encoding)
    pairs, held_out = (for_channels(source, channels) for source in (pairs, held_out))
    validation = (
        Validation(np.empty((0, 0, 0, channels), np.float32), np.empty((0, 0, 0, 3), np.uint8))
        if validation_images == 0
        else Validation(*validation_arrays(held_out, encode, validation_images))
    )
    return TrainingData(pairs, held_out, encode, validation)


def recipe_batches(
    recipe: Recipe, data: TrainingData, steps: int, *, seed: int, start: int = 0
) -> Iterator[Batch]:
    """The batches of a training of `steps` by `recipe`, from `start` on: `train_batches`."""
    return train_batches(
        data.pairs,
        data.encode,
        crop=recipe.crop,
        batch=recipe.batch,
        steps=steps,
        seed=seed,
        augment=recipe.augment,
        start=start,
    )


def plain_crops(recipe: Recipe, data: TrainingData, count: int, *, seed: int) -> Batch:
    """`count` crops as the recipe cuts them, without flips: inputs and targets in [0, 1]."""
    draws = train_batches(
        data.pairs, data.encode, crop=recipe.crop, batch=count, steps=1, seed=seed, augment=False
    )
    return next(iter(draws))
