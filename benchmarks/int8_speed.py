"""How much faster the networks run in INT8 than in FP32, on this machine's CPU.

    python benchmarks/int8_speed.py [--size 1080p] [--threads 2] [--pairs 10] [--tier nano]

Runs go in pairs, one frame in FP32 and one in INT8, so that a machine whose speed drifts does not
favour one of them. Prints a Markdown table with the median of each and of the pairs' ratio, its
lowest and highest, and the hardware. INT8 is the graph that the runtime plays, exported anew.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from device_graphs import DeviceGraph, Levels, all_tiers, device_graphs, open_cpu
from edgecodec.decoder.networks import spec
from edgecodec.evaluation.environment import hardware
from edgecodec.export import Size, parse_size
from edgecodec.export.check import to_real
from edgecodec.export.graph import to_onnx
from edgecodec.export.quantization import Arithmetic
from edgecodec.export.weights import load_network
from numpy.typing import NDArray

_WARM_UP = 2


def float_session(graph: DeviceGraph, size: Size, threads: int) -> ort.InferenceSession:
    network = spec(graph.name, graph.tier)
    path = graph.path.with_suffix(".fp32.onnx")
    onnx.save(to_onnx(load_network(graph.name, graph.tier, None).module, network, size), path)
    return open_cpu(path, threads)


def real_inputs(graph: DeviceGraph) -> dict[str, NDArray[np.float32]]:
    return {
        port.name: to_real(graph.inputs[port.name], port)
        for port in spec(graph.name, graph.tier).inputs
    }


def milliseconds(
    session: ort.InferenceSession, inputs: Levels | dict[str, NDArray[np.float32]]
) -> float:
    began = time.perf_counter()
    session.run(None, dict(inputs))
    return 1e3 * (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=parse_size, default="1080p")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--tier", choices=all_tiers(), action="append")
    arguments = parser.parse_args()
    print(f"{arguments.size}, {arguments.threads} threads, ONNX Runtime {ort.__version__};")
    print(f"{hardware()}\n")
    columns = "tier | network | FP32 ms | INT8 ms | FP32 / INT8 (lowest to highest)"
    print(f"| {columns} |\n|{'---|' * len(columns.split('|'))}")
    with tempfile.TemporaryDirectory() as name:
        tiers = arguments.tier or all_tiers()
        for graph in device_graphs("cpu", Arithmetic.FAST, arguments.size, Path(name), tiers):
            sessions = (
                float_session(graph, arguments.size, arguments.threads),
                open_cpu(graph.path, arguments.threads),
            )
            inputs = (real_inputs(graph), graph.inputs)
            pairs = [
                [milliseconds(s, i) for s, i in zip(sessions, inputs, strict=True)]
                for _ in range(_WARM_UP + arguments.pairs)
            ][_WARM_UP:]
            ratios = [slow / fast for slow, fast in pairs]
            slow, fast = (statistics.median(times) for times in zip(*pairs, strict=True))
            print(
                f"| {graph.tier} | {graph.name} | {slow:.1f} | {fast:.1f} |"
                f" {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |",
                flush=True,
            )


if __name__ == "__main__":
    main()
