"""What FastAPI cannot know of the routes: bodies that are read by hand, and problems."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from search.config import StudyConfig

from .problems import Problem
from .wire import PredictArchitecture

_REFERENCE = "#/components/schemas/{model}"
_MODELS: tuple[type[BaseModel], ...] = (Problem, StudyConfig, PredictArchitecture)
BYTES = {"type": "string", "format": "binary"}
TEXT = {"type": "string"}


def body(schemas: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Of a route, the body that it reads: its schema by media type."""
    content = {kind: {"schema": schema} for kind, schema in schemas.items()}
    return {"requestBody": {"required": True, "content": content}}


def of(model: type[BaseModel]) -> dict[str, Any]:
    """Refers to the schema of one of `_MODELS`."""
    return {"$ref": _REFERENCE.format(model=model.__name__)}


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI document with the schemas that bodies and problems refer to."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for model in _MODELS:
        schema = model.model_json_schema(ref_template=_REFERENCE)
        schemas |= schema.pop("$defs", {})
        schemas[model.__name__] = schema
    return document
