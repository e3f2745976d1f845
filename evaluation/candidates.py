"""What the encoder's candidates look like to a player."""

from __future__ import annotations

from collections.abc import Iterator

from ..encoder.adaptation import TitleFile
from ..encoder.resources import Resources
from ..encoder.scene import Scene
from ..encoder.strategies import Candidate
from ..runtime.chunks import Chunk
from ..runtime.frames import Planes
from ..runtime.scenes import SceneContext, decode_scene


def played(
    made: Candidate, scene: Scene, resources: Resources, title: TitleFile | None = None
) -> Iterator[Planes]:
    """The frames of a candidate for the scene, decoded from its bytes by the runtime.

    `title` is what the candidate's trial had. Errors as for `runtime.scenes.decode_scene`.
    """
    chunk = Chunk(scene.index, scene.start, made.strategy, scene.pts, made.read_body())
    context = SceneContext(
        scene.format, resources.networks, resources.threads, titles=resources.titles(title)
    )
    return decode_scene(chunk, context)
