"""The base layer of a scene: a standard codec's packets, and what its decoder must be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from .chunks import Codec
from .errors import BitstreamError, UnsupportedError
from .fields import (
    FORMAT_VERSION,
    Fields,
    Limits,
    pack_fields,
    pack_signed,
    pack_timeline,
    pack_unsigned,
    parse_fields,
    read_timeline,
)


@dataclass(frozen=True)
class BasePacket:
    """One packet of a base stream, one frame each.

    `pts` is the frame's display index in the chunk, `dts` a decoding time in the same unit.
    """

    pts: int
    dts: int
    is_keyframe: bool
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class BaseStream:
    """A scene in a standard codec.

    `width` and `height` are the coded luma size in samples, even; `bit_depth` is 8 or 10 and may
    exceed the video's; `quantizer` is the nominal QP over the codec's range, 0 to 255. `packets`
    are in decoding order, the first a keyframe, `extradata` the codec's global header.
    """

    codec: Codec
    width: int
    height: int
    bit_depth: int
    quantizer: int
    extradata: bytes
    packets: tuple[BasePacket, ...]


class _BaseField(IntEnum):
    CODEC = 0x8001
    PICTURE = 0x8002
    EXTRADATA = 0x0003
    DTS = 0x8004
    TABLE = 0x8005
    DATA = 0x8006


def pack_base(base: BaseStream) -> bytes:
    """A base stream as the value of a body's field. ValueError if a value does not fit."""
    table: list[bytes] = []
    for number, packet in enumerate(base.packets):
        table += (
            pack_unsigned(len(packet.data) << 1 | packet.is_keyframe),
            pack_signed(packet.pts - number),
        )
    return pack_fields(
        [
            (_BaseField.CODEC, pack_unsigned(base.codec)),
            (
                _BaseField.PICTURE,
                pack_unsigned(base.width, base.height, base.bit_depth, base.quantizer),
            ),
            (_BaseField.EXTRADATA, base.extradata),
            (_BaseField.DTS, pack_timeline([packet.dts for packet in base.packets])),
            (_BaseField.TABLE, b"".join(table)),
            (_BaseField.DATA, b"".join(packet.data for packet in base.packets)),
        ]
    )


def parse_base(data: memoryview, frames: int, limits: Limits, what: str) -> BaseStream:
    """What `pack_base` wrote, of a packet for each of `frames` frames.

    Raises BitstreamError if it breaks the format or `limits`, UnsupportedError if it needs a
    later format version.
    """
    fields = parse_fields(data, _BaseField, f"{what}, base")
    (codec,) = fields.integers(_BaseField.CODEC, 1 << 16)
    if codec not in tuple(Codec):
        raise UnsupportedError(
            f"{what}: format version {FORMAT_VERSION} has no codec {codec}, a later one is "
            "needed: update edgecodec"
        )
    width, height, bit_depth, quantizer = fields.integers(
        _BaseField.PICTURE, 1 << 31, 1 << 31, 256, 256
    )
    if not width or not height or width % 2 or height % 2 or width * height > limits.max_pixels:
        raise BitstreamError(
            f"{what}: a base of {width}x{height}, even and at most {limits.max_pixels} pixels is "
            "allowed"
        )
    if bit_depth not in (8, 10):
        raise UnsupportedError(f"{what}: {bit_depth} bits a sample, 8 and 10 are supported")
    extradata = fields.raw(_BaseField.EXTRADATA)
    packets = _parse_base_packets(fields, frames)
    return BaseStream(Codec(codec), width, height, bit_depth, quantizer, extradata, packets)


def _parse_base_packets(fields: Fields, frames: int) -> tuple[BasePacket, ...]:
    times = read_timeline(fields.cursor(_BaseField.DTS), frames)
    table, content = fields.cursor(_BaseField.TABLE), fields.cursor(_BaseField.DATA)
    packets: list[BasePacket] = []
    for number, dts in enumerate(times):
        tag = table.unsigned()
        pts = number + table.signed()
        if tag < 2 or (number == 0 and not tag & 1):
            raise table.fail("an empty packet, or a first one that is no keyframe")
        packets.append(BasePacket(pts, dts, bool(tag & 1), content.take(tag >> 1)))
    table.finish()
    content.finish()
    check_each_once([packet.pts for packet in packets], frames, fields.what)
    return tuple(packets)


def check_each_once(positions: list[int], frames: int, what: str) -> None:
    """BitstreamError unless `positions` are 0 to `frames` - 1 in some order."""
    if sorted(positions) != list(range(frames)):
        raise BitstreamError(f"{what}: its packets are not its {frames} frames, each once")
