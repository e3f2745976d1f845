"""The same samples however a stream is decoded: threads, seeks, pieces, look-ahead."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from edgecodec import runtime
from edgecodec.runtime import Frame, PictureFormat, PushDecoder
from edgecodec.runtime.frames import Planes

from .streams import every_strategy, stream_of

SMALL = PictureFormat(96, 64)
ODD = PictureFormat(97, 65)
NAMES = (
    "classical",
    "hybrid_semantic",
    "upsampled",
    "semantic_latent",
    "i_frame_interpolation",
    "procedural",
)
Draw = Callable[..., tuple[Planes, ...]]


@pytest.fixture(scope="module", params=[SMALL, ODD], ids=["even", "odd"])
def streams(request: pytest.FixtureRequest, draw_planes: Draw) -> dict[str, bytes]:
    """For each strategy two scenes of it."""
    picture: PictureFormat = request.param
    scenes = every_strategy(draw_planes, picture)
    assert tuple(scenes) == NAMES
    return {name: stream_of([scene, scene], picture) for name, scene in scenes.items()}


def play(data: bytes, **options: int) -> list[Frame]:
    with runtime.open(io.BytesIO(data), **options) as video:
        return list(video)


def assert_same(found: list[Frame], wanted: list[Frame]) -> None:
    assert [(each.number, each.pts) for each in found] == [(e.number, e.pts) for e in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert all(a.dtype == b.dtype for a, b in zip(one.planes, other.planes, strict=True))
        assert all(map(np.array_equal, one.planes, other.planes))


@pytest.mark.parametrize("name", NAMES)
def test_neither_threads_nor_look_ahead_change_a_sample(
    streams: dict[str, bytes], name: str
) -> None:
    wanted = play(streams[name], threads=1)
    for options in ({"threads": 2}, {"threads": 4}, {"threads": 1, "look_ahead": 1}):
        assert_same(play(streams[name], **options), wanted)
    # Frames of a scene are not all alike, or this would say nothing.
    assert len({frame.planes[0].tobytes() for frame in wanted}) > 2


@pytest.mark.parametrize("name", NAMES)
def test_a_seek_gives_what_playing_gave(streams: dict[str, bytes], name: str) -> None:
    wanted = play(streams[name], threads=1)
    with runtime.open(io.BytesIO(streams[name]), threads=1) as video:
        for frame in reversed(wanted):
            assert frame.number is not None
            video.seek_frame(frame.number)
            assert_same([next(video)], [frame])
            video.seek(frame.time)
            assert_same([next(video)], [frame])
        # And what follows a seek into the middle of a scene is the rest, to the end.
        for first in (1, len(wanted) // 2 - 1, len(wanted) // 2 + 1):
            video.seek_frame(first)
            assert_same(list(video), wanted[first:])


@pytest.mark.parametrize("name", NAMES)
def test_pushing_gives_what_pulling_gives(streams: dict[str, bytes], name: str) -> None:
    data, pushed = streams[name], []
    with PushDecoder(threads=1) as decoder:
        for at in range(0, len(data), 777):
            decoder.send(data[at : at + 777])
            while (frame := decoder.receive()) is not None:
                pushed.append(frame)
    assert_same(pushed, play(data, threads=1))
