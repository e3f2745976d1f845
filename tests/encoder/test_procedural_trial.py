"""The trial: what it measures is what the player shows, and on a slide it beats the base codec."""

from __future__ import annotations

import numpy as np
import pytest
from edgecodec.encoder.codecs import BaseSettings, encoder_for
from edgecodec.encoder.quality import psnr
from edgecodec.encoder.resources import Resources
from edgecodec.encoder.strategies import ProceduralTrial, frame_psnr
from edgecodec.runtime.base import decode_base
from edgecodec.runtime.chunks import Chunk, Codec, StrategyId, pack_chunk
from edgecodec.runtime.frames import PictureFormat, Planes
from edgecodec.runtime.payloads import ClassicalBody, ProceduralBody, pack_body, parse_body
from edgecodec.runtime.records import FRAMING_BYTES
from edgecodec.runtime.scenes import SceneContext, decode_scene
from edgecodec.runtime.sessions import NetworkPool

from .fakes import scene_of

PICTURE = PictureFormat(192, 128)


@pytest.fixture(scope="module")
def resources() -> Resources:
    return Resources(threads=1)


def slide(count: int, noise: float = 1.0) -> list[Planes]:
    """Bars of several brightnesses that fade in from black, with noise."""
    rng = np.random.default_rng(0)
    shapes = ((PICTURE.height, PICTURE.width), PICTURE.chroma_shape, PICTURE.chroma_shape)
    frames = []
    for number in range(count):
        planes = []
        for plane, (rows, columns) in enumerate(shapes):
            black = 16 if plane == 0 else 128
            bars = (
                60 + 20 * (np.arange(columns) * 8 // columns) + np.arange(rows)[:, np.newaxis] % 7
            )
            level = black + (bars - black) * min(1.0, number / 8)
            dirty = level + rng.normal(0, noise, (rows, columns))
            planes.append(dirty.round().clip(0, 255).astype(np.uint8))
        frames.append((planes[0], planes[1], planes[2]))
    return frames


@pytest.mark.parametrize("codec", Codec)
def test_the_candidate_measures_what_the_player_shows(codec: Codec, resources: Resources) -> None:
    scene = scene_of(slide(12), PICTURE)
    trial = ProceduralTrial(codec)
    (made,) = trial.encode(scene, trial.usual_setting, resources)
    assert (made.strategy, made.codec) == (StrategyId.PROCEDURAL, codec)
    assert (made.trial, made.setting) == (trial.name, trial.usual_setting)
    body = made.read_body()
    chunk = Chunk(0, 0, made.strategy, scene.pts, body)
    assert made.bits == 8 * (len(pack_chunk(chunk)) + FRAMING_BYTES)
    parsed = parse_body(made.strategy, body, 12)
    assert isinstance(parsed, ProceduralBody)
    assert [still.stream.codec for still in parsed.stills] == [codec]
    context = SceneContext(PICTURE, NetworkPool(threads=1), threads=1)
    shown = decode_scene(chunk, context)
    measured = [psnr(a, b).weighted for a, b in zip(scene.frames, shown, strict=True)]
    assert list(made.frame_psnr) == measured


def test_settings_are_the_encoders_and_a_lower_one_is_better(resources: Resources) -> None:
    scene = scene_of(slide(12), PICTURE)
    trial = ProceduralTrial(Codec.AV1)
    lowest, highest = trial.settings
    assert lowest < trial.usual_setting < highest
    ((fine,), (coarse,)) = (
        trial.encode(scene, trial.usual_setting + step, resources) for step in (-15, 20)
    )
    assert fine.psnr > coarse.psnr
    assert fine.bits > coarse.bits
    assert fine == trial.encode(scene, trial.usual_setting - 15, resources)[0]


def test_a_colour_takes_no_codec_and_a_few_bytes(resources: Resources) -> None:
    shapes = ((128, 192), PICTURE.chroma_shape, PICTURE.chroma_shape)
    y, u, v = (
        np.full(shape, level, np.uint8) for shape, level in zip(shapes, (16, 128, 128), strict=True)
    )
    (made,) = ProceduralTrial(Codec.AV1).encode(scene_of([(y, u, v)] * 10, PICTURE), 30, resources)
    assert made.codec is None
    assert made.psnr == 100
    assert len(made.read_body()) < 20


def test_ordinary_video_makes_no_candidate(draw_planes, resources: Resources) -> None:
    scene = scene_of(draw_planes(PictureFormat(96, 64), 12))
    assert ProceduralTrial(Codec.AV1).encode(scene, 30, resources) == ()


def test_a_noisy_slide_takes_fewer_bits_than_video_of_the_same_quality(
    resources: Resources,
) -> None:
    scene = scene_of(slide(40, noise=1.5), PICTURE)
    settings = BaseSettings(40, PICTURE, scene.frame_rate, scene.color, 10, "6", threads=1)
    base = encoder_for(Codec.AV1).encode(scene.frames, settings)
    decoded = decode_base(base, PICTURE, frames=40, max_pixels=1 << 20)
    video = float(np.mean(frame_psnr(scene, decoded)))
    (made,) = ProceduralTrial(Codec.AV1, "6").encode(scene, 20, resources)
    assert made.psnr > video
    assert made.bits < 8 * len(pack_body(ClassicalBody(base))) / 2
