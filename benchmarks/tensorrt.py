"""Every network through TensorRT's builder, for every compute capability; on a GPU also run.

    python benchmarks/tensorrt.py [--size 1080p] [--sm 75,80,86,89,120] [--tier nano] [--runs 50]

Prints a Markdown table, capability x network: whether an engine was made, how many of its
convolutions compute in INT8, seconds, megabytes. Where torch finds a GPU, a second table follows:
the engine for it, ONNX Runtime's TensorRT provider and its CUDA provider, each with its time and
how its output differs from the CPU's.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from device_graphs import DeviceGraph, all_tiers, device_graphs
from edgecodec.evaluation.environment import hardware
from edgecodec.export import parse_size
from edgecodec.export.devices import (
    TENSORRT_PROVIDER,
    Library,
    Running,
    build_engines,
    default_capabilities,
    find_tensorrt,
    present_capability,
    run_engine,
    run_provider,
)
from edgecodec.export.quantization import Arithmetic

_CUDA_PROVIDER = "CUDAExecutionProvider"


def build_rows(graph: DeviceGraph, capabilities: list[str], folder: Path) -> Iterator[list[str]]:
    for artefact in build_engines(graph.path, graph.path.stem, capabilities, folder):
        refused = "; ".join((artefact.message, *artefact.unsupported))
        made = "yes" if artefact.compiled else f"no: {refused}"
        size = f"{(artefact.bytes or 0) / 1e6:.2f}"
        kernels = artefact.kernels or {}
        int8 = kernels.get("correlation Int8", 0)
        convolutions = sum(n for kind, n in kernels.items() if kind.startswith("correlation "))
        in_int8 = f"{int8} of {convolutions}"
        seconds = f"{artefact.seconds:.2f}"
        yield [artefact.device, graph.tier, graph.name, made, in_int8, seconds, size]


def run_rows(
    graph: DeviceGraph, library: Library, capability: str, folder: Path, runs: int
) -> Iterator[list[str]]:
    (artefact,) = build_engines(graph.path, graph.path.stem, [capability], folder)
    if artefact.file is None:
        ran = [Running(library.tool, None, None, artefact.message)]
    else:
        engine = folder / artefact.file
        ran = [run_engine(library, engine, graph.inputs, graph.expected, runs)]
    for provider in (TENSORRT_PROVIDER, _CUDA_PROVIDER):
        ran.append(run_provider(provider, graph.path, graph.inputs, graph.expected, runs))
    for running in ran:
        difference = running.difference
        yield [
            graph.tier,
            graph.name,
            running.device,
            "-" if running.milliseconds is None else f"{running.milliseconds:.2f}",
            "-"
            if difference is None
            else f"{100 * difference.share:.3f} %, at most {difference.largest}",
            running.message,
        ]


def table(columns: str, rows: Iterator[list[str]]) -> None:
    print(f"| {columns} |\n|{'---|' * len(columns.split('|'))}")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=parse_size, default="1080p")
    parser.add_argument("--sm", default=",".join(default_capabilities()))
    parser.add_argument("--tier", choices=all_tiers(), action="append")
    parser.add_argument("--runs", type=int, default=50)
    arguments = parser.parse_args()
    library, capability = find_tensorrt(), present_capability()
    print(f"{library.tool}, {arguments.size}; {hardware()}\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tiers = arguments.tier or all_tiers()
        graphs = list(device_graphs("tensorrt", Arithmetic.FAST, arguments.size, folder, tiers))
        capabilities = arguments.sm.split(",")
        table(
            "capability | tier | network | engine | convolutions in INT8 | s | MB",
            (row for graph in graphs for row in build_rows(graph, capabilities, folder)),
        )
        if capability is None:
            print("No GPU here: the engines were not run.")
            return
        table(
            "tier | network | runs on | median ms | differs from the CPU | message",
            (
                row
                for graph in graphs
                for row in run_rows(graph, library, capability, folder, arguments.runs)
            ),
        )


if __name__ == "__main__":
    main()
