"""A frame's latents improved by gradient descent through its decoder: the search of an encoder.

The analysis network knows no picture in particular. What it gives is a start; the latents that the
descent ends with cost less, in what the picture loses and in bits together, as the decoder and the
entropy layer are (Campos et al., "Content Adaptive Optimization for Neural Image Compression",
2019). Rounding is stochastic at first and hardens (Yang, Bamler and Mandt, arXiv:2006.04240):
straight through, symbols near a half would jump back and forth.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..decoder import IFrameDecoder
from ..decoder.networks import LATENT_SCALE
from ..runtime.latents import step_size
from .latent_rate import Coding
from .training.iframe import distortion, price_of_bits

_RATE = 0.005
_WARMEST, _COLDEST = 0.5, 0.015
_NEAR_A_WHOLE = 1e-4
_LOOK_EVERY = 10


def refined(
    decoder: IFrameDecoder, levels: Tensor, frame: Tensor, quality: int, steps: int, coding: Coding
) -> Tensor:
    """Whole symbols [1, C, h, w] for a frame [1, 96, 2h, 2w] in [0, 1].

    `levels` are the analysis network's latents in quantiser's steps. The result costs at most what
    they cost when rounded. The same arguments give the same symbols on the same kind of machine.
    """
    step = step_size(quality)
    price = float(price_of_bits(torch.tensor(quality)))
    pixels = frame.shape[2] * frame.shape[3] * 64
    moved = levels.detach().clone().requires_grad_()
    optimizer = torch.optim.Adam([moved], lr=_RATE, betas=(0.9, 0.99))
    random = torch.Generator(levels.device).manual_seed(0)

    def lost(latents: Tensor) -> Tensor:
        output, _ = decoder(latents.clamp(-32, 31.75))
        return distortion(output, frame)

    def cost(symbols: Tensor) -> float:
        with torch.no_grad():
            held = (coding.latents(symbols) * (step / LATENT_SCALE)).round() * LATENT_SCALE
            return float(lost(held)) + price * coding.bits(symbols) / pixels

    best = coding.nearest(levels.detach())
    least = cost(best)
    for index in range(steps):
        warmth = _WARMEST * (_COLDEST / _WARMEST) ** (index / steps)
        soft = _stochastically_rounded(moved, warmth, random)
        whole = moved + (coding.nearest(moved) - moved).detach()
        rate = coding.noisy_bits(whole, moved) / pixels
        optimizer.zero_grad()
        torch.log(lost(coding.latents(soft) * step) + price * rate).sum().backward()
        optimizer.step()
        if index % _LOOK_EVERY == _LOOK_EVERY - 1 or index == steps - 1:
            now = coding.nearest(moved.detach())
            if (spent := cost(now)) < least:
                best, least = now, spent
    return best


def _stochastically_rounded(x: Tensor, warmth: float, random: torch.Generator) -> Tensor:
    """`x` drawn between the whole numbers around it, more surely to the nearer the colder it is."""
    floor = x.floor().detach()
    share = (x - floor).clamp(_NEAR_A_WHOLE, 1 - _NEAR_A_WHOLE)
    uniform = torch.rand((2, *x.shape), generator=random, device=x.device)
    gumbel = -torch.log(-torch.log(uniform.clamp(1e-9, 1 - 1e-7)))
    odds = torch.stack((-torch.atanh(share), -torch.atanh(1 - share))) / warmth
    down, up = torch.softmax((odds + gumbel) / warmth, dim=0)
    drawn: Tensor = floor * down + (floor + 1) * up
    return drawn
