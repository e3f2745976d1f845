"""What a procedural scene is: a few stills, and a program that makes its frames of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from .base_stream import BaseStream, pack_base, parse_base
from .errors import BitstreamError
from .fields import Cursor, Limits, pack_fields, pack_signed, pack_unsigned, parse_fields

FULL_WEIGHT = 1 << 12
"""The weight of a fade at which its second layer alone is seen."""

WINDOW_UNIT = 1 << 8
"""Steps of a window's position for one luma sample of its still."""

SCALE_UNIT = 1 << 20
"""A window's scale at which a luma sample of the video is one of the still."""

MAX_STILLS = 64
MAX_SCALE = 4 * SCALE_UNIT - 1
MAX_POSITION = (1 << 24) - 1
_LEVELS = 1 << 10


@dataclass(frozen=True)
class Still:
    """One picture: `stream` has one packet, of which the top left `width` x `height` is the still.

    It may be larger than the video, for windows to move over it.
    """

    width: int
    height: int
    stream: BaseStream


@dataclass(frozen=True)
class Solid:
    """One colour everywhere: sample values at the video's bit depth."""

    y: int
    u: int
    v: int


@dataclass(frozen=True)
class Hold:
    """A still's top left corner, of the video's size."""

    still: int


@dataclass(frozen=True)
class Window:
    """The part of a still that fills the picture.

    `x` and `y` are its left and its upper edge, in 1/256 of the still's luma samples, at most
    2**24 - 1 either way; `scale` is how many of them one luma sample of the video covers, in
    1/2**20: 1 to 2**22 - 1. What lies beyond the still repeats its edge.
    """

    x: int
    y: int
    scale: int


@dataclass(frozen=True)
class PanZoom:
    """A still through a window that moves evenly, from the segment's first frame to its last."""

    still: int
    start: Window
    end: Window


Layer = Solid | Hold | PanZoom


@dataclass(frozen=True)
class Fade:
    """Another layer that is mixed in.

    Its weight goes evenly from `start` in the segment's first frame to `end` in its last: 0 to
    `FULL_WEIGHT`.
    """

    to: Layer
    start: int
    end: int


@dataclass(frozen=True)
class Segment:
    """`frames` consecutive frames, 1 or more, that are made alike."""

    frames: int
    layer: Layer
    fade: Fade | None = None

    @property
    def layers(self) -> tuple[Layer, ...]:
        """One, or two where it fades."""
        return (self.layer,) if self.fade is None else (self.layer, self.fade.to)

    @property
    def stills(self) -> frozenset[int]:
        """Which stills its layers are made of."""
        return frozenset(layer.still for layer in self.layers if not isinstance(layer, Solid))


@dataclass(frozen=True)
class ProceduralBody:
    """The stills, none where there are only colours, and the segments in their order."""

    stills: tuple[Still, ...]
    program: tuple[Segment, ...]

    @property
    def frames(self) -> int:
        """How many frames the program makes."""
        return sum(segment.frames for segment in self.program)


class _Field(IntEnum):
    PROGRAM = 0x8001
    STILL = 0x8002


class _StillField(IntEnum):
    SIZE = 0x8001
    BASE = 0x8002


class _LayerKind(IntEnum):
    SOLID = 0
    HOLD = 1
    PAN_ZOOM = 2


def pack_procedural(body: ProceduralBody) -> bytes:
    """The body's fields. ValueError if a value does not fit."""
    fields = [(int(_Field.PROGRAM), b"".join(map(_pack_segment, body.program)))]
    fields += [(int(_Field.STILL), _pack_still(still)) for still in body.stills]
    return pack_fields(fields)


def parse_procedural(data: bytes, frames: int, limits: Limits, what: str) -> ProceduralBody:
    """What `pack_procedural` wrote: a program of `frames` frames, all of whose stills are there.

    Raises BitstreamError if it breaks the format or `limits`, UnsupportedError if it needs a
    later format version.
    """
    fields = parse_fields(data, _Field, what)
    values = fields.values.get(_Field.STILL, [])
    if len(values) > MAX_STILLS:
        raise BitstreamError(f"{what}: {len(values)} stills, at most {MAX_STILLS} are allowed")
    stills = tuple(
        _parse_still(value, limits, f"{what}, still {number}")
        for number, value in enumerate(values)
    )
    cursor = fields.cursor(_Field.PROGRAM)
    program: list[Segment] = []
    left = frames
    while left:
        count = cursor.unsigned(left + 1)
        if not count:
            raise cursor.fail("a segment of no frames")
        program.append(_read_segment(cursor, count, len(stills)))
        left -= count
    cursor.finish()
    return ProceduralBody(stills, tuple(program))


def _pack_still(still: Still) -> bytes:
    return pack_fields(
        [
            (_StillField.SIZE, pack_unsigned(still.width, still.height)),
            (_StillField.BASE, pack_base(still.stream)),
        ]
    )


def _parse_still(data: memoryview, limits: Limits, what: str) -> Still:
    fields = parse_fields(data, _StillField, what)
    stream = parse_base(fields.one(_StillField.BASE), 1, limits, what)
    width, height = fields.integers(_StillField.SIZE, stream.width + 1, stream.height + 1)
    if not width or not height:
        raise BitstreamError(f"{what}: a picture of {width}x{height}")
    return Still(width, height, stream)


def _pack_segment(segment: Segment) -> bytes:
    packed = pack_unsigned(segment.frames, len(segment.layers) - 1) + _pack_layer(segment.layer)
    if segment.fade is None:
        return packed
    weights = pack_unsigned(segment.fade.start, segment.fade.end)
    return packed + _pack_layer(segment.fade.to) + weights


def _read_segment(cursor: Cursor, frames: int, stills: int) -> Segment:
    fades = cursor.unsigned(2)
    layer = _read_layer(cursor, stills)
    if not fades:
        return Segment(frames, layer)
    to = _read_layer(cursor, stills)
    start, end = _read_integers(cursor, FULL_WEIGHT + 1, FULL_WEIGHT + 1)
    return Segment(frames, layer, Fade(to, start, end))


def _pack_layer(layer: Layer) -> bytes:
    if isinstance(layer, Solid):
        return pack_unsigned(_LayerKind.SOLID, layer.y, layer.u, layer.v)
    if isinstance(layer, Hold):
        return pack_unsigned(_LayerKind.HOLD, layer.still)
    start, end = layer.start, layer.end
    return (
        pack_unsigned(_LayerKind.PAN_ZOOM, layer.still)
        + pack_signed(start.x, start.y, start.scale)
        + pack_signed(end.x - start.x, end.y - start.y, end.scale - start.scale)
    )


def _read_layer(cursor: Cursor, stills: int) -> Layer:
    kind = cursor.unsigned(len(_LayerKind))
    if kind == _LayerKind.SOLID:
        y, u, v = _read_integers(cursor, _LEVELS, _LEVELS, _LEVELS)
        return Solid(y, u, v)
    (still,) = _read_integers(cursor, stills)
    if kind == _LayerKind.HOLD:
        return Hold(still)
    start = Window(cursor.signed(), cursor.signed(), cursor.signed())
    end = Window(
        start.x + cursor.signed(), start.y + cursor.signed(), start.scale + cursor.signed()
    )
    for window in (start, end):
        far = max(abs(window.x), abs(window.y)) > MAX_POSITION
        if far or not 0 < window.scale <= MAX_SCALE:
            raise cursor.fail(f"{window} is out of range")
    return PanZoom(still, start, end)


def _read_integers(cursor: Cursor, *below: int) -> tuple[int, ...]:
    return tuple(cursor.unsigned(bound) for bound in below)
