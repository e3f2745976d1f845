"""`procedural`: a few stills, really coded, and a program that makes all frames of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from ...runtime.chunks import Codec, StrategyId
from ...runtime.frames import PictureFormat
from ...runtime.procedural import ProceduralBody, Still
from ...runtime.scenes import SceneContext, decode_procedural
from ..codecs import BaseSettings, encoder_for
from ..programs import Picture, Program, fit_program
from ..resources import Resources
from ..scene import Scene
from ._base import Candidate, candidate, frame_psnr

# One picture carries the whole scene: it is worth more bits than any frame among others.
_USUAL = {Codec.AV1: 30.0, Codec.H265: 22.0, Codec.H264: 24.0, Codec.VVC: 27.0}
_OCTAVE = {Codec.AV1: 10.0, Codec.H265: 6.0, Codec.H264: 6.0, Codec.VVC: 5.5}
_KEPT_PROGRAMS = 2
_DIGESTED_ROWS = 16


@dataclass(frozen=True)
class ProceduralTrial:
    """Stills in one standard codec; the setting is theirs. `preset` is the encoder's own name.

    Scenes that are ordinary video cannot be coded this way, which takes a look at a few frames.
    """

    codec: Codec
    preset: str | None = None

    @property
    def name(self) -> str:
        """See `Trial.name`."""
        return "procedural"

    @property
    def settings(self) -> tuple[float, float]:
        """See `Trial.settings`."""
        return encoder_for(self.codec).quantizer_range

    @property
    def usual_setting(self) -> float:
        """See `Trial.usual_setting`."""
        return _USUAL[self.codec]

    @property
    def settings_per_octave(self) -> float:
        """See `Trial.settings_per_octave`."""
        return _OCTAVE[self.codec]

    def encode(self, scene: Scene, setting: float, resources: Resources) -> tuple[Candidate, ...]:
        """One candidate, or none if the scene is no program."""
        program = program_of(scene)
        if program is None:
            return ()
        stills = tuple(
            self._still(picture, scene, setting, resources.threads) for picture in program.pictures
        )
        body = ProceduralBody(stills, program.segments)
        context = SceneContext(scene.format, resources.networks, resources.threads)
        scored = frame_psnr(scene, decode_procedural(body, context))
        codec = self.codec if stills else None
        return (candidate(scene, StrategyId.PROCEDURAL, codec, self.name, setting, body, scored),)

    def _still(self, picture: Picture, scene: Scene, setting: float, threads: int) -> Still:
        depth = 10 if self.codec is not Codec.H264 else scene.format.bit_depth
        settings = BaseSettings(
            crf=setting,
            format=PictureFormat(picture.width, picture.height, depth),
            frame_rate=scene.frame_rate,
            color=scene.color,
            bit_depth=depth,
            preset=self.preset,
            threads=threads,
        )
        samples = picture.rounded(scene.format.bit_depth, depth)
        stream = encoder_for(self.codec).encode([samples], settings)
        return Still(picture.width, picture.height, stream)


def program_of(scene: Scene) -> Program | None:
    """`fit_program`, remembered for the scenes that were asked for last: settings share it."""
    place = _place(_digest(scene))
    if not place:
        place.append(fit_program(scene))
    return place[0]


@lru_cache(maxsize=_KEPT_PROGRAMS)
def _place(digest: bytes) -> list[Program | None]:
    """Where the program of a scene of that digest is kept, empty at first."""
    return []


def _digest(scene: Scene) -> bytes:
    digest = hashlib.blake2b(repr((scene.format, scene.start, scene.pts)).encode())
    for planes in scene.frames:
        for plane in planes:
            digest.update(plane[::_DIGESTED_ROWS].tobytes())
    return digest.digest()
