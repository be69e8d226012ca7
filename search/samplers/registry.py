"""The registry of samplers."""

from __future__ import annotations

from collections.abc import Callable

import optuna

from spaces.registry import Registry

SamplerFactory = Callable[..., optuna.samplers.BaseSampler]
"""(space, seed, **options) -> a sampler whose choices depend on the history and `seed` alone."""

SAMPLERS: Registry[SamplerFactory] = Registry("sampler")
