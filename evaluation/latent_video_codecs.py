"""What video in latents is compared as: real streams, beside standard codecs at the same intra
period."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from ..encoder.effort import Effort
from ..encoder.resources import Resources
from ..encoder.scene import Scene
from ..encoder.strategies import LatentTrial
from ..encoder.targets import Metric
from ..runtime.chunks import StrategyId
from ..runtime.frames import Planes
from ..runtime.payloads import LatentBody, parse_body
from .anchors import (
    ANCHOR_RECIPE,
    SVTAV1_PRESET_6,
    X264_MEDIUM,
    X265_MEDIUM,
    Anchor,
    decode_anchor,
    encode_anchor,
)
from .clips import Clip
from .latent_video_stream import write_latents
from .still_latents import QUALITIES
from .streams import stream_frames

LATENT_STRATEGIES = (StrategyId.SEMANTIC_LATENT, StrategyId.I_FRAME_INTERPOLATION)
# Down to the end of each codec's range, or nearly: latents are of use at the lowest rates.
_LADDERS: Sequence[tuple[Anchor, tuple[int, ...]]] = (
    (X264_MEDIUM, (50, 45, 39, 33, 27)),
    (X265_MEDIUM, (50, 45, 39, 33, 27)),
    (SVTAV1_PRESET_6, (63, 58, 51, 42, 31)),
)


@dataclass(frozen=True)
class CodedVideo:
    """A clip coded and decoded; `container_bytes` of the `bytes` are around what codes it."""

    bytes: int
    container_bytes: int
    frames: tuple[Planes, ...]


class VideoCodec(Protocol):
    """A way to code clips whose quality one setting controls."""

    @property
    def name(self) -> str:
        """What tables call it."""

    @property
    def settings(self) -> Sequence[float]:
        """From the smallest file to the best picture."""

    @property
    def intra(self) -> int:
        """Frames from one keyframe to the next, 0 for one alone."""

    @property
    def recipe(self) -> str:
        """What a point depends on beside the clip, the codec's name, the intra period and the
        setting."""

    def code(self, clip: Clip, setting: float) -> CodedVideo:
        """Code a clip and decode it. EdgecodecError if either fails."""


@dataclass(frozen=True)
class StandardVideo:
    """A standard codec with B-frames and a keyframe every `intra` frames, 0 for one alone; the
    setting is its crf. Counted are its header and its packets."""

    anchor: Anchor
    settings: Sequence[float]
    intra: int
    threads: int

    @property
    def name(self) -> str:
        """See `VideoCodec.name`."""
        return self.anchor.name

    @property
    def recipe(self) -> str:
        """See `VideoCodec.recipe`."""
        return f"recipe {ANCHOR_RECIPE}"

    def code(self, clip: Clip, setting: float) -> CodedVideo:
        """See `VideoCodec.code`."""
        made = encode_anchor(self.anchor, clip, int(setting), self.threads, self.intra)
        return CodedVideo(made.bytes, 0, tuple(decode_anchor(made, clip, self.threads)))


@dataclass(frozen=True)
class LatentVideo:
    """A strategy of a tier: a real stream with a chunk every `intra` frames, 0 for one alone,
    decoded by the runtime; the setting is the quality index.

    What is not the chunks' bodies counts as container. `digest` names all that codes and plays,
    `tune` is what latents are optimised for, `effort` how much is searched.
    """

    strategy: StrategyId
    tier: str
    intra: int
    threads: int
    settings: Sequence[float] = QUALITIES
    digest: str = ""
    tune: Metric = Metric.PSNR
    effort: Effort = Effort.FAST

    @property
    def name(self) -> str:
        """See `VideoCodec.name`."""
        return self.strategy.name.lower()

    @property
    def recipe(self) -> str:
        """See `VideoCodec.recipe`."""
        how = f"for {self.tune.value}, effort {self.effort.value}"
        return f"tier {self.tier}, {how}, code {self.digest}"

    def code(self, clip: Clip, setting: float) -> CodedVideo:
        """See `VideoCodec.code`."""
        bodies = [self._body(scene, setting) for scene in scenes_of(clip, self.intra)]
        with TemporaryDirectory() as folder:
            path = Path(folder) / "clip.ecv"
            packed = write_latents(path, clip, self.tier, self.strategy, bodies)
            frames = tuple(stream_frames(path, threads=self.threads))
            size = path.stat().st_size
        return CodedVideo(size, size - packed, frames)

    def _body(self, scene: Scene, setting: float) -> LatentBody:
        trial = LatentTrial(self.strategy, self.tier, "cpu", self.effort, self.tune)
        (made,) = trial.encode(scene, trial.finest_quality - setting, self._resources)
        body = parse_body(self.strategy, made.read_body(), len(scene.frames))
        assert isinstance(body, LatentBody)
        return body

    @cached_property
    def _resources(self) -> Resources:
        return Resources(self.threads)


def scenes_of(clip: Clip, intra: int) -> Iterator[Scene]:
    """A clip in scenes of `intra` frames, the last of what is left; 0 for one scene."""
    length = intra or len(clip.frames)
    for number, start in enumerate(range(0, len(clip.frames), length)):
        frames = clip.frames[start : start + length]
        pts = tuple(range(start, start + len(frames)))
        yield Scene(number, start, frames, pts, clip.format, clip.frame_rate, clip.color)


def standard_codecs(intra: int, threads: int) -> list[VideoCodec]:
    """x264 medium, x265 medium and SVT-AV1 preset 6."""
    return [StandardVideo(anchor, ladder, intra, threads) for anchor, ladder in _LADDERS]
