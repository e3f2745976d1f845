"""What all ways of coding a scene share: candidates, and what makes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Protocol

from ...runtime.chunks import Chunk, Codec, StrategyId, pack_chunk
from ...runtime.frames import Planes
from ...runtime.payloads import Body, pack_body
from ...runtime.records import FRAMING_BYTES
from ..quality import psnr
from ..scene import Scene


@dataclass(frozen=True)
class Candidate:
    """One way to code a scene, encoded and decoded for real.

    `setting` is in the scale of the trial that made it, `bits` counts the whole chunk in the
    file, `frame_psnr` is (6 Y + U + V) / 8 in dB of each decoded frame against the source.
    """

    strategy: StrategyId
    codec: Codec | None
    setting: int
    bits: int
    frame_psnr: tuple[float, ...]
    body: bytes = field(repr=False)

    @property
    def psnr(self) -> float:
        """Mean of `frame_psnr`."""
        return fmean(self.frame_psnr)

    @property
    def trial_name(self) -> str:
        """`Trial.name` of the trial that made it."""
        return (self.codec or self.strategy).name.lower()


class Trial(Protocol):
    """A way to code scenes whose quality one integer setting controls.

    A lower setting is a better picture in more bits.
    """

    @property
    def name(self) -> str:
        """What reports call it."""

    @property
    def settings(self) -> tuple[int, int]:
        """The lowest and the highest setting."""

    @property
    def usual_setting(self) -> int:
        """Where to begin when nothing is known of the video."""

    @property
    def settings_per_octave(self) -> float:
        """About how far the setting rises to halve the bits."""

    def encode(self, scene: Scene, setting: int) -> tuple[Candidate, ...]:
        """Code the scene at a setting: one candidate, or several that share most of the work."""


def candidate(
    scene: Scene,
    strategy: StrategyId,
    codec: Codec | None,
    setting: int,
    body: Body,
    frame_psnr: Sequence[float],
) -> Candidate:
    """A candidate with its bits counted as the container will write them."""
    packed = pack_body(body)
    chunk = Chunk(scene.index, scene.start, strategy, scene.pts, packed)
    bits = 8 * (len(pack_chunk(chunk)) + FRAMING_BYTES)
    return Candidate(strategy, codec, setting, bits, tuple(frame_psnr), packed)


def frame_psnr(scene: Scene, decoded: Iterable[Planes]) -> tuple[float, ...]:
    """(6 Y + U + V) / 8 in dB of each frame of the scene."""
    depth = scene.format.bit_depth
    pairs = zip(scene.frames, decoded, strict=True)
    return tuple(psnr(source, planes, depth).weighted for source, planes in pairs)
