"""More latents: what was learned stays, and less is lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from edgecodec.decoder import IFrameDecoder
from edgecodec.encoder.analysis import DeepAnalysis, spread_brightness
from edgecodec.encoder.training.checkpoint import Progress, save_checkpoint
from edgecodec.encoder.training.grow import (
    grow,
    grow_networks,
    grow_prior,
    grow_prior_from,
)
from edgecodec.encoder.training.linear_start import start
from edgecodec.encoder.training.prior_net import PriorNet, PriorShape
from edgecodec.runtime.errors import ModelError
from edgecodec.runtime.latents import step_size
from edgecodec.runtime.prior_shape import Previous
from torch import Tensor

FEW, MORE = 24, 30
FINEST = 63
SHAPE = PriorShape(FEW - 1, True, Previous.UNKNOWN, (4, 6, 13), (True, True, False), 8, 16)
WIDER = replace(SHAPE, channels=MORE - 1, groups=(4, 6, 19))


def networks(latents: int) -> tuple[IFrameDecoder, DeepAnalysis]:
    torch.manual_seed(latents)
    hidden = 2 * latents + 32
    decoder = IFrameDecoder(latents, hidden, 192, 1, short_cut=True)
    return decoder, DeepAnalysis(latents, fine=8, coarse=8)


def pictures(count: int = 12) -> Tensor:
    """Smooth patterns and noise [N, 96, 8, 8]: of 64x64 pixels."""
    random = torch.Generator().manual_seed(3)
    small = torch.rand((count, 96, 4, 4), generator=random) * 0.6 + 0.2
    smooth = torch.nn.functional.interpolate(small, scale_factor=2, mode="bilinear")
    return (smooth + 0.03 * torch.randn(smooth.shape, generator=random)).clamp(0, 1)


@pytest.fixture(scope="module")
def trained() -> tuple[IFrameDecoder, DeepAnalysis]:
    decoder, analysis = networks(FEW)
    start(decoder, analysis, pictures(200))
    return decoder, analysis


def shown(decoder: IFrameDecoder, analysis: DeepAnalysis, frames: Tensor) -> Tensor:
    step = step_size(FINEST)
    with torch.no_grad():
        symbols = (analysis(frames, torch.full((len(frames),), FINEST)) / step).round()
        made, _ = decoder(spread_brightness(symbols) * step)
    return made


def test_more_latents_lose_less(trained: tuple[IFrameDecoder, DeepAnalysis]) -> None:
    decoder, analysis = networks(MORE)
    frames = pictures(60)
    grow_networks(decoder, analysis, *trained, frames)
    quality = torch.full((len(frames),), FINEST)
    with torch.no_grad():
        old, new = trained[1](frames, quality), analysis(frames, quality)
    assert torch.allclose(new[:, : FEW - 1], old, atol=1e-5)
    before, after = (
        (shown(*each, frames) - frames).square().mean() for each in (trained, (decoder, analysis))
    )
    assert after < 0.95 * before


def test_as_many_latents_change_nothing(trained: tuple[IFrameDecoder, DeepAnalysis]) -> None:
    again = networks(FEW)
    grow_networks(*again, *trained, pictures(2))
    assert torch.equal(shown(*again, pictures()), shown(*trained, pictures()))


def random_prior(shape: PriorShape) -> PriorNet:
    torch.manual_seed(5)
    net = PriorNet(shape)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.normal_(0, 0.3)
    return net


@pytest.mark.parametrize("previous", Previous)
def test_a_wider_prior_takes_as_many_bits_for_what_the_other_codes(previous: Previous) -> None:
    old, new = (replace(shape, previous=previous) for shape in (SHAPE, WIDER))
    old, new = random_prior(old), PriorNet(new)
    grow_prior(new, old)
    symbols = torch.from_numpy(np.random.default_rng(1).integers(-3, 4, (2, FEW - 1, 9, 7))).float()
    quality = torch.tensor([3, 50])
    wider = torch.nn.functional.pad(symbols, (0, 0, 0, 0, 0, MORE - FEW))
    without = torch.nn.functional.pad(symbols[:, :10], (0, 0, 0, 0, 0, MORE - 1 - 10))

    def before(x: Tensor) -> Tensor | None:
        return x.flip(0) if previous else None

    few = torch.nn.functional.pad(symbols[:, :10], (0, 0, 0, 0, 0, FEW - 1 - 10))
    assert torch.allclose(
        new.bits(without, quality, before(without), groups=2),
        old.bits(few, quality, before(few), groups=2),
    )
    # The new channels are zeros that have bits as well.
    least, more = (net.bits(x, quality, before(x)) for net, x in ((old, symbols), (new, wider)))
    assert bool((more >= least).all())
    assert bool((more <= 2 * least).all())


def test_a_training_goes_on_from_another_ones_checkpoint(
    trained: tuple[IFrameDecoder, DeepAnalysis], tmp_path: Path
) -> None:
    analysis = DeepAnalysis(FEW)
    names = ("iframe_decoder", "analysis_i", "prior_i")
    old = dict(zip(names, (trained[0], analysis, random_prior(SHAPE)), strict=True))
    path = tmp_path / "old.pt"
    save_checkpoint(path, old, torch.optim.SGD(analysis.parameters()), Progress(7))
    decoder, larger, prior = networks(MORE)[0], DeepAnalysis(MORE), PriorNet(WIDER)
    grow(decoder, larger, prior, path, pictures(60))
    learned = trained[0].head.weight
    assert torch.equal(decoder.head.weight, learned)
    assert torch.equal(larger.head.weight[: FEW - 1], analysis.head.weight)
    path.write_bytes(b"no checkpoint")
    with pytest.raises(ModelError, match=r"old\.pt"):
        grow(decoder, larger, prior, path, pictures(2))
    save_checkpoint(path, {"other": analysis}, torch.optim.SGD(analysis.parameters()), Progress())
    with pytest.raises(ModelError, match=r"old\.pt"):
        grow(decoder, larger, prior, path, pictures(2))
    with pytest.raises(ModelError, match=r"old\.pt"):
        grow_prior_from(prior, "prior_c", path)


def test_a_prior_grows_from_a_checkpoint(tmp_path: Path) -> None:
    gated = [replace(shape, previous=Previous.GATED) for shape in (SHAPE, WIDER)]
    old, new = random_prior(gated[0]), PriorNet(gated[1])
    path = tmp_path / "old.pt"
    save_checkpoint(path, {"prior_c": old}, torch.optim.SGD(old.parameters()), Progress())
    grow_prior_from(new, "prior_c", path)
    wanted = PriorNet(gated[1])
    grow_prior(wanted, old)
    for name, weights in new.state_dict().items():
        if "layers.2" not in name:
            assert torch.equal(weights, wanted.state_dict()[name])
