"""Make what priors of I-frames are trained on: symbols of pictures, as the encoder sends them.

    python -m edgecodec.encoder.training.picture_symbols --tier edge --pack PACKS --out FOLDER \
        --count 12000 --threads 1

Crops of picture packs (`make_packs pictures`), each at a random quality, half of them as pictures
by themselves and half as the first of a scene that is continued: the encoder spends more bits on
those. Every few hundred crops become one file, `SymbolPack` reads them. A file that is there is
passed over, so the command can be stopped and run again.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from ...decoder import TIERS
from ...runtime.payloads import FrameKind
from ..priors import I_LETTERS
from ..resources import Resources
from ..script import run_script
from ..strategies.latent import LatentCoder
from ..targets import Metric
from .iframe import some_in_full_range
from .make_symbols import CELLS, QUALITIES, SymbolCrop, save
from .packs import PicturePack

# In a file: those of a few sources, so that whole sources are kept for measuring.
_CROPS = 200
_CONTINUED_BY = 31
_PIXEL_CELLS = 2 * CELLS


def crops(
    coder: LatentCoder, pack: PicturePack, rows: Iterable[int], random: np.random.Generator
) -> Iterator[SymbolCrop]:
    """One crop of each of these samples of a pack."""
    for row in rows:
        frame = torch.from_numpy(pack.crop(row, random, _PIXEL_CELLS)).float() / 255.0
        packed = (some_in_full_range(frame, random) * 255.0).round().to(torch.uint8).numpy()
        quality = coder.finest_quality(packed, int(random.integers(QUALITIES)))
        followers = _CONTINUED_BY if random.random() < 0.5 else 0
        symbols = coder.symbols(packed, FrameKind.I, (), quality, followers=followers)
        yield SymbolCrop(FrameKind.I, quality, symbols, np.zeros_like(symbols))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tier", choices=sorted(TIERS), default="edge")
    parser.add_argument("--pack", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=12000, help="crops in all")
    parser.add_argument("--tune", choices=[each.value for each in I_LETTERS], default="psnr")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    pack = PicturePack(*asked.pack)
    coder = Resources(asked.threads).latent_coder(asked.tier, "cpu", tune=Metric(asked.tune))
    asked.out.mkdir(parents=True, exist_ok=True)
    files = max(2, asked.count // _CROPS)
    for number in track(range(files), description="symbols", console=Console(stderr=True)):
        path = asked.out / f"{number:04d}.npz"
        if path.exists():
            continue
        rows = [len(pack) * (number * _CROPS + n) // (files * _CROPS) for n in range(_CROPS)]
        random = np.random.default_rng((asked.seed, number))
        save(path, list(crops(coder, pack, rows, random)))


if __name__ == "__main__":
    run_script(main)
