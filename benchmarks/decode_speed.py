"""How fast a stream decodes to planes in memory, beside its base layer alone.

    python benchmarks/decode_speed.py STREAM.ecv [--runs 5] [--threads 0]

Runs go in pairs, the whole decoder and then only the standard codec's decoder, so that a machine
whose speed drifts does not favour one of them. Prints JSON: frames a second (median, lowest and
highest over the runs), the ratio of each pair, and the hardware.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

from edgecodec import runtime
from edgecodec.evaluation.environment import hardware, versions
from edgecodec.runtime.base import decode_base
from edgecodec.runtime.container import Limits, Reader
from edgecodec.runtime.payloads import ClassicalBody, HybridBody, parse_body


def whole(stream: Path, threads: int) -> float:
    """Frames a second of the public decoder, from opening to the last plane."""
    began = time.perf_counter()
    with runtime.open(stream, threads=threads) as video:
        frames = sum(1 for _ in video)
    return frames / (time.perf_counter() - began)


def base_alone(stream: Path, threads: int) -> float:
    """Frames a second of the base layers; 0 where a scene has none."""
    limits = Limits()
    began = time.perf_counter()
    frames = 0
    with stream.open("rb") as file:
        reader = Reader(file)
        for entry in reader.index:
            chunk = reader.chunk(entry)
            body = parse_body(chunk.strategy, chunk.body, entry.frames, limits)
            if not isinstance(body, ClassicalBody | HybridBody):
                return 0.0
            decoded = decode_base(
                body.base,
                reader.header.format,
                frames=entry.frames,
                threads=threads,
                max_pixels=limits.max_pixels,
                upsampling=body.upsampling,
            )
            frames += sum(1 for _ in decoded)
    return frames / (time.perf_counter() - began)


def spread(values: list[float]) -> dict[str, float]:
    """Median, lowest and highest."""
    return {
        "median": round(statistics.median(values), 1),
        "lowest": round(min(values), 1),
        "highest": round(max(values), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stream", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0)
    arguments = parser.parse_args()
    whole(arguments.stream, arguments.threads)  # the first run loads libraries and networks
    pairs = [
        (
            whole(arguments.stream, arguments.threads),
            base_alone(arguments.stream, arguments.threads),
        )
        for _ in range(arguments.runs)
    ]
    decoder = [fps for fps, _ in pairs]
    base = [fps for _, fps in pairs if fps]
    report = {
        "stream": arguments.stream.name,
        "runs": arguments.runs,
        "fps": spread(decoder),
        "base_fps": spread(base) if base else None,
        "fps_over_base": spread([a / b for a, b in pairs if b]) if base else None,
        "hardware": hardware(),
        "versions": versions(),
    }
    json.dump(report, sys.stdout, indent=1, default=str)
    print()


if __name__ == "__main__":
    main()
