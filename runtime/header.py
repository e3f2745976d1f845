"""The `HEAD` record: what the whole stream is, known before any picture is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction

from .auxiliary import AuxStream, pack_aux_stream, parse_aux_stream
from .errors import BitstreamError, EdgecodecError, UnsupportedError
from .fields import (
    FORMAT_VERSION,
    Fields,
    Limits,
    pack_fields,
    pack_fraction,
    pack_unsigned,
    parse_fields,
)
from .frames import ColorInfo, PictureFormat

MODEL_ID_BYTES = 8
_SQUARE = Fraction(1)
_UNSPECIFIED = ColorInfo()


@dataclass(frozen=True)
class Header:
    """What the stream is.

    `time_base` is the unit of every chunk's timestamps in seconds, `frame_rate` the nominal or
    average one in Hz, `rotation` degrees clockwise to turn the picture for display (0, 90, 180 or
    270), `sample_aspect` a pixel's width over its height. `tier` and `model_ids` (16 hexadecimal
    digits each) name the networks that decode it. `frame_count` is None where the writer did not
    know it beforehand, `writer` the program that wrote the stream. `titles` says how many title
    weights follow; `container.Writer` sets it.
    """

    format: PictureFormat
    time_base: Fraction
    frame_rate: Fraction
    color: ColorInfo = _UNSPECIFIED
    rotation: int = 0
    sample_aspect: Fraction = _SQUARE
    tier: str = ""
    model_ids: tuple[str, ...] = ()
    aux_streams: tuple[AuxStream, ...] = ()
    frame_count: int | None = None
    writer: str = ""
    titles: int = 0


class _Field(IntEnum):
    VERSION = 0x8001
    FORMAT = 0x8002
    TIME_BASE = 0x8003
    FRAME_RATE = 0x0004
    COLOR = 0x0005
    ROTATION = 0x0006
    SAMPLE_ASPECT = 0x0007
    TIER = 0x0008
    MODEL_IDS = 0x0009
    AUX_STREAM = 0x000A
    FRAME_COUNT = 0x000B
    WRITER = 0x000C
    TITLES = 0x000D


def pack_model_ids(ids: tuple[str, ...]) -> bytes:
    """Ids of 16 lower-case hexadecimal digits, 8 bytes each. ValueError for any other."""
    for model_id in ids:
        if len(model_id) != 2 * MODEL_ID_BYTES or bytes.fromhex(model_id).hex() != model_id:
            raise ValueError(f"model id {model_id!r}: 16 lower-case hexadecimal digits are wanted")
    return b"".join(bytes.fromhex(model_id) for model_id in ids)


def parse_model_ids(data: bytes | memoryview, what: str) -> tuple[str, ...]:
    """What `pack_model_ids` wrote. BitstreamError if it is no multiple of 8 bytes."""
    if len(data) % MODEL_ID_BYTES:
        raise BitstreamError(f"{what}: model ids of {len(data)} bytes, 8 each are wanted")
    starts = range(0, len(data), MODEL_ID_BYTES)
    return tuple(bytes(data[start : start + MODEL_ID_BYTES]).hex() for start in starts)


def pack_header(header: Header) -> bytes:
    """The payload of a `HEAD` record.

    Raises ValueError if a value does not fit, UnsupportedError if no reader would take it.
    """
    form, color = header.format, header.color
    fields = [
        (_Field.VERSION, pack_unsigned(FORMAT_VERSION)),
        (_Field.FORMAT, pack_unsigned(form.width, form.height, form.bit_depth)),
        (_Field.TIME_BASE, pack_fraction(header.time_base)),
        (_Field.FRAME_RATE, pack_fraction(header.frame_rate)),
        (
            _Field.COLOR,
            pack_unsigned(color.primaries, color.transfer, color.matrix, color.full_range),
        ),
        (_Field.ROTATION, pack_unsigned(header.rotation)),
        (_Field.SAMPLE_ASPECT, pack_fraction(header.sample_aspect)),
        (_Field.TIER, header.tier.encode()),
        (_Field.MODEL_IDS, pack_model_ids(header.model_ids)),
        (_Field.WRITER, header.writer.encode()),
    ]
    fields += [(_Field.AUX_STREAM, pack_aux_stream(stream)) for stream in header.aux_streams]
    if header.frame_count is not None:
        fields.append((_Field.FRAME_COUNT, pack_unsigned(header.frame_count)))
    if header.titles:
        fields.append((_Field.TITLES, pack_unsigned(header.titles)))
    payload = pack_fields(fields)
    try:
        parse_header(payload, Limits())
    except EdgecodecError as error:
        raise UnsupportedError(f"this video cannot be written as .ecv: {error}") from error
    return payload


def parse_header(payload: bytes, limits: Limits) -> Header:
    """What `pack_header` wrote.

    Raises BitstreamError if it breaks the format or `limits`, UnsupportedError if the stream
    needs a later version.
    """
    fields = parse_fields(payload, _Field, "header")
    (version,) = fields.integers(_Field.VERSION, 1 << 16)
    if version > FORMAT_VERSION:
        raise UnsupportedError(
            f"this stream needs format version {version}, this reader knows {FORMAT_VERSION}: "
            "update edgecodec"
        )
    streams = tuple(
        parse_aux_stream(value, f"header, stream {number}")
        for number, value in enumerate(fields.values.get(_Field.AUX_STREAM, []))
    )
    if len({stream.index for stream in streams}) != len(streams):
        raise BitstreamError("header: two streams have the same index")
    if len(streams) > limits.max_aux_streams:
        raise BitstreamError(f"header: {len(streams)} streams, over {limits.max_aux_streams}")
    titles = fields.integer(_Field.TITLES, 1 << 32)
    if titles > limits.max_titles:
        raise BitstreamError(f"header: {titles} title weights, over {limits.max_titles}")
    rotation = fields.integer(_Field.ROTATION, 360)
    if rotation % 90:
        raise BitstreamError(f"header: rotation of {rotation} degrees, multiples of 90 are wanted")
    has_count = fields.optional(_Field.FRAME_COUNT) is not None
    has_aspect = fields.optional(_Field.SAMPLE_ASPECT) is not None
    return Header(
        format=_parse_format(fields, limits),
        time_base=fields.fraction(_Field.TIME_BASE),
        frame_rate=fields.fraction(_Field.FRAME_RATE),
        color=_parse_color(fields),
        rotation=rotation,
        sample_aspect=fields.fraction(_Field.SAMPLE_ASPECT) if has_aspect else _SQUARE,
        tier=fields.text(_Field.TIER),
        model_ids=parse_model_ids(fields.raw(_Field.MODEL_IDS), "header"),
        aux_streams=streams,
        frame_count=fields.integer(_Field.FRAME_COUNT, 1 << 63) if has_count else None,
        writer=fields.text(_Field.WRITER),
        titles=titles,
    )


def _parse_format(fields: Fields, limits: Limits) -> PictureFormat:
    width, height, depth = fields.integers(_Field.FORMAT, 1 << 31, 1 << 31, 256)
    if not width or not height or width * height > limits.max_pixels:
        raise BitstreamError(
            f"header: a picture of {width}x{height}, 1 to {limits.max_pixels} pixels are allowed; "
            "if the file can be trusted, open it with larger Limits"
        )
    if depth not in (8, 10):
        raise UnsupportedError(f"header: {depth} bits a sample, 8 and 10 are supported")
    return PictureFormat(width, height, depth)


def _parse_color(fields: Fields) -> ColorInfo:
    if fields.optional(_Field.COLOR) is None:
        return _UNSPECIFIED
    primaries, transfer, matrix, full = fields.integers(_Field.COLOR, 256, 256, 256, 2)
    return ColorInfo(primaries, transfer, matrix, bool(full))
