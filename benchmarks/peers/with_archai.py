"""Archai's evolution of the Pareto front on the tabular benchmark; `lookup` says how.

Needs: pip install archai torch pandas  (the last two it imports without asking for them)
"""

from __future__ import annotations

import random
import tempfile
from typing import Any

from archai.discrete_search.algos.evolution_pareto import EvolutionParetoSearch
from archai.discrete_search.api.archai_model import ArchaiModel
from archai.discrete_search.api.model_evaluator import ModelEvaluator
from archai.discrete_search.api.search_objectives import SearchObjectives
from archai.discrete_search.api.search_space import EvolutionarySearchSpace
from lookup import Methods, Study, main
from overrides import overrides


class Space(EvolutionarySearchSpace):
    """The table's choices: mutation changes one, crossover takes each from either parent."""

    def __init__(self, study: Study, seed: int) -> None:
        self.study, self.rng = study, random.Random(seed)

    def _model(self, config: dict[str, Any]) -> ArchaiModel:
        return ArchaiModel(arch=config, archid=self.study.key(config))

    @overrides
    def random_sample(self) -> ArchaiModel:
        choices = self.study.choices.items()
        return self._model({name: self.rng.choice(values) for name, values in choices})

    @overrides
    def mutate(self, arch: ArchaiModel) -> ArchaiModel:
        name = self.rng.choice(list(self.study.choices))
        others = [v for v in self.study.choices[name] if v != arch.arch[name]]
        return self._model({**arch.arch, name: self.rng.choice(others)})

    @overrides
    def crossover(self, arch_list: list[ArchaiModel]) -> ArchaiModel:
        names = self.study.choices
        return self._model({name: self.rng.choice(arch_list).arch[name] for name in names})

    @overrides
    def save_arch(self, model: ArchaiModel, file_path: str) -> None:
        pass

    @overrides
    def load_arch(self, file_path: str) -> ArchaiModel:
        raise NotImplementedError

    @overrides
    def save_model_weights(self, model: ArchaiModel, file_path: str) -> None:
        pass

    @overrides
    def load_model_weights(self, model: ArchaiModel, file_path: str) -> None:
        raise NotImplementedError


class Psnr(ModelEvaluator):
    """Trains, in dB."""

    def __init__(self, study: Study) -> None:
        self.study = study

    @overrides
    def evaluate(self, arch: ArchaiModel, budget: float | None = None) -> float:
        return self.study.psnr_and_runtime(arch.arch)[0]


class Runtime(ModelEvaluator):
    """Predicted, in ms."""

    def __init__(self, study: Study) -> None:
        self.study = study

    @overrides
    def evaluate(self, arch: ArchaiModel, budget: float | None = None) -> float:
        return self.study.runtime_ms(arch.arch)


def evolution(study: Study, seed: int) -> None:
    """With its own settings."""
    objectives = SearchObjectives()
    objectives.add_objective("psnr_db", Psnr(study), higher_is_better=True)
    objectives.add_objective(
        "runtime_ms", Runtime(study), higher_is_better=False, compute_intensive=False
    )
    with tempfile.TemporaryDirectory() as folder:
        EvolutionParetoSearch(
            Space(study, seed), objectives, folder, num_iters=1000, seed=seed,
            clear_evaluated_models=False, save_pareto_model_weights=False,
        ).search()  # fmt: skip


METHODS: Methods = {("Archai evolution", "pareto"): evolution}

if __name__ == "__main__":
    main(METHODS)
