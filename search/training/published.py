"""Recipes of published systems: their losses, schedules and tricks, for a budget of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spaces.zoo import ZOO, ZooSystem

from .recipe import PERCEPTUAL_NAMES, Recipe, base_loss, weights_of

_LARGE = 1_000_000
_RATES = {False: 2e-3, True: 5e-4}
"""Learning rates of brief training, by whether a network is large. The published ones are for
a hundred to ten thousand times as many steps."""


def system_recipe(
    system: ZooSystem, perceptual_weights: Mapping[str, str] | None = None, **settings: Any
) -> Recipe:
    """The recipe of `system`, with `settings` of one's own over it.

    Losses of classifiers for which there are no `perceptual_weights` are left out; the
    closed-form start is, too, as nobody published it.
    """
    weights = dict(perceptual_weights or {})
    document = {
        "closed_form_images": 0,
        "learning_rate": _RATES[system.parameters > _LARGE],
        **system.recipe,
        **settings,
    }
    # Any weights satisfy the check; those that nobody has are then left out.
    recipe = Recipe.model_validate(document | {"perceptual_weights": _for_all(document, weights)})
    return recipe.without(set(PERCEPTUAL_NAMES) - weights.keys())


def teacher_recipe(recipe: Recipe) -> Recipe:
    """How the teacher that `recipe` names is trained: by its own recipe, on the student's inputs.

    For as many steps as the student unless told otherwise; a teacher's own teacher is left out.
    """
    assert recipe.teacher is not None
    system = ZOO[recipe.teacher.system]
    own = system_recipe(
        system,
        recipe.perceptual_weights,
        crop=recipe.crop,
        batch=recipe.batch,
        encoding=recipe.encoding,
        teacher=None,
    )
    return own.shortened(recipe.teacher.steps or recipe.steps)


def left_out(system: ZooSystem, perceptual_weights: Mapping[str, str]) -> list[str]:
    """Losses of the system's recipe that need weights which nobody gave."""
    named = _named_losses(system.recipe)
    return sorted(named & (set(PERCEPTUAL_NAMES) - perceptual_weights.keys()))


def _for_all(document: Mapping[str, Any], weights: Mapping[str, str]) -> dict[str, str]:
    named = _named_losses(document) & set(PERCEPTUAL_NAMES)
    return {name: weights.get(name, "left out") for name in sorted(named)}


def _named_losses(document: Mapping[str, Any]) -> set[str]:
    parts = [document, *document.get("stages", ())]
    choices = [part.get("loss") or {} for part in parts] + [*document.get("levels", {}).values()]
    return {base_loss(name) for choice in choices for name in weights_of(choice)}
