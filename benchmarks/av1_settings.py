"""What SVT-AV1's preset and bit depth are worth on a clip of 8 bits.

    python benchmarks/av1_settings.py CLIP [--crf 38,43,48]

Prints JSON: for each setting the rate in kb/s and the PSNR (6 Y + U + V) / 8 in dB of the first
scene at every CRF, decoded and rounded back to 8 bits, and seconds for each encode.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from statistics import fmean

from edgecodec.encoder.codecs import BaseSettings, encoder_for
from edgecodec.encoder.media import open_source
from edgecodec.encoder.scene import Scene, scenes_of
from edgecodec.encoder.strategies import frame_psnr
from edgecodec.evaluation.environment import hardware
from edgecodec.runtime.base import decode_base
from edgecodec.runtime.container import Codec, Limits


def point(scene: Scene, crf: int, bit_depth: int, preset: str) -> dict[str, float]:
    """One encode, decoded again."""
    settings = BaseSettings(crf, scene.format, scene.frame_rate, scene.color, bit_depth, preset)
    began = time.perf_counter()
    base = encoder_for(Codec.AV1).encode(scene.frames, settings)
    seconds = time.perf_counter() - began
    limits = Limits()
    decoded = decode_base(
        base, scene.format, frames=len(scene.frames), max_pixels=limits.max_pixels
    )
    bits = 8 * sum(len(packet.data) for packet in base.packets)
    return {
        "crf": crf,
        "kbps": round(bits / scene.duration_s / 1000, 1),
        "psnr": round(fmean(frame_psnr(scene, decoded)), 2),
        "seconds": round(seconds, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--crf", default="38,43,48")
    arguments = parser.parse_args()
    with open_source(arguments.clip) as video:
        scene = next(scenes_of(video))
    results = {
        f"preset {preset}, {depth} bit": [
            point(scene, int(crf), depth, preset) for crf in arguments.crf.split(",")
        ]
        for preset in ("6", "4")
        for depth in (8, 10)
    }
    json.dump({"hardware": hardware(), "settings": results}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
