"""Scenes without a source, and trials whose curves are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from edgecodec.encoder.laboratory import Failure, Outcome, Request
from edgecodec.encoder.scene import Scene
from edgecodec.encoder.scene_file import SceneFile
from edgecodec.encoder.strategies import Candidate
from edgecodec.runtime.container import Codec, StrategyId
from edgecodec.runtime.frames import ColorInfo, PictureFormat, Planes

SMALL = PictureFormat(96, 64)
Curve = Callable[[float], tuple[int, float]]


def scene_of(planes: Sequence[Planes], picture: PictureFormat = SMALL, index: int = 0) -> Scene:
    """The frames as a scene at 30 Hz, one tick each."""
    return Scene(
        index, 0, tuple(planes), tuple(range(len(planes))), picture, Fraction(30), ColorInfo()
    )


def scene_file_of(frames: int = 30, index: int = 0) -> SceneFile:
    """A scene whose frames nobody will read."""
    return SceneFile(
        Path("nowhere.raw"),
        f"digest {index}",
        index,
        index * frames,
        tuple(range(index * frames, (index + 1) * frames)),
        SMALL,
        Fraction(30),
        ColorInfo(),
    )


def made(
    bits: int,
    *frame_psnr: float,
    codec: Codec | None = Codec.H264,
    strategy: StrategyId = StrategyId.CLASSICAL,
    trial: str = "h264 8-bit",
    setting: float = 30.0,
    body: bytes = b"",
    frame_scores: tuple[float, ...] = (),
) -> Candidate:
    """A candidate of that size and quality."""
    psnr = frame_psnr or (30.0,)
    return Candidate(strategy, codec, trial, setting, bits, psnr, body, frame_scores)


@dataclass(frozen=True)
class FakeTrial:
    """A trial that computes (bits a frame, PSNR in dB) from the setting."""

    name: str
    curve: Curve = field(repr=False)
    codec: Codec | None = Codec.H264
    strategy: StrategyId = StrategyId.CLASSICAL
    settings: tuple[float, float] = (0.0, 51.0)
    usual_setting: float = 26.0
    settings_per_octave: float = 6.0

    def encode(
        self, scene: Scene | SceneFile, setting: float, resources: object
    ) -> tuple[Candidate, ...]:
        frames = len(scene.pts)
        bits, psnr = self.curve(setting)
        return (
            Candidate(
                self.strategy,
                self.codec,
                self.name,
                setting,
                bits * frames,
                (psnr,) * frames,
                repr((self.name, setting)).encode(),
            ),
        )


@dataclass
class FakeLaboratory:
    """Runs fake trials at once and remembers what was asked: (scene, trial, setting)."""

    broken: frozenset[str] = frozenset()
    asked: list[tuple[int, str, float]] = field(default_factory=list)

    def run(self, scene: SceneFile, requests: Sequence[Request]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for request in requests:
            self.asked.append((scene.index, request.trial.name, request.setting))
            if request.trial.name in self.broken:
                outcomes.append(Failure("it broke"))
            else:
                outcomes.append(request.trial.encode(scene, request.setting, None))  # type: ignore[arg-type]
        return outcomes


def halving(
    every: float = 6.0, bits: int = 100_000, db: float = 50.0, per_octave: float = 3.0
) -> Curve:
    """A frame's bits halve every so many settings, and each time that much quality goes."""

    def curve(setting: float) -> tuple[int, float]:
        octaves = setting / every
        return max(1, round(bits * 2**-octaves)), db - per_octave * octaves

    return curve
