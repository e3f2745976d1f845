"""Whether a pool of frame buffers would pay: planes unpacked into new arrays and into old ones.

    python benchmarks/frame_pool.py [--size 1920x1080] [--frames 200]

Frames go in pairs, one into arrays that `packing.unpack` makes, as the player does, and one into
arrays that are already there, as a pool would hand them out. Six frames are kept, as a player with
its look-ahead holds them. Prints JSON: CPU milliseconds of the thread (medians), the median of the
pairs' ratios, and page faults a pair, which are what new memory costs.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import time
from collections import deque

import numpy as np
from edgecodec.evaluation.environment import hardware
from edgecodec.runtime.frames import PictureFormat, Planes
from edgecodec.runtime.packing import Packed, unpack

BLOCK = 8
KEPT = 6


def refill(packed: Packed, planes: Planes) -> None:
    """`unpack`, into planes of whole blocks that are there."""
    start = 0
    for plane, size in zip(planes, (BLOCK, BLOCK // 2, BLOCK // 2), strict=True):
        rows, columns = plane.shape[0] // size, plane.shape[1] // size
        blocks = plane.reshape(rows, size, columns, size)
        channels = packed[0, start : start + size * size].reshape(size, size, rows, columns)
        for dy in range(size):
            for dx in range(size):
                blocks[:, dy, :, dx] = channels[dy, dx]
        start += size * size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--frames", type=int, default=200)
    arguments = parser.parse_args()
    width, height = (int(side) for side in arguments.size.split("x"))
    if width % BLOCK or height % BLOCK:
        parser.error(f"{arguments.size}: whole multiples of {BLOCK} are wanted")
    picture = PictureFormat(width, height)
    shape = (1, 6 * BLOCK * BLOCK // 4, height // BLOCK, width // BLOCK)
    packed = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    pool, kept = unpack(packed, picture), deque[Planes](maxlen=KEPT)
    old: list[float] = []
    new: list[float] = []
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(arguments.frames + KEPT):
        began = time.thread_time()
        refill(packed, pool)
        between = time.thread_time()
        kept.append(unpack(packed, picture))
        old.append(1e3 * (between - began))
        new.append(1e3 * (time.thread_time() - between))
    pairs = list(zip(new[KEPT:], old[KEPT:], strict=True))
    found = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
    report = {
        "size": arguments.size,
        "frames": len(pairs),
        "new_ms": round(statistics.median(one for one, _ in pairs), 3),
        "reused_ms": round(statistics.median(other for _, other in pairs), 3),
        "new_over_reused": round(statistics.median(a / b for a, b in pairs), 3),
        "page_faults": round(found / len(old), 1),
        "hardware": hardware(),
    }
    json.dump(report, sys.stdout, indent=1, default=str)
    print()


if __name__ == "__main__":
    main()
