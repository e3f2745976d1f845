"""Programs: their bytes, and their pictures, sample for sample as docs/format.md says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from edgecodec.runtime.base import decode_base
from edgecodec.runtime.container import Chunk, Codec, Limits, StrategyId
from edgecodec.runtime.errors import BitstreamError, UnsupportedError
from edgecodec.runtime.fields import pack_fields, pack_unsigned
from edgecodec.runtime.frames import PictureFormat, Plane, Planes
from edgecodec.runtime.payloads import BasePacket, BaseStream, pack_body, parse_body
from edgecodec.runtime.procedural import (
    FULL_WEIGHT,
    MAX_POSITION,
    MAX_SCALE,
    MAX_STILLS,
    SCALE_UNIT,
    WINDOW_UNIT,
    Fade,
    Hold,
    Layer,
    PanZoom,
    ProceduralBody,
    Segment,
    Solid,
    Still,
    Window,
)
from edgecodec.runtime.scenes import SceneContext, decode_scene
from edgecodec.runtime.scenes.procedural import play
from edgecodec.runtime.sessions import NetworkPool
from hypothesis import given, settings
from hypothesis import strategies as st

from .mutations import RAW, inside_fields
from .streams import code_base

SMALL = PictureFormat(96, 64)
FORMATS = [PictureFormat(13, 9), PictureFormat(16, 12, 10), PictureFormat(1, 1)]
WHOLE = Window(0, 0, SCALE_UNIT)
Draw = Callable[..., tuple[Planes, ...]]
relaxed = settings(deadline=None, max_examples=50)

positions = st.integers(-MAX_POSITION, MAX_POSITION)
windows = st.builds(Window, positions, positions, st.integers(1, MAX_SCALE))


def stream(data: bytes = b"still", width: int = 96, height: int = 64) -> BaseStream:
    """A base of one packet, which no decoder would take."""
    packet = BasePacket(0, 0, True, data)
    return BaseStream(Codec.AV1, width, height, 10, 40, b"", (packet,))


@st.composite
def stills(draw: st.DrawFn) -> Still:
    width, height = 2 * draw(st.integers(1, 2000)), 2 * draw(st.integers(1, 2000))
    coded = stream(draw(st.binary(min_size=1, max_size=20)), width, height)
    return Still(draw(st.integers(1, width)), draw(st.integers(1, height)), coded)


@st.composite
def bodies(draw: st.DrawFn) -> ProceduralBody:
    pictures = tuple(draw(st.lists(stills(), max_size=3)))
    level = st.integers(0, 1023)
    layers: list[st.SearchStrategy[Layer]] = [st.builds(Solid, level, level, level)]
    if pictures:
        number = st.integers(0, len(pictures) - 1)
        layers += [st.builds(Hold, number), st.builds(PanZoom, number, windows, windows)]
    layer = st.one_of(layers)
    weight = st.integers(0, FULL_WEIGHT)
    fade = st.none() | st.builds(Fade, layer, weight, weight)
    segments = st.lists(
        st.builds(Segment, st.integers(1, 300), layer, fade), min_size=1, max_size=6
    )
    return ProceduralBody(pictures, tuple(draw(segments)))


@relaxed
@given(bodies())
def test_bodies_round_trip(body: ProceduralBody) -> None:
    assert parse_body(StrategyId.PROCEDURAL, pack_body(body), body.frames) == body


@relaxed
@given(bodies(), st.integers(0, 2**32 - 1))
def test_mutated_bodies_parse_or_are_refused(body: ProceduralBody, seed: int) -> None:
    rng = np.random.default_rng(seed)
    packed = pack_body(body)
    for mutate in (*RAW, inside_fields):
        try:
            parsed = parse_body(StrategyId.PROCEDURAL, mutate(rng, packed), body.frames)
        except (BitstreamError, UnsupportedError):
            continue
        assert isinstance(parsed, ProceduralBody)
        assert parsed.frames == body.frames


def program(*segments: Segment, pictures: int = 1) -> ProceduralBody:
    return ProceduralBody((Still(96, 64, stream()),) * pictures, segments)


HOLD = Segment(3, Hold(0))
REFUSED: dict[str, tuple[ProceduralBody, str]] = {
    "a segment of no frames": (program(HOLD, Segment(0, Hold(0))), "bytes too many"),
    "a still that is not there": (program(Segment(3, Hold(1))), "1 is not below 1"),
    "a still where there is none": (program(HOLD, pictures=0), "0 is not below 0"),
    "too many stills": (program(HOLD, pictures=MAX_STILLS + 1), "65 stills, at most 64"),
    "a colour of eleven bits": (program(Segment(3, Solid(1024, 0, 0))), "1024 is not below 1024"),
    "more than all": (
        program(Segment(3, Hold(0), Fade(Hold(0), 0, FULL_WEIGHT + 1))),
        "4097 is not below 4097",
    ),
    "no scale": (program(Segment(3, PanZoom(0, Window(0, 0, 0), WHOLE))), "scale=0.*out of range"),
    "a scale of four": (
        program(Segment(3, PanZoom(0, WHOLE, Window(0, 0, MAX_SCALE + 1)))),
        "out of range",
    ),
    "too far away": (
        program(Segment(3, PanZoom(0, WHOLE, Window(0, -MAX_POSITION - 1, 1)))),
        "out of range",
    ),
    "a still larger than its stream": (
        replace(program(HOLD), stills=(Still(97, 64, stream()),)),
        "97 is not below 97",
    ),
    "a still of no rows": (replace(program(HOLD), stills=(Still(96, 0, stream()),)), "96x0"),
    "a still of two packets": (
        replace(
            program(HOLD),
            stills=(
                Still(
                    96,
                    64,
                    replace(
                        stream(),
                        packets=(BasePacket(0, 0, True, b"1"), BasePacket(1, 1, False, b"2")),
                    ),
                ),
            ),
        ),
        "steps of 1",
    ),
}


@pytest.mark.parametrize(("body", "said"), REFUSED.values(), ids=REFUSED)
def test_what_could_not_be_played_is_refused(body: ProceduralBody, said: str) -> None:
    with pytest.raises(BitstreamError, match=said):
        pack_body(body)


def test_a_program_of_another_number_of_frames_is_refused() -> None:
    packed = pack_body(program(HOLD, Segment(2, Hold(0))))
    for frames in (2, 4, 6):
        with pytest.raises(BitstreamError):
            parse_body(StrategyId.PROCEDURAL, packed, frames)


def test_the_readers_limits_hold_for_stills() -> None:
    packed = pack_body(program(HOLD))
    with pytest.raises(BitstreamError, match="still 0: a base of 96x64"):
        parse_body(StrategyId.PROCEDURAL, packed, 3, Limits(max_pixels=96 * 64 - 1))


def test_a_kind_of_layer_and_fields_of_later_versions_are_named() -> None:
    with pytest.raises(BitstreamError, match="3 is not below 3"):
        parse_body(StrategyId.PROCEDURAL, pack_fields([(0x8001, pack_unsigned(1, 0, 3))]), 1)
    later = pack_body(program(HOLD)) + pack_fields([(0x8000 | 1 << 10 | 3, b"")])
    with pytest.raises(UnsupportedError, match="format version 2"):
        parse_body(StrategyId.PROCEDURAL, later, 3)


def drawn(picture: PictureFormat, seed: int) -> Planes:
    """Noise over the whole range of levels."""
    rng = np.random.default_rng(seed)

    def plane(shape: tuple[int, int]) -> Plane:
        levels = rng.integers(0, 1 << picture.bit_depth, shape)
        return levels.astype(np.uint8) if picture.bit_depth == 8 else levels.astype(np.uint16)

    return (
        plane((picture.height, picture.width)),
        plane(picture.chroma_shape),
        plane(picture.chroma_shape),
    )


def same(a: Planes, b: Planes) -> bool:
    pairs = zip(a, b, strict=True)
    return all(one.dtype == other.dtype and np.array_equal(one, other) for one, other in pairs)


def expected_sample(
    plane: Plane, row: int, column: int, x: int, y: int, scale: int, top: int
) -> int:
    """One sample of a window, by the words of docs/format.md. `x` and `y` are in 1/2**20."""

    def taps(count: int, edge: int, size: int) -> list[tuple[int, int]]:
        exact = edge + ((2 * count + 1) * scale - 2**20) // 2
        nearest = (exact + 2**13) // 2**14
        i, p = nearest // 64, nearest % 64
        before = -((p * (64 - p) ** 2 + 1024) // 2048)
        after = -((p**2 * (64 - p) + 1024) // 2048)
        right = (4096 * p + 256 * p**2 - 3 * p**3 + 1024) // 2048
        weights = (before, 256 - before - right - after, right, after)
        return [(min(max(i - 1 + n, 0), size - 1), weights[n]) for n in range(4)]

    total = 0
    for r, down in taps(row, y, plane.shape[0]):
        for c, across in taps(column, x, plane.shape[1]):
            total += down * across * int(plane[r, c])
    return min(max((total + 2**15) // 2**16, 0), top)


@pytest.mark.parametrize("picture", FORMATS, ids=str)
@pytest.mark.parametrize("still_size", [(13, 9), (40, 30), (2, 2)], ids=str)
def test_windows_are_interpolated_to_the_bit(
    picture: PictureFormat, still_size: tuple[int, int]
) -> None:
    still = drawn(PictureFormat(*still_size, picture.bit_depth), 1)
    start, end = Window(-700, 333, 1_300_000), Window(1999, -5, 400_001)
    frames = 4
    shown = list(play([Segment(frames, PanZoom(0, start, end))], lambda _: still, picture))
    top = (1 << picture.bit_depth) - 1
    for k, planes in enumerate(shown):
        x, y = (
            ((a * (3 - k) + b * k) * 4096) // 3 for a, b in ((start.x, end.x), (start.y, end.y))
        )
        scale = (start.scale * (3 - k) + end.scale * k) // 3
        for number, (plane, made) in enumerate(zip(still, planes, strict=True)):
            halved = 1 if number == 0 else 2
            for row, column in np.ndindex(made.shape):
                assert made[row, column] == expected_sample(
                    plane, row, column, x // halved, y // halved, scale, top
                )


@relaxed
@given(windows, windows)
def test_any_window_gives_a_picture(start: Window, end: Window) -> None:
    picture = PictureFormat(9, 7, 10)
    still = drawn(PictureFormat(6, 5, 10), 2)
    for planes in play([Segment(3, PanZoom(0, start, end))], lambda _: still, picture):
        assert [plane.shape for plane in planes] == [(7, 9), (4, 5), (4, 5)]
        assert max(plane.max() for plane in planes) < 1024
        assert not any(plane.flags.writeable for plane in planes)


@pytest.mark.parametrize("picture", FORMATS, ids=str)
def test_a_window_of_the_whole_still_is_the_still(picture: PictureFormat) -> None:
    still = drawn(picture, 3)
    held, shown = play(
        [Segment(1, Hold(0)), Segment(1, PanZoom(0, WHOLE, WHOLE))], lambda _: still, picture
    )
    assert same(held, still)
    assert same(shown, still)


def test_a_window_moves_by_whole_samples() -> None:
    still = drawn(PictureFormat(32, 24), 4)
    start, end = Window(0, 0, SCALE_UNIT), Window(8 * WINDOW_UNIT, 4 * WINDOW_UNIT, SCALE_UNIT)
    picture = PictureFormat(16, 12)
    shown = list(play([Segment(5, PanZoom(0, start, end))], lambda _: still, picture))
    for k in range(5):
        assert np.array_equal(shown[k][0], still[0][k : k + 12, 2 * k : 2 * k + 16])
    for k in (0, 2, 4):
        assert np.array_equal(shown[k][1], still[1][k // 2 : k // 2 + 6, k : k + 8])


@pytest.mark.parametrize("picture", FORMATS, ids=str)
@pytest.mark.parametrize(("start", "end"), [(0, 4096), (4096, 1), (1000, 1000)])
def test_fades_are_rounded_to_the_nearest(picture: PictureFormat, start: int, end: int) -> None:
    one, other = drawn(picture, 5), drawn(picture, 6)
    segment = Segment(7, Hold(0), Fade(Hold(1), start, end))
    for k, planes in enumerate(play([segment], [one, other].__getitem__, picture)):
        weight = (2 * (start * (6 - k) + end * k) + 6) // 12
        for a, b, made in zip(one, other, planes, strict=True):
            mixed = (a.astype(int) * (4096 - weight) + b.astype(int) * weight + 2048) // 4096
            assert np.array_equal(made, mixed)
            assert made.dtype == a.dtype


def test_a_segment_of_one_frame_is_at_its_start() -> None:
    still = drawn(SMALL, 7)
    moved = PanZoom(0, Window(512, 256, SCALE_UNIT), WHOLE)
    (planes,) = play(
        [Segment(1, moved, Fade(Solid(0, 0, 0), 0, FULL_WEIGHT))], lambda _: still, SMALL
    )
    assert np.array_equal(planes[0][:-1, :-2], still[0][1:, 2:])


def test_colours_fill_the_picture() -> None:
    for picture, colour in ((FORMATS[0], Solid(255, 0, 7)), (FORMATS[1], Solid(1023, 512, 0))):
        (planes,) = play([Segment(1, colour)], lambda _: pytest.fail("no still"), picture)
        assert [set(plane.ravel().tolist()) for plane in planes] == [
            {colour.y},
            {colour.u},
            {colour.v},
        ]


def test_a_still_is_decoded_once_while_it_is_needed() -> None:
    asked: list[int] = []

    def still(number: int) -> Planes:
        asked.append(number)
        return drawn(SMALL, number)

    segments = [
        Segment(5, Hold(0)),
        Segment(5, Hold(0), Fade(Hold(1), 0, FULL_WEIGHT)),
        Segment(5, Hold(1), Fade(PanZoom(1, WHOLE, WHOLE), 0, 100)),
        Segment(5, Hold(0)),
    ]
    assert len(list(play(segments, still, SMALL))) == 20
    assert asked == [0, 1, 0]


def decode(body: ProceduralBody, picture: PictureFormat) -> list[Planes]:
    chunk = Chunk(0, 0, StrategyId.PROCEDURAL, tuple(range(body.frames)), pack_body(body))
    return list(decode_scene(chunk, SceneContext(picture, NetworkPool(threads=1), threads=1)))


@pytest.mark.parametrize("codec", [Codec.AV1, Codec.H264])
@pytest.mark.parametrize("picture", [SMALL, PictureFormat(97, 65)], ids=str)
def test_a_scene_plays_from_its_chunk(
    draw_planes: Draw, codec: Codec, picture: PictureFormat
) -> None:
    large = PictureFormat(131, 77)
    coded = [code_base(draw_planes(size, 1), size, codec) for size in (picture, large)]
    body = ProceduralBody(
        (
            Still(picture.width, picture.height, coded[0]),
            Still(large.width, large.height, coded[1]),
        ),
        (
            Segment(2, Solid(16, 128, 128), Fade(Hold(0), 0, FULL_WEIGHT)),
            Segment(2, Hold(0), Fade(Hold(1), 1024, 3072)),
            Segment(2, PanZoom(1, WHOLE, Window(2560, 1280, SCALE_UNIT))),
        ),
    )
    limit = {"frames": 1, "max_pixels": 1 << 20}
    planes = [
        next(iter(decode_base(base, size, **limit)))  # type: ignore[arg-type]
        for base, size in zip(coded, (picture, large), strict=True)
    ]
    expected = list(play(body.program, planes.__getitem__, picture))
    shown = decode(body, picture)
    assert len(shown) == 6
    assert all(same(a, b) for a, b in zip(shown, expected, strict=True))
    assert same(shown[1], planes[0])


def test_what_only_the_picture_can_tell_is_damage(draw_planes: Draw) -> None:
    bright = program(HOLD, Segment(1, Solid(256, 0, 0)), pictures=1)
    with pytest.raises(BitstreamError, match="in a video of 8 bits"):
        decode(bright, SMALL)
    coded = code_base(draw_planes(SMALL, 1), SMALL)
    small = ProceduralBody((Still(95, 64, coded),), (HOLD,))
    with pytest.raises(BitstreamError, match="a still of 95x64 is held in a video of 96x64"):
        decode(small, SMALL)
    with pytest.raises(BitstreamError, match="does not decode"):
        decode(program(HOLD), SMALL)
