"""`LOSSES`: training losses by the name that a recipe gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spaces.registry import Registry

Loss = Callable[[Any, Any], Any]
"""(target, prediction), both [B, H, W, 3] in [0, 1] (the prediction may leave it) -> scalar."""

LOSSES: Registry[Loss] = Registry("loss")
