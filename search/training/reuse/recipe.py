"""What a study says about the weights its candidates start from. Finals always start afresh."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Parents(_Part):
    """Of the trained candidate that has most in common with it."""

    kind: Literal["parents"]


class SuperNetwork(_Part):
    """Of a super-network of the study's space, which is trained before the first candidate."""

    kind: Literal["super_network"]
    steps: int = Field(3000, ge=1, le=10_000_000, description="of its training")
    between: int = Field(
        2, ge=0, le=16, description="random networks a step beside the largest and the smallest"
    )
    imitation: float = Field(
        0.5, ge=0, le=1, description="share of the largest's output in the others' target"
    )


Reuse = Annotated[Parents | SuperNetwork, Field(discriminator="kind")]
