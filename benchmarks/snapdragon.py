"""Every network through Qualcomm's compiler, for every chip, and through its simulator.

    python benchmarks/snapdragon.py [--size 1080p] [--soc 8gen3,8elite] [--simulate 8gen3]
                                    [--arithmetic fast|exact] [--tier nano]

Prints a Markdown table, chip x network: whether it compiled, nodes that the chip refused, seconds
of compiling, size of the context binary and, for the chips of `--simulate`, how the simulator's
output differs from the CPU's. A frame of 1080p takes the simulator seconds; they say nothing of
the chip's speed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from device_graphs import DeviceGraph, all_tiers, device_graphs
from edgecodec.evaluation.environment import hardware
from edgecodec.export import parse_size
from edgecodec.export.devices import Artefact, Soc, compile_qnn, find_soc, known_socs, qnn_tool
from edgecodec.export.quantization import Arithmetic


def cells(artefact: Artefact, wall: float) -> list[str]:
    """One row of the table."""
    difference = artefact.difference
    return [
        artefact.built_for or "-",
        "yes" if artefact.compiled else f"no: {artefact.message}",
        f"{sum(artefact.nodes.values())}",
        f"{len(artefact.unsupported)}",
        f"{artefact.seconds:.1f}",
        f"{wall:.1f}",
        f"{(artefact.bytes or 0) / 1e6:.2f}",
        "-"
        if difference is None
        else f"{100 * difference.share:.3f} %, at most {difference.largest}",
    ]


def compile_one(graph: DeviceGraph, soc: Soc, folder: Path, *, simulate: bool) -> list[str]:
    began = time.perf_counter()
    inputs = graph.inputs if simulate else None
    expected = graph.expected if simulate else None
    artefact = compile_qnn(graph.path, graph.path.stem, soc, folder, inputs, expected)
    return [soc.name, graph.tier, graph.name, *cells(artefact, time.perf_counter() - began)]


def chosen(names: str) -> list[Soc]:
    if names == "all":
        return list(known_socs())
    return [find_soc(name) for name in names.split(",") if name]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=parse_size, default="1080p")
    parser.add_argument("--soc", default="8gen1,8gen2,8gen3,8elite,8elite-gen5,x-elite")
    parser.add_argument("--simulate", default="8gen3", help="chips whose simulator runs a frame")
    parser.add_argument("--arithmetic", type=Arithmetic, default=Arithmetic.FAST)
    parser.add_argument("--tier", choices=all_tiers(), action="append")
    arguments = parser.parse_args()
    socs, simulated = chosen(arguments.soc), chosen(arguments.simulate)
    print(f"{qnn_tool()}, {arguments.size}, {arguments.arithmetic}; {hardware()}\n")
    columns = (
        "chip | tier | network | built for | compiled | nodes | unsupported | compile s |"
        " with simulator s | MB | differs from the CPU"
    )
    print(f"| {columns} |\n|{'---|' * len(columns.split('|'))}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tiers = arguments.tier or all_tiers()
        for graph in device_graphs("qnn", arguments.arithmetic, arguments.size, folder, tiers):
            for soc in socs:
                row = compile_one(graph, soc, folder, simulate=soc in simulated)
                print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
