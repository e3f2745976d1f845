"""Quality lost to INT8, on pictures."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from edgecodec.decoder import spec
from edgecodec.decoder.networks import PER_SCENE
from edgecodec.export import LossSample, Manifest, base_samples, measure_loss
from edgecodec.export.loss import MAX_PSNR_DB, packed_psnr
from edgecodec.export.sessions import open_session
from edgecodec.runtime.errors import BitstreamError, ExportError, UnsupportedError

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


@pytest.mark.parametrize("network", ["enhancer", "generator_up"])
def test_the_loss_is_measured_by_clip(
    exported: tuple[Path, Manifest], moving_texture: Texture, tmp_path: Path, network: str
) -> None:
    folder, _ = exported
    clips = [moving_texture(tmp_path / f"{name}.mp4", 12, (128, 64)) for name in ("a", "b")]
    samples = base_samples(network, clips)
    loss = measure_loss(folder / f"{network}.fp32.onnx", folder / f"{network}.onnx", samples)
    assert [clip.name for clip in loss.clips] == ["a", "b"]
    assert loss.psnr_fp32 is not None
    assert loss.psnr_int8 is not None
    assert loss.drop_db == pytest.approx(loss.psnr_fp32 - loss.psnr_int8, abs=2e-5)
    assert 10 < loss.psnr_int8 < 60
    assert abs(loss.psnr_fp32 - loss.psnr_int8) < 0.5


def still(cells: int, base: int | None) -> LossSample:
    """Noise as a frame without motion and as its source; the base is `base` everywhere."""
    frame = np.random.default_rng(2).integers(0, 256, (1, 24, cells, cells), dtype=np.uint8)
    inputs = {"prev": frame, "cur": frame, "next": frame}
    condition = np.full((1, 2, cells, cells), 100, np.uint8)
    quarters = None if base is None else np.full(frame.shape, base, np.uint16)
    return LossSample("still", inputs | {"condition": condition}, frame, quarters)


@pytest.mark.parametrize("base", [0, 402, 1023])
def test_the_residual_is_added_in_quarters_and_the_sum_rounded_once(
    exported: tuple[Path, Manifest], base: int
) -> None:
    folder, _ = exported
    sample = still(8, base)
    loss = measure_loss(folder / "enhancer.fp32.onnx", folder / "enhancer.onnx", [sample])
    session = open_session(folder / "enhancer.onnx", "enhancer")
    code = {"gain": np.full((1, 64, 1, 1), 64, np.uint8)}
    code["bias"] = np.full((1, 64, 1, 1), 128, np.uint8)
    (residual,) = session.run(None, {**sample.inputs, **code})
    real = (base + residual.astype(np.float64) - 128) / 4
    frame = np.clip(np.floor(real.clip(0, 255.75) + 0.5), 0, 255).astype(np.uint8)
    assert loss.psnr_int8 == pytest.approx(packed_psnr(frame, sample.target), abs=1e-5)


def test_a_sample_without_an_input_is_named(exported: tuple[Path, Manifest]) -> None:
    folder, _ = exported
    sample = still(4, 0)
    inputs = {name: array for name, array in sample.inputs.items() if name != "condition"}
    with pytest.raises(ExportError, match="nothing for input 'condition'"):
        measure_loss(
            folder / "enhancer.fp32.onnx",
            folder / "enhancer.onnx",
            [LossSample("a", inputs, sample.target, sample.base)],
        )


def test_a_sample_without_a_base_for_the_residual_is_an_error(
    exported: tuple[Path, Manifest],
) -> None:
    folder, _ = exported
    with pytest.raises(ExportError, match="no base to add the residual to"):
        measure_loss(folder / "enhancer.fp32.onnx", folder / "enhancer.onnx", [still(4, None)])


def test_no_samples_are_an_error(exported: tuple[Path, Manifest]) -> None:
    folder, _ = exported
    with pytest.raises(ExportError, match="no samples"):
        measure_loss(folder / "enhancer.fp32.onnx", folder / "enhancer.onnx", [])


@pytest.mark.parametrize("network", ["enhancer", "generator_up"])
def test_samples_are_decoded_neighbours_their_base_and_their_source(
    moving_texture: Texture, tmp_path: Path, network: str
) -> None:
    samples = base_samples(network, [moving_texture(tmp_path / "texture.mp4", 20, (132, 68))])
    assert len(samples) == 14
    assert {sample.clip for sample in samples} == {"texture"}
    assert [int(s.inputs["condition"][0, 0, 0, 0]) for s in samples] == [140] * 7 + [190] * 7
    for sample in samples:
        assert sample.target.shape == (1, 24, 16, 32)
        for port in spec(network, "nano").inputs:
            if port.stride != PER_SCENE:
                assert sample.inputs[port.name].shape == (1, port.channels, 16, 32)
                assert sample.inputs[port.name].dtype == np.uint8
        assert (sample.inputs["condition"][:, 1] == 85).all()
        # The picture moves: only this frame's base is near its source, and it lost something.
        base = sample.base
        assert base is not None
        assert (base.dtype, base.shape) == (np.uint16, (1, 24, 16, 32))
        assert 0 < np.abs(base / 4 - sample.target).mean() < 12
    for one, after in pairwise(samples[:7]):
        assert np.array_equal(one.inputs["next"], after.inputs["cur"])
        assert np.array_equal(one.inputs["cur"], after.inputs["prev"])
        assert one.base is not None
        assert after.base is not None
        near, far = (np.abs(each / 4 - one.target).mean() for each in (one.base, after.base))
        assert near < far
        if network == "enhancer":
            # What the network sees is that base in 8 bits.
            rounded = np.minimum((one.base + 2) >> 2, 255)
            assert np.array_equal(one.inputs["cur"], rounded)


def test_networks_that_mend_no_base_have_no_samples_of_one(tmp_path: Path) -> None:
    assert base_samples("generator_p", [tmp_path / "never_opened.mp4"]) == []


def test_a_clip_that_does_not_decode_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video at all")
    with pytest.raises(BitstreamError, match=r"broken\.mp4"):
        base_samples("enhancer", [broken])


def test_a_clip_that_is_too_short_is_named(moving_texture: Texture, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="2 frames"):
        base_samples("enhancer", [moving_texture(tmp_path / "short.mp4", 2, (64, 48))])


@pytest.mark.parametrize(("network", "width"), [("enhancer", 56), ("generator_up", 120)])
def test_a_clip_that_is_too_narrow_is_named(
    moving_texture: Texture, tmp_path: Path, network: str, width: int
) -> None:
    clip = moving_texture(tmp_path / "narrow.mp4", 8, (width, 64))
    with pytest.raises(UnsupportedError, match=r"narrow\.mp4: .* at least 64"):
        base_samples(network, [clip])
