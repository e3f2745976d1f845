"""Scenes without a source, and trials whose curves are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from edgecodec.encoder.scene import Scene
from edgecodec.encoder.strategies import Candidate
from edgecodec.runtime.container import Codec, StrategyId
from edgecodec.runtime.frames import ColorInfo, PictureFormat, Planes

SMALL = PictureFormat(96, 64)
Curve = Callable[[int], tuple[int, float]]


def scene_of(planes: Sequence[Planes], picture: PictureFormat = SMALL, index: int = 0) -> Scene:
    """The frames as a scene at 30 Hz, one tick each."""
    return Scene(
        index, 0, tuple(planes), tuple(range(len(planes))), picture, Fraction(30), ColorInfo()
    )


def made(
    bits: int,
    *frame_psnr: float,
    codec: Codec | None = Codec.H264,
    strategy: StrategyId = StrategyId.CLASSICAL,
    setting: int = 30,
    body: bytes = b"",
) -> Candidate:
    """A candidate of that size and quality."""
    return Candidate(strategy, codec, setting, bits, frame_psnr or (30.0,), body)


@dataclass
class FakeTrial:
    """A trial that computes (bits, PSNR in dB) from the setting, and remembers what it was asked.

    `codec` None makes `semantic_latent` candidates. `asked` has (setting, frames of the scene).
    """

    curve: Curve
    codec: Codec | None = Codec.H264
    strategy: StrategyId = StrategyId.CLASSICAL
    settings: tuple[int, int] = (0, 51)
    usual_setting: int = 26
    settings_per_octave: float = 6.0
    asked: list[tuple[int, int]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return (self.codec or self.strategy).name.lower()

    def encode(self, scene: Scene, setting: int) -> tuple[Candidate, ...]:
        frames = len(scene.frames)
        self.asked.append((setting, frames))
        bits, psnr = self.curve(setting)
        return (
            Candidate(
                self.strategy,
                self.codec,
                setting,
                bits * frames,
                (psnr,) * frames,
                bytes([setting]),
            ),
        )


def halving(every: float = 6.0, bits: int = 100_000, db: float = 50.0) -> Curve:
    """A frame's bits halve every so many settings, at 3 dB each time: constant `trade`."""

    def curve(setting: int) -> tuple[int, float]:
        octaves = setting / every
        return max(1, round(bits * 2**-octaves)), db - 3 * octaves

    return curve
