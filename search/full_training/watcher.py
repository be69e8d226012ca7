"""From the training loop to TensorBoard's log and to the screen."""

from __future__ import annotations

import numpy as np

from search.study.job import Job
from search.training.checkpoint import CHECKPOINT
from search.training.schedule import learning_rates

from .events import EventLog
from .frames import WholeImages
from .screen import Screen

POINTS = 1000
"""Of a curve in the log, at most."""


class Watcher:
    """The onlooker of the training `job`, and what looks at its validation images for it."""

    def __init__(self, job: Job, images: WholeImages, screen: Screen) -> None:
        self._job, self._images, self._screen = job, images, screen
        self._rates = learning_rates(job.recipe)
        self._every = -(-job.recipe.steps // POINTS)
        self._step = 0
        self._log: EventLog | None = None

    def begins(self, step: int) -> None:
        """See `Onlooker.begins`."""
        self._step = step
        if not step and (self._job.directory / CHECKPOINT).exists():
            self._screen.note("the checkpoint is damaged, or of other versions or data: not used")
        self._log = EventLog(self._job.directory, step)
        self._screen.begins(self._job.key, step, self._job.recipe.steps)

    def stepped(self, step: int, loss: float) -> None:
        """See `Onlooker.stepped`."""
        self._step = step
        self._screen.stepped(step, loss)
        if self._log and (step % self._every == 0 or step == self._job.recipe.steps):
            rate = float(self._rates[step - 1])
            self._log.scalars(step, {"loss": loss, "learning_rate": rate})

    def stops(self) -> bool:
        """See `Onlooker.stops`."""
        return self._screen.stops()

    def measure(self, limit: int | None, with_ssim: bool) -> tuple[np.ndarray, np.ndarray]:
        """See `search.training.evaluation.Measure`: what it finds is logged and shown."""
        psnrs, ssims = self._images.measure(limit, with_ssim)
        psnr_db = float(np.mean(psnrs))
        self._screen.measured(self._step, psnr_db)
        if self._log:
            which = "all_images" if limit is None else "first_images"
            found = {f"psnr_db/{which}": psnr_db}
            if with_ssim:
                found[f"ssim/{which}"] = float(np.mean(ssims))
            self._log.scalars(self._step, found)
            self._log.image(self._step, "output_and_target", self._images.sample())
        return psnrs, ssims

    def close(self) -> None:
        """End the log."""
        if self._log:
            self._log.close()
