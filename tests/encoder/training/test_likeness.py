"""The loss is the measure."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from edgecodec.encoder.training.likeness import SMALLEST_SIDE, ms_ssim
from edgecodec.evaluation.ms_ssim import LumaMsSsim


def planes(seed: int, noise: float, side: int = 192) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    smooth = np.kron(random.integers(0, 256, (side // 16, side // 16 + 2)), np.ones((16, 16)))
    source = np.clip(smooth + random.normal(0, 8, smooth.shape), 0, 255).astype(np.uint8)
    decoded = np.clip(source + random.normal(0, noise, source.shape), 0, 255).astype(np.uint8)
    return source, decoded


def test_it_is_what_evaluation_measures_and_each_picture_has_its_own() -> None:
    pairs = [planes(1, 4.0), planes(2, 30.0)]
    measured = [LumaMsSsim().add(*pair) for pair in pairs]
    assert measured[0] > measured[1] + 0.01
    sources, decoded = (torch.from_numpy(np.stack(each)) / 255 for each in zip(*pairs, strict=True))
    assert ms_ssim(sources, decoded).tolist() == pytest.approx(measured, abs=1e-5)


def test_equal_pictures_are_alike_and_it_can_be_descended() -> None:
    source = torch.from_numpy(planes(3, 0.0)[0])[None] / 255
    assert float(ms_ssim(source, source)) == pytest.approx(1.0, abs=1e-6)
    decoded = (source + 0.1 * torch.randn(source.shape)).requires_grad_()
    before = ms_ssim(source, decoded)
    (gradient,) = torch.autograd.grad(before.sum(), decoded)
    after = ms_ssim(source, (decoded + 0.5 * gradient / gradient.norm()).detach())
    assert float(after) > float(before)


def test_pictures_that_are_too_small_for_five_scales_are_refused() -> None:
    small = torch.zeros(1, SMALLEST_SIDE, SMALLEST_SIDE - 1)
    with pytest.raises(ValueError, match="161"):
        ms_ssim(small, small)
