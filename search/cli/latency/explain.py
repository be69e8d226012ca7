"""`lensnas latency explain`: op by op, which kernel runs it and why, or who refuses it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search.cli.arguments import AsJson
from search.errors import UserError

from .app import Device, Model, app, read_model

if TYPE_CHECKING:
    from latency import Graph
    from latency.explain import Explanation, OpExplanation
    from latency.litert import Disagreement, SecondOpinion


@app.command()
def explain(
    model: Model,
    device: Device = "snapdragon-8-gen-1",
    real: Annotated[
        bool, typer.Option("--real", help="Ask LiteRT's GPU backend too (needs a Vulkan driver).")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show how a phone's GPU delegate runs a .tflite file, op by op.

    With --real, LiteRT's own GPU backend compiles and runs the file in a process of its own,
    on a software Vulkan driver where there is no other, and differences are listed.
    """
    from latency import load_profile
    from latency.explain import explain as explain_graph

    profile = load_profile(device)
    graph = read_model(model)
    told = explain_graph(graph, profile.gpu)
    opinion, differences = _second_opinion(model, graph, told) if real else (None, ())
    if as_json:
        document = _document(model, profile.name, told, opinion, differences)
        print(json.dumps(document, indent=2))
        return
    _print_ops(f"{model.name} on {profile.name}", told)
    if opinion:
        _print_opinion(opinion, differences)


def _second_opinion(
    model: Path, graph: Graph, told: Explanation
) -> tuple[SecondOpinion, tuple[Disagreement, ...]]:
    from latency.litert import LiteRTError, disagreements, second_opinion

    try:
        opinion = second_opinion(model)
    except LiteRTError as error:
        raise UserError(str(error)) from None
    return opinion, disagreements(graph, told.lowering, opinion)


def _document(
    model: Path,
    device: str,
    told: Explanation,
    opinion: SecondOpinion | None,
    differences: tuple[Disagreement, ...],
) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "model": str(model),
        "device": device,
        "ops": [asdict(op) for op in told.ops],
        "kernels": [
            {
                "kernel": kernel.kind,
                "chain": list(kernel.chain),
                "padded_gmac": kernel.padded_macs / 1e9,
                "mbyte": (kernel.read_bytes + kernel.write_bytes) / 1e6,
            }
            for kernel in told.lowering.kernels
        ],
        "kernel_counts": told.kernel_counts,
        "litert": asdict(opinion) if opinion else None,
        "disagreements": [asdict(difference) for difference in differences],
    }


def _print_ops(title: str, told: Explanation) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("op", justify="right")
    table.add_column("kind", no_wrap=True)
    table.add_column("output", no_wrap=True)
    table.add_column("runs in kernel", overflow="fold")
    table.add_column("because")
    for op in told.ops:
        shape = "x".join(map(str, op.output_shape[1:]))
        table.add_row(str(op.index), op.kind, shape, _place(op, told), op.why or op.refusal)
    Console().print(table)
    counts = ", ".join(f"{count} {kind}" for kind, count in told.kernel_counts.items())
    print(f"{len(told.lowering.kernels)} kernels: {counts or 'none'}")
    on_cpu = len(told.lowering.fallbacks)
    if on_cpu:
        print(f"{on_cpu} of {len(told.ops)} ops run on the CPU")


def _place(op: OpExplanation, told: Explanation) -> str:
    if op.role == "CPU":
        return "the CPU"
    if op.role == "vanishes":
        return "none"
    kernel = told.lowering.kernels[op.kernels[0]]
    numbers = f"{op.kernels[0]}" + (f" to {op.kernels[-1]}" if len(op.kernels) > 1 else "")
    return f"{numbers} {kernel.kind}" if op.role == "heads" else f"{numbers} (fused)"


def _print_opinion(opinion: SecondOpinion, differences: tuple[Disagreement, ...]) -> None:
    verdict = "takes the whole model" if opinion.accepted else "refuses the model"
    ending = f" ({opinion.problem})" if opinion.problem else ""
    print(f"\nLiteRT's GPU backend on {opinion.driver} {verdict}{ending}")
    for kind, reason in opinion.refused:
        print(f"  refuses {kind}: {reason}")
    for item in differences:
        known = f"known: {item.explanation}" if item.explanation else "not explained"
        print(f"  differs on {item.kind or 'the model'}: ours {item.ours}; LiteRT {item.theirs}")
        print(f"    {known}")
    if not differences:
        print("  and the rules above agree")
