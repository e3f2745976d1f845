"""Symmetries of video, as they look on packed tensors.

A few dozen clips have few colours and few directions of light: a network that sees them only as
they are learns the clips.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def recolored(x: Tensor, random: np.random.Generator) -> Tensor:
    """`x` [..., 6 * (block / 2)**2, P, P] packed frames of one scene in [0, 1], changed alike.

    Exchanges U and V and inverts planes at random, and shifts each plane's level as far as the
    range allows. What coding loses hardly depends on any of that; what pictures look like does, so
    this is for networks that mend, not for those that code.
    """
    y, u, v = _planes(x)
    if random.random() < 0.5:
        u, v = v, u
    return torch.cat([_level(plane, random) for plane in (y, u, v)], dim=-3)


def mirrored(x: Tensor, random: np.random.Generator) -> Tensor:
    """`x`, shaped as for `recolored`, mirrored along rows and along columns at random."""
    planes = _planes(x)
    mirror_columns, mirror_rows = random.random(2) < 0.5
    if mirror_columns:
        planes = [_mirrored(plane, -1) for plane in planes]
    if mirror_rows:
        planes = [_mirrored(plane, -2) for plane in planes]
    return torch.cat(planes, dim=-3)


def _planes(x: Tensor) -> list[Tensor]:
    chroma = x.shape[-3] // 6
    return list(x.split([4 * chroma, chroma, chroma], dim=-3))


def _level(plane: Tensor, random: np.random.Generator) -> Tensor:
    if random.random() < 0.5:
        plane = 1.0 - plane
    low, high = float(plane.min()), float(plane.max())
    # Whole grey levels, so that decoded pixels stay what uint8 can hold.
    shift = round(float(random.uniform(-low, 1.0 - high)) * 255.0) / 255.0
    return (plane + shift).clamp(0.0, 1.0)


def _mirrored(plane: Tensor, axis: int) -> Tensor:
    """Mirrored along rows (-2) or columns (-1): cells in reverse, and samples within each cell."""
    *_, channels, _, _ = plane.shape
    size = round(channels**0.5)
    order = torch.arange(channels).reshape(size, size).flip(axis).reshape(-1)
    return plane.flip(axis).index_select(plane.dim() - 3, order)
