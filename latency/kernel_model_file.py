"""Kernel models as files: readable JSON, numbers only, one measured shape a line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .gpu import Gpu
from .kernel_model import KernelModel, KindModel
from .kernel_shape import PRICES, SHAPE
from .profile_error import ProfileError


def write_kernel_model(model: KernelModel, path: Path | str) -> None:
    """Write `model` as JSON that `load_kernel_model` reads back equal."""
    head = {
        "name": model.name,
        "gpu": {
            "family": model.gpu.family,
            "generation": model.gpu.generation,
            "compute_units": model.gpu.compute_units,
            "wave_size": model.gpu.wave_size,
        },
        "source": model.source,
        "width": model.width,
        "largest_pixels": model.largest_pixels,
        "price_names": PRICES,
        "shape_names": SHAPE,
    }
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    lines.append(f'  "untimed": {_kind_text(model.untimed)},')
    kinds = [f"    {json.dumps(kind)}: {_kind_text(m)}" for kind, m in model.kinds.items()]
    lines.append('  "kinds": {\n' + ",\n".join(kinds) + "\n  }")
    Path(path).write_text("{\n" + "\n".join(lines) + "\n}\n", encoding="utf-8")


def _kind_text(model: KindModel) -> str:
    """One line for the prices, one for each measured shape."""
    parts = [f'"{name}": {json.dumps(getattr(model, name))}' for name in ("prices",)]
    if model.points:
        parts += [
            f'"{name}": {json.dumps(getattr(model, name))}'
            for name in ("center", "spread", "weights")
        ]
        points = ",\n        ".join(
            "[" + ", ".join(f"{value:g}" for value in point) + "]" for point in model.points
        )
        parts.append(f'"points": [\n        {points}\n      ]')
    return "{" + ",\n      ".join(parts) + "}"


def load_kernel_model(path: Path | str) -> KernelModel:
    """The model in a JSON file. Raises `ProfileError` for one that cannot be used."""
    try:
        table = json.loads(Path(path).read_text(encoding="utf-8"))
        if tuple(table["price_names"]) != PRICES or tuple(table["shape_names"]) != SHAPE:
            raise ProfileError(f"{path}: made by another version; fit it again")
        return KernelModel(
            name=table["name"],
            gpu=Gpu(**table["gpu"]),
            source=table["source"],
            width=float(table["width"]),
            kinds={kind: _kind(values) for kind, values in table["kinds"].items()},
            untimed=_kind(table["untimed"]),
            largest_pixels=int(table["largest_pixels"]),
        )
    except OSError as error:
        raise ProfileError(f"{path}: {error.strerror}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, ProfileError):
            raise
        raise ProfileError(
            f"{path}: not a kernel model ({type(error).__name__}: {error})"
        ) from error


def _kind(values: Mapping[str, Any]) -> KindModel:
    return KindModel(
        prices=tuple(map(float, values["prices"])),
        center=tuple(map(float, values.get("center", ()))),
        spread=tuple(map(float, values.get("spread", ()))),
        points=tuple(tuple(map(float, point)) for point in values.get("points", ())),
        weights=tuple(map(float, values.get("weights", ()))),
    )
