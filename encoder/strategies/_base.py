"""What all ways of coding a scene share: candidates, and what makes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Protocol

from ...runtime.chunks import Chunk, Codec, StrategyId, pack_chunk
from ...runtime.frames import Planes
from ...runtime.payloads import Body, pack_body
from ...runtime.records import FRAMING_BYTES
from ..quality import psnr
from ..resources import Resources
from ..scene import Scene

SETTING_STEP = 0.25
"""Settings are multiples of it: finer steps move the bits by less than 1 %."""


@dataclass(frozen=True)
class StoredBytes:
    """`size` bytes at `offset` of a file."""

    path: Path
    offset: int
    size: int

    def read(self) -> bytes:
        """The bytes."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


@dataclass(frozen=True)
class Candidate:
    """One way to code a scene, encoded and decoded for real.

    `trial` is the `Trial.name` of what made it, `setting` is in that trial's scale, `bits` counts
    the whole chunk in the file, `frame_psnr` is (6 Y + U + V) / 8 in dB of each decoded frame
    against the source. `frame_scores` are the same frames in the metric that an encode aims at,
    empty where that is PSNR. `body` is the chunk's, or where it is kept on disk.
    """

    strategy: StrategyId
    codec: Codec | None
    trial: str
    setting: float
    bits: int
    frame_psnr: tuple[float, ...]
    body: bytes | StoredBytes = field(repr=False)
    frame_scores: tuple[float, ...] = ()

    @property
    def psnr(self) -> float:
        """Mean of `frame_psnr`."""
        return fmean(self.frame_psnr)

    @property
    def scores(self) -> tuple[float, ...]:
        """What counts of each frame: higher is better."""
        return self.frame_scores or self.frame_psnr

    @property
    def score(self) -> float:
        """Mean of `scores`."""
        return fmean(self.scores)

    def read_body(self) -> bytes:
        """The chunk's body, from disk if it is there."""
        return self.body if isinstance(self.body, bytes) else self.body.read()


class Trial(Protocol):
    """A way to code scenes whose quality one setting controls.

    A lower setting is a better picture in more bits. Trials are plain values: they travel to
    other processes, and what a trial of the same `repr` made of the same scene may be used again.
    """

    @property
    def name(self) -> str:
        """What reports call it: different for any two trials of an encode."""

    @property
    def settings(self) -> tuple[float, float]:
        """The lowest and the highest setting."""

    @property
    def usual_setting(self) -> float:
        """The setting of a middling quality: about as many bits as every other trial's, and about
        the same slope of quality over bits."""

    @property
    def settings_per_octave(self) -> float:
        """About how far the setting rises to halve the bits."""

    def encode(self, scene: Scene, setting: float, resources: Resources) -> tuple[Candidate, ...]:
        """Code the scene at a setting: one candidate, or several that share most of the work, or
        none if the scene cannot be coded this way."""


def candidate(
    scene: Scene,
    strategy: StrategyId,
    codec: Codec | None,
    trial: str,
    setting: float,
    body: Body,
    frame_psnr: Sequence[float],
) -> Candidate:
    """A candidate with its bits counted as the container will write them."""
    packed = pack_body(body)
    bits = chunk_bits(scene.index, scene.start, scene.pts, strategy, len(packed))
    return Candidate(strategy, codec, trial, setting, bits, tuple(frame_psnr), packed)


def chunk_bits(
    index: int, start: int, pts: tuple[int, ...], strategy: StrategyId, body_bytes: int
) -> int:
    """Bits in the file of a scene whose body has so many bytes."""
    empty = Chunk(index, start, strategy, pts, b"")
    return 8 * (len(pack_chunk(empty)) + body_bytes + FRAMING_BYTES)


def frame_psnr(scene: Scene, decoded: Iterable[Planes]) -> tuple[float, ...]:
    """(6 Y + U + V) / 8 in dB of each frame of the scene."""
    depth = scene.format.bit_depth
    pairs = zip(scene.frames, decoded, strict=True)
    return tuple(psnr(source, planes, depth).weighted for source, planes in pairs)
