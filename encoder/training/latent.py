"""Train the I-frame decoder, the generators and their analysis networks together.

    python -m edgecodec.encoder.training.latent --pack PACK --checkpoint RUN.pt --steps 20000

Each step trains one of three tasks on crops of 9 consecutive frames: an I-frame; an I-frame and
two P-frames after it; two I-frames and a B-frame between them. Resumable and time-limited like
`training.enhancer`; --publish FOLDER writes all six weight files.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...decoder import Generator, IFrameDecoder, build
from ...decoder.networks import LATENT_SCALE
from ...runtime.latents import step_size
from ..analysis import QUALITIES, build_analysis
from ..script import run_script
from .checkpoint import Progress
from .loop import Job, command, run
from .packs import SequencePack
from .publish import publish
from .rate import bits, round_straight_through
from .schedule import Deadline, Schedule

_PLANES = ((0, 64, 0.75), (64, 80, 0.125), (80, 96, 0.125))
_LIGHT = ("iframe_decoder", "generator_p", "generator_b")


def price_of_bits(quality: int) -> float:
    """Lagrangian multiplier at `quality`: squared grey levels (8 bit) per bit per luma pixel."""
    return float(20.0 * 50.0 ** ((QUALITIES - 1 - quality) / (QUALITIES - 1)))


def distortion(output: Tensor, target: Tensor) -> Tensor:
    """6:1:1 mean squared error of 96-channel packed frames in squared grey levels, per sample."""
    squared = (255.0 * (output - target)).square()
    total = torch.zeros(len(output))
    for start, end, weight in _PLANES:
        total = total + weight * squared[:, start:end].mean(dim=(1, 2, 3))
    return total


def dequantize(symbols: Tensor, step: float) -> Tensor:
    """What the device's uint8 latent port holds for `symbols`, gradients straight through."""
    grid = round_straight_through(symbols * (step / LATENT_SCALE)).clamp(-128, 127)
    return grid * LATENT_SCALE


class Trainer:
    """The six networks and one step on each of the three tasks."""

    def __init__(self, tier: str) -> None:
        self.networks: dict[str, nn.Module] = {name: build(name, tier) for name in _LIGHT}
        for kind in "ipb":
            name = f"analysis_{kind}"
            self.networks[name] = build_analysis(name, tier)
        for name in _LIGHT:
            network = self.networks[name]
            assert isinstance(network, IFrameDecoder | Generator)
            _prepare(network)

    def coded(
        self, frame: Tensor, quality: int, *references: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(loss per sample, decoded frame, feature) of `frame` coded on `references`.

        The loss is log(D + price * R): a tenth less cost counts alike at every quality.
        """
        suffix = "ipb"[len(references)]
        light = {"i": "iframe_decoder", "p": "generator_p", "b": "generator_b"}[suffix]
        step = step_size(quality)
        at = torch.full((len(frame),), quality)
        latent = self.networks[f"analysis_{suffix}"](frame, at, *references)
        symbols = round_straight_through(latent / step).clamp(-127, 127)
        output, feature = self.networks[light](*references, dequantize(symbols, step))
        pixels = frame.shape[2] * frame.shape[3] * 64
        price = price_of_bits(quality)
        cost = distortion(output, frame) + price * bits(symbols) / pixels
        return torch.log(cost), output, feature

    def loss(self, task: str, x: Tensor, quality: int, gap: int) -> Tensor:
        """Mean cost of `task` ("i", "p" or "b") on sequences x [N, 9, 96, P, P]."""
        if task == "i":
            return self.coded(x[:, 0], quality)[0].mean()
        if task == "p":
            cost, _, feature = self.coded(x[:, 0], quality)
            costs = [cost]
            for index in (gap, 2 * gap):
                cost, _, feature = self.coded(x[:, index], quality, feature)
                costs.append(cost)
            return torch.stack(costs).mean()
        first, _, past = self.coded(x[:, 0], quality)
        last, _, future = self.coded(x[:, 2 * gap], quality)
        # B-frames feed fewer others: they may cost less (offsets as usual in random access).
        middle = self.coded(x[:, gap], max(0, quality - 8), past, future)[0]
        return torch.stack([first, last, middle]).mean()


def _prepare(network: IFrameDecoder | Generator) -> None:
    """Start where activations use ReLU6's range: latents are large, frames centre on grey."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            assert module.bias is not None
            nn.init.zeros_(module.bias)
    with torch.no_grad():
        network.up.expand.weight.mul_(0.25)
        network.head.weight.mul_(0.1)
        assert network.head.bias is not None
        network.head.bias.fill_(0.5)


def train(
    pack: SequencePack,
    checkpoint: Path,
    tier: str,
    schedule: Schedule,
    batch: int,
    deadline: Deadline,
    seed: int,
) -> tuple[Trainer, Progress]:
    """Run `schedule` on `pack` until it or `deadline` ends; resumes from `checkpoint`."""
    torch.manual_seed(seed)
    trainer = Trainer(tier)
    parameters = [p for network in trainer.networks.values() for p in network.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=schedule.peak_rate, betas=(0.9, 0.99))

    def loss_at(random: np.random.Generator, step: int) -> Tensor:
        # I-frames must be worth referring to before anything refers to them.
        settled = step > 0.25 * schedule.steps
        odds = (0.34, 0.33, 0.33) if settled else (1.0, 0.0, 0.0)
        task = str(random.choice(["i", "p", "b"], p=odds))
        x = pack.batch(random, batch if task == "i" else max(1, batch // 2))
        quality = int(random.integers(QUALITIES))
        return trainer.loss(task, x, quality, int(random.integers(1, 5)))

    job = Job(trainer.networks, _LIGHT, optimizer, max_norm=1.0)
    return trainer, run(job, loss_at, checkpoint, schedule, deadline, seed)


def main() -> None:
    parser = command(__doc__, steps=20000, rate=1e-3, batch=8)
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument(
        "--publish",
        type=Path,
        nargs=2,
        metavar=("LIGHT", "ANALYSIS"),
        help="folders for the device's weights and for the analysis networks'",
    )
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(arguments.threads)
    trainer, done = train(
        SequencePack(arguments.pack),
        arguments.checkpoint,
        arguments.tier,
        Schedule(arguments.steps, arguments.rate),
        arguments.batch,
        Deadline(arguments.minutes * 60),
        arguments.seed,
    )
    if arguments.publish:
        light, analysis = arguments.publish
        for name, network in trainer.networks.items():
            folder = light if name in _LIGHT else analysis
            publish(network, folder / f"{name}-{arguments.tier}.safetensors", done)


if __name__ == "__main__":
    run_script(main)
