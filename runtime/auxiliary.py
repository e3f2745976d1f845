"""Audio and subtitle streams that travel with the video untouched, packet by packet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from fractions import Fraction

from .fields import (
    Limits,
    pack_fields,
    pack_fraction,
    pack_signed,
    pack_unsigned,
    parse_fields,
)

_KINDS = ("audio", "subtitle")
_BATCH_BYTES = 8 << 20


@dataclass(frozen=True)
class AuxStream:
    """What a muxer needs to write a stream's packets into another file.

    `index` is this stream's number in `AuxPacket.stream`, `codec` FFmpeg's name of the codec,
    `kind` 'audio' or 'subtitle'. `extradata` is the codec's global header. Audio: `sample_rate`
    in Hz, `channels`, `layout` by FFmpeg's name ('stereo', '5.1'), `frame_size` samples a packet;
    0 or '' where unknown. `bit_rate` is bits per second, 0 if unknown; `language` is ISO 639-2;
    `disposition` is FFmpeg's set of flags (1: default).
    """

    index: int
    codec: str
    kind: str
    time_base: Fraction
    extradata: bytes = b""
    sample_rate: int = 0
    channels: int = 0
    layout: str = ""
    language: str = ""
    frame_size: int = 0
    bit_rate: int = 0
    disposition: int = 0


@dataclass(frozen=True)
class AuxPacket:
    """One packet of an `AuxStream`; `pts`, `dts` and `duration` count its `time_base`."""

    stream: int
    pts: int
    dts: int
    duration: int
    is_keyframe: bool
    data: bytes = field(repr=False)


class _StreamField(IntEnum):
    INDEX = 0x8001
    CODEC = 0x8002
    KIND = 0x8003
    TIME_BASE = 0x8004
    EXTRADATA = 0x0005
    SAMPLE_RATE = 0x0006
    CHANNELS = 0x0007
    LAYOUT = 0x0008
    LANGUAGE = 0x0009
    FRAME_SIZE = 0x000A
    BIT_RATE = 0x000B
    DISPOSITION = 0x000C


class _PacketField(IntEnum):
    TABLE = 0x8001
    DATA = 0x8002


def pack_aux_stream(stream: AuxStream) -> bytes:
    """A stream's entry in the header. ValueError if a value does not fit."""
    if stream.kind not in _KINDS:
        raise ValueError(f"stream {stream.index}: kind {stream.kind!r} is none of {_KINDS}")
    return pack_fields(
        [
            (_StreamField.INDEX, pack_unsigned(stream.index)),
            (_StreamField.CODEC, stream.codec.encode()),
            (_StreamField.KIND, pack_unsigned(_KINDS.index(stream.kind))),
            (_StreamField.TIME_BASE, pack_fraction(stream.time_base)),
            (_StreamField.EXTRADATA, stream.extradata),
            (_StreamField.SAMPLE_RATE, pack_unsigned(stream.sample_rate)),
            (_StreamField.CHANNELS, pack_unsigned(stream.channels)),
            (_StreamField.LAYOUT, stream.layout.encode()),
            (_StreamField.LANGUAGE, stream.language.encode()),
            (_StreamField.FRAME_SIZE, pack_unsigned(stream.frame_size)),
            (_StreamField.BIT_RATE, pack_unsigned(stream.bit_rate)),
            (_StreamField.DISPOSITION, pack_unsigned(stream.disposition)),
        ]
    )


def parse_aux_stream(data: memoryview, what: str) -> AuxStream:
    """What `pack_aux_stream` wrote. BitstreamError if it breaks the format."""
    fields = parse_fields(data, _StreamField, what)
    return AuxStream(
        index=fields.integers(_StreamField.INDEX, 1 << 16)[0],
        codec=fields.text(_StreamField.CODEC),
        kind=_KINDS[fields.integers(_StreamField.KIND, len(_KINDS))[0]],
        time_base=fields.fraction(_StreamField.TIME_BASE),
        extradata=fields.raw(_StreamField.EXTRADATA),
        sample_rate=fields.integer(_StreamField.SAMPLE_RATE, 1 << 31),
        channels=fields.integer(_StreamField.CHANNELS, 1 << 31),
        layout=fields.text(_StreamField.LAYOUT),
        language=fields.text(_StreamField.LANGUAGE),
        frame_size=fields.integer(_StreamField.FRAME_SIZE, 1 << 31),
        bit_rate=fields.integer(_StreamField.BIT_RATE, 1 << 63),
        disposition=fields.integer(_StreamField.DISPOSITION, 1 << 31),
    )


def batches(packets: Iterable[AuxPacket], limits: Limits) -> Iterator[list[AuxPacket]]:
    """Packets in groups small enough for a record each."""
    batch: list[AuxPacket] = []
    size = 0
    for packet in packets:
        full = len(batch) == limits.max_aux_packets_per_record
        if batch and (full or size + len(packet.data) > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(packet)
        size += len(packet.data)
    if batch:
        yield batch


def pack_aux_packets(packets: Sequence[AuxPacket]) -> bytes:
    """The payload of an `AUXD` record. ValueError if a value does not fit."""
    table = [pack_unsigned(len(packets))]
    last_pts: dict[int, int] = {}
    for packet in packets:
        table += (
            pack_unsigned(packet.stream << 1 | packet.is_keyframe),
            pack_signed(packet.pts - last_pts.get(packet.stream, 0), packet.dts - packet.pts),
            pack_unsigned(packet.duration, len(packet.data)),
        )
        last_pts[packet.stream] = packet.pts
    data = b"".join(packet.data for packet in packets)
    return pack_fields([(_PacketField.TABLE, b"".join(table)), (_PacketField.DATA, data)])


def parse_aux_packets(
    payload: bytes, streams: frozenset[int], limits: Limits, what: str
) -> list[AuxPacket]:
    """What `pack_aux_packets` wrote, every packet of one of `streams`.

    Raises BitstreamError if it breaks the format.
    """
    fields = parse_fields(payload, _PacketField, what)
    table = fields.cursor(_PacketField.TABLE)
    data = fields.cursor(_PacketField.DATA)
    packets: list[AuxPacket] = []
    last_pts: dict[int, int] = {}
    for _ in range(table.count(5, limits.max_aux_packets_per_record)):
        tag = table.unsigned()
        stream = tag >> 1
        if stream not in streams:
            raise table.fail(f"a packet of stream {stream}, which the header does not list")
        pts = last_pts.get(stream, 0) + table.signed()
        dts = pts + table.signed()
        if not -(1 << 63) <= min(pts, dts) <= max(pts, dts) < 1 << 63:
            raise table.fail("a timestamp of more than 64 bits")
        last_pts[stream] = pts
        duration = table.unsigned(1 << 63)
        packets.append(
            AuxPacket(stream, pts, dts, duration, bool(tag & 1), data.take(table.unsigned()))
        )
    table.finish()
    data.finish()
    return packets
