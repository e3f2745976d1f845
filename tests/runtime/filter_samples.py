"""Scene filters, and pictures for them."""

from __future__ import annotations

import numpy as np
from edgecodec.runtime.frames import Plane, Planes
from edgecodec.runtime.scene_filter import (
    CLASSES,
    MAX_FILTERS,
    MAX_SHIFT,
    PlaneFilter,
    SceneFilter,
    taps_of,
)
from hypothesis import strategies as st
from numpy.typing import NDArray

Reals = NDArray[np.float64]

ALL = (True, True, True)


def fixed_filter() -> SceneFilter:
    """The same wherever it is made: three filters for Y, one for U, five for V."""
    planes = []
    for number, count in enumerate((3, 1, 5)):
        taps = np.arange(count * taps_of(number)) * 7 % 23 - 11
        coefficients = taps.reshape(count, -1).astype(np.int8)
        filters = tuple(each * each % count for each in range(CLASSES))
        planes.append(PlaneFilter(6 + number, coefficients, filters))
    return SceneFilter((planes[0], planes[1], planes[2]))


def random_filter(
    seed: int, *, planes: tuple[bool, bool, bool] = ALL, most: int = 4, shift: int = 7
) -> SceneFilter:
    """Twenty filters a plane, whose coefficients are at most so large."""
    random = np.random.default_rng(seed)
    made = []
    for number, wanted in enumerate(planes):
        coefficients = random.integers(-most, most + 1, (20, taps_of(number))).astype(np.int8)
        filters = tuple(random.integers(0, 20, CLASSES).tolist())
        made.append(PlaneFilter(shift, coefficients, filters) if wanted else None)
    return SceneFilter((made[0], made[1], made[2]))


@st.composite
def plane_filters(draw: st.DrawFn, plane: int, most_filters: int = MAX_FILTERS) -> PlaneFilter:
    """Those of a plane, all that the format can hold; some are zeros or as large as can be."""
    count = draw(st.integers(1, most_filters))
    random = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    shape = count, taps_of(plane)
    kind = draw(st.sampled_from(["zero", "small", "any", "largest"]))
    most = {"zero": 0, "small": 3, "any": 127, "largest": 127}[kind]
    coefficients = random.integers(-most, most + 1, shape)
    if kind == "largest":
        coefficients = random.choice([-127, 127], shape)
    filters = tuple(random.integers(0, count, CLASSES).tolist())
    return PlaneFilter(draw(st.integers(0, MAX_SHIFT)), coefficients.astype(np.int8), filters)


@st.composite
def scene_filters(draw: st.DrawFn, most_filters: int = MAX_FILTERS) -> SceneFilter:
    """Those of any planes, but at least one."""
    present = draw(st.integers(1, 7))
    y, u, v = (
        draw(plane_filters(number, most_filters)) if present >> number & 1 else None
        for number in range(3)
    )
    return SceneFilter((y, u, v))


def _in_parts(random: np.random.Generator, kinds: Reals) -> Reals:
    """One of `kinds` [N, height, width] in each part of 12 samples a side."""
    height, width = kinds.shape[1:]
    parts = random.integers(0, len(kinds), (-(-height // 12), -(-width // 12)))
    chosen = parts.repeat(12, axis=0).repeat(12, axis=1)[:height, :width]
    return np.take_along_axis(kinds, chosen[None], axis=0)[0]


def _rounded(samples: Reals) -> Plane:
    return np.rint(samples).clip(0, 1023).astype(np.uint16)


def random_planes(random: np.random.Generator, height: int, width: int) -> Planes:
    """A picture of ten bits whose parts differ: flat ones, grain, lines in all directions, and
    noise that reaches the ends."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float64)
    level = random.uniform(100, 900)
    kinds = [np.full((height, width), level), random.choice([0, 1, 300, 1022, 1023], rows.shape)]
    for grain in (0.6, 2.0, 6.0):
        kinds.append(level + random.normal(0, grain, rows.shape))
    for angle in (0.0, np.pi / 2, np.pi / 4, -np.pi / 4, random.uniform(0, np.pi)):
        wave = np.sin((rows * np.cos(angle) + columns * np.sin(angle)) * random.uniform(0.2, 1.5))
        contrast = random.choice([3.0, 12.0, 100.0])
        kinds.append(level + contrast * wave + random.normal(0, 0.4, rows.shape))
    y = _rounded(_in_parts(random, np.stack(kinds)))
    u, v = (_chroma(random, y[::2, ::2].astype(np.float64)) for _ in range(2))
    return y, u, v


def _chroma(random: np.random.Generator, luma: Reals) -> Plane:
    """Parts are noise, parts flat, parts follow luma more or less steeply."""
    kinds = [random.integers(0, 1024, luma.shape), np.full(luma.shape, random.uniform(100, 900))]
    for slope in (-20.0, -2.0, -0.3, 0.7, 6.0):
        line = 500 + slope * (luma - random.uniform(100, 900))
        kinds.append(line + random.normal(0, 1.5, luma.shape))
    return _rounded(_in_parts(random, np.stack(kinds)))


def changed(random: np.random.Generator, planes: Planes) -> Planes:
    """Another frame: parts of it are the same, parts a little off, parts quite different."""
    made = []
    for plane in planes:
        kinds = [random.normal(0, size, plane.shape) for size in (0.0, 0.0, 2.0, 6.0, 40.0, 500.0)]
        made.append(_rounded(plane + _in_parts(random, np.stack(kinds))))
    return made[0], made[1], made[2]
