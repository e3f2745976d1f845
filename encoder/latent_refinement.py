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
from .training.iframe import distortion, price_of_bits
from .training.rate import bits, noisy_bits, round_straight_through

_RATE = 0.005
_WARMEST, _COLDEST = 0.5, 0.015
_NEAR_A_WHOLE = 1e-4
_MOST_SYMBOL = 127
_LOOK_EVERY = 10


def refined(
    decoder: IFrameDecoder, levels: Tensor, frame: Tensor, quality: int, steps: int
) -> Tensor:
    """Whole symbols [1, 64, h, w] for a frame [1, 96, 2h, 2w] in [0, 1].

    `levels` are the analysis network's latents in quantiser's steps. The result costs at most what
    they cost when rounded. Sides of `levels` are padded to groups as the entropy layer does. The
    same arguments give the same symbols on the same kind of machine.
    """
    step = step_size(quality)
    price = float(price_of_bits(torch.tensor(quality)))
    pixels = frame.shape[2] * frame.shape[3] * 64
    moved = levels.detach().clone().requires_grad_()
    optimizer = torch.optim.Adam([moved], lr=_RATE, betas=(0.9, 0.99))
    random = torch.Generator(levels.device).manual_seed(0)

    def lost(symbols: Tensor) -> Tensor:
        output, _ = decoder((symbols * step).clamp(-32, 31.75))
        return distortion(output, frame)

    def cost(symbols: Tensor) -> float:
        with torch.no_grad():
            held = (symbols * (step / LATENT_SCALE)).round() * (LATENT_SCALE / step)
            return float(lost(held) + price * bits(_grouped(symbols)) / pixels)

    best = levels.detach().round().clamp(-_MOST_SYMBOL, _MOST_SYMBOL)
    least = cost(best)
    for index in range(steps):
        warmth = _WARMEST * (_COLDEST / _WARMEST) ** (index / steps)
        soft = _stochastically_rounded(moved, warmth, random)
        whole = round_straight_through(moved)
        rate = noisy_bits(_grouped(whole), _grouped(moved)) / pixels
        optimizer.zero_grad()
        torch.log(lost(soft) + price * rate).sum().backward()
        optimizer.step()
        if index % _LOOK_EVERY == _LOOK_EVERY - 1 or index == steps - 1:
            now = moved.detach().round().clamp(-_MOST_SYMBOL, _MOST_SYMBOL)
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


def _grouped(symbols: Tensor) -> Tensor:
    """Padded with zeros to whole groups of 4x4 cells."""
    rows, columns = (-side % 4 for side in symbols.shape[2:])
    return torch.nn.functional.pad(symbols, (0, columns, 0, rows))
