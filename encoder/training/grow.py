"""From networks of I-frames with some latents to the same with more.

What has been learned stays: the larger networks code as the smaller did, and the new latents say
linearly what those lost. Training goes on from there, which takes a fraction of what it takes from
the transform.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...decoder import IFrameDecoder
from ...runtime.latents import step_size
from ...runtime.prior_shape import Previous
from ..analysis import QUALITIES, DeepAnalysis, spread_brightness
from .checkpoint import load_checkpoint, naming, read_weights
from .linear_start import CHROMA, FEATURE_GAIN, FEATURE_SIZE, LATENT_UNIT, LUMA_SAMPLES
from .prior_net import PriorNet, PriorShape

_AT_ONCE = 50
_RIDGE = 1e-5


def grow(
    decoder: IFrameDecoder,
    analysis: DeepAnalysis,
    prior: PriorNet,
    checkpoint: Path,
    pictures: Tensor,
) -> None:
    """Set the weights of all three to those in a checkpoint of networks with as many latents or
    fewer, and as `grow_networks` does the others. Raises ModelError for any other file."""
    with naming(checkpoint):
        latents = read_weights(checkpoint)["iframe_decoder"]["up.expand.weight"]
    old_decoder, old_analysis, old_prior = _of_sizes(latents, decoder, prior.shape)
    networks = {"iframe_decoder": old_decoder, "analysis_i": old_analysis, "prior_i": old_prior}
    load_checkpoint(checkpoint, networks, None)
    grow_networks(decoder, analysis, old_decoder, old_analysis, pictures)
    grow_prior(prior, old_prior)


def _of_sizes(
    expand: Tensor, decoder: IFrameDecoder, shape: PriorShape
) -> tuple[IFrameDecoder, DeepAnalysis, PriorNet]:
    """Networks with as many latents as those first weights are for, the rest as others have it."""
    hidden, latents = expand.shape[:2]
    channels = decoder.up.spread.out_channels // 4
    layers, short_cut = len(decoder.body), decoder.short_cut
    return (
        IFrameDecoder(latents, hidden, channels, layers, short_cut=short_cut),
        DeepAnalysis(latents),
        PriorNet(_with_channels(shape, latents - 1)),
    )


def _with_channels(shape: PriorShape, channels: int) -> PriorShape:
    """The same with another number of channels, which the last group has more or fewer."""
    last = shape.groups[-1] + channels - shape.channels
    return replace(shape, channels=channels, groups=(*shape.groups[:-1], last))


def grow_prior_from(prior: PriorNet, name: str, checkpoint: Path) -> None:
    """Set the weights of `prior` to those of network `name` in a checkpoint, which may have fewer
    channels. Raises ModelError for any other file."""
    with naming(checkpoint):
        biases = f"nets.0.{len(prior.shape.groups) - 1}.layers.2.bias"
        last = read_weights(checkpoint)[name][biases]
    gate = prior.shape.previous is Previous.GATED
    others = sum(prior.shape.groups[:-1])
    old = PriorNet(_with_channels(prior.shape, others + len(last) - gate))
    load_checkpoint(checkpoint, {name: old}, None)
    grow_prior(prior, old)


def grow_networks(
    decoder: IFrameDecoder,
    analysis: DeepAnalysis,
    old_decoder: IFrameDecoder,
    old_analysis: DeepAnalysis,
    pictures: Tensor,
) -> None:
    """Set the weights of the first two to what the other two do, and more latents.

    Those are what loses least of `pictures` [N, 96, P, P] in [0, 1], as the old networks without
    any rounding show them. The new decoder must have two more features for each new latent.
    """
    old, new = old_analysis.transform.out_channels, analysis.transform.out_channels
    with torch.no_grad():
        _widen(old_analysis, analysis)
        _widen(old_decoder, decoder)
        if new == old:
            return
        windows, lost = _lost(old_decoder, old_analysis, pictures)
        forward = _least_squares(windows, lost @ _directions(lost, new - old)) / LATENT_UNIT
        transform = analysis.transform
        assert transform.bias is not None
        transform.weight[old:] = forward[:-1].T.reshape(-1, 96, 4, 4)
        transform.bias[old:] = forward[-1]
        _show(decoder, _inverse(windows, lost, forward), old_decoder.up.expand.out_channels)


def grow_prior(prior: PriorNet, old: PriorNet) -> None:
    """Set the weights of `prior` to those of `old`, whose channels are its first ones and whose
    groups are its, but for the last, which has no means."""
    gated = old.shape.previous is Previous.GATED
    with torch.no_grad():
        for (name, layer), (_, learned) in zip(prior.layers(), old.layers(), strict=True):
            rows, columns = (torch.arange(side) for side in learned.weight.shape)
            if name.startswith("1"):
                columns = _old_inputs(old.shape, prior.shape, len(columns))
                layer.weight.zero_()
            elif name.startswith("3") and gated:
                # The gate comes after all tables and means.
                rows[-1] = len(layer.weight) - 1
            layer.weight[rows[:, None], columns] = learned.weight
            layer.bias[rows] = learned.bias


def _old_inputs(old: PriorShape, new: PriorShape, count: int) -> Tensor:
    """Where the first `count` inputs of a smaller prior are in one with more channels."""
    of_channels, of_signs = (old.channels, new.channels), (4 * old.signed, 4 * new.signed)
    parts = [of_channels, of_channels, of_signs]
    if old.previous is Previous.GATED:
        parts += [of_channels, of_channels]
    if old.previous:
        parts += [of_channels]
    places, start = [], 0
    for few, many in parts:
        places.append(start + torch.arange(few))
        start += many
    seen = torch.cat(places)
    return torch.cat((seen, start + torch.arange(count - len(seen))))


def _widen(old: nn.Module, new: nn.Module) -> None:
    """Copy weights to the first places of larger ones, with zeros in the others."""
    learned = dict(old.named_parameters())
    for name, parameter in new.named_parameters():
        weights = learned[name]
        parameter.zero_()
        parameter[tuple(slice(side) for side in weights.shape)] = weights


def _lost(
    decoder: IFrameDecoder, analysis: DeepAnalysis, pictures: Tensor
) -> tuple[Tensor, Tensor]:
    """For cells of all pictures but those at their sides: what the analysis's transform sees of
    them and a 1 [n, 1537], and what the decoder then lacks, in weighted grey levels [n, 384]."""
    windows, lost = [], []
    finest, step = torch.tensor([QUALITIES - 1]), step_size(QUALITIES - 1)
    for batch in pictures.split(_AT_ONCE):
        latents = analysis(batch, finest.expand(len(batch)))
        # The whole brightness is rounded, for its two parts are not linear in it.
        brightness = spread_brightness((latents / step).round())[:, :2] * step
        exact = torch.cat((brightness, latents[:, 1:]), dim=1)
        shown, _ = decoder(exact)
        blocks = F.pixel_unshuffle(batch - shown, 2)[..., 1:-1, 1:-1]
        seen = F.unfold(batch - 0.5, 4, padding=1, stride=2)
        side = batch.shape[-1] // 2
        seen = seen.unflatten(2, (side, side))[..., 1:-1, 1:-1]
        windows.append(seen.permute(0, 2, 3, 1).flatten(0, 2))
        lost.append(blocks.permute(0, 2, 3, 1).flatten(0, 2))
    seen_by_all = F.pad(torch.cat(windows), (0, 1), value=1.0)
    return seen_by_all, 255.0 * torch.cat(lost) * _weights()


def _weights() -> Tensor:
    luma = torch.arange(384) < LUMA_SAMPLES
    return torch.where(luma, 1.0, CHROMA)


def _directions(lost: Tensor, count: int) -> Tensor:
    """The orthonormal directions [384, count] in which most is lost."""
    _, vectors = torch.linalg.eigh(lost.T @ lost / len(lost))
    found: Tensor = vectors.flip(1)[:, :count]
    return found


def _least_squares(inputs: Tensor, outputs: Tensor) -> Tensor:
    moments = inputs.T @ inputs
    ridge = _RIDGE * moments.diagonal().mean() * torch.eye(len(moments))
    found: Tensor = torch.linalg.solve(moments + ridge, inputs.T @ outputs)
    return found


def _inverse(windows: Tensor, lost: Tensor, forward: Tensor) -> Tensor:
    """Pixels in [0, 1] [count, 384] of one unit of each new latent."""
    return _least_squares(windows @ forward, lost / _weights()) / 255.0


def _show(decoder: IFrameDecoder, pixels: Tensor, first: int) -> None:
    """Have two features from `first` on carry each new latent, as `linear_start` does it."""
    expand, spread = decoder.up.expand, decoder.up.spread
    latents = expand.in_channels - len(pixels)
    for number, picture in enumerate(pixels):
        added = FEATURE_GAIN * picture / FEATURE_SIZE
        for feature, sign in _pair(first, number):
            expand.weight[feature, latents + number, 1, 1] = sign * FEATURE_SIZE
            spread.weight[: len(added), feature, 1, 1] = sign * added
            spread.weight[len(added) :, feature, 1, 1] = -sign * added


def _pair(first: int, number: int) -> Iterator[tuple[int, float]]:
    yield first + 2 * number, 1.0
    yield first + 2 * number + 1, -1.0
