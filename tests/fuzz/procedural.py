"""Procedural programs: parsed, and played over stills that no codec makes."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import Mock, patch

import numpy as np
from edgecodec.runtime.errors import BitstreamError, EdgecodecError
from edgecodec.runtime.fields import Limits
from edgecodec.runtime.frames import PictureFormat, Planes
from edgecodec.runtime.procedural import (
    SCALE_UNIT,
    Fade,
    Hold,
    PanZoom,
    ProceduralBody,
    Segment,
    Solid,
    Still,
    Window,
    pack_procedural,
    parse_procedural,
)
from edgecodec.runtime.scenes import SceneContext
from edgecodec.runtime.scenes import procedural as scene

from ..runtime import mutations
from ..runtime.ecv_samples import sample_base
from .harness import Harness

LIMITS = Limits(max_pixels=1 << 14)
FORMATS = (PictureFormat(16, 10), PictureFormat(7, 5, 10))


def run(data: bytes) -> str:
    """One byte of frames and depth, then a body."""
    if not data:
        return "empty"
    frames, picture = 1 + data[0] % 12, FORMATS[data[0] >> 7]
    try:
        body = parse_procedural(data[1:], frames, LIMITS, "body")
    except EdgecodecError as error:
        return type(error).__name__
    assert body.frames == frames
    assert parse_procedural(pack_procedural(body), frames, LIMITS, "body") == body
    context = SceneContext(picture, Mock(), limits=LIMITS)
    with patch.object(scene, "_decode_still", _drawn):
        try:
            played = list(scene.decode_procedural(body, context))
            later = list(scene.decode_procedural(body, context, frames // 2))
        except BitstreamError:
            return "unplayable"
    assert len(played) == frames
    for planes in played:
        assert planes[0].shape == (picture.height, picture.width)
        assert planes[1].shape == planes[2].shape == picture.chroma_shape
        assert max(int(plane.max()) for plane in planes) < 1 << picture.bit_depth
    for one, other in zip(played[frames // 2 :], later, strict=True):
        assert all(map(np.array_equal, one, other))
    return "played"


def _drawn(still: Still, context: SceneContext) -> Planes:
    """A still of the size that it should have, of all values."""
    form = PictureFormat(still.width, still.height, context.format.bit_depth)
    dtype = np.uint8 if form.bit_depth == 8 else np.uint16

    def plane(rows: int, columns: int) -> np.ndarray:
        samples = np.arange(rows)[:, np.newaxis] * 37 + np.arange(columns) * 11
        return (samples % (1 << form.bit_depth)).astype(dtype)

    return plane(form.height, form.width), plane(*form.chroma_shape), plane(*form.chroma_shape)


def seeds() -> Iterator[bytes]:
    """Every kind of layer, alone and mixed."""
    random = np.random.default_rng(1)
    still = Still(20, 14, sample_base(random, 1))
    start, end = Window(0, 0, SCALE_UNIT), Window(-500, 300, SCALE_UNIT // 2)
    programs: tuple[tuple[Segment, ...], ...] = (
        (Segment(5, Solid(16, 128, 128)),),
        (Segment(2, Hold(0)), Segment(3, PanZoom(0, start, end))),
        (Segment(5, PanZoom(1, end, start), Fade(Solid(235, 9, 9), 0, 4096)),),
        (Segment(5, Hold(0), Fade(PanZoom(1, start, end), 4096, 17)),),
    )
    for program in programs:
        body = pack_procedural(ProceduralBody((still, still), program))
        yield bytes([4]) + body
        yield bytes([136]) + body


def mutate(random: np.random.Generator, data: bytes, mutate_value: mutations.Mutation) -> bytes:
    """Mostly one value in the fields, with the lengths around it mended."""
    if not data or random.random() < 0.2:
        return mutate_value(random, data)
    return data[:1] + mutations.inside_fields(random, data[1:], mutate_value)


HARNESS = Harness(run, seeds, 600, mutate)
