"""What streams of every kind ask of a player, told from bodies that were written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from edgecodec.orchestrator.jobs.stream_work import Layer, StreamWork, stream_work
from edgecodec.profiles import FrameSize
from edgecodec.runtime.container import Chunk, Codec, Header, StrategyId, Writer
from edgecodec.runtime.errors import BitstreamError
from edgecodec.runtime.frames import PictureFormat
from edgecodec.runtime.payloads import (
    NO_PRIORS,
    BasePacket,
    BaseStream,
    Body,
    ClassicalBody,
    FrameKind,
    HybridBody,
    LatentBody,
    LatentPacket,
    pack_body,
)
from edgecodec.runtime.procedural import Hold, ProceduralBody, Segment, Solid, Still
from edgecodec.runtime.upsample import Upsampling

FRAMES = 4
SIZE = FrameSize(96, 64)
HALF = FrameSize(48, 32)
MODEL = "0123456789abcdef"


def base(codec: Codec, depth: int, size: FrameSize = SIZE) -> BaseStream:
    packets = tuple(BasePacket(n, n, n == 0, b"coded") for n in range(FRAMES))
    return BaseStream(codec, size.width, size.height, depth, 100, b"", packets)


def latents(kinds: Sequence[FrameKind]) -> LatentBody:
    """Frames in decoding order, the references of each the first ones."""
    positions = {FrameKind.I: (), FrameKind.P: (0,), FrameKind.B: (0, 3), FrameKind.C: (0,)}
    order = [0, 3, 1, 2]
    packets = tuple(
        LatentPacket(kind, position, positions[kind], 30, b"x")
        for kind, position in zip(kinds, order, strict=True)
    )
    priors = (MODEL, None, MODEL, MODEL) if FrameKind.C in kinds else NO_PRIORS
    return LatentBody((MODEL,), ((0,) * 16,) * 3, packets, priors)


def work_of(folder: Path, *scenes: tuple[StrategyId, Body]) -> StreamWork:
    path = folder / "stream.ecv"
    header = Header(
        PictureFormat(SIZE.width, SIZE.height, 8),
        Fraction(1, 25),
        Fraction(25),
        tier="nano",
        frame_count=FRAMES * len(scenes),
    )
    with path.open("wb") as file:
        writer = Writer(file, header)
        for number, (strategy, body) in enumerate(scenes):
            first = number * FRAMES
            pts = tuple(range(first, first + FRAMES))
            writer.write_chunk(Chunk(number, first, strategy, pts, pack_body(body)))
        writer.finish()
    return stream_work(path)


def test_plain_layers_need_no_network(tmp_path: Path) -> None:
    work = work_of(
        tmp_path,
        (StrategyId.CLASSICAL, ClassicalBody(base(Codec.AV1, 10))),
        (StrategyId.CLASSICAL, ClassicalBody(base(Codec.H264, 8, HALF), Upsampling.EIGHT_TAP)),
    )
    assert work.network_frames == {}
    assert work.layers == {Layer(Codec.AV1, 10, SIZE, 25.0), Layer(Codec.H264, 8, HALF, 25.0)}
    assert (work.frames, work.fps, work.size, work.tier) == (8, 25.0, SIZE, "nano")


def test_only_the_frames_that_are_mended_run_a_network(tmp_path: Path) -> None:
    full = HybridBody(base(Codec.H265, 10), MODEL, (True, False, True, True))
    half = HybridBody(
        base(Codec.H265, 10, HALF), MODEL, (False, False, True, False), None, Upsampling.EIGHT_TAP
    )
    work = work_of(tmp_path, (StrategyId.HYBRID_SEMANTIC, full), (StrategyId.HYBRID_SEMANTIC, half))
    assert work.network_frames == {"enhancer": 3, "generator_up": 1}
    assert {layer.size for layer in work.layers} == {SIZE, HALF}


def test_frames_of_latents_run_the_network_of_their_kind(tmp_path: Path) -> None:
    forward = latents((FrameKind.I, FrameKind.P, FrameKind.P, FrameKind.P))
    between = latents((FrameKind.I, FrameKind.P, FrameKind.B, FrameKind.B))
    continued = latents((FrameKind.I, FrameKind.C, FrameKind.C, FrameKind.C))
    work = work_of(
        tmp_path,
        (StrategyId.SEMANTIC_LATENT, forward),
        (StrategyId.SEMANTIC_LATENT, continued),
        (StrategyId.I_FRAME_INTERPOLATION, between),
    )
    assert work.network_frames == {"iframe_decoder": 6, "generator_p": 4, "generator_b": 2}
    assert work.layers == frozenset()


def test_b_frames_that_move_run_the_network_of_i_frames(tmp_path: Path) -> None:
    still = latents((FrameKind.I, FrameKind.C, FrameKind.B, FrameKind.B))
    moving = replace(still, motion=MODEL)
    work = work_of(tmp_path, (StrategyId.SEMANTIC_LATENT, moving))
    assert work.network_frames == {"iframe_decoder": 4}
    work = work_of(tmp_path, (StrategyId.SEMANTIC_LATENT, still))
    assert work.network_frames == {"iframe_decoder": 2, "generator_b": 2}


def test_stills_are_decoded_once(tmp_path: Path) -> None:
    picture = BaseStream(Codec.AV1, 128, 64, 8, 100, b"", (BasePacket(0, 0, True, b"coded"),))
    program = (Segment(2, Hold(0)), Segment(2, Solid(16, 128, 128)))
    work = work_of(
        tmp_path, (StrategyId.PROCEDURAL, ProceduralBody((Still(128, 64, picture),), program))
    )
    assert work.network_frames == {}
    assert work.layers == {Layer(Codec.AV1, 8, FrameSize(128, 64), 1.0)}


def test_a_damaged_stream_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "damaged.ecv"
    path.write_bytes(b"no stream at all")
    with pytest.raises(BitstreamError):
        stream_work(path)
