"""Train the I-frame decoder, its analysis network and its prior on single pictures.

    python -m edgecodec.encoder.training.iframe --pack PACK --checkpoint RUN.pt --tier edge

Resumable and time-limited like `training.enhancer`. It begins as a linear transform
(`linear_start`), or with --start where another run ended (`grow`). The last steps may be in INT8
arithmetic (--int8-share): in them the decoder learns alone, so that latents and what codes them
stay as they are. --publish writes the two weight files and the prior.

With --tune ssim it is the analysis network and the prior of --start that learn, by MS-SSIM, for a
decoder that stays as it is: what players have shows their latents too. --publish then writes those
two alone.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...decoder import TIERS, IFrameDecoder, build
from ...decoder.networks import LATENT_SCALE
from ...export.quantization.recipe import Arithmetic
from ...runtime.errors import UnsupportedError
from ...runtime.latents import step_size
from ...runtime.prior_shape import Previous
from ..analysis import QUALITIES, DeepAnalysis, build_analysis, spread_brightness
from ..analysis_weights import weights_name
from ..priors import I_LETTERS
from ..script import run_script
from ..targets import Metric
from .checkpoint import Progress
from .grow import grow
from .likeness import ms_ssim
from .linear_start import start
from .loop import Job, command, run
from .packs import PicturePack
from .prior_net import PriorNet, PriorShape
from .publish import publish
from .publish_prior import publish_prior
from .rate import round_straight_through
from .schedule import Deadline, Schedule

# Squared grey levels per bit and pixel, at the finest quality and at the coarsest.
_LOWEST_PRICE, _HIGHEST_PRICE = 8.0, 1600.0
# Squared grey levels that no plane's error counts as below.
_FLOOR = 1.0
_PLANES = ((0, 64, 0.75), (64, 80, 0.125), (80, 96, 0.125))
# What 1 less MS-SSIM is worth in squared grey levels: about what luma's error was for each of it at
# the same quality, in networks that were trained for PSNR. So prices mean the same bits for both.
_UNLIKENESS, _MORE_FROM, _MORE = 600.0, 30, 6.5
_UNLIKENESS_FLOOR = 0.25
_MOST_SYMBOL = 127
# Of the whole brightness.
_MOST_BRIGHTNESS = 4 * 127
_START_PICTURES = 2000
_FULL_RANGE_SHARE = 0.3
# Of a prior: channels coded before the others, and the nets' width.
_FIRST_GROUPS = (4, 12, 32)
_PRIOR_WIDTH = 128
# Shares of the learning rate, by network and the start of the weights' names; 1 for all others.
# What makes pixels and latents out of hundreds of features has to move slowly: a step of all its
# weights in one direction must not be a step of grey levels or of quantisers.
_SHARES = {
    "iframe_decoder": {"up.": 0.1, "head.": 0.03},
    "analysis_i": {"transform.": 0.2, "head.": 0.2, "gains.": 0.2},
    "prior_i": {"": 5.0},
}


@dataclass(frozen=True)
class Recipe:
    """What may differ between runs.

    `cells` is the side of crops in cells of 8 pixels, an even number; what a prior learns needs
    large ones. `prior_steps` are the first steps, in which it learns alone. `int8_share` is of the
    steps, the last ones. `start` is a checkpoint of another run, of a tier with as many latents or
    fewer, whose networks this one begins with. `tune` is what pictures are measured by.
    """

    cells: int = 32
    prior_steps: int = 0
    int8_share: float = 0.0
    start: Path | None = None
    tune: Metric = Metric.PSNR


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


def unlikeness(output: Tensor, target: Tensor, quality: Tensor) -> Tensor:
    """As `distortion`, with 1 less MS-SSIM of luma in the place of its error, per sample."""
    luma, target_luma = (F.pixel_shuffle(each[:, :64], 8)[:, 0] for each in (output, target))
    worth = _UNLIKENESS * _MORE ** ((quality - _MORE_FROM).clamp(min=0) / _MORE_FROM)
    logs = 0.75 * torch.log(worth * (1 - ms_ssim(target_luma, luma)) + _UNLIKENESS_FLOOR)
    squared = (255.0 * (output - target)).square()
    for first, end, weight in _PLANES[1:]:
        logs = logs + weight * torch.log(squared[:, first:end].mean(dim=(1, 2, 3)) + _FLOOR)
    return torch.exp(logs)


class Trainer:
    """Both networks, and the loss of pictures that they code."""

    def __init__(self, tier: str, tune: Metric = Metric.PSNR) -> None:
        decoder, analysis = build("iframe_decoder", tier), build_analysis("analysis_i", tier)
        if not isinstance(decoder, IFrameDecoder) or not isinstance(analysis, DeepAnalysis):
            raise UnsupportedError(f"tier {tier} has no deep analysis: train it with latent.py")
        self.decoder, self.analysis = decoder, analysis
        self.prior = PriorNet(iframe_prior(tier))
        self.networks: dict[str, nn.Module] = {
            "iframe_decoder": decoder,
            "analysis_i": analysis,
            "prior_i": self.prior,
        }
        for network in (decoder, analysis):
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._steps = torch.tensor([step_size(quality) for quality in range(QUALITIES)])
        self._tune = tune
        decoder.requires_grad_(tune is Metric.PSNR)

    def loss(self, frame: Tensor, quality: Tensor) -> Tensor:
        """Mean of log(D + price * R) of pictures [N, 96, P, P] in [0, 1] at qualities [N].

        Rate and picture are of rounded latents; the latents' share of the rate's gradient is that
        of noise in the place of rounding, which is not zero where symbols are.
        """
        frame = frame.contiguous(memory_format=torch.channels_last)
        step = self._steps[quality][:, None, None, None]
        with torch.autocast("cpu", torch.bfloat16):
            latent = self.analysis(frame, quality)
        levels = latent / step
        symbols = whole_symbols(levels)
        grid = round_straight_through(spread_brightness(symbols) * (step / LATENT_SCALE))
        with torch.autocast("cpu", torch.bfloat16):
            shown, _ = self.decoder.features(grid.clamp(-128, 127) * LATENT_SCALE)
        # Half precision has steps of half a grey level and more there.
        output = self.decoder.head(shown.float())
        noisy = levels + torch.rand_like(levels) - 0.5
        rate = self.prior.bits(symbols, quality, noisy=noisy) / _pixels(frame)
        lost = distortion(output, frame)
        if self._tune is Metric.SSIM:
            lost = unlikeness(output, frame, quality)
        return torch.log(lost + price_of_bits(quality) * rate).mean()

    def prior_loss(self, frame: Tensor, quality: Tensor) -> Tensor:
        """Mean logarithm of the bits of pictures, which the prior alone has gradients of."""
        with torch.no_grad():
            levels = self.analysis(frame, quality) / self._steps[quality][:, None, None, None]
        return torch.log(self.prior.bits(whole_symbols(levels), quality) + 1.0).mean()

    def decoder_loss(self, frame: Tensor, quality: Tensor) -> Tensor:
        """Mean logarithm of pictures' distortion, which the decoder alone has gradients of."""
        step = self._steps[quality][:, None, None, None]
        with torch.no_grad():
            symbols = whole_symbols(self.analysis(frame, quality) / step)
            grid = (spread_brightness(symbols) * (step / LATENT_SCALE)).round().clamp(-128, 127)
        output, _ = self.decoder(grid * LATENT_SCALE)
        return torch.log(distortion(output, frame)).mean()

    def real_cost(self, frame: Tensor, quality: Tensor) -> Tensor:
        """log(D + price * R) of each picture, in float."""
        step = self._steps[quality][:, None, None, None]
        symbols = whole_symbols(self.analysis(frame, quality) / step)
        grid = (spread_brightness(symbols) * (step / LATENT_SCALE)).round().clamp(-128, 127)
        output, _ = self.decoder(grid * LATENT_SCALE)
        rate = self.prior.bits(symbols, quality) / _pixels(frame)
        return torch.log(distortion(output, frame) + price_of_bits(quality) * rate)


def iframe_prior(tier: str) -> PriorShape:
    """The prior of I-frames of a tier with a `DeepAnalysis`."""
    channels = TIERS[tier].latents - 1
    groups = (*_FIRST_GROUPS, channels - sum(_FIRST_GROUPS))
    means = (*(True for _ in _FIRST_GROUPS), False)
    return PriorShape(channels, True, Previous.UNKNOWN, groups, means, hidden=_PRIOR_WIDTH)


def whole_symbols(levels: Tensor) -> Tensor:
    """Latents of a `DeepAnalysis` in quantiser's steps as what is sent; gradients go through."""
    rounded = round_straight_through(levels)
    brightness = rounded[:, :1].clamp(-_MOST_BRIGHTNESS, _MOST_BRIGHTNESS)
    return torch.cat((brightness, rounded[:, 1:].clamp(-_MOST_SYMBOL, _MOST_SYMBOL)), dim=1)


def some_in_full_range(frames: Tensor, random: np.random.Generator) -> Tensor:
    """Frames [N, 96, P, P] in [0, 1], of which some get the whole range of pixels for that of
    video. Hardly any picture has black and white beside each other otherwise, as screens do."""
    stretched = torch.from_numpy(random.random(len(frames)) < _FULL_RANGE_SHARE)
    luma = (frames[:, :64] - 16 / 255) * (255 / 219)
    chroma = (frames[:, 64:] - 128 / 255) * (255 / 224) + 128 / 255
    full = torch.cat((luma, chroma), dim=1).clamp(0, 1)
    return torch.where(stretched[:, None, None, None], full, frames)


def _pixels(frame: Tensor) -> int:
    """Luma pixels of a packed frame."""
    return frame.shape[2] * frame.shape[3] * 64


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
    trainer = Trainer(tier, recipe.tune)
    if not checkpoint.exists():
        random = np.random.default_rng(seed)
        pictures = pack.batch(random, min(len(pack), _START_PICTURES), recipe.cells)
        if recipe.start is None:
            start(trainer.decoder, trainer.analysis, pictures)
        else:
            grow(trainer.decoder, trainer.analysis, trainer.prior, recipe.start, pictures)
    groups: dict[float, list[nn.Parameter]] = {}
    for name, network in trainer.networks.items():
        for key, parameter in network.named_parameters():
            if not parameter.requires_grad:
                continue
            shares = _SHARES[name].items()
            share = next((each for start_of, each in shares if key.startswith(start_of)), 1.0)
            groups.setdefault(share, []).append(parameter)
    optimizer = torch.optim.Adam(
        [{"params": each, "share": share} for share, each in groups.items()],
        lr=schedule.peak_rate,
        betas=(0.9, 0.99),
    )

    def loss_at(random: np.random.Generator, step: int) -> Tensor:
        frame = some_in_full_range(pack.batch(random, batch, recipe.cells), random)
        quality = spread_qualities(random, batch)
        if step < recipe.prior_steps:
            return trainer.prior_loss(frame, quality)
        if schedule.quantized(step):
            return trainer.decoder_loss(frame, quality)
        torch.manual_seed(int(random.integers(1 << 62)))
        return trainer.loss(frame, quality)

    light = ("iframe_decoder",)
    job = Job(trainer.networks, light, optimizer, max_norm=1.0, arithmetic=Arithmetic.FAST)
    return trainer, run(job, loss_at, checkpoint, schedule, deadline, seed)


def main() -> None:
    parser = command(__doc__, steps=20000, rate=5e-4, batch=8)
    parser.set_defaults(tier="edge")
    parser.add_argument("--pack", type=Path, nargs="+", required=True)
    parser.add_argument("--cells", type=int, default=Recipe.cells, help="side of crops / 8 pixels")
    parser.add_argument("--prior-steps", type=int, default=Recipe.prior_steps)
    parser.add_argument("--int8-share", type=float, default=Recipe.int8_share)
    parser.add_argument("--start", type=Path, help="checkpoint whose networks it begins with")
    parser.add_argument(
        "--publish",
        type=Path,
        nargs=3,
        metavar=("LIGHT", "ANALYSIS", "PRIORS"),
        help="folders for the device's weights, the analysis network's, and the prior",
    )
    parser.add_argument("--tune", choices=[each.value for each in I_LETTERS], default="psnr")
    asked = parser.parse_args()
    tune = Metric(asked.tune)
    if tune is Metric.SSIM and (asked.start is None or asked.int8_share):
        parser.error("--tune ssim needs a decoder that is finished: --start, without --int8-share")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(asked.threads)
    recipe = Recipe(asked.cells, asked.prior_steps, asked.int8_share, asked.start, tune)
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
        light, analysis, priors = asked.publish
        if tune is Metric.PSNR:
            publish(trainer.decoder, light / f"iframe_decoder-{asked.tier}.safetensors", done)
        publish(trainer.analysis, analysis / weights_name("analysis_i", asked.tier, tune), done)
        letter = I_LETTERS[tune]
        publish_prior(trainer.prior, priors / f"{asked.tier}-{letter}.npz", done)


if __name__ == "__main__":
    run_script(main)
