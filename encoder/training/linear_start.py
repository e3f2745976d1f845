"""Where the training of I-frames begins: a transform of blocks that both networks know.

From random weights a network needs tens of thousands of steps until it codes as well as a linear
transform does. So the analysis begins as the Karhunen-Loeve transform of 16x16 blocks, the decoder
as its inverse, and both learn what can be better. The decoder is linear through ReLU6 because every
signed value is two features, the positive and the negative part.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ...decoder import IFrameDecoder
from ...decoder.networks import LATENT_SCALE, RELU6_SCALE
from ...runtime.latents import step_size
from ..analysis import QUALITIES, DeepAnalysis, spread_brightness

# Two samples of chroma have the error of one of luma, for they have half of it.
CHROMA = 2.0**0.5
LUMA_SAMPLES = 256
# Grey levels of an orthonormal coefficient in one unit of a latent: the quantiser's steps are then
# near to what is best at every quality's price.
LATENT_UNIT = 30.0
# One feature's full range is five eighths of the pixels' one. Half would do for differences from
# grey, but these are from the mean of pictures: there would be no black, or no white.
FEATURE_GAIN = 9.6
# Features for each part of the first latents, whose weights are large: they share their scales
# with all the others.
_COPIES = (8, 2, 2, 2, 2)
# A feature of one unit of a latent: whole steps of it for a step of the latent's port, or it would
# round what that holds exactly.
FEATURE_SIZE = 2 * RELU6_SCALE / LATENT_SCALE
_UNUSED_SIZE = 0.1
# Pictures that are coded at one quality to fit the inverse, and from one such quality to the next.
_AT_ONCE, _STRIDE = 50, 11
# About the logarithm of what the coarsest quality costs in multiples of what the finest does.
_COARSEST_COST = 2.2
_RIDGE = 1e-5


def start(decoder: IFrameDecoder, analysis: DeepAnalysis, pictures: Tensor) -> None:
    """Set the weights of both to a transform that suits `pictures` [N, 96, P, P] in [0, 1].

    What they have beside it begins with random weights that nothing depends on yet.
    """
    mean, basis, weight = _transform(pictures, analysis.transform.out_channels)
    with torch.no_grad():
        forward = (basis * weight[:, None]).T * (255.0 / LATENT_UNIT)
        transform = analysis.transform
        assert transform.bias is not None
        transform.weight.zero_()
        transform.weight[:, :, 1:3, 1:3] = forward.reshape(-1, 96, 2, 2)
        transform.bias.copy_(forward @ (0.5 - mean))
        _start_decoder(decoder, mean, _inverse(analysis, pictures, mean))


def _inverse(analysis: DeepAnalysis, pictures: Tensor, mean: Tensor) -> Tensor:
    """The pixels [384, L, 3, 3] of one unit of each latent in a cell and in those around it, that
    leave least of the error of rounded latents at all qualities, each error by what it costs."""
    channels = analysis.transform.out_channels + 1
    size = 9 * channels
    moments, products = torch.zeros(size, size), torch.zeros(size, len(mean))
    for index, batch in enumerate(pictures.split(_AT_ONCE)):
        at = (index * _STRIDE) % QUALITIES
        step = step_size(at)
        symbols = (analysis(batch, torch.full((len(batch),), at)) / step).round()
        latents = spread_brightness(symbols) * step
        near = nn.functional.unfold(latents, 3, padding=1).transpose(1, 2).flatten(0, 1)
        blocks = nn.functional.pixel_unshuffle(batch, 2).flatten(2).transpose(1, 2).flatten(0, 1)
        price = math.exp(_COARSEST_COST * (1 - at / (QUALITIES - 1)))
        moments += near.T @ near / price
        products += near.T @ (blocks - mean) / price
    ridge = _RIDGE * moments.diagonal().mean() * torch.eye(size)
    found: Tensor = torch.linalg.solve(moments + ridge, products)
    # Unfolded: channels, then rows and columns of neighbours.
    return found.T.reshape(len(mean), channels, 3, 3)


def _transform(pictures: Tensor, channels: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mean [384] of blocks, basis [384, 63] of weighted ones, weights [384]."""
    blocks = nn.functional.pixel_unshuffle(pictures, 2)
    flat = blocks.permute(0, 2, 3, 1).flatten(0, 2)
    luma = torch.arange(flat.shape[1]) < LUMA_SAMPLES
    weight = torch.where(luma, 1.0, CHROMA)
    mean = flat.mean(dim=0)
    spread = (flat - mean) * weight
    _, vectors = torch.linalg.eigh(spread.T @ spread / len(flat))
    return mean, vectors.flip(1)[:, :channels], weight


def _start_decoder(decoder: IFrameDecoder, mean: Tensor, back: Tensor) -> None:
    """`back`: as of `_inverse`."""
    for module in decoder.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            assert module.bias is not None
            nn.init.zeros_(module.bias)
    expand, spread, head = decoder.up.expand, decoder.up.spread, decoder.head
    assert expand.bias is not None
    assert spread.bias is not None
    assert head.bias is not None
    copies = _copies(expand.in_channels)
    carried = [latent for latent, count in enumerate(copies) for _ in range(count)]
    size = FEATURE_SIZE
    expand.weight[2 * len(carried) :] *= _UNUSED_SIZE
    expand.weight[: 2 * len(carried)] = 0.0
    spread.weight.zero_()
    channels = len(back)
    for at, latent in enumerate(carried):
        pixels = FEATURE_GAIN * back[:, latent] / (size * copies[latent])
        for feature, sign in ((2 * at, 1.0), (2 * at + 1, -1.0)):
            expand.weight[feature, latent, 1, 1] = sign * size
            spread.weight[:channels, feature] = sign * pixels
            spread.weight[channels:, feature] = -sign * pixels
    spread.bias[:channels] = FEATURE_GAIN * (mean - 0.5)
    spread.bias[channels:] = -FEATURE_GAIN * (mean - 0.5)
    head.weight.zero_()
    shown = len(head.weight)
    for channel in range(shown):
        head.weight[channel, channel] = 1 / FEATURE_GAIN
        head.weight[channel, shown + channel] = -1 / FEATURE_GAIN
    head.bias.fill_(0.5)


def _copies(latents: int) -> list[int]:
    return [*_COPIES, *[1] * (latents - len(_COPIES))]
