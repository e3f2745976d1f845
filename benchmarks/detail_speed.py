"""How fast one core decodes the detail of a still picture, beside its latents.

    OPENBLAS_NUM_THREADS=1 python benchmarks/detail_speed.py CLIP --short-side 1080

The first frame of a clip, scaled down to that size, is coded alone at several qualities. Prints
JSON, for each of them: bytes of latents and of detail, and milliseconds of processor time to decode
either, and to add the detail to a packed frame (of the quickest run).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from edgecodec.encoder.latent_symbols import device_latent
from edgecodec.encoder.resources import Resources
from edgecodec.encoder.scene import Scene
from edgecodec.encoder.strategies.latent import LatentCoder
from edgecodec.encoder.strategies.latent_scene import code_scene
from edgecodec.evaluation.environment import hardware
from edgecodec.evaluation.latent_video_clips import Cut, read_clip
from edgecodec.runtime.chunks import StrategyId
from edgecodec.runtime.detail import decode_detail, with_detail
from edgecodec.runtime.latent_body import FrameKind
from edgecodec.runtime.prior_coding import decode_with_prior


def rows(coder: LatentCoder, scene: Scene, qualities: Sequence[int], runs: int) -> Iterator[Any]:
    """What each quality takes."""
    prior, detail = coder.priors[FrameKind.I], coder.detail
    assert detail is not None
    for quality in qualities:
        body, _ = code_scene(coder, StrategyId.SEMANTIC_LATENT, scene, quality)
        (packet,) = body.packets
        shape = tuple(-(-side // 16) for side in scene.frames[0][0].shape)
        decode = partial(decode_with_prior, packet.data, shape, packet.quality, prior, None)
        symbols, latents_ms = quickest(decode, runs)
        latent = device_latent(symbols, packet.quality, prior)
        row = {
            "quality": quality,
            "latents": packet.quality,
            "latents_bytes": len(packet.data),
            "latents_ms": latents_ms,
            "detail_bytes": len(packet.detail),
        }
        if packet.detail:
            decode = partial(decode_detail, packet.detail, latent, packet.quality, detail)
            samples, row["detail_ms"] = quickest(decode, runs)
            frame = np.zeros((1, *samples.shape), np.uint8)
            _, row["added_ms"] = quickest(partial(with_detail, frame, samples), runs)
        yield row


def quickest(work: Callable[[], Any], runs: int) -> tuple[Any, float]:
    """What it gives, and milliseconds of processor time of the quickest run."""
    least = float("inf")
    for _ in range(runs):
        start = time.process_time()
        made = work()
        least = min(least, time.process_time() - start)
    return made, round(1e3 * least, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--tier", default="edge")
    parser.add_argument("--short-side", type=int, default=1080)
    parser.add_argument("--qualities", type=int, nargs="+", default=(30, 45, 60, 75))
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    clip = read_clip(asked.clip, asked.clip.name, Cut(1, 0, asked.short_side))
    scene = Scene(0, 0, clip.frames, (0,), clip.format, clip.frame_rate, clip.color)
    coder = Resources(1).latent_coder(asked.tier, "cpu")
    size = f"{clip.format.width}x{clip.format.height}"
    frames = list(rows(coder, scene, asked.qualities, asked.runs))
    made = {"hardware": hardware(), "clip": asked.clip.name, "size": size, "frames": frames}
    print(json.dumps(made, indent=1))


if __name__ == "__main__":
    main()
