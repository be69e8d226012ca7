"""One file in a process: `python -m search.export.verification.worker REQUEST`, answers on stdout.

REQUEST is JSON: model, inputs, outputs (paths; frames and pictures are .npy files). The answer is
one JSON line, {"frames": how many} or {"error": ...}.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from search.artifacts import save_array
from search.errors import UserError
from search.export.conversion.signature import INPUT, OUTPUT, run_tflite
from search.render.answer import answer


def main() -> None:
    """Answer the request on the command line."""
    answer(lambda request: _run(json.loads(request)))


def _run(request: dict[str, Any]) -> dict[str, Any]:
    try:
        run = run_tflite(Path(request["model"]).read_bytes())
        for given, made in zip(request["inputs"], request["outputs"], strict=True):
            save_array(Path(made), run(np.load(given)))
    except MemoryError:
        raise UserError("out of memory") from None
    except KeyError:
        raise UserError(f"its signature does not take {INPUT} and give {OUTPUT}") from None
    return {"frames": len(request["inputs"])}


if __name__ == "__main__":
    main()
