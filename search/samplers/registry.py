"""The registry of samplers."""

from __future__ import annotations

from collections.abc import Callable

import optuna

from spaces.registry import Registry

SamplerFactory = Callable[..., optuna.samplers.BaseSampler]
"""(context, seed, **options) -> a sampler whose choices depend on the history, `context.seed` and
`seed` alone."""

SAMPLERS: Registry[SamplerFactory] = Registry("sampler")
