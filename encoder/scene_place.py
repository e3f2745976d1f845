"""Where in a video a scene lies, and reading just that scene again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

from ..runtime.errors import BitstreamError, UnsupportedError
from ..runtime.frames import ColorInfo, PictureFormat
from .media import SourceFrame, open_source
from .scene import Scene, longest_scene
from .scene_file import SceneFile, write_scene


@dataclass(frozen=True)
class ScenePlace:
    """A scene without its samples; all is as in `SceneFile`, which `digest` names the content of.

    It is for other machines that have the same video.
    """

    digest: str
    index: int
    start: int
    pts: tuple[int, ...]
    format: PictureFormat
    frame_rate: Fraction
    color: ColorInfo


def place_of(scene: SceneFile) -> ScenePlace:
    """Where the scene lies."""
    return ScenePlace(
        scene.digest,
        scene.index,
        scene.start,
        scene.pts,
        scene.format,
        scene.frame_rate,
        scene.color,
    )


def scene_file_at(place: ScenePlace, path: Path) -> SceneFile:
    """The scene whose samples lie in that file."""
    return SceneFile(
        path,
        place.digest,
        place.index,
        place.start,
        place.pts,
        place.format,
        place.frame_rate,
        place.color,
    )


def read_scene(source: Path, place: ScenePlace, folder: Path) -> SceneFile:
    """Decode the scene from the video `source` into a new file in `folder`.

    Decoding begins at a key frame before the scene; where that does not give the very same frames
    (a file without usable timestamps), at the beginning.

    Raises what `open_source` raises, and UnsupportedError where the video does not hold this
    scene, with what differs.
    """
    if len(place.pts) > longest_scene(place.format):
        raise UnsupportedError(f"a scene of {len(place.pts)} frames is longer than any can be")
    try:
        found = _sought(source, place, folder)
    except BitstreamError:
        found = None  # if the video is damaged, reading all of it tells where
    if found is not None and found.digest == place.digest:
        return found
    with open_source(source) as video:
        frames = islice(video.frames(), place.start, place.start + len(place.pts))
        found = _written(frames, place, folder)
        info = video.info
        here = (info.format, info.frame_rate, info.color)
    there = (place.format, place.frame_rate, place.color)
    if found is not None and here == there and found.digest == place.digest:
        return found
    raise UnsupportedError(
        f"{source}: scene {place.index} (frame {place.start}, {len(place.pts)} frames) is not what "
        f"it was for whoever sent it: {_difference(found, here, there, place)}; "
        "check that it is the same file, and that FFmpeg (PyAV) is of the same version there"
    )


def _sought(source: Path, place: ScenePlace, folder: Path) -> SceneFile | None:
    """The frames with the scene's timestamps, None if they are not all there."""
    wanted = frozenset(place.pts)
    chosen: list[SourceFrame] = []
    with open_source(source) as video:
        for frame in video.frames(from_pts=place.pts[0]):
            if frame.pts in wanted:
                chosen.append(frame)
            if frame.pts >= place.pts[-1]:
                break
    return _written(chosen, place, folder)


def _written(frames: Iterable[SourceFrame], place: ScenePlace, folder: Path) -> SceneFile | None:
    """The frames as a file, None if they are not at the scene's times."""
    held = tuple(frames)
    if tuple(frame.pts for frame in held) != place.pts:
        return None
    return write_scene(
        Scene(
            place.index,
            place.start,
            tuple(frame.planes for frame in held),
            place.pts,
            place.format,
            place.frame_rate,
            place.color,
        ),
        folder,
    )


def _difference(found: SceneFile | None, here: object, there: object, place: ScenePlace) -> str:
    if here != there:
        return f"format, frame rate and colour are {here} here, {there} there"
    if found is None:
        return f"there are no such {len(place.pts)} frames at pts {place.pts[0]}"
    return f"its content has the hash {found.digest} here, {place.digest} there"
