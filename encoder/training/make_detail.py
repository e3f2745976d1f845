"""Make what the prior of detail is trained on: what a tier's networks do not draw of pictures.

    python -m edgecodec.encoder.training.make_detail --pack packs/pictures packs/frames \
        --out FOLDER --threads 1

Every crop of packs of pictures is coded as an I-frame at a random quality, and what is missing is
quantised at another: with the installed prior of detail, as the encoder does, or rounded where
there is none yet. `training.prior --kind d` reads the folder. Crops go into files of some hundred,
which lie next to each other in their pack; files that are there are passed over, so the command
can be stopped and run again.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from ...decoder import TIERS
from ...runtime.detail import CHANNELS, QUALITIES, Latent, Symbols, seen_before
from ...runtime.errors import EdgecodecError
from ...runtime.frames import PictureFormat
from ...runtime.packing import Packed, pack
from ...runtime.payloads import FrameKind
from ...runtime.prior import Prior
from ...runtime.prior_part import groups_needed
from ..detail_coding import PRICE_OF_A_BIT, missing
from ..detail_quality import FIRST_QUALITY
from ..priors import detail_prior
from ..resources import Resources
from ..script import run_script
from ..strategies.latent import LatentCoder
from ..symbol_choice import choose_symbols
from .schedule import Deadline

_FILE = 120
_COARSEST_LATENTS = 14
_FINEST_LATENTS = 63
_BLOCK, _MULTIPLE = 8, 16
# A third of the details have any quality; others one that goes with the latents' own: still
# pictures and what stands still have finer detail than that of the same price.
_ANY_QUALITY = 1 / 3
_COARSEST = 8
_SPREAD, _FINER = 9.0, 14
# Rounded before there is a prior: what is smaller than 0.65 steps is left out.
_ROUNDING = 0.35
# What may be left out is not known before there is one.
_ALL_GROUPS = 255


@dataclass(frozen=True, eq=False)
class DetailCrop:
    """Symbols of a crop's detail [96, h, w] of -127 to 127, what their prior sees as the frame
    before, the detail's quality, and how many of the prior's groups are coded."""

    symbols: Symbols
    seen: Symbols
    quality: int
    groups: int


def crop_detail(
    packed: Packed, coder: LatentCoder, prior: Prior | None, random: np.random.Generator
) -> DetailCrop:
    """The detail of a picture [1, 96, h, w], packed by blocks of 8, at random qualities."""
    quality = int(random.integers(_COARSEST_LATENTS, _FINEST_LATENTS + 1))
    finer = _quality(quality, random)
    rows, columns = packed.shape[2:]
    picture = PictureFormat(_BLOCK * columns, _BLOCK * rows)
    coded = coder.code(packed, picture, FrameKind.I, (), quality)
    seen = seen_before(_latent(coded.latent), quality)
    levels = missing(packed, pack(coded.planes, _BLOCK, _MULTIPLE), finer)
    if prior is None:
        symbols = (np.sign(levels) * np.floor(np.abs(levels) + _ROUNDING)).astype(np.int16)
        return DetailCrop(symbols.clip(-127, 127), seen, finer, _ALL_GROUPS if symbols.any() else 0)
    symbols = choose_symbols(levels, finer, prior, seen, price=PRICE_OF_A_BIT)
    return DetailCrop(symbols, seen, finer, groups_needed(symbols, np.zeros_like(symbols), prior))


def _latent(latent: Latent) -> Latent:
    if latent.shape[1] <= CHANNELS:
        raise EdgecodecError(
            f"networks with latents of {latent.shape[1]} channels have no detail: more than "
            f"{CHANNELS} are needed"
        )
    return latent


def _quality(latents: int, random: np.random.Generator) -> int:
    if random.random() < _ANY_QUALITY:
        return int(random.integers(_COARSEST, QUALITIES))
    wanted = latents - FIRST_QUALITY + random.normal(0, _SPREAD) + random.integers(0, _FINER)
    return int(np.clip(wanted, 0, QUALITIES - 1))


def save(path: Path, made: Sequence[DetailCrop]) -> None:
    """Write crops (.npz), under a temporary name first: `d_symbols` and `d_previous`
    [N, 96, h, w] int8, `d_quality` and `d_groups` [N] uint8."""
    arrays: dict[str, NDArray[np.generic]] = {
        "d_symbols": np.stack([crop.symbols for crop in made]).astype(np.int8),
        "d_previous": np.stack([crop.seen for crop in made]).astype(np.int8),
        "d_quality": np.array([crop.quality for crop in made], np.uint8),
        "d_groups": np.array([crop.groups for crop in made], np.uint8),
    }
    temporary = path.with_suffix(".partial")
    with temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    os.replace(temporary, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tier", choices=sorted(TIERS), default="edge")
    parser.add_argument("--pack", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=1e9, help="no file is begun after them")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    coder = Resources(asked.threads).latent_coder(asked.tier, "cpu")
    prior = detail_prior(asked.tier)
    deadline = Deadline(asked.minutes * 60)
    asked.out.mkdir(parents=True, exist_ok=True)
    packs = [np.load(folder / "x.npy", mmap_mode="r", allow_pickle=False) for folder in asked.pack]
    parts = [(at, start) for at, x in enumerate(packs) for start in range(0, len(x), _FILE)]
    for at, start in track(parts, description="detail", console=Console(stderr=True)):
        path = asked.out / f"{at:02d}-{start:06d}.npz"
        if path.exists() or deadline.passed:
            continue
        random = np.random.default_rng((asked.seed, at, start))
        crops = (np.array(crop)[None] for crop in packs[at][start : start + _FILE])
        save(path, [crop_detail(crop, coder, prior, random) for crop in crops])


if __name__ == "__main__":
    run_script(main)
