"""All files of an export verified, one after the other, on the same frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from latency import LatencyOracle, load_profile
from search.export.trained_model import TrainedModel
from search.export.variant import Variant
from search.tasks.task import ImageShape

from .bounds import too_far
from .check import CheckPicture
from .frame import images_of
from .reference import References, make_references
from .verify import Verification, verify


class Checker:
    """Verifies files of `trained` on up to `images` frames a resolution, and on the picture `check`
    if there is one. The frames of each resolution are made once, in `folder`."""

    def __init__(
        self, trained: TrainedModel, check: CheckPicture | None, images: int, folder: Path
    ) -> None:
        self._trained, self._check, self._images = trained, check, images
        self._folder = folder
        self._oracle = LatencyOracle(load_profile(trained.config.device))
        self._references: dict[ImageShape, References] = {}

    def verified(self, variant: Variant, file: bytes) -> Verification:
        """What is found of `file`."""
        shape = variant.input_shape
        traced = self._trained.network.trace(*shape[:2])
        found = verify(variant, file, self.references(shape), traced, self._oracle)
        if self._check is None:
            return found
        checked = self._check.check(file, variant, self._trained.encode)
        # What passes now must pass when the bundle is verified again, which has this picture only.
        problems = () if found.failures else too_far(variant.precision, checked.max_error)
        failures = (*found.failures, *(f"check picture: {problem}" for problem in problems))
        return replace(found, check=checked, failures=failures)

    def references(self, shape: ImageShape) -> References:
        """The frames for inputs of `shape`."""
        if shape not in self._references:
            trained = self._trained
            folder = self._folder / f"{shape[0]}x{shape[1]}"
            self._references[shape] = make_references(
                trained.model, trained.held_out, trained.encode, trained.at(shape), self._images,
                folder,
            )  # fmt: skip
        return self._references[shape]


def images_verified_on(trained: TrainedModel, found: Sequence[Verification]) -> list[int]:
    """The validation images in the frames of all resolutions, each once, in order."""
    return sorted(
        {
            index
            for one in found
            for number in range(one.images)
            for index in images_of(trained.held_out, trained.at(one.variant.input_shape), number)
        }
    )
