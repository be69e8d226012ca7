"""Samplers by name. Each factory makes a fresh Optuna sampler for one trial.

A fresh sampler with a seed of (study seed, trial index) is what makes a resumed
study equal an uninterrupted one: Optuna stores no random state. A new sampler
is one file here and its import below.
"""

from .choosing import may_choose, most_promising
from .context import Context
from .evolution import EvolutionSampler
from .latency_aware import LatencyAwareSampler
from .optuna_samplers import nsga2, random, tpe
from .registry import SAMPLERS, SamplerFactory

__all__ = [
    "SAMPLERS",
    "Context",
    "EvolutionSampler",
    "LatencyAwareSampler",
    "SamplerFactory",
    "may_choose",
    "most_promising",
    "nsga2",
    "random",
    "tpe",
]
