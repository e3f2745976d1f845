"""Quality lost to INT8, on pictures."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from edgecodec.decoder import spec
from edgecodec.export import LossSample, Manifest, enhancer_samples, measure_loss
from edgecodec.export.loss import MAX_PSNR_DB, packed_psnr
from edgecodec.runtime.errors import ExportError

Texture = Callable[[Path, int, tuple[int, int]], Path]


@pytest.mark.parametrize("channels", [24, 96])
def test_psnr_weighs_luma_six_to_one_to_one(channels: int) -> None:
    reference = np.full((1, channels, 2, 3), 100, np.uint8)
    frame = reference.copy()
    sixth = channels // 6
    frame[:, : 4 * sixth] += 1
    frame[:, 4 * sixth : 5 * sixth] += 2
    frame[:, 5 * sixth :] += 4
    one = 20 * math.log10(255)
    expected = (6 * one + (one - 20 * math.log10(2)) + (one - 20 * math.log10(4))) / 8
    assert packed_psnr(frame, reference) == pytest.approx(expected)


def test_equal_pictures_have_a_finite_psnr() -> None:
    frame = np.zeros((1, 24, 2, 2), np.uint8)
    assert packed_psnr(frame, frame) == MAX_PSNR_DB


def test_the_loss_is_measured_by_clip(
    exported: tuple[Path, Manifest], moving_texture: Texture, tmp_path: Path
) -> None:
    folder, _ = exported
    clips = [moving_texture(tmp_path / f"{name}.mp4", 12, (96, 64)) for name in ("a", "b")]
    samples = enhancer_samples(clips)
    loss = measure_loss(folder / "enhancer.fp32.onnx", folder / "enhancer.onnx", samples)
    assert [clip.name for clip in loss.clips] == ["a", "b"]
    assert loss.psnr_fp32 is not None
    assert loss.psnr_int8 is not None
    assert loss.drop_db == pytest.approx(loss.psnr_fp32 - loss.psnr_int8, abs=2e-5)
    assert 10 < loss.psnr_int8 < 60
    assert abs(loss.psnr_fp32 - loss.psnr_int8) < 0.5


def test_a_sample_without_an_input_is_named(exported: tuple[Path, Manifest]) -> None:
    folder, _ = exported
    frame = np.zeros((1, 24, 4, 4), np.uint8)
    samples = [LossSample("a", {"prev": frame, "cur": frame, "next": frame}, frame)]
    with pytest.raises(ExportError, match="nothing for input 'condition'"):
        measure_loss(folder / "enhancer.fp32.onnx", folder / "enhancer.onnx", samples)


def test_no_samples_are_an_error(exported: tuple[Path, Manifest]) -> None:
    folder, _ = exported
    with pytest.raises(ExportError, match="no samples"):
        measure_loss(folder / "enhancer.fp32.onnx", folder / "enhancer.onnx", [])


def test_samples_are_decoded_neighbours_and_their_source(
    moving_texture: Texture, tmp_path: Path
) -> None:
    samples = enhancer_samples([moving_texture(tmp_path / "texture.mp4", 20, (100, 68))])
    assert len(samples) == 14
    assert {sample.clip for sample in samples} == {"texture"}
    assert [int(s.inputs["condition"][0, 0, 0, 0]) for s in samples] == [140] * 7 + [190] * 7
    for sample in samples:
        assert sample.target.shape == (1, 24, 16, 24)
        for port in spec("enhancer", "nano").inputs:
            assert sample.inputs[port.name].shape == (1, port.channels, 16, 24)
            assert sample.inputs[port.name].dtype == np.uint8
        assert (sample.inputs["condition"][:, 1] == 170).all()
        # The picture moves: only the middle input is near the source, and it lost something.
        errors = {
            name: np.abs(sample.inputs[name].astype(int) - sample.target).mean()
            for name in ("prev", "cur", "next")
        }
        assert 0 < errors["cur"] < min(errors["prev"], errors["next"])
    assert np.array_equal(samples[0].inputs["next"], samples[1].inputs["cur"])


def test_a_clip_that_does_not_decode_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video at all")
    with pytest.raises(ExportError, match=r"broken\.mp4"):
        enhancer_samples([broken])


def test_a_clip_that_is_too_short_is_named(moving_texture: Texture, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="2 frames"):
        enhancer_samples([moving_texture(tmp_path / "short.mp4", 2, (64, 48))])
