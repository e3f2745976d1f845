"""What a still and a program save where the video is one, and how fast they play.

    python benchmarks/procedural.py [--crf 30,39,47,55,63] [--still-crf 20,30,40,50,58]
                                    [--size 1280x720]

Draws a slide that fades in and out, the same with camera noise, a film title, credits that roll,
and a slow zoom over a frame of the example clip; codes each as a program (stills in AV1, 10 bit,
preset 4) and as AV1 video (10 bit, preset 6). Prints JSON: for each the bits and the PSNR
(6 Y + U + V) / 8 in dB at every CRF, and the Bjontegaard delta of the program's rate in %: below 0
it needs fewer bits for the same PSNR, over the `overlap` (0 to 1) of the two curves. `play_fps` is
how fast each kind of segment plays on one thread.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from statistics import fmean
from typing import Any

import cv2
import numpy as np
from edgecodec.encoder.codecs import BaseSettings, encoder_for
from edgecodec.encoder.media import open_source
from edgecodec.encoder.resources import Resources
from edgecodec.encoder.scene import Scene
from edgecodec.encoder.strategies import ProceduralTrial, candidate, frame_psnr
from edgecodec.evaluation.bdrate import RatePoint, bd_rate
from edgecodec.evaluation.environment import hardware
from edgecodec.runtime.base import decode_base
from edgecodec.runtime.container import Codec, Limits, StrategyId
from edgecodec.runtime.frames import ColorInfo, PictureFormat, Planes
from edgecodec.runtime.payloads import ClassicalBody
from edgecodec.runtime.procedural import (
    FULL_WEIGHT,
    SCALE_UNIT,
    Fade,
    Hold,
    PanZoom,
    Segment,
    Solid,
    Window,
)
from edgecodec.runtime.scenes.procedural import play
from numpy.typing import NDArray

CLIP = Path(__file__).parent.parent / "examples/media/bbb_720p.mp4"
CLIP_FRAME = 40
FRAMES = 75
FADE = 15
NOISE = 1.5
Rgb = NDArray[np.uint8]


def to_planes(rgb: Rgb) -> Planes:
    """BT.601 4:2:0, limited range."""
    height, width = rgb.shape[:2]
    stacked = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420)
    u, v = stacked[height:].reshape(2, height // 2, width // 2)
    return stacked[:height].copy(), u.copy(), v.copy()


def photograph(picture: PictureFormat) -> Rgb:
    """A frame of the example, at the picture's size."""
    with open_source(CLIP) as source:
        planes = next(f.planes for n, f in enumerate(source.frames()) if n == CLIP_FRAME)
    stacked = np.concatenate([plane.ravel() for plane in planes])
    stacked = stacked.reshape(-1, planes[0].shape[1])
    rgb = cv2.cvtColor(stacked, cv2.COLOR_YUV2RGB_I420)
    size = (picture.width, picture.height)
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.uint8)


def write(rgb: Rgb, text: str, at: tuple[float, float], scale: float, ink: int) -> None:
    """Text at a place and in a size that are relative to the picture."""
    height, width = rgb.shape[:2]
    place = (round(at[0] * width), round(at[1] * height))
    font, line = cv2.FONT_HERSHEY_SIMPLEX, max(1, round(scale * width / 900))
    cv2.putText(rgb, text, place, font, scale * width / 1000, (ink,) * 3, line, cv2.LINE_AA)


def slide(picture: PictureFormat) -> Rgb:
    rgb = np.full((picture.height, picture.width, 3), 244, np.uint8)
    rgb[: picture.height // 7] = (28, 60, 122)
    write(rgb, "Quarterly results and outlook", (0.05, 0.1), 1.2, 255)
    for row in range(6):
        write(
            rgb, f"- Segment {row + 1} grew by {7 * row + 3} %", (0.05, 0.28 + row * 0.11), 0.7, 30
        )
    photo = cv2.resize(photograph(picture), (picture.width * 2 // 5, picture.height * 2 // 5))
    top, left = picture.height * 2 // 5, picture.width * 11 // 20
    rgb[top : top + photo.shape[0], left : left + photo.shape[1]] = photo
    return rgb


def title(picture: PictureFormat) -> Rgb:
    rgb = np.zeros((picture.height, picture.width, 3), np.uint8)
    write(rgb, "The Name of the Film", (0.2, 0.5), 1.8, 230)
    write(rgb, "directed by nobody at all", (0.3, 0.62), 0.9, 180)
    return rgb


def credits(picture: PictureFormat) -> list[Planes]:
    """Three samples a frame upwards."""
    tall = np.zeros((picture.height + 3 * FRAMES, picture.width, 3), np.uint8)
    for row in range(len(tall) * 18 // picture.height):
        at = (0.1 + row % 3 * 0.07, (row + 1) / 18 * picture.height / len(tall))
        write(tall, f"Person {row * 37 % 91} of the cast as role {row}", at, 0.7, 225)
    return [
        to_planes(np.ascontiguousarray(tall[3 * n : 3 * n + picture.height])) for n in range(FRAMES)
    ]


def zoom(picture: PictureFormat, rng: np.random.Generator) -> list[Planes]:
    """From the whole photograph into 80 % of it, with noise."""
    large = PictureFormat(picture.width * 3 // 2, picture.height * 3 // 2)
    photo = photograph(large)
    frames = []
    for share in np.linspace(0, 1, FRAMES):
        scale = 1.5 * (1 - 0.2 * share)
        x, y = 0.12 * share * large.width, 0.06 * share * large.height
        edge = scale / 2 - 0.5
        matrix = np.array([[scale, 0, x + edge], [0, scale, y + edge]])
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        size = (picture.width, picture.height)
        frames.append(noisy(to_planes(cv2.warpAffine(photo, matrix, size, flags=flags)), rng))
    return frames


def faded(picture: Planes) -> list[Planes]:
    """In from black, and out again."""
    shares = [min(1.0, n / FADE, (FRAMES - 1 - n) / FADE) for n in range(FRAMES)]

    def darkened(share: float) -> Planes:
        y, u, v = (
            np.rint(black + share * (plane.astype(np.float64) - black)).astype(np.uint8)
            for plane, black in zip(picture, (16, 128, 128), strict=True)
        )
        return y, u, v

    return [darkened(share) for share in shares]


def noisy(planes: Planes, rng: np.random.Generator) -> Planes:
    y, u, v = (
        (plane + rng.normal(0, NOISE, plane.shape)).round().clip(0, 255).astype(np.uint8)
        for plane in planes
    )
    return y, u, v


def points(scene: Scene, crfs: Sequence[float], still_crfs: Sequence[float]) -> dict[str, Any]:
    """Both ways at every CRF."""
    resources = Resources()
    trial = ProceduralTrial(Codec.AV1, "4")
    began = time.perf_counter()
    made = [each for crf in still_crfs for each in trial.encode(scene, crf, resources)]
    seconds = [round(time.perf_counter() - began, 1)]
    program = [(each.bits, round(each.psnr, 2)) for each in made]
    began = time.perf_counter()
    video = []
    for crf in crfs:
        settings = BaseSettings(crf, scene.format, scene.frame_rate, scene.color, 10, "6")
        base = encoder_for(Codec.AV1).encode(scene.frames, settings)
        frames, limit = len(scene.frames), Limits().max_pixels
        scored = frame_psnr(scene, decode_base(base, scene.format, frames=frames, max_pixels=limit))
        body = ClassicalBody(base)
        way = candidate(scene, StrategyId.CLASSICAL, Codec.AV1, "av1", crf, body, scored)
        video.append((way.bits, round(fmean(scored), 2)))
    seconds.append(round(time.perf_counter() - began, 1))
    delta = bd_rate(curve(video), curve(program))
    return {
        "program": program,
        "av1": video,
        "seconds": dict(zip(("program", "av1"), seconds, strict=True)),
        "bd_rate_percent": round(delta.percent, 1),
        "overlap": round(delta.overlap, 2),
    }


def curve(points: Sequence[tuple[int, float]]) -> list[RatePoint]:
    return [RatePoint(bits, psnr) for bits, psnr in points]


def play_fps(still: Planes, picture: PictureFormat) -> dict[str, float]:
    """Frames a second of each kind of segment."""
    moved = PanZoom(0, Window(0, 0, SCALE_UNIT), Window(5000, 3000, SCALE_UNIT * 4 // 5))
    black = Solid(16, 128, 128)
    segments = {
        "hold": Segment(100, Hold(0)),
        "solid": Segment(100, black),
        "fade": Segment(100, black, Fade(Hold(0), 0, FULL_WEIGHT)),
        "pan and zoom": Segment(100, moved),
        "pan and zoom, fading": Segment(100, moved, Fade(black, 0, FULL_WEIGHT)),
    }
    speeds = {}
    for name, segment in segments.items():
        began = time.perf_counter()
        count = sum(1 for _ in play([segment], lambda _: still, picture))
        speeds[name] = round(count / (time.perf_counter() - began), 1)
    return speeds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crf", default="30,39,47,55,63")
    parser.add_argument("--still-crf", default="20,30,40,50,58")
    parser.add_argument("--size", default="1280x720")
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    crfs, still_crfs = (
        [float(crf) for crf in values.split(",")] for values in (arguments.crf, arguments.still_crf)
    )
    picture = PictureFormat(width, height)
    rng = np.random.default_rng(0)
    drawn = to_planes(slide(picture))
    videos = {
        "slide, fading": faded(drawn),
        "slide, fading, with noise": [noisy(planes, rng) for planes in faded(drawn)],
        "title, fading": faded(to_planes(title(picture))),
        "credits": credits(picture),
        "zoom with noise": zoom(picture, rng),
    }
    results = {}
    for name, frames in videos.items():
        times = tuple(range(len(frames)))
        color = ColorInfo(6, 6, 6)
        scene = Scene(0, 0, tuple(frames), times, picture, Fraction(25), color)
        results[name] = points(scene, crfs, still_crfs)
        print(name, results[name]["bd_rate_percent"], file=sys.stderr)
    report = {"hardware": hardware(), "play_fps": play_fps(drawn, picture), "videos": results}
    json.dump(report, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
