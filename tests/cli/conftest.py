"""Tiny real inputs: a video with sound, and an `.ecv` stream made without the encoder."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from edgecodec.runtime.container import (
    AuxPacket,
    AuxStream,
    Chunk,
    Codec,
    Header,
    StrategyId,
    Writer,
)
from edgecodec.runtime.frames import PictureFormat
from edgecodec.runtime.payloads import BasePacket, BaseStream, ClassicalBody, pack_body
from typer.testing import CliRunner

WIDTH, HEIGHT, SCENE_FRAMES, SCENES, RATE = 64, 48, 6, 2, 25


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


def picture(number: int) -> av.VideoFrame:
    """A rough texture that moves by a sample a frame."""
    texture = np.random.default_rng(1).integers(16, 236, (HEIGHT, WIDTH), np.uint8)
    luma = np.roll(texture, number, axis=1)
    chroma = np.full((HEIGHT // 2, WIDTH), 128, np.uint8)
    frame = av.VideoFrame.from_ndarray(np.concatenate((luma, chroma)), format="yuv420p")
    frame.pts, frame.time_base = number, Fraction(1, RATE)
    return frame


def coded_scene(first: int) -> bytes:
    """The body of a scene whose base is H.264."""
    context = av.VideoCodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    context.time_base = Fraction(1, RATE)
    context.options = {"preset": "ultrafast", "qp": "20"}
    packets = []
    for number in range(SCENE_FRAMES):
        frame = picture(first + number)
        frame.pts = number
        packets += context.encode(frame)
    packets += context.encode(None)
    base = BaseStream(
        Codec.H264,
        WIDTH,
        HEIGHT,
        8,
        100,
        bytes(context.extradata or b""),
        tuple(BasePacket(p.pts, p.dts, p.is_keyframe, bytes(p)) for p in packets),
    )
    return pack_body(ClassicalBody(base))


def coded_sound() -> tuple[AuxStream, list[AuxPacket]]:
    context = av.AudioCodecContext.create("aac", "w")
    context.sample_rate, context.layout, context.format = 48000, "mono", "fltp"
    context.time_base = Fraction(1, 48000)
    packets = []
    for number in range(10):
        time = np.arange(1024 * number, 1024 * (number + 1)) / 48000
        samples = 0.1 * np.sin(2 * np.pi * 440 * time)
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = 48000, 1024 * number
        packets += context.encode(frame)
    packets += context.encode(None)
    stream = AuxStream(
        0,
        "aac",
        "audio",
        Fraction(1, 48000),
        bytes(context.extradata or b""),
        48000,
        1,
        "mono",
        "eng",
        1024,
    )
    return stream, [AuxPacket(0, p.pts, p.dts, p.duration or 1024, True, bytes(p)) for p in packets]


@pytest.fixture(scope="session")
def stream_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Two scenes of six frames, H.264, 64x48 at 25 frames/s, with AAC sound."""
    path = tmp_path_factory.mktemp("stream") / "sample.ecv"
    sound, packets = coded_sound()
    header = Header(
        PictureFormat(WIDTH, HEIGHT, 8),
        Fraction(1, RATE),
        Fraction(RATE),
        tier="nano",
        aux_streams=(sound,),
        frame_count=SCENES * SCENE_FRAMES,
        writer="edgecodec tests",
    )
    with path.open("wb") as file:
        writer = Writer(file, header)
        writer.write_aux(packets)
        for scene in range(SCENES):
            first = scene * SCENE_FRAMES
            pts = tuple(range(first, first + SCENE_FRAMES))
            writer.write_chunk(Chunk(scene, first, StrategyId.CLASSICAL, pts, coded_scene(first)))
        writer.finish()
    return path.read_bytes()


@pytest.fixture
def stream(tmp_path: Path, stream_bytes: bytes) -> Path:
    path = tmp_path / "sample.ecv"
    path.write_bytes(stream_bytes)
    return path


@pytest.fixture
def damaged_stream(tmp_path: Path, stream_bytes: bytes) -> Path:
    """The same stream with one byte wrong in the middle of its last scene."""
    damaged = bytearray(stream_bytes)
    damaged[stream_bytes.rindex(b"CHNK") + 200] ^= 0xFF
    path = tmp_path / "damaged.ecv"
    path.write_bytes(damaged)
    return path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A video that FFmpeg reads: 12 frames of H.264 at 64x48, with AAC sound."""
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=RATE)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio = container.add_stream("aac", rate=48000, layout="mono")
        for number in range(SCENES * SCENE_FRAMES):
            container.mux(video.encode(picture(number)))
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 24000), np.float32), "fltp", "mono")
        silence.sample_rate = 48000
        container.mux(audio.encode(silence))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    return path
