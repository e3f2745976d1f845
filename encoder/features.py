"""What a scene is like, from a few of its frames: enough to say which codecs to try first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from statistics import fmean

import cv2
import numpy as np
from numpy.typing import NDArray

from ..runtime.frames import PictureFormat, Plane, Planes

_PAIRS = 12
_FRAMES_PER_PAIR = 6
_LOOKS = 4
_THUMBNAIL_SIDE = 320
_SMALLEST_SIDE = 32  # DIS optical flow fails on less
_SHRINK = 4
_BLOCK = 16
_BLOCKS = 512

# Levels of 8 bits.
_FLAT_RANGE = 2.0
_NEARLY_UNCHANGED = 0.75
_EDGE, _SHARP_EDGE = 8.0, 48.0
_PALETTE = 16
_REWEIGHTINGS = 8
_TEXTURE = 2.0
_LEAST_TEXTURE = 0.01  # of the samples: with less there is nothing to see moving
_COLOURED = 12.0

# Of skin-coloured areas, which may be faces: set on clips, so that hands, wood and sand are not.
_SMALLEST_FACE, _LARGEST_FACE = 0.02, 0.8  # share of the picture
_PALEST_FACE, _BRIGHTEST_FACE = 17.0, 46.0  # mean saturation
_YELLOWEST_FACE_DEG = 148.0  # mean hue from the U axis towards V
_FURTHEST_FACE = 0.28  # from the middle of the picture, in its width or its height
_LONGEST_FACE = 1.7  # longer side of its box over the shorter
_ROUNDEST_FACE = 0.6  # its area over that of its convex hull


@dataclass(frozen=True)
class SceneFeatures:
    """Means over the sampled frames, or over the sampled pairs of successive frames.

    Shares are 0 to 1. Levels are luma steps of 8 bits, whatever the bit depth. Speeds are in
    picture lengths (the longer side) a second. A scene of one frame has not changed or moved.

    * `unchanged`, `nearly_unchanged`: share of 16x16 blocks that equal the frame before sample by
      sample, or differ by less than 0.75 levels on average.
    * `global_motion`: mean speed of the one pan, zoom and turn that fits most of the picture.
    * `local_motion`: mean speed relative to that. Both means are over what has texture.
    * `change`, `residual`: mean absolute difference of successive frames in levels, as they are
      and after motion compensation.
    * `activity`: mean absolute step between neighbouring samples, in levels.
    * `flat`: share of blocks whose samples lie within 2 levels.
    * `palette`: share of samples that have one of the 16 most common levels of their frame.
    * `sharp`: of the steps between neighbours of 8 levels or more, the share of 48 or more.
    * `noise`: standard deviation in levels of white noise in the blocks that show the least.
    * `saturation`: mean distance of the colours from grey, in levels.
    * `hues`: how many of 16 hues the colours are spread over: 1 to 16, the exponential of the
      entropy of their distribution, each sample weighted by its saturation; 1 for a grey picture.
    * `face`: share of the picture in the largest area that may be a face by its colour, shape and
      place, 0 if there is none.
    """

    unchanged: float
    nearly_unchanged: float
    global_motion: float
    local_motion: float
    change: float
    residual: float
    activity: float
    flat: float
    palette: float
    sharp: float
    noise: float
    saturation: float
    hues: float
    face: float


def features(
    frames: Sequence[Planes], format: PictureFormat, frame_rate: Fraction
) -> SceneFeatures:
    """Looks at no more than 24 of a scene's frames, one or more, all of that format.

    Raises ValueError for a scene of no frames.
    """
    if not frames:
        raise ValueError("a scene of no frames has no features")
    moves: list[_Move] = []
    looks: list[_Look] = []
    starts = _pair_starts(len(frames))
    # Pictures of a scene resemble one another: a few show what motion needs more to show.
    every = math.ceil(len(starts) / _LOOKS)
    for number, first in enumerate(starts):
        before, after = frames[first], frames[min(first + 1, len(frames) - 1)]
        blocks = _sample_blocks(after[0])
        moves.append(_move(before, after, blocks, format, float(frame_rate)))
        if number % every == every // 2:
            looks.append(_look(after, blocks, format))
    return SceneFeatures(**_means(moves), **_means(looks))


@dataclass(frozen=True)
class _Move:
    unchanged: float
    nearly_unchanged: float
    global_motion: float
    local_motion: float
    change: float
    residual: float


@dataclass(frozen=True)
class _Look:
    activity: float
    flat: float
    palette: float
    sharp: float
    noise: float
    saturation: float
    hues: float
    face: float


def _means(samples: Sequence[_Move] | Sequence[_Look]) -> dict[str, float]:
    """The mean of each field."""
    rows = [asdict(sample) for sample in samples]
    return {name: fmean(row[name] for row in rows) for name in rows[0]}


def _pair_starts(count: int) -> list[int]:
    """First frames of the pairs to look at: the middles of equal parts of the scene."""
    pairs = max(1, min(_PAIRS, count // _FRAMES_PER_PAIR))
    return [int((2 * pair + 1) * (count - 1) / (2 * pairs)) for pair in range(pairs)]


def _sample_blocks(plane: Plane) -> NDArray[np.float32]:
    """Evenly spread blocks [blocks, side, side] in levels of 8 bits, at the source's resolution."""
    side = min(_BLOCK, *plane.shape)
    rows, columns = plane.shape[0] // side, plane.shape[1] // side
    step = math.ceil(math.sqrt(rows * columns / _BLOCKS))
    grid = plane[: rows * side, : columns * side].reshape(rows, side, columns, side)
    down, across = min(step, rows), min(step, columns)
    chosen = grid[down // 2 :: down, :, across // 2 :: across].transpose(0, 2, 1, 3)
    scale = 1.0 if plane.dtype == np.uint8 else 0.25
    blocks: NDArray[np.float32] = chosen.reshape(-1, side, side).astype(np.float32) * scale
    return blocks


def _move(
    before: Planes,
    after: Planes,
    blocks: NDArray[np.float32],
    format: PictureFormat,
    frame_rate: float,
) -> _Move:
    """What became of the frame before."""
    difference = np.abs(blocks - _sample_blocks(before[0])).reshape(len(blocks), -1)
    unchanged = float(np.mean(difference.max(axis=1) == 0))
    nearly = float(np.mean(difference.mean(axis=1) < _NEARLY_UNCHANGED))
    old, new = (_thumbnail(planes[0], format) for planes in (before, after))
    change = cv2.norm(old, new, cv2.NORM_L1) / old.size
    if change == 0:
        return _Move(unchanged, nearly, 0.0, 0.0, 0.0, 0.0)
    # From the new frame to the old one, as motion compensation reads.
    rows, columns = new.shape
    still = np.zeros((rows, columns, 2), np.float32)
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(new, old, still)
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    moved = cv2.remap(
        old, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    residual = cv2.norm(moved, new, cv2.NORM_L1) / new.size
    if residual > change:
        # Repeating patterns and flashes: what was found is not motion.
        return _Move(unchanged, nearly, 0.0, 0.0, change, change)
    step = (slice(2, None, 4), slice(2, None, 4))
    per_column = format.width / columns / max(format.width, format.height)
    per_row = format.height / rows / max(format.width, format.height)
    place = x[step] * per_column + 1j * y[step] * per_row
    speed = frame_rate * (flow[..., 0][step] * per_column + 1j * flow[..., 1][step] * per_row)
    texture = _texture(new)[step]
    fitted = _similarity(place, speed, texture)
    seen = texture / max(float(texture.sum()), _LEAST_TEXTURE * texture.size)
    return _Move(
        unchanged,
        nearly,
        float((seen * np.abs(fitted)).sum()),
        float((seen * np.abs(speed - fitted)).sum()),
        change,
        residual,
    )


def _texture(luma: NDArray[np.uint8]) -> NDArray[np.floating]:
    """How far motion can be told at each sample: 0 on even areas, towards 1 on strong edges.

    On an even area the motion that is found is that of the noise.
    """
    across = cv2.Sobel(luma, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(luma, cv2.CV_32F, 0, 1, scale=1 / 8)
    energy = cv2.blur(across * across + down * down, (5, 5)).astype(np.float32, copy=False)
    return energy / (energy + np.float32(_TEXTURE * _TEXTURE))


def _similarity(
    place: NDArray[np.complexfloating],
    speed: NDArray[np.complexfloating],
    trust: NDArray[np.floating],
) -> NDArray[np.complexfloating]:
    """The speeds of the pan, zoom and turn `shift + factor * place` that fits most places.

    Least squares, reweighted a few times so that what moves by itself counts for little.
    """
    weight = trust + 1e-6
    fitted = np.zeros_like(speed)
    for _ in range(_REWEIGHTINGS):
        total = weight.sum()
        middle, mean = (weight * place).sum() / total, (weight * speed).sum() / total
        spread = (weight * np.abs(place - middle) ** 2).sum()
        product = (weight * np.conj(place - middle) * (speed - mean)).sum()
        fitted = mean + (product / spread if spread > 0 else 0) * (place - middle)
        error = np.abs(speed - fitted)
        usual = (weight * error).sum() / weight.sum() + 1e-4
        weight = (trust + 1e-6) / (1 + (error / usual) ** 2)
    return fitted


def _look(planes: Planes, blocks: NDArray[np.float32], format: PictureFormat) -> _Look:
    """What one frame is like."""
    across, down = np.abs(np.diff(blocks, axis=2)), np.abs(np.diff(blocks, axis=1))
    steps = np.concatenate((across.ravel(), down.ravel()))
    edges = int(np.count_nonzero(steps >= _EDGE))
    flat = np.ptp(blocks.reshape(len(blocks), -1), axis=1) <= _FLAT_RANGE
    counts = np.bincount(blocks.astype(np.uint8).ravel(), minlength=256)
    y, u, v = (_thumbnail(plane, format) for plane in planes)
    blue, red = u.astype(np.float32) - 128, v.astype(np.float32) - 128
    saturation = cv2.magnitude(blue, red).astype(np.float32, copy=False)
    hue = cv2.phase(blue, red).astype(np.float32, copy=False)
    return _Look(
        activity=float(steps.mean()) if steps.size else 0.0,
        flat=float(flat.mean()),
        palette=float(np.sort(counts)[-_PALETTE:].sum() / blocks.size),
        sharp=np.count_nonzero(steps >= _SHARP_EDGE) / edges if edges else 0.0,
        noise=_noise(blocks),
        saturation=float(saturation.mean()),
        hues=_hues(hue, saturation),
        face=_face(y, u, v),
    )


def _hues(hue: NDArray[np.float32], saturation: NDArray[np.float32]) -> float:
    """How many hues there are, colours near to grey left out."""
    weight = np.where(saturation > _COLOURED, saturation, 0).ravel()
    counts = np.bincount((hue.ravel() * (8 / np.pi)).astype(np.intp) % 16, weight, 16)
    if not counts.any():
        return 1.0
    shares = counts[counts > 0] / counts.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _noise(blocks: NDArray[np.float32]) -> float:
    """Immerkaer, Fast Noise Variance Estimation (1996), on the quietest eighth of the blocks."""
    if blocks.shape[1] < 3:
        return 0.0
    rows = blocks[:, :-2] - 2 * blocks[:, 1:-1] + blocks[:, 2:]
    laplacian = rows[:, :, :-2] - 2 * rows[:, :, 1:-1] + rows[:, :, 2:]
    sigma = np.abs(laplacian).mean(axis=(1, 2)) * np.sqrt(np.pi / 2) / 6
    return float(np.quantile(sigma, 0.125))


def _face(y: NDArray[np.uint8], u: NDArray[np.uint8], v: NDArray[np.uint8]) -> float:
    """The largest area that may be a face, as a share of the picture.

    The range of colours is that of Chai and Ngan, Face Segmentation Using Skin-Color Map (1999).
    """
    skin = (u >= 77) & (u <= 127) & (v >= 133) & (v <= 173) & (y >= 40)
    size = max(3, min(y.shape) // 24 | 1)
    mask = cv2.morphologyEx(skin.astype(np.uint8), cv2.MORPH_OPEN, np.ones((size, size), np.uint8))
    count, labels, boxes, centres = cv2.connectedComponentsWithStats(mask, connectivity=4)
    faces = [0.0]
    for label in range(1, count):
        share = boxes[label, cv2.CC_STAT_AREA] / mask.size
        if not _SMALLEST_FACE <= share <= _LARGEST_FACE:
            continue
        area = (labels == label).astype(np.uint8)
        colour = complex(cv2.mean(u, area)[0] - 128, cv2.mean(v, area)[0] - 128)
        sides = boxes[label, cv2.CC_STAT_WIDTH], boxes[label, cv2.CC_STAT_HEIGHT]
        hull = cv2.contourArea(cv2.convexHull(cv2.findNonZero(area)))
        if (
            _PALEST_FACE <= abs(colour) <= _BRIGHTEST_FACE
            and np.angle(colour, deg=True) <= _YELLOWEST_FACE_DEG
            and max(sides) <= _LONGEST_FACE * min(sides)
            and np.abs(centres[label] / mask.shape[::-1] - 0.5).max() <= _FURTHEST_FACE
            and hull * _ROUNDEST_FACE <= boxes[label, cv2.CC_STAT_AREA]
        ):
            faces.append(float(share))
    return max(faces)


def _thumbnail(plane: Plane, format: PictureFormat) -> NDArray[np.uint8]:
    """A plane at a quarter of the picture's sides, 32 to 320 samples each, in 8 bits."""
    columns, rows = (
        max(_SMALLEST_SIDE, min(side // _SHRINK, side * _THUMBNAIL_SIDE // longest))
        for longest in (max(format.width, format.height),)
        for side in (format.width, format.height)
    )
    return shrunk(plane, rows, columns)


def shrunk(plane: Plane, rows: int, columns: int) -> NDArray[np.uint8]:
    """A plane averaged down to [rows, columns], in 8 bits."""
    # Two bits less before the averaging, so that 8 bits stored as 10 give what 8 give.
    levels = plane if plane.dtype == np.uint8 else cv2.convertScaleAbs(plane, alpha=0.25)
    small = cv2.resize(levels, (columns, rows), interpolation=cv2.INTER_AREA)
    return small.astype(np.uint8, copy=False)
