"""Train the I-frame decoder and its analysis network on single pictures.

    python -m edgecodec.encoder.training.iframe --pack PACK --checkpoint RUN.pt --tier edge

Resumable and time-limited like `training.enhancer`. It begins as a linear transform
(`linear_start`). The last steps may be in the INT8 arithmetic that is alike on every device
(--int8-share); where the export rounds weights to what comes out of them, none need be. --publish
writes both weight files.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...decoder import IFrameDecoder, build
from ...decoder.networks import LATENT_SCALE
from ...export.quantization.recipe import Arithmetic
from ...runtime.errors import UnsupportedError
from ...runtime.latents import step_size
from ..analysis import QUALITIES, DeepAnalysis, build_analysis
from .checkpoint import Progress
from .linear_start import start
from .loop import Job, command, run
from .packs import PicturePack
from .publish import publish
from .rate import bits, noisy_bits, round_straight_through
from .schedule import Deadline, Schedule

# Squared grey levels per bit and pixel, at the finest quality and at the coarsest.
_LOWEST_PRICE, _HIGHEST_PRICE = 8.0, 1600.0
# Squared grey levels that no plane's error counts as below.
_FLOOR = 1.0
_PLANES = ((0, 64, 0.75), (64, 80, 0.125), (80, 96, 0.125))
_MOST_SYMBOL = 127
_START_PICTURES = 2000
# Shares of the learning rate, by network and the start of the weights' names; 1 for all others.
# What makes pixels and latents out of hundreds of features has to move slowly: a step of all its
# weights in one direction must not be a step of grey levels or of quantisers.
_SHARES = {
    "iframe_decoder": {"up.": 0.1, "head.": 0.03},
    "analysis_i": {"transform.": 0.2, "head.": 0.2, "gains.": 0.2},
}


@dataclass(frozen=True)
class Recipe:
    """What may differ between runs.

    `cells` is the side of crops in cells of 8 pixels, a multiple of 8. `int8_share` is of the
    steps, the last ones.
    """

    cells: int = 16
    int8_share: float = 0.0


def price_of_bits(quality: Tensor) -> Tensor:
    """Lagrangian multipliers at qualities [N]: squared grey levels per bit per luma pixel."""
    coarseness = (QUALITIES - 1 - quality) / (QUALITIES - 1)
    return _LOWEST_PRICE * (_HIGHEST_PRICE / _LOWEST_PRICE) ** coarseness


def distortion(output: Tensor, target: Tensor) -> Tensor:
    """6:1:1 geometric mean of the planes' mean squared errors, in squared grey levels, per sample.

    Its logarithm is, but for the floor, what the PSNR of record is made of.
    """
    squared = (255.0 * (output - target)).square()
    logs = [
        weight * torch.log(squared[:, first:end].mean(dim=(1, 2, 3)) + _FLOOR)
        for first, end, weight in _PLANES
    ]
    return torch.exp(torch.stack(logs).sum(dim=0))


class Trainer:
    """Both networks, and the loss of pictures that they code."""

    def __init__(self, tier: str) -> None:
        decoder, analysis = build("iframe_decoder", tier), build_analysis("analysis_i", tier)
        if not isinstance(decoder, IFrameDecoder) or not isinstance(analysis, DeepAnalysis):
            raise UnsupportedError(f"tier {tier} has no deep analysis: train it with latent.py")
        self.decoder, self.analysis = decoder, analysis
        self.networks: dict[str, nn.Module] = {"iframe_decoder": decoder, "analysis_i": analysis}
        for network in self.networks.values():
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._steps = torch.tensor([step_size(quality) for quality in range(QUALITIES)])

    def loss(self, frame: Tensor, quality: Tensor, *, half_precision: bool) -> Tensor:
        """Mean of log(D + price * R) of pictures [N, 96, P, P] in [0, 1] at qualities [N].

        The rate is that of latents with noise in the place of rounding, so that it has gradients
        where symbols are zero; the picture is that of rounded ones.
        """
        frame = frame.contiguous(memory_format=torch.channels_last)
        step = self._steps[quality][:, None, None, None]
        with torch.autocast("cpu", torch.bfloat16, enabled=half_precision):
            latent = self.analysis(frame, quality)
        levels = latent / step
        symbols = round_straight_through(levels).clamp(-_MOST_SYMBOL, _MOST_SYMBOL)
        grid = round_straight_through(symbols * (step / LATENT_SCALE)).clamp(-128, 127)
        with torch.autocast("cpu", torch.bfloat16, enabled=half_precision):
            shown, _ = self.decoder.features(grid * LATENT_SCALE)
        # Half precision has steps of half a grey level and more there.
        output = self.decoder.head(shown.float())
        pixels = frame.shape[2] * frame.shape[3] * 64
        noise = torch.rand_like(levels) - 0.5
        rate = noisy_bits(symbols, levels + noise) / pixels
        cost = distortion(output, frame) + price_of_bits(quality) * rate
        return torch.log(cost).mean()

    def real_cost(self, frame: Tensor, quality: Tensor) -> Tensor:
        """log(D + price * R) of each picture, with the rate of rounded latents, in float."""
        step = self._steps[quality][:, None, None, None]
        symbols = (self.analysis(frame, quality) / step).round().clamp(-_MOST_SYMBOL, _MOST_SYMBOL)
        grid = (symbols * (step / LATENT_SCALE)).round().clamp(-128, 127)
        output, _ = self.decoder(grid * LATENT_SCALE)
        rate = bits(symbols) / (frame.shape[2] * frame.shape[3] * 64)
        return torch.log(distortion(output, frame) + price_of_bits(quality) * rate)


def spread_qualities(random: np.random.Generator, count: int) -> Tensor:
    """`count` quality indices, evenly over all of them: no batch is about one end only."""
    drawn = (random.random() + np.arange(count)) / count * QUALITIES
    return torch.from_numpy(drawn.astype(np.int64))


def train(
    pack: PicturePack,
    checkpoint: Path,
    tier: str,
    schedule: Schedule,
    batch: int,
    deadline: Deadline,
    seed: int,
    recipe: Recipe,
) -> tuple[Trainer, Progress]:
    """Run `schedule` on `pack` until it or `deadline` ends; resumes from `checkpoint`."""
    torch.manual_seed(seed)
    trainer = Trainer(tier)
    if not checkpoint.exists():
        random = np.random.default_rng(seed)
        pictures = pack.batch(random, min(len(pack), _START_PICTURES), recipe.cells)
        start(trainer.decoder, trainer.analysis, pictures)
    groups: dict[float, list[nn.Parameter]] = {}
    for name, network in trainer.networks.items():
        for key, parameter in network.named_parameters():
            shares = _SHARES[name].items()
            share = next((each for start_of, each in shares if key.startswith(start_of)), 1.0)
            groups.setdefault(share, []).append(parameter)
    optimizer = torch.optim.Adam(
        [{"params": each, "share": share} for share, each in groups.items()],
        lr=schedule.peak_rate,
        betas=(0.9, 0.99),
    )

    def loss_at(random: np.random.Generator, step: int) -> Tensor:
        frame = pack.batch(random, batch, recipe.cells)
        quality = spread_qualities(random, batch)
        # Its steps are finer than those of half precision.
        half_precision = not schedule.quantized(step)
        torch.manual_seed(int(random.integers(1 << 62)))
        return trainer.loss(frame, quality, half_precision=half_precision)

    light = ("iframe_decoder",)
    job = Job(trainer.networks, light, optimizer, max_norm=1.0, arithmetic=Arithmetic.EXACT)
    return trainer, run(job, loss_at, checkpoint, schedule, deadline, seed)


def main() -> None:
    parser = command(__doc__, steps=20000, rate=5e-4, batch=8)
    parser.set_defaults(tier="edge")
    parser.add_argument("--pack", type=Path, nargs="+", required=True)
    parser.add_argument("--cells", type=int, default=Recipe.cells, help="side of crops / 8 pixels")
    parser.add_argument("--int8-share", type=float, default=Recipe.int8_share)
    parser.add_argument(
        "--publish",
        type=Path,
        nargs=2,
        metavar=("LIGHT", "ANALYSIS"),
        help="folders for the device's weights and for the analysis network's",
    )
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(asked.threads)
    recipe = Recipe(asked.cells, asked.int8_share)
    trainer, done = train(
        PicturePack(*asked.pack),
        asked.checkpoint,
        asked.tier,
        Schedule(asked.steps, asked.rate, quantized_share=recipe.int8_share),
        asked.batch,
        Deadline(asked.minutes * 60),
        asked.seed,
        recipe,
    )
    if asked.publish:
        for folder, (name, network) in zip(asked.publish, trainer.networks.items(), strict=True):
            publish(network, folder / f"{name}-{asked.tier}.safetensors", done)


if __name__ == "__main__":
    main()
