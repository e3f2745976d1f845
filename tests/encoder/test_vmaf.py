"""VMAF as the encoder asks for it: frame by frame, in one model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from edgecodec.encoder.vmaf import VmafMeter
from edgecodec.runtime.frames import PictureFormat, Planes

PICTURE = PictureFormat(64, 48, 8)


@dataclass(frozen=True)
class Noise:
    """Grey frames with this much noise on a texture."""

    amplitude: int

    def frames(self, count: int) -> list[Planes]:
        texture = np.random.default_rng(1).integers(64, 192, (48, 64))
        noise = np.random.default_rng(2)
        chroma = np.full((24, 32), 128, np.uint8)

        def luma(number: int) -> np.ndarray:
            added = noise.integers(-self.amplitude, self.amplitude + 1, texture.shape)
            return np.clip(np.roll(texture, number, axis=1) + added, 0, 255).astype(np.uint8)

        return [(luma(number), chroma, chroma) for number in range(count)]


def test_frame_scores_are_those_of_the_full_measurement() -> None:
    with VmafMeter(Noise(0).frames(3), PICTURE, threads=1) as meter:
        decoded = Noise(20).frames(3)
        scores = meter.frame_vmaf(decoded)
        assert scores == pytest.approx(meter.measure(decoded).frame_vmaf)
        assert len(scores) == 3
        assert all(0 <= score <= 100 for score in scores)


def test_more_noise_scores_lower() -> None:
    with VmafMeter(Noise(0).frames(2), PICTURE, threads=1) as meter:
        little, much = (meter.frame_vmaf(Noise(amount).frames(2)) for amount in (4, 60))
        assert all(less > more for less, more in zip(little, much, strict=True))


def test_a_missing_frame_is_refused() -> None:
    with (
        VmafMeter(Noise(0).frames(3), PICTURE, threads=1) as meter,
        pytest.raises(ValueError, match="2 decoded frames, but the source has 3"),
    ):
        meter.frame_vmaf(Noise(0).frames(2))
