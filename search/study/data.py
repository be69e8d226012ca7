"""A study's data: prepared or checked before the first candidate is asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from search.config import StudyConfig
from search.data.alignment import Chosen
from search.data.check import open_dataset
from search.data.folders import Broken, list_pairs
from search.data.pairs import SPLITS, PairMeta, PairSource, PreparedPairs, Split
from search.data.sample import prepare_sample
from search.errors import UserError
from search.tasks import TASKS

from .job import DataSource
from .observer import Observer, Silent


def prepare_data(config: StudyConfig, observer: Observer | None = None) -> DataSource:
    """Make the sample data (once) or check the real data set before anything is trained.

    Raises UserError for anything wrong with it.
    """
    data, observer = config.data, observer or Silent()
    title = "Sample data" if data.dataset == "sample" else f"Checking {data.dataset}"
    observer.stage(title, 0, 1)
    if data.dataset == "sample":
        source = DataSource("sample", sample_maker(config)(data.root))
        for split in SPLITS:
            _check_task(open_pairs(source, split).meta, config)
    else:
        broken: list[Broken] = []
        for split in SPLITS:
            pairs = open_dataset(data.dataset, data.root, split, allow_broken=data.allow_broken)
            _check_task(pairs.meta, config)
            broken += pairs.skipped
        for path, reason in broken:
            observer.warn(f"left out {path}: {reason}")
        source = DataSource(data.dataset, data.root, tuple(broken), data.validation_images)
    observer.stage(title, 1, 1)
    return source


def sample_maker(config: StudyConfig) -> Callable[[Path], Path]:
    """Prepares the study's sample data under a folder, and returns theirs."""
    data = config.data
    return partial(
        prepare_sample,
        TASKS[config.task].name,
        seed=data.seed,
        train=data.train,
        val=data.val,
        patch=data.patch,
    )


def _check_task(found: PairMeta, config: StudyConfig) -> None:
    if found.task != config.task:
        raise UserError(
            f"{config.data.dataset} data is for the task {found.task}, not {config.task}"
        )


def open_pairs(data: DataSource, split: Split) -> PairSource:
    """One split of a study's pairs, without checking them again."""
    source: PairSource
    if data.dataset == "sample":
        source = PreparedPairs(data.root, split)
    else:
        source = list_pairs(data.dataset, data.root, split).without(data.broken)
    if split == "train" and data.kept is not None:
        return Chosen(source, data.kept)
    return source
