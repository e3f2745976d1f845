"""What latents cost without any network: how many there are, and how brightness is coded.

    python benchmarks/linear_latents.py --pack packs/pictures --data STILLS [CLIPS] --side 1024

Every picture goes through the Karhunen-Loeve transform of 16x16 blocks (fitted to the pack),
uniform steps at eight prices of bits and the entropy layer's own coder. BD-rates are against 64
latents with brightness as the format has it, a coarse and a fine latent of each block for itself;
`predicted` is brightness less the median of its left and upper neighbours and their plane, at its
order-0 entropy and 6 bits for each symbol of its table. The last lines are what so many latents can
do at most: PSNR without rounding, of a transform fitted to the pictures themselves.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from edgecodec.encoder.quality import psnr
from edgecodec.encoder.scale_choice import economical
from edgecodec.encoder.training.packs import PicturePack
from edgecodec.evaluation.bdrate import RatePoint, bd_rate, unbeaten
from edgecodec.evaluation.still_pictures import Still, read_stills
from edgecodec.runtime.packing import pack, unpack
from edgecodec.runtime.symbols import CHANNELS, choose_difference_tables, encode_latent
from numpy.typing import NDArray
from torch import Tensor

COUNTS = (64, 128, 192)
PRICES = (2, 5, 12, 30, 75, 190, 480, 1200)
BOUNDED = (48, 64, 96, 128, 192)
_CHROMA = 2.0**0.5
_REFINEMENT = 4
_ROUNDED_UP_FROM = 0.58
_PICTURES = 1500
_TABLE_BITS = 8 * 48
_SYMBOL_BITS = 6


def blocks_of(packed: Tensor) -> Tensor:
    """Blocks [..., 384] in grey levels."""
    return torch.nn.functional.pixel_unshuffle(packed, 2).permute(0, 2, 3, 1)


def transform_of(blocks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, weights and basis, of the most energy first."""
    flat = blocks.reshape(-1, blocks.shape[-1])
    weight = torch.where(torch.arange(flat.shape[1]) < 256, 1.0, _CHROMA)
    mean = flat.mean(dim=0)
    spread = (flat - mean) * weight
    _, vectors = torch.linalg.eigh(spread.T @ spread / len(flat))
    return mean, weight, vectors.flip(1)


def shown_psnr(still: Still, blocks: Tensor) -> float:
    packed = torch.nn.functional.pixel_shuffle(blocks.permute(2, 0, 1)[None], 2)
    levels = packed.round().clamp(0, 255).to(torch.uint8).numpy()
    return psnr(still.planes, unpack(levels, still.format)).weighted


def coded_bits(symbols: NDArray[np.float32]) -> int:
    """Bits of latents [64 n, h, w], 64 at a time."""
    bits = _TABLE_BITS
    for start in range(0, len(symbols), CHANNELS):
        part = symbols[start : start + CHANNELS].clip(-127, 127).astype(np.int8)
        latent = economical(part)
        tables = choose_difference_tables([latent.scale_index])
        bits += 8 * len(encode_latent(latent, tables, None))
    return bits


def predicted_bits(brightness: NDArray[np.int64]) -> float:
    """Bits of whole numbers [h, w] less their prediction."""
    predicted = np.zeros_like(brightness)
    left, above, corner = brightness[1:, :-1], brightness[:-1, 1:], brightness[:-1, :-1]
    plane = left + above - corner
    predicted[1:, 1:] = plane.clip(np.minimum(left, above), np.maximum(left, above))
    predicted[0, 1:], predicted[1:, 0] = brightness[0, :-1], brightness[:-1, 0]
    _, counts = np.unique(brightness - predicted, return_counts=True)
    share = counts / counts.sum()
    return float(-(share * np.log2(share)).sum() * brightness.size + _SYMBOL_BITS * len(counts))


def points(
    still: Still, transform: tuple[Tensor, Tensor, Tensor], count: int, price: float
) -> tuple[RatePoint, RatePoint]:
    """With brightness as it is, and predicted; rates are bits per pixel."""
    mean, weight, vectors = transform
    basis = vectors[:, :count]
    packed = torch.from_numpy(pack(still.planes, 8, 16)).float()
    blocks = (blocks_of(packed)[0] - mean) * weight
    step = 1.6 * (11.5 * price) ** 0.5
    levels = blocks @ basis / step
    symbols = (levels.sign() * (levels.abs() + 1 - _ROUNDED_UP_FROM).floor()).clamp(-127, 127)
    coarse = (levels[..., 0] / _REFINEMENT).round()
    fine = (levels[..., 0] - _REFINEMENT * coarse).round()
    symbols[..., 0] = _REFINEMENT * coarse + fine
    quality = shown_psnr(still, (symbols * step) @ basis.T / weight + mean)
    planes = symbols.permute(2, 0, 1).numpy()
    as_it_is = np.concatenate([coarse.numpy()[None], fine.numpy()[None], planes[1:]])[:count]
    others = planes.copy()
    others[0] = 0
    predicted = coded_bits(others) + predicted_bits(planes[0].astype(np.int64))
    return (
        RatePoint(coded_bits(as_it_is) / still.pixels, quality),
        RatePoint(predicted / still.pixels, quality),
    )


def print_bounds(stills: Sequence[Still]) -> None:
    parts = [blocks_of(torch.from_numpy(pack(still.planes, 8, 16)).float())[0] for still in stills]
    flat = torch.cat([part.reshape(-1, part.shape[-1]) for part in parts])
    mean, weight, vectors = transform_of(flat)
    for count in BOUNDED:
        basis = vectors[:, :count]
        best = [
            shown_psnr(still, ((part - mean) * weight) @ basis @ basis.T / weight + mean)
            for still, part in zip(stills, parts, strict=True)
        ]
        print(f"{count} latents: {min(best):.1f} to {max(best):.1f} dB, mean {fmean(best):.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", type=Path, nargs="+", required=True)
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--side", type=int, default=0)
    asked = parser.parse_args()
    crops = PicturePack(*asked.pack)
    cells = 16
    drawn = crops.batch(np.random.default_rng(1), min(len(crops), _PICTURES), cells)
    transform = transform_of(blocks_of(255 * drawn))
    stills = [still for folder in asked.data for still in read_stills(folder, asked.side)]
    curves: dict[tuple[int, str], list[list[RatePoint]]] = defaultdict(list)
    for still in stills:
        for count in COUNTS:
            pairs = [points(still, transform, count, price) for price in PRICES]
            for kind, curve in zip(
                ("as it is", "predicted"), zip(*pairs, strict=True), strict=True
            ):
                curves[count, kind].append(unbeaten(curve))
    for (count, kind), made in curves.items():
        found = [bd_rate(*pair).percent for pair in zip(curves[64, "as it is"], made, strict=True)]
        each = " ".join(f"{percent:+.1f}" for percent in found)
        print(f"{count} latents, brightness {kind}: {fmean(found):+.1f} % ({each})")
    print_bounds(stills)


if __name__ == "__main__":
    main()
