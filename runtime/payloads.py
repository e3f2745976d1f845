"""What a chunk's body holds, strategy by strategy.

Everything is checked when it is parsed: a body that parses has each frame exactly once, in an
order in which it can be decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from .base_stream import BasePacket, BaseStream, check_each_once, pack_base, parse_base
from .chunks import StrategyId
from .errors import BitstreamError, UnsupportedError
from .fields import (
    FORMAT_VERSION,
    Fields,
    Limits,
    pack_fields,
    pack_signed,
    pack_unsigned,
    parse_fields,
)
from .header import pack_model_ids, parse_model_ids
from .procedural import ProceduralBody, pack_procedural, parse_procedural
from .scene_code import SceneCode, pack_scene_code, parse_scene_code
from .title import MAX_TITLE_ID
from .upsample import Upsampling

__all__ = [
    "ALL_PLANES",
    "BasePacket",
    "BaseStream",
    "Body",
    "ClassicalBody",
    "FrameKind",
    "HybridBody",
    "LatentBody",
    "LatentPacket",
    "ProceduralBody",
    "pack_body",
    "parse_body",
]

TABLES = 64
KINDS = 3
GROUPS = 16
MAX_MODELS = 8


@dataclass(frozen=True)
class ClassicalBody:
    """The base stream is the scene, brought to full size by `upsampling`."""

    base: BaseStream
    upsampling: Upsampling = Upsampling.NONE


ALL_PLANES = (True, True, True)
"""Y, U and V."""


@dataclass(frozen=True)
class HybridBody:
    """A base stream, and for each frame in display order whether network `enhancer` mends it.

    Without `upsampling` the network is an `enhancer`; with it, a `generator_up`, which sees the
    base's frames at half size. `scene_code` adapts the network to the scene. `title` numbers the
    title weights that it runs with; a player that lacks them plays the network as it is. Of the
    mended frames only those `planes` (Y, U, V) are taken that it helps.
    """

    base: BaseStream
    enhancer: str
    enhanced: tuple[bool, ...]
    scene_code: SceneCode | None = None
    upsampling: Upsampling = Upsampling.NONE
    title: int | None = None
    planes: tuple[bool, bool, bool] = ALL_PLANES


class FrameKind(IntEnum):
    """How many frames a frame refers to."""

    I = 0  # noqa: E741 (the field's own name)
    P = 1
    B = 2


@dataclass(frozen=True)
class LatentPacket:
    """The latents of one frame.

    `position` and `references` are display indices in the chunk: none for I, one for P, past and
    future for B. `quality` is 0 to 63. `data` is read by `symbols.decode_latent`.
    """

    kind: FrameKind
    position: int
    references: tuple[int, ...]
    quality: int
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class LatentBody:
    """A scene in latents.

    `models` are the ids of the networks that were used, `difference_tables` for each kind of
    frame the table (0 to 63) of each of the 16 groups' scale differences, `packets` in decoding
    order.
    """

    models: tuple[str, ...]
    difference_tables: tuple[tuple[int, ...], ...]
    packets: tuple[LatentPacket, ...]


Body = ClassicalBody | HybridBody | LatentBody | ProceduralBody


class _BodyField(IntEnum):
    BASE = 0x8001
    ENHANCER = 0x8002
    ENHANCED = 0x8003
    SCENE_CODE = 0x0004
    UPSAMPLING = 0x8005
    TITLE = 0x0006
    PLANES = 0x8007


class _LatentField(IntEnum):
    MODELS = 0x8001
    DIFFERENCE_TABLES = 0x8002
    TABLE = 0x8003
    DATA = 0x8004


_CLASSICAL_FIELDS = (_BodyField.BASE, _BodyField.UPSAMPLING)
_LATENT_STRATEGIES = (StrategyId.SEMANTIC_LATENT, StrategyId.I_FRAME_INTERPOLATION)


def pack_body(body: Body) -> bytes:
    """A body as `Chunk.body`. ValueError if `parse_body` would not take it."""
    if isinstance(body, LatentBody):
        packed, strategy = _pack_latents(body), StrategyId.SEMANTIC_LATENT
        frames = len(body.packets)
    elif isinstance(body, ProceduralBody):
        packed, strategy = pack_procedural(body), StrategyId.PROCEDURAL
        frames = body.frames
    else:
        fields = [(_BodyField.BASE, pack_base(body.base))]
        strategy, frames = StrategyId.CLASSICAL, len(body.base.packets)
        if body.upsampling is not Upsampling.NONE:
            fields.append((_BodyField.UPSAMPLING, pack_unsigned(body.upsampling)))
        if isinstance(body, HybridBody):
            strategy = StrategyId.HYBRID_SEMANTIC
            fields += (
                (_BodyField.ENHANCER, pack_model_ids((body.enhancer,))),
                (_BodyField.ENHANCED, _pack_bits(body.enhanced)),
            )
            if body.scene_code is not None:
                fields.append((_BodyField.SCENE_CODE, pack_scene_code(body.scene_code)))
            if body.title is not None:
                fields.append((_BodyField.TITLE, pack_unsigned(body.title)))
            if body.planes != ALL_PLANES:
                fields.append((_BodyField.PLANES, _pack_bits(body.planes)))
        packed = pack_fields(fields)
    if parse_body(strategy, packed, frames) != body:
        raise ValueError("this body has values that the format cannot hold")
    return packed


def parse_body(
    strategy: StrategyId, body: bytes, frames: int, limits: Limits | None = None
) -> Body:
    """The body of a chunk of `frames` frames.

    Raises BitstreamError if it breaks the format or `limits`, UnsupportedError if it needs a
    later format version.
    """
    limits = limits or Limits()
    what = f"{strategy.name.lower()} body"
    if strategy in _LATENT_STRATEGIES:
        return _parse_latents(body, frames, what)
    if strategy is StrategyId.CLASSICAL:
        fields = parse_fields(body, _CLASSICAL_FIELDS, what)
        base = parse_base(fields.one(_BodyField.BASE), frames, limits, what)
        return ClassicalBody(base, _parse_upsampling(fields))
    if strategy is StrategyId.HYBRID_SEMANTIC:
        return _parse_hybrid(parse_fields(body, _BodyField, what), frames, limits)
    return parse_procedural(body, frames, limits, what)


def _parse_hybrid(fields: Fields, frames: int, limits: Limits) -> HybridBody:
    base = parse_base(fields.one(_BodyField.BASE), frames, limits, fields.what)
    enhancer = parse_model_ids(fields.one(_BodyField.ENHANCER), fields.what)
    if len(enhancer) != 1:
        raise BitstreamError(f"{fields.what}: {len(enhancer)} enhancers, one is wanted")
    enhanced = _parse_bits(fields.one(_BodyField.ENHANCED), frames, fields.what)
    code, title = fields.optional(_BodyField.SCENE_CODE), fields.optional(_BodyField.TITLE)
    return HybridBody(
        base,
        enhancer[0],
        enhanced,
        None if code is None else parse_scene_code(code, fields.what),
        _parse_upsampling(fields),
        None if title is None else fields.integer(_BodyField.TITLE, MAX_TITLE_ID + 1),
        _parse_planes(fields),
    )


def _parse_planes(fields: Fields) -> tuple[bool, bool, bool]:
    data = fields.optional(_BodyField.PLANES)
    if data is None:
        return ALL_PLANES
    y, u, v = _parse_bits(data, len(ALL_PLANES), fields.what)
    return y, u, v


def _parse_upsampling(fields: Fields) -> Upsampling:
    number = fields.integer(_BodyField.UPSAMPLING, 1 << 16)
    if number not in tuple(Upsampling):
        raise UnsupportedError(
            f"{fields.what}: format version {FORMAT_VERSION} has no upsampling {number}, a later "
            "one is needed: update edgecodec"
        )
    return Upsampling(number)


def _pack_bits(bits: Sequence[bool]) -> bytes:
    number = sum(1 << position for position, bit in enumerate(bits) if bit)
    return number.to_bytes(-(-len(bits) // 8), "little")


def _parse_bits(data: memoryview, count: int, what: str) -> tuple[bool, ...]:
    number = int.from_bytes(data, "little")
    if len(data) != -(-count // 8) or number >> count:
        raise BitstreamError(f"{what}: {len(data)} bytes of bits for {count} frames")
    return tuple(bool(number >> position & 1) for position in range(count))


def _pack_latents(body: LatentBody) -> bytes:
    table: list[bytes] = []
    for number, packet in enumerate(body.packets):
        if not 0 <= packet.quality < 64:
            raise ValueError(f"quality {packet.quality}: 0 to 63 is wanted")
        table += (
            pack_unsigned(packet.quality << 2 | packet.kind),
            pack_signed(packet.position - number),
            pack_signed(*(reference - packet.position for reference in packet.references)),
            pack_unsigned(len(packet.data)),
        )
    return pack_fields(
        [
            (_LatentField.MODELS, pack_model_ids(body.models)),
            (_LatentField.DIFFERENCE_TABLES, bytes(sum(body.difference_tables, ()))),
            (_LatentField.TABLE, b"".join(table)),
            (_LatentField.DATA, b"".join(packet.data for packet in body.packets)),
        ]
    )


def _parse_latents(body: bytes, frames: int, what: str) -> LatentBody:
    fields = parse_fields(body, _LatentField, what)
    models = parse_model_ids(fields.one(_LatentField.MODELS), what)
    if not 0 < len(models) <= MAX_MODELS:
        raise BitstreamError(f"{what}: {len(models)} models, 1 to {MAX_MODELS} are allowed")
    tables = tuple(fields.one(_LatentField.DIFFERENCE_TABLES))
    if len(tables) != KINDS * GROUPS or max(tables) >= TABLES:
        raise BitstreamError(f"{what}: {KINDS} x {GROUPS} tables of 0 to {TABLES - 1} are wanted")
    rows = tuple(tables[start : start + GROUPS] for start in range(0, len(tables), GROUPS))
    return LatentBody(models, rows, _parse_latent_packets(fields, frames))


def _parse_latent_packets(fields: Fields, frames: int) -> tuple[LatentPacket, ...]:
    table, content = fields.cursor(_LatentField.TABLE), fields.cursor(_LatentField.DATA)
    packets: list[LatentPacket] = []
    decoded: set[int] = set()
    for number in range(frames):
        tag = table.unsigned(64 << 2)
        if tag & 3 not in tuple(FrameKind):
            raise table.fail("a frame that is neither I, P nor B")
        kind, position = FrameKind(tag & 3), number + table.signed()
        references = tuple(position + table.signed() for _ in range(kind))
        if not decoded.issuperset(references):
            raise table.fail(f"frame {position} refers to {references}, not all decoded before it")
        if kind is FrameKind.B and not references[0] < position < references[1]:
            raise table.fail(f"B frame {position} is not between its references {references}")
        decoded.add(position)
        data = content.take(table.unsigned())
        packets.append(LatentPacket(kind, position, references, tag >> 2, data))
    table.finish()
    content.finish()
    check_each_once([packet.position for packet in packets], frames, fields.what)
    return tuple(packets)
