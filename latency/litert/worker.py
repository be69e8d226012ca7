"""One model in one process: `python -m latency.litert.worker REQUEST`, the answer on stdout.

REQUEST is JSON: model (path), accelerator ("cpu" or "gpu"), runs, warmup, threads. The
answer is one JSON line: {"cpu_ms": [...], "wall_ms": [...]} a timed run each, or
{"error": ...}. What LiteRT writes to stderr is the caller's to read.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

Run = Callable[[], object]


def main() -> None:
    """Answer the request on the command line."""
    request = json.loads(sys.argv[1])
    try:
        prepare = _on_gpu if request["accelerator"] == "gpu" else _on_cpu
        answer: dict[str, Any] = _timed(prepare(request), request["warmup"], request["runs"])
    except Exception as error:  # Whatever LiteRT raises is the answer.
        answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
    print(json.dumps(answer), flush=True)


def _timed(run: Run, warmup: int, runs: int) -> dict[str, Any]:
    for _ in range(warmup):
        run()
    cpu_ms, wall_ms = [], []
    for _ in range(runs):
        cpu, wall = time.process_time(), time.perf_counter()
        run()
        cpu_ms.append(1000 * (time.process_time() - cpu))
        wall_ms.append(1000 * (time.perf_counter() - wall))
    return {"cpu_ms": cpu_ms, "wall_ms": wall_ms}


def _on_cpu(request: dict[str, Any]) -> Run:
    """XNNPACK, which LiteRT's interpreter applies by default."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(request["model"], num_threads=request["threads"])
    interpreter.allocate_tensors()
    rng = np.random.default_rng(0)
    for detail in interpreter.get_input_details():
        values = rng.random(detail["shape"])
        interpreter.set_tensor(detail["index"], values.astype(detail["dtype"]))
    return interpreter.invoke  # type: ignore[no-any-return]


def _on_gpu(request: dict[str, Any]) -> Run:
    """The GPU alone: with the CPU as a second choice LiteRT does not say what fell to it."""
    from ai_edge_litert.compiled_model import CompiledModel
    from ai_edge_litert.hardware_accelerator import HardwareAccelerator
    from ai_edge_litert.options import GpuOptions, Options

    # Without benchmark_mode a run only submits its commands and seems to take no time.
    options = Options(
        hardware_accelerators=HardwareAccelerator.GPU, gpu_options=GpuOptions(benchmark_mode=True)
    )
    model = CompiledModel.from_file(request["model"], options=options)
    if not model.is_fully_accelerated():
        raise RuntimeError("not fully accelerated")
    inputs, outputs = model.create_input_buffers(0), model.create_output_buffers(0)
    return lambda: model.run_by_index(0, inputs, outputs)


if __name__ == "__main__":
    main()
