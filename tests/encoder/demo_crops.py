"""Some of the demo clip, small enough to be coded in a moment."""

from __future__ import annotations

from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
from edgecodec.encoder.media import open_source
from edgecodec.encoder.scene import Scene
from edgecodec.runtime.frames import PictureFormat, Planes

from .fakes import scene_of

CLIP = Path(__file__).parents[2] / "examples" / "media" / "bbb_720p.mp4"
_TOP, _LEFT = 200, 400


@cache
def demo_frames(width: int, height: int, frames: int) -> tuple[Planes, ...]:
    """From the middle of the clip's first frames."""
    made = []
    with open_source(CLIP) as video:
        for frame in islice(video.frames(), frames):
            y, u, v = (
                np.ascontiguousarray(
                    plane[_TOP // part :, _LEFT // part :][: height // part, : width // part]
                )
                for plane, part in zip(frame.planes, (1, 2, 2), strict=True)
            )
            made.append((y, u, v))
    return tuple(made)


def demo_scene(width: int, height: int, frames: int) -> Scene:
    """The same as a scene."""
    return scene_of(demo_frames(width, height, frames), PictureFormat(width, height))
