"""The network that is exported, with its weights and the validation data of its study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from search.config import StudyConfig
from search.data.pairs import Encoder, PairSource, encoder_for, for_channels
from search.errors import UserError
from search.networks import Candidate, candidate
from search.study.data import open_pairs, prepare_data
from search.tasks.task import ImageShape, Task
from spaces.ops.keras_backend import Network

from .source import Trained


@dataclass(frozen=True)
class TrainedModel:
    """A trained network with what it is verified on. `encode`: of the images of `held_out`."""

    config: StudyConfig
    network: Candidate
    model: Network
    held_out: PairSource
    encode: Encoder

    @property
    def own_shape(self) -> ImageShape:
        """Of its input at the task's resolution."""
        return (*self.config.task_facts.input_shape[:2], self.network.input_channels)

    def at(self, shape: ImageShape) -> Task:
        """The task at another resolution."""
        task = self.config.task_facts
        height, width = (task.scale * side for side in shape[:2])
        return replace(task, input_shape=shape, output_shape=(height, width, 3))


def open_model(config: StudyConfig, source: Trained, weights: Sequence[Any]) -> TrainedModel:
    """The network of `source` with its `weights` and the validation part of the study's data.

    Raises UserError for weights of another network.
    """
    network = candidate(source.architecture).clipped
    model = Network(network.network, network.input_channels)
    try:
        model.set_weights(list(weights))
    except ValueError as error:
        raise UserError(f"the weights of {source.origin} are of another network: {error}") from None
    held_out = for_channels(open_pairs(prepare_data(config), "val"), network.input_channels)
    encode = encoder_for(held_out.meta, config.training.encoding)
    return TrainedModel(config, network, model, held_out, encode)
