"""What a base of half the size loses by each pair of filters, and how fast the player's one is.

    python benchmarks/upsample.py FILE... [--frames 4] [--crf 30,45] [--fit]

Files are videos or pictures. Prints JSON: the mean over files of the PSNR (6 Y + U + V) / 8 in dB
for each filter that halves (rows) and each that doubles (columns), without coding and after
SVT-AV1, preset 8, at every CRF, with the bits relative to the mean over the rows; milliseconds for
a 1080p frame, one thread and all. With --fit it prints instead the 8 taps that fit the files best,
by least squares on luma after coding at every CRF.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from edgecodec.encoder.codecs import BaseSettings, encoder_for
from edgecodec.encoder.downscale import half_size
from edgecodec.encoder.quality import psnr
from edgecodec.evaluation.environment import hardware
from edgecodec.runtime.av_planes import view_planes
from edgecodec.runtime.base import decode_base
from edgecodec.runtime.container import Codec, Limits
from edgecodec.runtime.frames import ColorInfo, PictureFormat, Plane, Planes
from edgecodec.runtime.upsample import TAPS, Upsampling, upsampled
from numpy.typing import NDArray

Kernel = Callable[[float], float]
Weights = NDArray[np.float64]
UNCODED = "uncoded"
FIT_ROUNDS, FIT_COLUMNS = 3, 200


def lanczos(lobes: int) -> Kernel:
    """A Lanczos window of so many lobes."""
    return lambda x: float(np.sinc(x) * np.sinc(x / lobes)) if abs(x) < lobes else 0.0


def cubic(a: float) -> Kernel:
    """Keys' cubic convolution."""

    def kernel(x: float) -> float:
        x = abs(x)
        if x < 1:
            return (a + 2) * x**3 - (a + 3) * x**2 + 1
        return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0

    return kernel


def halving(kernel: Kernel, lobes: int) -> Weights:
    """What samples 2i - (2 lobes - 1) to 2i + 2 lobes contribute to sample i."""
    weights = np.array([kernel((k + 0.5) / 2) for k in range(-2 * lobes, 2 * lobes)])
    return weights / weights.sum()


def doubling(kernel: Kernel) -> Weights:
    """What samples i - 4 to i + 3 contribute to sample 2i."""
    weights = np.array([kernel(k - 3.75) for k in range(8)])
    return weights / weights.sum()


HALVING = {
    "average": np.array([0.5, 0.5]),
    "cubic -0.5": halving(cubic(-0.5), 2),
    "cubic -0.75": halving(cubic(-0.75), 2),
    "lanczos 2": halving(lanczos(2), 2),
    "lanczos 3": halving(lanczos(3), 3),
    "lanczos 4": halving(lanczos(4), 4),
}
DOUBLING = {
    "cubic -0.5": doubling(cubic(-0.5)),
    "cubic -0.75": doubling(cubic(-0.75)),
    "lanczos 3": doubling(lanczos(3)),
    "lanczos 4": doubling(lanczos(4)),
    # The quarter-sample filter of H.265, sections 8.5.3.3.3.1.
    "h.265": np.array([0, 1, -5, 17, 58, -10, 4, -1]) / 64,
    "eight taps": np.array(TAPS[Upsampling.EIGHT_TAP]) / 64,
}
SHIPPED = "lanczos 3"


def halved(plane: Plane, weights: Weights) -> Plane:
    """A plane of 8 bits at half its sides."""
    anchor = (len(weights) // 2 - 1,) * 2
    filtered = cv2.sepFilter2D(
        plane, cv2.CV_32F, weights, weights, anchor=anchor, borderType=cv2.BORDER_REPLICATE
    )
    small: Plane = filtered[::2, ::2].round().clip(0, 255).astype(np.uint8)
    return small


def doubled_rows(samples: NDArray[np.float32], weights: Weights, rows: int) -> NDArray[np.float32]:
    """Samples with twice the rows, cut to `rows`."""
    count = len(samples)
    padded = np.pad(samples, ((4, 4), (0, 0)), mode="edge")
    result = np.empty((2 * count, samples.shape[1]), np.float32)
    result[::2] = sum(np.float32(w) * padded[k : k + count] for k, w in enumerate(weights))
    mirrored = enumerate(weights[::-1])
    result[1::2] = sum(np.float32(w) * padded[k + 1 : k + 1 + count] for k, w in mirrored)
    return result[:rows]


def doubled(plane: Plane, weights: Weights, like: Plane) -> Plane:
    """A plane of 8 bits at twice its sides, cut to those of `like`."""
    rows, columns = like.shape
    wide = doubled_rows(plane.T.astype(np.float32), weights, columns).T
    full: Plane = doubled_rows(wide, weights, rows).round().clip(0, 255).astype(np.uint8)
    return full


def read(path: Path, frames: int) -> list[Planes]:
    """The first frames of a video, or a picture, in 8 bits and even sides."""
    with av.open(str(path)) as container:
        pictures = list(islice(container.decode(video=0), frames))
    result = []
    for picture in pictures:
        plain = picture.reformat(format="yuv420p")
        result.append(view_planes(plain, 8, picture.width // 2 * 2, picture.height // 2 * 2))
    return result


def coded(frames: list[Planes], picture: PictureFormat, crf: int) -> tuple[int, list[Planes]]:
    """Bits of the frames in AV1, and what they decode to."""
    settings = BaseSettings(crf, picture, Fraction(30), ColorInfo(1, 1, 1), 8, "8")
    base = encoder_for(Codec.AV1).encode(frames, settings)
    limits = Limits()
    decoded = decode_base(base, picture, frames=len(frames), max_pixels=limits.max_pixels)
    return 8 * sum(len(packet.data) for packet in base.packets), list(decoded)


def score(sources: list[Planes], smalls: list[Planes], weights: Weights) -> float:
    """Mean PSNR of the frames brought back to full size."""
    values = []
    for source, small in zip(sources, smalls, strict=True):
        y, u, v = (doubled(p, weights, like) for p, like in zip(small, source, strict=True))
        values.append(psnr(source, (y, u, v)).weighted)
    return statistics.fmean(values)


def variants(
    frames: list[Planes], weights: Weights, crfs: list[int]
) -> Iterator[tuple[str, int, list[Planes]]]:
    """The frames at half size: (name, bits, frames), uncoded and at every CRF."""
    height, width = frames[0][0].shape
    picture = half_size(PictureFormat(width, height))
    smalls: list[Planes] = []
    for y, u, v in frames:
        smalls.append((halved(y, weights), halved(u, weights), halved(v, weights)))
    yield UNCODED, 0, smalls
    for crf in crfs:
        yield f"crf {crf}", *coded(smalls, picture, crf)


def table(files: list[list[Planes]], crfs: list[int]) -> dict[str, Any]:
    """PSNR of every pair and bits of every row, by variant."""
    scores: dict[tuple[str, str, str], list[float]] = {}
    octaves: dict[tuple[str, str], list[float]] = {}
    for frames in files:
        for row, down in HALVING.items():
            for variant, bits, smalls in variants(frames, down, crfs):
                octaves.setdefault((variant, row), []).append(math.log2(max(1, bits)))
                for column, up in DOUBLING.items():
                    found = scores.setdefault((variant, row, column), [])
                    found.append(score(frames, smalls, up))
    report: dict[str, Any] = {}
    for variant in dict.fromkeys(variant for variant, _ in octaves):
        means = {row: statistics.fmean(octaves[variant, row]) for row in HALVING}
        middle = statistics.fmean(means.values())
        report[variant] = {
            row: {
                "bits": round(2 ** (means[row] - middle), 3),
                **{
                    column: round(statistics.fmean(scores[variant, row, column]), 2)
                    for column in DOUBLING
                },
            }
            for row in HALVING
        }
    return report


def fitted(pairs: list[tuple[Plane, Plane]]) -> list[float]:
    """The taps, in 64ths, that bring the second plane of each pair nearest to the first.

    Along rows and columns in turn, the other dimension doubled by the taps found so far. The taps
    add up to 64 because differences to the nearest sample are fitted.
    """
    random = np.random.default_rng(0)
    weights = DOUBLING["h.265"]
    others = [tap for tap in range(8) if tap != 4]
    for _ in range(FIT_ROUNDS):
        squares, products = np.zeros((7, 7)), np.zeros(7)
        for full, small in pairs:
            for target, source in ((full, small), (full.T, small.T)):
                half = doubled_rows(source.T.astype(np.float32), weights, target.shape[1]).T
                columns = random.choice(half.shape[1], min(FIT_COLUMNS, half.shape[1]), False)
                half, wanted = half[:, columns], target[:, columns].astype(np.float32)
                count = len(target) // 2 - 8
                for odd in (0, 1):
                    taps = [half[k + odd : k + odd + count].ravel() for k in range(8)]
                    window = np.stack(taps[::-1] if odd else taps)
                    nearest = window[4]
                    inner = wanted[8 + odd : 8 + odd + 2 * count : 2].ravel() - nearest
                    differences = (window - nearest)[others]
                    squares += differences @ differences.T
                    products += differences @ inner
        found = np.linalg.solve(squares, products)
        weights = np.insert(found, 4, 1 - found.sum())
    return [round(float(64 * weight), 2) for weight in weights]


def milliseconds(threads: int, frames: int = 60) -> dict[str, float]:
    """Time of the player's upsampler for a 1080p frame of noise, 8 bits from 8."""
    picture = PictureFormat(1920, 1080)
    half = half_size(picture)
    random = np.random.default_rng(0)
    shapes = ((half.height, half.width), half.chroma_shape, half.chroma_shape)
    y, u, v = (random.integers(0, 256, shape, dtype=np.uint8) for shape in shapes)
    times = []
    began = time.perf_counter()
    for _ in upsampled([(y, u, v)] * frames, Upsampling.EIGHT_TAP, picture, threads):
        now = time.perf_counter()
        times.append(1000 * (now - began))
        began = now
    return {"median": round(statistics.median(times), 1), "lowest": round(min(times), 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--crf", default="30,45")
    parser.add_argument("--fit", action="store_true")
    arguments = parser.parse_args()
    crfs = [int(crf) for crf in arguments.crf.split(",")]
    files = [read(path, arguments.frames) for path in arguments.files]
    report: dict[str, Any]
    if arguments.fit:
        pairs: dict[str, list[tuple[Plane, Plane]]] = {}
        for frames in files:
            for variant, _, smalls in variants(frames, HALVING[SHIPPED], crfs):
                pairs.setdefault(variant, []).append((frames[-1][0], smalls[-1][0]))
        report = {variant: fitted(found) for variant, found in pairs.items()}
    else:
        report = {
            "psnr": table(files, crfs),
            "ms_1080p": {"1 thread": milliseconds(1), "all": milliseconds(0)},
            "hardware": hardware(),
        }
    json.dump(report, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
