"""A few real frames, small enough to be measured often, and what compression makes of them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import pytest
from edgecodec.evaluation.anchors import X264_MEDIUM, encode_anchor
from edgecodec.evaluation.clips import Clip, load_clip
from edgecodec.runtime.av_planes import to_video_frame
from edgecodec.runtime.container import (
    AuxPacket,
    AuxStream,
    Chunk,
    Header,
    StrategyId,
    Writer,
)
from edgecodec.runtime.frames import ColorInfo, PictureFormat, Planes
from edgecodec.runtime.payloads import ClassicalBody, pack_body

CLIP = Path(__file__).parents[2] / "examples" / "media" / "bbb_720p.mp4"


@pytest.fixture(scope="session")
def clip_path() -> Path:
    return CLIP


@pytest.fixture(scope="session")
def picture() -> PictureFormat:
    return PictureFormat(320, 180)


@pytest.fixture(scope="session")
def source() -> tuple[Planes, ...]:
    """Twelve frames, shrunk to 320x180."""
    return tuple(scaled(planes, 4) for planes in load_clip(CLIP, max_frames=12).frames)


@pytest.fixture(scope="session")
def small_clip(source: tuple[Planes, ...], picture: PictureFormat) -> Clip:
    return Clip("small.mkv", source, picture, Fraction(25), ColorInfo())


@pytest.fixture(scope="session")
def small_file(source: tuple[Planes, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The twelve frames in a file, losslessly."""
    path = tmp_path_factory.mktemp("clip") / "small.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for planes in source:
            container.mux(stream.encode(to_video_frame(planes, 8)))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def write_stream(small_clip: Clip) -> Callable[[Path, int], bytes]:
    """Writes the small clip as a real `.ecv` stream: one scene of H.264, and some audio.

    Takes the path and the crf, and returns the audio packet's data.
    """

    def write(path: Path, crf: int) -> bytes:
        base = encode_anchor(X264_MEDIUM, small_clip, crf).stream
        sound = AuxStream(1, "aac", "audio", Fraction(1, 48000), b"", 48000, 2, "stereo")
        header = Header(
            small_clip.format, Fraction(1, 25), small_clip.frame_rate, aux_streams=(sound,)
        )
        data = bytes(range(200))
        pts = tuple(range(len(small_clip.frames)))
        chunk = Chunk(0, 0, StrategyId.CLASSICAL, pts, pack_body(ClassicalBody(base)))
        with path.open("wb") as file:
            writer = Writer(file, header)
            writer.write_chunk(chunk)
            writer.write_aux([AuxPacket(1, 0, 0, 1024, True, data)])
            writer.finish()
        return data

    return write


@pytest.fixture(scope="session")
def blurred(source: tuple[Planes, ...]) -> tuple[Planes, ...]:
    return tuple(
        (cv2.blur(y, (5, 5)), cv2.blur(u, (3, 3)), cv2.blur(v, (3, 3))) for y, u, v in source
    )


def scaled(planes: Planes, factor: int) -> Planes:
    y, u, v = (
        cv2.resize(
            plane,
            (plane.shape[1] // factor, plane.shape[0] // factor),
            interpolation=cv2.INTER_AREA,
        )
        for plane in planes
    )
    return y, u, v
