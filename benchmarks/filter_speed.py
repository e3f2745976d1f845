"""How fast one core filters frames, with the filter that the encoder finds for them.

    python benchmarks/filter_speed.py CLIP --short-side 1080 [--codec h264] [--crf 30]

The first frames of a clip, scaled down to that size, are coded by a standard codec, and a filter is
fitted to them as if they were a scene of --seconds. Prints JSON: the filter's bytes, filters and
taps that are used; milliseconds of processor time of the quickest run to make a frame ready (with
the lines of its chroma), to find the classes of its cells, and then to filter it (classes
included); the same for a filter that uses every tap; what decoding a frame of the base takes; and
what the filter gains.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from detail_speed import quickest
from edgecodec.encoder.codecs import BaseSettings, encoder_for
from edgecodec.encoder.latent_filter import fit_filter
from edgecodec.encoder.quality import psnr
from edgecodec.evaluation.environment import hardware
from edgecodec.evaluation.latent_video_clips import Cut, read_clip
from edgecodec.runtime.base import decode_base, round_to_8_bit
from edgecodec.runtime.chunks import Codec
from edgecodec.runtime.container import Limits
from edgecodec.runtime.filter_taps import Around, look
from edgecodec.runtime.filtering import classify, filtered
from edgecodec.runtime.frames import Planes
from edgecodec.runtime.scene_filter import (
    CLASSES,
    PlaneFilter,
    SceneFilter,
    pack_scene_filter,
    taps_of,
)
from edgecodec.runtime.scenes import in_quarters


def every_tap() -> SceneFilter:
    """16 filters a plane, none of whose coefficients is 0."""
    used = tuple(number % 16 for number in range(CLASSES))
    y, u, v = (PlaneFilter(8, np.ones((16, taps_of(each)), np.int8), used) for each in range(3))
    return SceneFilter((y, u, v))


def times(frames: list[Planes], scene: SceneFilter, runs: int) -> tuple[Planes, dict[str, float]]:
    """The second of three frames filtered, and what that takes in milliseconds."""
    _, look_ms = quickest(lambda: look(frames[1]).lines, runs)
    around = Around(*(look(each) for each in frames))
    _, classes_ms = quickest(partial(classify, around), runs)
    made, filter_ms = quickest(partial(filtered, frames[1], scene, around), runs)
    return made, {"ready_ms": look_ms, "classes_ms": classes_ms, "filter_ms": filter_ms}


def described(scene: SceneFilter) -> dict[str, Any]:
    planes = [each for each in scene.planes if each is not None]
    return {
        "bytes": len(pack_scene_filter(scene)),
        "filters": [len(each.coefficients) for each in planes],
        "taps": [int(each.coefficients.any(axis=0).sum()) for each in planes],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--short-side", type=int, default=1080)
    parser.add_argument("--codec", choices=[each.name.lower() for each in Codec], default="h264")
    parser.add_argument("--crf", type=float, default=30.0)
    parser.add_argument("--seconds", type=float, default=4.0, help="of a scene that has the filter")
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    clip = read_clip(asked.clip, asked.clip.name, Cut(3, 0, asked.short_side))
    settings = BaseSettings(
        crf=asked.crf,
        format=clip.format,
        frame_rate=clip.frame_rate,
        color=clip.color,
        bit_depth=8,
        preset=None,
    )
    base = encoder_for(Codec[asked.codec.upper()]).encode(clip.frames, settings)
    most = Limits().max_pixels

    def decoded() -> list[Planes]:
        return list(decode_base(base, clip.format, frames=3, threads=1, max_pixels=most))

    shown, base_ms = quickest(decoded, asked.runs)
    deep = [in_quarters(planes) for planes in shown]
    bits = 8 * sum(len(each.data) for each in base.packets)
    share = asked.seconds * float(clip.frame_rate) / len(shown)
    own = fit_filter(clip.frames, shown, clip.format, round(bits * share))
    made: dict[str, Any] = {
        "hardware": hardware(),
        "clip": asked.clip.name,
        "size": f"{clip.format.width}x{clip.format.height}",
        "codec": asked.codec,
        "crf": asked.crf,
        "base_ms": round(base_ms / len(shown), 1),
    }
    if own is not None:
        after, took = times(deep, own, asked.runs)
        gains = psnr(clip.frames[1], round_to_8_bit(after)), psnr(clip.frames[1], shown[1])
        gain_db = round(gains[0].weighted - gains[1].weighted, 3)
        made["fitted"] = {**described(own), **took, "gain_db": gain_db}
    _, took = times(deep, every_tap(), asked.runs)
    made["every_tap"] = {**described(every_tap()), **took}
    print(json.dumps(made, indent=1))


if __name__ == "__main__":
    main()
