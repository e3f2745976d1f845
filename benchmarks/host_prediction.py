"""What small graphs foretell of this machine's CPU, beside what the networks really take.

    python benchmarks/host_prediction.py [--sizes 360p,720p,1080p] [--threads 1] [--runs 10]
        [--rounds 3]

Every network that ships is predicted from rates that `edgecodec.profiles.probe` times, and timed by
ONNX Runtime at each size. Every round probes anew just before it times, so that other load meets
both; the median of the rounds is told. With one thread both are processor time, which other load
lengthens little; with more they are wall clock. Prints JSON: hardware, milliseconds of the fastest
run and p50 by prediction and by clock, their ratios, and over all of them the median error and the
share within a factor of 1.5.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnxruntime
from edgecodec.evaluation.environment import hardware
from edgecodec.profiles import (
    CountedNetwork,
    FrameSize,
    count_models,
    parse_size,
    predict_host,
    probe,
)
from edgecodec.runtime.models import packaged_models, packaged_tiers

Clock = Callable[[], int]

_WITHIN = 1.5


def run_times_ms(network: CountedNetwork, threads: int, runs: int, clock: Clock) -> list[float]:
    """Milliseconds of so many calls on noise, after one that warms up."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        network.entry.read(), options, providers=["CPUExecutionProvider"]
    )
    noise = np.random.default_rng(0)
    feeds = {
        name: noise.integers(0, 256, shape, np.uint8)
        for name, shape in network.input_shapes.items()
    }
    session.run(None, feeds)
    times = []
    for _ in range(runs):
        start = clock()
        session.run(None, feeds)
        times.append((clock() - start) * 1e-6)
    return times


def rows(size: FrameSize, threads: int, runs: int) -> Iterator[dict[str, Any]]:
    """One for each network that ships, of one round."""
    clock = time.thread_time_ns if threads == 1 else time.perf_counter_ns
    for tier in packaged_tiers():
        for network in count_models(packaged_models(tier), size).networks:
            rates = probe(network.cost.precision, threads, clock)
            predicted = predict_host(network.cost, rates).interval
            times = run_times_ms(network, threads, runs, clock)
            yield {
                "network": f"{tier} {network.entry.name}",
                "size": str(size),
                "predicted_fastest": predicted.low,
                "measured_fastest": min(times),
                "predicted_p50": predicted.mid,
                "measured_p50": statistics.median(times),
            }


def middle(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The medians of one network's rounds, and the ratios of their predictions to the clock."""
    row = {key: value for key, value in rounds[0].items() if isinstance(value, str)}
    for key in (key for key, value in rounds[0].items() if not isinstance(value, str)):
        row[key] = round(statistics.median(each[key] for each in rounds), 2)
    for kind in ("fastest", "p50"):
        ratios = [each[f"predicted_{kind}"] / each[f"measured_{kind}"] for each in rounds]
        row[f"ratio_{kind}"] = round(statistics.median(ratios), 2)
    return row


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="360p,720p,1080p")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    table = []
    for text in arguments.sizes.split(","):
        size = parse_size(text)
        rounds = [
            list(rows(size, arguments.threads, arguments.runs)) for _ in range(arguments.rounds)
        ]
        table += [middle(list(each)) for each in zip(*rounds, strict=True)]
    ratios = {kind: [row[f"ratio_{kind}"] for row in table] for kind in ("fastest", "p50")}
    errors = {
        kind: {
            "median_error": round(statistics.median(abs(ratio - 1) for ratio in each), 3),
            "within_1_5x": sum(1 / _WITHIN <= ratio <= _WITHIN for ratio in each) / len(each),
        }
        for kind, each in ratios.items()
    }
    print(json.dumps({"hardware": hardware(), "errors": errors, "networks": table}, indent=1))


if __name__ == "__main__":
    main()
