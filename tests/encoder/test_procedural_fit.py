"""What is seen to be a program: the frames that it makes are the scene's, and nothing else fits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import pytest
from edgecodec.encoder.programs import Picture, Program, fit_program
from edgecodec.encoder.programs.polyline import straight_runs
from edgecodec.encoder.quality import psnr
from edgecodec.runtime.frames import PictureFormat, Plane, Planes
from edgecodec.runtime.procedural import FULL_WEIGHT, Fade, Hold, PanZoom, Segment, Solid
from edgecodec.runtime.scenes.procedural import play

from .fakes import scene_of

PICTURE = PictureFormat(192, 128)
ODD = PictureFormat(161, 97)
DEEP = PictureFormat(192, 128, 10)
BLACK = (16.0, 128.0, 128.0)


def texture(picture: PictureFormat, seed: int, larger: int = 1) -> tuple[np.ndarray, ...]:
    """Smooth shapes with edges, Y, U and V as reals of 8 bits, `larger` times the picture."""
    rng = np.random.default_rng(seed)
    shapes = ((picture.height, picture.width), picture.chroma_shape, picture.chroma_shape)
    planes = []
    for number, shape in enumerate(shapes):
        rows, columns = (side * larger for side in shape)
        coarse = rng.random((9, 13)).astype(np.float32)
        smooth = cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC)
        edges = np.zeros_like(smooth)
        if number == 0:
            # As sharp as a lens would have it.
            edges = cv2.GaussianBlur(
                np.where(smooth > 0.5, 60, 0).astype(np.float32), (0, 0), larger
            )
        planes.append((40 + 100 * smooth + edges).clip(16, 235))
    return tuple(planes)


def flat(picture: PictureFormat, colour: Sequence[float] = BLACK) -> tuple[np.ndarray, ...]:
    shapes = ((picture.height, picture.width), picture.chroma_shape, picture.chroma_shape)
    return tuple(np.full(shape, level) for shape, level in zip(shapes, colour, strict=True))


def whole(
    planes: Sequence[np.ndarray], depth: int = 8, noise: float = 0.0, seed: int = 0
) -> Planes:
    """As samples, with noise of so many levels of 8 bits."""
    rng = np.random.default_rng(seed)

    def rounded(plane: np.ndarray) -> Plane:
        dirty = (plane + rng.normal(0, noise, plane.shape)) * (1 << depth - 8)
        levels = np.rint(dirty).clip(0, (1 << depth) - 1)
        return levels.astype(np.uint8) if depth == 8 else levels.astype(np.uint16)

    y, u, v = map(rounded, planes)
    return y, u, v


def mixture(
    one: Sequence[np.ndarray], other: Sequence[np.ndarray], share: float
) -> tuple[np.ndarray, ...]:
    return tuple(a + (b - a) * share for a, b in zip(one, other, strict=True))


def through_window(
    planes: Sequence[np.ndarray], picture: PictureFormat, x: float, y: float, scale: float
) -> tuple[np.ndarray, ...]:
    """The part of larger planes from (x, y) on, `scale` of their samples for one of the picture."""
    shown = []
    for number, plane in enumerate(planes):
        rows, columns = (picture.height, picture.width) if number == 0 else picture.chroma_shape
        halved = 1 if number == 0 else 2
        start = 0.5 * scale - 0.5
        matrix = np.array([[scale, 0, x / halved + start], [0, scale, y / halved + start]])
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        shown.append(cv2.warpAffine(plane.astype(np.float32), matrix, (columns, rows), flags=flags))
    return tuple(shown)


def played(program: Program, picture: PictureFormat) -> Iterator[Planes]:
    depth = picture.bit_depth
    stills = [still.rounded(depth, depth) for still in program.pictures]
    return play(program.segments, stills.__getitem__, picture)


def worst_psnr(program: Program, frames: Sequence[Planes], picture: PictureFormat) -> float:
    pairs = zip(frames, played(program, picture), strict=True)
    return min(psnr(a, b, picture.bit_depth).weighted for a, b in pairs)


def fitted(frames: Sequence[Planes], picture: PictureFormat = PICTURE) -> Program:
    program = fit_program(scene_of(frames, picture))
    assert program is not None
    assert sum(segment.frames for segment in program.segments) == len(frames)
    return program


@pytest.mark.parametrize("picture", [PICTURE, ODD, DEEP], ids=str)
def test_a_noisy_stand_still_is_held_as_its_mean(picture: PictureFormat) -> None:
    clean = texture(picture, 1)
    frames = [whole(clean, picture.bit_depth, 3.0, seed) for seed in range(20)]
    program = fitted(frames, picture)
    assert program.segments == (Segment(20, Hold(0)),)
    still = program.pictures[0].rounded(picture.bit_depth, picture.bit_depth)
    truth = whole(clean, picture.bit_depth)
    one = psnr(truth, frames[0], picture.bit_depth).weighted
    assert psnr(truth, still, picture.bit_depth).weighted > one + 8


def test_a_colour_takes_no_picture() -> None:
    program = fitted([whole(flat(PICTURE, (41, 110, 240)))] * 9)
    assert program == Program((), (Segment(9, Solid(41, 110, 240)),))


@pytest.mark.parametrize("picture", [PICTURE, DEEP], ids=str)
@pytest.mark.parametrize("colour", [BLACK, (235.0, 128.0, 128.0)], ids=["black", "white"])
def test_a_slide_fades_in_and_out(picture: PictureFormat, colour: tuple[float, ...]) -> None:
    slide, ground = texture(picture, 2), flat(picture, colour)
    shares = [min(1.0, k / 10, (39 - k) / 10) for k in range(40)]
    frames = [whole(mixture(ground, slide, share), picture.bit_depth) for share in shares]
    program = fitted(frames, picture)
    assert len(program.pictures) == 1
    assert len(program.segments) == 3
    assert program.segments[1].layers == (Hold(0),)
    assert worst_psnr(program, frames, picture) > 50


@pytest.mark.parametrize("share_seen", [(0.0, 0.7), (0.2, 1.0), (0.9, 0.3)])
def test_a_part_of_a_fade_is_one_picture_and_one_colour(share_seen: tuple[float, float]) -> None:
    slide = texture(PICTURE, 3)
    shares = np.linspace(*share_seen, 24)
    frames = [
        whole(mixture(flat(PICTURE), slide, share), noise=0.7, seed=n)
        for n, share in enumerate(shares)
    ]
    program = fitted(frames)
    assert len(program.pictures) == 1
    assert worst_psnr(program, frames, PICTURE) > 48


def test_one_slide_dissolves_into_the_next_and_back() -> None:
    one, other = texture(PICTURE, 4), texture(PICTURE, 5)
    up = [0.0] * 6 + [k / 8 for k in range(1, 8)] + [1.0] * 6
    frames = [whole(mixture(one, other, share)) for share in (*up, *reversed(up))]
    program = fitted(frames)
    assert len(program.pictures) == 2
    fades = [segment.fade for segment in program.segments]
    assert [fade.to for fade in fades if fade] == [Hold(1), Hold(0)]
    assert worst_psnr(program, frames, PICTURE) > 50


def test_slides_that_change_at_once_are_held_one_after_the_other() -> None:
    slides = [texture(PICTURE, seed) for seed in (6, 7, 6)]
    frames = [whole(slide, noise=1.0, seed=n) for slide in slides for n in range(8)]
    program = fitted(frames)
    holds = tuple(Segment(8, Hold(number)) for number in (0, 1, 0))
    assert program.segments == holds


@pytest.mark.parametrize(
    ("first", "last"),
    [((0, 0, 2.0), (40, 20, 1.6)), ((0, 30, 1.2), (120, 30, 1.2)), ((70, 50, 1.2), (10, 20, 1.9))],
    ids=["zoom in", "pan", "zoom out"],
)
@pytest.mark.parametrize("picture", [PICTURE, ODD, DEEP], ids=str)
def test_a_window_that_moves_over_a_picture_is_found(
    picture: PictureFormat,
    first: tuple[float, float, float],
    last: tuple[float, float, float],
) -> None:
    large = texture(picture, 8, larger=2)
    path = np.linspace(first, last, 24)
    frames = [whole(through_window(large, picture, *at), picture.bit_depth) for at in path]
    program = fitted(frames, picture)
    assert len(program.pictures) == 1
    assert all(isinstance(segment.layer, PanZoom) for segment in program.segments)
    still = program.pictures[0]
    assert still.width > picture.width
    assert worst_psnr(program, frames, picture) > 40


def test_a_zoom_that_fades_in_from_black_and_out_again() -> None:
    large = texture(PICTURE, 9, larger=2)
    path = np.linspace((0, 0, 1.9), (40, 30, 1.6), 36)
    shares = [min(1.0, k / 9, (35 - k) / 9) for k in range(36)]
    frames = [
        whole(mixture(flat(PICTURE), through_window(large, PICTURE, *at), share))
        for at, share in zip(path, shares, strict=True)
    ]
    program = fitted(frames)
    assert len(program.pictures) == 1
    fades = [segment.fade for segment in program.segments if segment.fade]
    assert {fade.to for fade in fades} == {Solid(16, 128, 128)}
    assert max(fade.start for fade in fades) == FULL_WEIGHT
    assert worst_psnr(program, frames, PICTURE) > 42


def moving_square(size: int, count: int = 24) -> list[Planes]:
    ground = texture(PICTURE, 10)
    frames = []
    for number in range(count):
        y, u, v = whole(ground, noise=0.5, seed=number)
        y[40 : 40 + size, 4 * number : 4 * number + size] = 250
        frames.append((y, u, v))
    return frames


def flicker(count: int = 24) -> list[Planes]:
    return [whole(texture(PICTURE, 20 + number)) for number in range(count)]


def two_motions(count: int = 24) -> list[Planes]:
    large = texture(PICTURE, 11, larger=2)
    frames = []
    for number in range(count):
        left = whole(through_window(large, PICTURE, 3.0 * number, 20, 1.0))
        right = whole(through_window(large, PICTURE, 20, 2.0 * number, 1.0))
        half = [plane.shape[1] // 2 for plane in left]
        y, u, v = (
            np.concatenate([a[:, :middle], b[:, middle:]], axis=1)
            for a, b, middle in zip(left, right, half, strict=True)
        )
        frames.append((y, u, v))
    return frames


@pytest.mark.parametrize(
    "frames",
    [moving_square(40), moving_square(8), flicker(), two_motions()],
    ids=["an object", "a cursor", "flicker", "parallax"],
)
def test_ordinary_video_is_no_program(frames: list[Planes]) -> None:
    assert fit_program(scene_of(frames, PICTURE)) is None


def test_real_video_is_no_program(bbb_frames: tuple[tuple[Planes, ...], PictureFormat]) -> None:
    frames, picture = bbb_frames
    assert fit_program(scene_of(frames, picture)) is None


@pytest.fixture(scope="module")
def bbb_frames() -> tuple[tuple[Planes, ...], PictureFormat]:
    """The first frames of the example."""
    from itertools import islice
    from pathlib import Path

    from edgecodec.encoder.media import open_source

    clip = Path(__file__).parents[2] / "examples/media/bbb_720p.mp4"
    with open_source(clip) as source:
        frames = tuple(frame.planes for frame in islice(source.frames(), 16))
        return frames, source.info.format


def test_few_frames_and_tiny_pictures_are_left_to_other_ways() -> None:
    assert fit_program(scene_of([whole(texture(PICTURE, 1))] * 3, PICTURE)) is None
    tiny = PictureFormat(16, 10)
    rng = np.random.default_rng(3)
    noise = [whole([rng.random(p.shape) * 250 for p in flat(tiny)]) for _ in range(8)]
    assert fit_program(scene_of(noise, tiny)) is None


def test_pictures_round_to_the_depth_they_are_coded_in() -> None:
    plane = np.array([[-3.0, 0.4, 100.3, 255.4]], np.float32)
    picture = Picture((plane, plane[:, ::2], plane[:, ::2]))
    assert (picture.width, picture.height) == (4, 1)
    assert picture.rounded(8, 8)[0].tolist() == [[0, 0, 100, 255]]
    assert picture.rounded(8, 10)[0].tolist() == [[0, 2, 401, 1022]]


def test_straight_runs_are_as_long_as_they_can_be() -> None:
    bend = np.concatenate([np.linspace(0, 10, 11), np.full(30, 10.0), np.linspace(9, 0, 10)])
    values = np.stack([bend, -bend], axis=1)
    runs = straight_runs(values, np.array([0.01, 0.01]))
    assert [(run.start, run.stop) for run in runs] == [(0, 11), (11, 41), (41, 51)]
    assert np.allclose(runs[0].first, [0, 0], atol=1e-9)
    assert np.allclose(runs[2].last, [0, 0], atol=1e-9)
    jumps = np.random.default_rng(0).random((17, 1))
    pieces = straight_runs(jumps, np.array([1e-6]))
    assert all(run.stop - run.start <= 2 for run in pieces)
    assert sum(run.stop - run.start for run in pieces) == 17


def test_a_fade_has_weights_the_format_can_hold() -> None:
    slide = texture(PICTURE, 12)
    frames = [
        whole(mixture(flat(PICTURE), slide, 0.5 - 0.5 * np.cos(k / 29 * np.pi))) for k in range(30)
    ]
    program = fitted(frames)
    for segment in program.segments:
        if isinstance(segment.fade, Fade):
            assert min(segment.fade.start, segment.fade.end) >= 0
            assert max(segment.fade.start, segment.fade.end) <= FULL_WEIGHT
    assert worst_psnr(program, frames, PICTURE) > 45
