"""`StudyConfig`: one YAML file of studies/, validated; everything that defines a run."""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from latency import LatencyOracle, load_profile
from search.errors import UserError
from search.samplers import SAMPLERS, Context
from search.study.database import check_url, own_url
from search.study.estimate import Estimate, estimate
from search.study.limits import Limits
from search.tasks import TASKS, Task
from search.training.recipe import BOKEH_NAMES, Recipe, can_be_had
from search.training.reuse.recipe import Reuse
from spaces import SPACES
from spaces.architecture import Architecture, Value
from spaces.space import SearchSpace
from spaces.zoo import ZOO

MAX_YAML_BYTES = 1_000_000
ESTIMATES_KEPT = 4096
"""About a kilobyte each."""
PROXY_NAMES = ("gradient_norm", "ridge_probe", "naswot", "synflow")
"""Those of `search.training.proxies`, which needs TensorFlow and cannot be imported here."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataConfig(_Section):
    """Which pairs to train on. `root` holds prepared sample data, or is the data set's folder."""

    dataset: Literal["sample", "fujifilm", "zurich", "ebb"] = "sample"
    root: Path = Path("runs/data")
    train: int = Field(400, ge=8, le=100_000, description="sample data: training patches")
    val: int = Field(48, ge=1, le=10_000, description="sample data: validation patches")
    patch: int = Field(256, ge=64, le=1024, description="sample data: side of a patch")
    seed: int = Field(0, ge=0)
    allow_broken: int = Field(0, ge=0, description="real data: broken pairs to skip")
    validation_images: int | None = Field(None, ge=1, description="real data: cap for validation")


class SpaceConfig(_Section):
    """The search space, optionally with some of its choices limited."""

    name: str = ""
    choices: dict[str, list[Value]] = {}


class ObjectiveConfig(_Section):
    """`score`: the challenge score alone. `pareto`: PSNR and run time. A run time over the
    budget makes a candidate infeasible before it is trained."""

    kind: Literal["score", "pareto"] = "score"
    max_runtime_ms: float | None = Field(None, gt=0)


class SamplerConfig(_Section):
    """A registered sampler and its options."""

    name: str = "latency_aware"
    options: dict[str, Any] = {}


class PruningConfig(_Section):
    """Stop candidates at `rungs` (training steps) that lie clearly behind what others had there.

    Rung 0 is before the first step: what the untrained network has with its output layers solved
    in closed form.
    """

    rungs: list[int] = Field(min_length=1)
    keep: float = Field(0.5, gt=0, le=1, description="share of candidates that passes a rung")
    warm_up_trials: int = Field(4, ge=1, description="trials at a rung before any is pruned")
    margin_db: float = Field(0.2, ge=0, description="a PSNR gap below this is noise")
    brackets: int = Field(1, ge=1, description="in turns, candidates skip 0, 1, ... rungs")

    @field_validator("rungs")
    @classmethod
    def _ascending(cls, rungs: list[int]) -> list[int]:
        if rungs != sorted(set(rungs)) or rungs[0] < 0:
            raise ValueError("rungs must be ascending steps from 0")
        return rungs

    @model_validator(mode="after")
    def _bracketed(self) -> PruningConfig:
        if self.brackets > len(self.rungs) + 1:
            raise ValueError(
                f"{self.brackets} brackets need at least {self.brackets - 1} rungs: each skips one "
                "more than the one before"
            )
        return self


class ProbingConfig(_Section):
    """Look at the untrained networks of several candidates before one of them is trained."""

    proxies: list[str] = Field(["gradient_norm", "ridge_probe"], min_length=1)
    candidates: int = Field(5, ge=2, le=100, description="looked at for each training, at most")
    warm_up_trials: int = Field(
        10, ge=2, description="trials, all of them looked at, before there is a choice"
    )

    @field_validator("proxies")
    @classmethod
    def _known(cls, proxies: list[str]) -> list[str]:
        for name in proxies:
            _require(name, PROXY_NAMES, "proxy")
        if len(set(proxies)) < len(proxies):
            raise ValueError("a proxy is named twice")
        return proxies


class FinalsConfig(_Section):
    """The last stage: the best few, and the baselines, trained longer with several seeds."""

    top: int = Field(3, ge=1, le=100)
    steps: int = Field(2000, ge=1)
    seeds: int = Field(2, ge=1, le=20)


class EvaluationConfig(_Section):
    """What trained networks are measured by besides PSNR and SSIM; it decides nothing."""

    lpips: Path | None = Field(None, description="LPIPS' weights, .npz: docs/losses.md")


class RunnerConfig(_Section):
    """Where training runs: in processes of this machine, or on a Ray cluster (docs/cluster.md).

    `cpus`, `gpus`, `memory_gb` are what each worker of the Ray runner declares.
    """

    kind: Literal["local", "ray"] = "local"
    address: str | None = Field(
        None,
        pattern=r"^(auto|[^\s/]+:[0-9]{1,5})$",
        description="the head of a cluster, HOST:PORT, or auto; default: Ray on this machine alone",
    )
    cpus: int = Field(1, ge=1, le=1024)
    gpus: float = Field(0.0, ge=0, le=64, description="below 1: workers share a GPU")
    memory_gb: float | None = Field(None, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, data: Any) -> Any:
        """`runner: ray` is short for `runner: {kind: ray}`."""
        return {"kind": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _consistent(self) -> RunnerConfig:
        given = [name for name, value in self if value != RunnerConfig.model_fields[name].default]
        if self.kind == "local" and given:
            raise ValueError(f"{', '.join(given)}: only the ray runner has this (kind: ray)")
        if self.gpus > 1 and self.gpus % 1:
            raise ValueError("gpus must be whole, or a share below 1")
        return self


class StudyConfig(_Section):
    """One study. `trials` is the total of trained trials over all runs of the study."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    task: str
    device: str = ""
    data: DataConfig = DataConfig()
    space: SpaceConfig = SpaceConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    sampler: SamplerConfig = SamplerConfig()
    baselines: list[str] = []
    trials: int = Field(ge=1, le=1_000_000)
    seed: int = Field(0, ge=0, lt=2**31)
    training: Recipe = Recipe()
    reuse: Reuse | None = Field(None, description="weights that candidates start from")
    evaluation: EvaluationConfig = EvaluationConfig()
    pruning: PruningConfig | None = None
    probing: ProbingConfig | None = None
    finals: FinalsConfig | None = FinalsConfig()
    workers: int = Field(1, ge=1, le=256)
    limits: Limits = Limits()
    runner: RunnerConfig = RunnerConfig()
    storage: str | None = Field(None, description="a database's URL; default: an SQLite file")
    storage_wait_s: float = Field(600, ge=0, description="how long the database may be away")
    output: Path = Path("runs")

    @model_validator(mode="before")
    @classmethod
    def _task_defaults(cls, data: Any) -> Any:
        """A task knows its phone and its space; a study need not repeat them."""
        if not isinstance(data, dict) or str(data.get("task")) not in TASKS:
            return data
        task = TASKS[data["task"]]
        space = data.get("space") or {}
        if isinstance(space, dict):
            space = {**space, "name": space.get("name") or task.default_space}
        return {**data, "device": data.get("device") or task.device, "space": space}

    @field_validator("storage")
    @classmethod
    def _kept_safely(cls, storage: str | None) -> str | None:
        if storage is not None:
            check_url(storage)
        return storage

    @model_validator(mode="after")
    def _consistent(self) -> StudyConfig:
        _require(self.task, TASKS, "task")
        _require(self.space.name, SPACES, "search space")
        _require(self.sampler.name, SAMPLERS, "sampler")
        load_profile(self.device)
        space = self.search_space()
        if space.input_channels != TASKS[self.task].input_shape[2]:
            raise ValueError(f"space {space.name} does not take the input of task {self.task}")
        _check_training(self.training, TASKS[self.task])
        if self.probing and self.reuse:
            raise ValueError("probing looks at fresh networks: leave it out, or reuse")
        if self.pruning and self.pruning.rungs[-1] >= self.training.steps:
            raise ValueError("pruning.rungs must lie below training.steps")
        if self.pruning and not self.pruning.rungs[0] and not self.training.closed_form_images:
            raise ValueError("pruning.rungs: 0 needs a closed-form start to look at")
        if "ridge_probe" in self.proxies and not self.training.closed_form_images:
            raise ValueError("probing.proxies: ridge_probe needs a closed-form start to look at")
        try:
            SAMPLERS[self.sampler.name](self.sampling_context(), 0, **self.sampler.options)
        except TypeError as error:
            raise ValueError(f"sampler.options: {error}") from None
        return self

    def search_space(self) -> SearchSpace:
        """The study's space, its choices limited as configured."""
        return SPACES[self.space.name].narrow(self.space.choices)

    def sampling_context(self) -> Context:
        """What the study's samplers may know, and share with its driver."""

        # Many a study file is read by which nothing is estimated.
        @cache
        def oracle() -> LatencyOracle:
            return LatencyOracle(load_profile(self.device))

        # A sampler asks about its proposal, and the driver asks again.
        @lru_cache(ESTIMATES_KEPT)
        def known(architecture: Architecture) -> Estimate:
            return estimate(architecture, self.task_facts, oracle())

        return Context(
            space=self.search_space(),
            seed=self.seed,
            estimate=known,
            log2_c=self.task_facts.log2_c,
            max_runtime_ms=self.objective.max_runtime_ms,
            proxies=self.proxies,
        )

    @property
    def proxies(self) -> tuple[str, ...]:
        """What is measured of a candidate before it is trained; nothing without `probing`."""
        return tuple(self.probing.proxies) if self.probing else ()

    @property
    def task_facts(self) -> Task:
        """The study's `Task`."""
        return TASKS[self.task]

    @property
    def directory(self) -> Path:
        """Where the study keeps its storage, artifacts and reports."""
        return self.output / self.name

    @property
    def storage_url(self) -> str:
        """The Optuna storage: `storage`, or SQLite in the study's directory."""
        return self.storage or own_url(self.directory)


def load_config(path: Path) -> StudyConfig:
    """Read and validate a study file; UserError of one line for everything wrong in it."""
    return parse_config(read_document(path), str(path))


def read_document(path: Path, what: str = "study file") -> dict[Any, Any]:
    """The mapping of a YAML file, as it is. Raises UserError where it holds none; `what` it is."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read the {what} {path}: {error.strerror}") from None
    if len(text) > MAX_YAML_BYTES:
        raise UserError(f"{path} is larger than a {what} can be")
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, KeyError, RecursionError) as error:
        raise UserError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        example = "task: isp" if what == "study file" else "steps: 5000"
        raise UserError(f"{path} must hold a mapping of settings, such as '{example}'")
    return document


def parse_config(document: dict[Any, Any], source: str) -> StudyConfig:
    """Validate the mapping of a study file; `source` names it in errors."""
    try:
        return StudyConfig.model_validate(document)
    except ValidationError as error:
        raise UserError(f"{source}: {'; '.join(map(_readable, error.errors()[:5]))}") from None


def parse_recipe(document: dict[Any, Any], source: str, task: Task) -> Recipe:
    """Validate the `training` section of a study for `task`; `source` names it in errors."""
    try:
        recipe = Recipe.model_validate(document)
        _check_training(recipe, task)
    except ValidationError as error:
        raise UserError(f"{source}: {'; '.join(map(_readable, error.errors()[:5]))}") from None
    except ValueError as error:
        raise UserError(f"{source}: {str(error).removeprefix('training.')}") from None
    return recipe


def _readable(error: Any) -> str:
    """`training.steps: Input should be greater than 0 (got -1)`."""
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"there is no setting {place}"
    message = error["msg"].removeprefix("Value error, ")
    given = error.get("input")
    telling = place and place != "storage"  # Its URL may have a password.
    shown = f" (got {given!r})" if telling and isinstance(given, str | int | float) else ""
    return f"{place}: {message}{shown}" if place else message


def _check_training(recipe: Recipe, task: Task) -> None:
    """What a recipe needs besides itself is there before anything is trained."""
    for name, path in recipe.perceptual_weights.items():
        if not can_be_had(path):
            raise ValueError(f"training.perceptual_weights: no file {path} for {name}")
    bokeh = sorted(recipe.loss_names.intersection(BOKEH_NAMES))
    if bokeh and task.scale != 1:
        raise ValueError(f"training.loss: {bokeh[0]} needs photographs as inputs, not RAW")
    teacher = recipe.teacher
    if teacher is None:
        return
    _require(teacher.system, ZOO, "zoo system")
    if ZOO[teacher.system].task != task.name:
        raise ValueError(f"training.teacher: {teacher.system} is not of the task {task.name}")
    if teacher.weights is not None and not Path(teacher.weights).is_file():
        raise ValueError(f"training.teacher: no file {teacher.weights}")


def _require(name: str, registry: Any, noun: str) -> None:
    if name not in registry:
        raise ValueError(f"no {noun} called {name!r}; there are: {', '.join(registry)}")
