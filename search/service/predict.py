"""The routes that ask the oracle: nothing is trained, and no study is needed."""

# Annotations are evaluated here: FastAPI reads them, and some name functions inside functions.

from functools import lru_cache
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from latency import Graph, LatencyOracle, device_names, load_profile, read_tflite
from search.documents import prediction_document
from search.errors import UserError
from search.networks import ZOO_SPACE, candidate
from search.tasks import TASKS, Task
from spaces import SPACES
from spaces.architecture import Architecture
from spaces.space import SearchSpace
from spaces.zoo import ZOO

from . import openapi
from .bodies import JSON, MOST_MODEL_BYTES, TFLITE, media_type, read_body, read_json
from .problems import documented
from .service import API, Service, client_of
from .wire import PredictArchitecture, Prediction

Device = Annotated[str, Query(description="one of /api/v1/devices")]


def predict_api(service: Service) -> APIRouter:
    """Run times of uploaded files and of architectures."""
    router = APIRouter(prefix=API, tags=["oracle"])

    async def sent(request: Request) -> bytes | PredictArchitecture:
        service.predictions.take(client_of(request))
        if media_type(request, JSON, TFLITE) == TFLITE:
            return await read_body(request, MOST_MODEL_BYTES)
        return await read_json(request, PredictArchitecture)

    @router.get("/devices", operation_id="list_devices")
    def devices() -> list[str]:
        """The phones whose run times can be predicted."""
        return list(device_names())

    @router.post(
        "/predict",
        operation_id="predict",
        responses=documented(413, 415, 422, 429),
        openapi_extra=openapi.body({TFLITE: openapi.BYTES, JSON: openapi.of(PredictArchitecture)}),
    )
    def predict(
        body: Annotated[bytes | PredictArchitecture, Depends(sent)],
        device: Device = "snapdragon-8-gen-1",
    ) -> Prediction:
        """The run time of a .tflite file (the body) or of an architecture, kernel by kernel."""
        if device not in device_names():
            raise UserError(f"unknown device {device[:80]!r}; known: {', '.join(device_names())}")
        graph = read_tflite(body) if isinstance(body, bytes) else _traced(body)
        document = prediction_document(device, graph, _oracle(device).predict(graph))
        return Prediction.model_validate(document)

    return router


@lru_cache
def _oracle(device: str) -> LatencyOracle:
    return LatencyOracle(load_profile(device))


def _traced(wanted: PredictArchitecture) -> Graph:
    """Of the architecture on a frame of its task. Raises UserError where it is none."""
    architecture = wanted.architecture.architecture()
    height, width, _ = _task(wanted, architecture).input_shape
    return candidate(architecture).trace(height, width)


def _task(wanted: PredictArchitecture, architecture: Architecture) -> Task:
    if architecture.space == ZOO_SPACE:
        system = architecture.choices.get("system")
        if system not in ZOO or len(architecture.items) != 1:
            raise UserError(f"no published system called {str(system)[:80]!r}")
        name, channels = str(ZOO[str(system)].task), ZOO[str(system)].input_shape[2]
    else:
        space = _space(architecture)
        channels = space.input_channels
        name = next(n for n in TASKS if TASKS[n].input_shape[2] == channels)
    task = wanted.task or name
    if task not in TASKS or TASKS[task].input_shape[2] != channels:
        raise UserError(f"the network is none of task {task[:80]!r}, but of {name}")
    return TASKS[task]


def _space(architecture: Architecture) -> SearchSpace:
    if architecture.space not in SPACES:
        raise UserError(
            f"no search space called {architecture.space[:80]!r}; there are: "
            f"{', '.join([*SPACES, ZOO_SPACE])}"
        )
    space = SPACES[architecture.space]
    try:
        space.architecture(architecture.choices)
    except ValueError as error:
        raise UserError(str(error)[:300]) from None
    return space
