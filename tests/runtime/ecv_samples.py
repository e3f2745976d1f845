"""Small streams for the tests of the container, its payloads and what damage does to them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from edgecodec.runtime.container import (
    AuxPacket,
    AuxStream,
    Chunk,
    Codec,
    Header,
    Reader,
    StrategyId,
    Writer,
)
from edgecodec.runtime.frames import ColorInfo, PictureFormat
from edgecodec.runtime.payloads import (
    BasePacket,
    BaseStream,
    Body,
    ClassicalBody,
    FrameKind,
    HybridBody,
    LatentBody,
    LatentPacket,
    pack_body,
    parse_body,
)
from edgecodec.runtime.scene_code import SceneCode
from edgecodec.runtime.symbols import (
    Latent,
    ScaleIndex,
    choose_difference_tables,
    choose_scale_index,
    decode_latent,
    encode_latent,
    index_shape,
)
from edgecodec.runtime.title import TensorDelta, TitleWeights, fit_table

CELLS = (5, 6)
MODEL = "00112233445566aa"
CODE = SceneCode((64, 70, 1, 191, 60, 64), (128, 1, 255, 130, 128, 120))


def sample_header(**changes: object) -> Header:
    """A header with every field set."""
    values: dict[str, object] = {
        "format": PictureFormat(96, 79, 8),
        "time_base": Fraction(1, 12800),
        "frame_rate": Fraction(30000, 1001),
        "color": ColorInfo(9, 16, 9, True),
        "rotation": 90,
        "sample_aspect": Fraction(4, 3),
        "tier": "nano",
        "model_ids": (MODEL, "ffeeddccbbaa9988"),
        "aux_streams": (
            AuxStream(
                1, "aac", "audio", Fraction(1, 48000), b"\x11\xb0", 48000, 6, "5.1", "eng", 1024
            ),
            AuxStream(4, "subrip", "subtitle", Fraction(1, 1000), language="deu", disposition=1),
        ),
        "frame_count": 17,
        "writer": "edgecodec 0.1.0",
    }
    return Header(**(values | changes))  # type: ignore[arg-type]


def sample_latent(rng: np.random.Generator, cells: tuple[int, int], activity: float) -> Latent:
    """Laplace symbols whose scale varies from group to group; `activity` is the share coded."""
    shape = index_shape(*cells)
    scales = np.where(rng.random(shape) < activity, rng.gamma(1.0, 1.5, shape), 0.0)
    spread = scales.repeat(4, axis=0).repeat(4, axis=1).repeat(4, axis=2)
    spread = spread[:, : cells[0], : cells[1]]
    symbols = np.clip(np.rint(rng.laplace(size=spread.shape) * spread), -127, 127).astype(np.int8)
    return Latent(symbols, choose_scale_index(symbols))


def encode_latents(
    frames: Sequence[tuple[FrameKind, int, tuple[int, ...], Latent]],
) -> LatentBody:
    """A body from (kind, position, references, latent) in decoding order."""
    tables = tuple(
        choose_difference_tables(
            [each.scale_index for kind, _, _, each in frames if kind == wanted]
        )
        for wanted in (FrameKind.I, FrameKind.P, FrameKind.B)
    )
    previous: dict[FrameKind, ScaleIndex] = {}
    packets = []
    for kind, position, references, latent in frames:
        data = encode_latent(latent, tables[kind], previous.get(kind))
        previous[kind] = latent.scale_index
        packets.append(LatentPacket(kind, position, references, 17, data))
    return LatentBody((MODEL,), tables, tuple(packets))


def decode_latents(body: LatentBody, cells: tuple[int, int]) -> list[Latent]:
    """Every frame's latents, in decoding order."""
    previous: dict[FrameKind, ScaleIndex] = {}
    latents = []
    for packet in body.packets:
        tables = body.difference_tables[packet.kind]
        latents.append(decode_latent(packet.data, cells, tables, previous.get(packet.kind)))
        previous[packet.kind] = latents[-1].scale_index
    return latents


def sample_base(rng: np.random.Generator, frames: int) -> BaseStream:
    """A base stream of arbitrary bytes, each frame's packet right after the one before it."""
    packets = tuple(
        BasePacket(pts, pts - 1, pts == 0, rng.bytes(20 + pts)) for pts in range(frames)
    )
    return BaseStream(Codec.H265, 96, 80, 10, 140, rng.bytes(11), packets)


def sample_chunks(rng: np.random.Generator) -> list[Chunk]:
    """A chunk of every strategy that has a body, 17 frames together."""
    latents = [sample_latent(rng, CELLS, activity) for activity in (0.6, 0.1, 0.05, 0.0)]
    p_frames = encode_latents(
        [(FrameKind.I, 0, (), latents[0])]
        + [(FrameKind.P, n, (n - 1,), latents[n]) for n in range(1, 4)]
    )
    b_frames = encode_latents(
        [
            (FrameKind.I, 0, (), latents[0]),
            (FrameKind.P, 4, (0,), latents[1]),
            (FrameKind.B, 2, (0, 4), latents[2]),
            (FrameKind.B, 1, (0, 2), latents[3]),
            (FrameKind.B, 3, (2, 4), latents[2]),
        ]
    )
    classical = ClassicalBody(sample_base(rng, 4))
    enhanced = (True, False, True, True)
    hybrid = HybridBody(sample_base(rng, 4), MODEL, enhanced, CODE, title=1)
    bodies: list[tuple[StrategyId, Body, int]] = [
        (StrategyId.CLASSICAL, classical, 4),
        (StrategyId.HYBRID_SEMANTIC, hybrid, 4),
        (StrategyId.SEMANTIC_LATENT, p_frames, 4),
        (StrategyId.I_FRAME_INTERPOLATION, b_frames, 5),
    ]
    chunks = []
    start = 0
    for scene, (strategy, body, frames) in enumerate(bodies):
        pts = tuple(512 * n + (n == start + 1) for n in range(start, start + frames))
        chunks.append(Chunk(scene, start, strategy, pts, pack_body(body)))
        start += frames
    return chunks


def sample_titles() -> list[TitleWeights]:
    """Two sets of title weights for a network of three tensors."""
    rng = np.random.default_rng(77)
    titles = []
    for spread in (0.3, 4.0):
        weight = np.clip(np.rint(rng.laplace(size=200) * spread), -127, 127).astype(np.int8)
        symbols = (weight, np.zeros(9, np.int8), rng.integers(-127, 128, 30).astype(np.int8))
        deltas = tuple(
            TensorDelta(step, fit_table(each), each)
            for step, each in zip((0, 3, 24), symbols, strict=True)
        )
        titles.append(TitleWeights(MODEL, deltas))
    return titles


def sample_packets(rng: np.random.Generator, first: int) -> list[AuxPacket]:
    """Six packets of audio and a subtitle from audio packet `first` on."""
    audio = [
        AuxPacket(1, 1024 * n, 1024 * n, 1024, True, rng.bytes(15)) for n in range(first, first + 6)
    ]
    return [*audio, AuxPacket(4, first * 20, first * 20, 1500, True, b"hello")]


def sample_stream(seed: int = 5) -> bytes:
    """A whole stream: title weights, four scenes, audio and subtitles between them."""
    rng = np.random.default_rng(seed)
    file = io.BytesIO()
    writer = Writer(file, sample_header(), sample_titles())
    for number, chunk in enumerate(sample_chunks(rng)):
        writer.write_chunk(chunk)
        writer.write_aux(sample_packets(rng, 6 * number))
    writer.finish()
    return file.getvalue()


def describe(data: bytes) -> dict[str, object]:
    """What a whole stream decodes to, as hashes that another reader can be compared by."""
    reader = open_stream(data)
    picture = reader.header.format
    cells = -(-picture.height // 16), -(-picture.width // 16)
    chunks: list[dict[str, object]] = []
    for entry in reader.index:
        chunk = reader.chunk(entry)
        body = parse_body(chunk.strategy, chunk.body, len(chunk.pts))
        found: dict[str, object] = {"strategy": chunk.strategy.name, "pts": list(chunk.pts)}
        if isinstance(body, LatentBody):
            latents = decode_latents(body, cells)
            found["positions"] = [packet.position for packet in body.packets]
            found["symbols_sha256"] = [_sha256(latent.symbols.tobytes()) for latent in latents]
            found["scales_sha256"] = [_sha256(latent.scale_index.tobytes()) for latent in latents]
        else:
            found["extradata_sha256"] = _sha256(body.base.extradata)
            found["packets_sha256"] = [_sha256(packet.data) for packet in body.base.packets]
        if isinstance(body, HybridBody):
            found["enhancer"], found["enhanced"] = body.enhancer, list(body.enhanced)
            found["scene_code"], found["title"] = _code(body.scene_code), body.title
        chunks.append(found)
    packets = [[packet.stream, packet.pts, _sha256(packet.data)] for packet in reader.aux_packets()]
    return {
        "sha256": _sha256(data),
        "size": [picture.width, picture.height],
        "titles": [_title(number, title) for number, title in sorted(reader.titles.items())],
        "chunks": chunks,
        "aux_packets": packets,
        "damage": len(reader.damage),
    }


def _code(code: SceneCode | None) -> object:
    return None if code is None else {"gain": list(code.gain), "bias": list(code.bias)}


def _title(number: int, title: TitleWeights) -> dict[str, object]:
    return {
        "number": number,
        "template": title.template,
        "steps": [delta.step for delta in title.deltas],
        "tables": [delta.table for delta in title.deltas],
        "symbols_sha256": [_sha256(delta.symbols.tobytes()) for delta in title.deltas],
    }


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def open_stream(data: bytes) -> Reader:
    """A reader over bytes."""
    return Reader(io.BytesIO(data))
