"""What a chunk's body holds, strategy by strategy.

Everything is checked when it is parsed: a body that parses has each frame exactly once, in an
order in which it can be decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from .base_stream import BasePacket, BaseStream, pack_base, parse_base
from .chunks import StrategyId
from .errors import BitstreamError, UnsupportedError
from .fields import (
    FORMAT_VERSION,
    Fields,
    Limits,
    pack_fields,
    pack_unsigned,
    parse_fields,
)
from .header import pack_model_ids, parse_model_ids
from .latent_body import (
    CONTINUED,
    KINDS,
    NO_PRIORS,
    FrameKind,
    LatentBody,
    LatentPacket,
    pack_latents,
    parse_latents,
)
from .procedural import ProceduralBody, pack_procedural, parse_procedural
from .scene_code import SceneCode, pack_scene_code, parse_scene_code
from .scene_filter import SceneFilter, pack_scene_filter, parse_scene_filter
from .title import MAX_TITLE_ID
from .upsample import Upsampling

__all__ = [
    "ALL_PLANES",
    "CONTINUED",
    "KINDS",
    "NO_PRIORS",
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


@dataclass(frozen=True)
class ClassicalBody:
    """The base stream is the scene, brought to full size by `upsampling` and there filtered."""

    base: BaseStream
    upsampling: Upsampling = Upsampling.NONE
    filter: SceneFilter | None = None


ALL_PLANES = (True, True, True)
"""Y, U and V."""


@dataclass(frozen=True)
class HybridBody:
    """A base stream, and for each frame in display order whether network `enhancer` mends it.

    Without `upsampling` the network is an `enhancer`; with it, a `generator_up`, which sees the
    base's frames at half size. `scene_code` adapts the network to the scene. `title` numbers the
    title weights that it runs with; a player that lacks them plays the network as it is. Of the
    mended frames only those `planes` (Y, U, V) are taken that it helps. The network sees the base
    as it is; what it adds is added to the base as it is `filter`ed.
    """

    base: BaseStream
    enhancer: str
    enhanced: tuple[bool, ...]
    scene_code: SceneCode | None = None
    upsampling: Upsampling = Upsampling.NONE
    title: int | None = None
    planes: tuple[bool, bool, bool] = ALL_PLANES
    filter: SceneFilter | None = None


Body = ClassicalBody | HybridBody | LatentBody | ProceduralBody


class _BodyField(IntEnum):
    BASE = 0x8001
    ENHANCER = 0x8002
    ENHANCED = 0x8003
    SCENE_CODE = 0x0004
    UPSAMPLING = 0x8005
    TITLE = 0x0006
    PLANES = 0x8007
    FILTER = 0x8009


_CLASSICAL_FIELDS = (_BodyField.BASE, _BodyField.UPSAMPLING, _BodyField.FILTER)
_LATENT_STRATEGIES = (StrategyId.SEMANTIC_LATENT, StrategyId.I_FRAME_INTERPOLATION)


def pack_body(body: Body) -> bytes:
    """A body as `Chunk.body`. ValueError if `parse_body` would not take it."""
    if isinstance(body, LatentBody):
        packed, strategy = pack_latents(body), StrategyId.SEMANTIC_LATENT
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
        if body.filter is not None:
            fields.append((_BodyField.FILTER, pack_scene_filter(body.filter)))
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
        return parse_latents(body, frames, what)
    if strategy is StrategyId.CLASSICAL:
        fields = parse_fields(body, _CLASSICAL_FIELDS, what)
        base = parse_base(fields.one(_BodyField.BASE), frames, limits, what)
        return ClassicalBody(base, _parse_upsampling(fields), _parse_filter(fields))
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
        _parse_filter(fields),
    )


def _parse_filter(fields: Fields) -> SceneFilter | None:
    data = fields.optional(_BodyField.FILTER)
    return None if data is None else parse_scene_filter(data, fields.what)


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
