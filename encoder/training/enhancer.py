"""Train an enhancer on a pack of decoded triplets and their sources.

    python -m edgecodec.encoder.training.enhancer --pack PACK --checkpoint RUN.pt --steps 30000

A run that is cut off (or stopped by --minutes) resumes from its checkpoint; the finished one is
published with --publish.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...decoder import TIERS, Enhancer
from .checkpoint import Progress
from .fake_quant import quantize_pixels
from .loop import Job, command, run
from .packs import TripletPack
from .publish import publish
from .schedule import Deadline, Schedule

# Distortion below four squared grey levels (42 dB) is out of reach and of interest: it must not
# dominate a loss that is relative to the base's own distortion.
_FLOOR = 4.0 / 255.0**2
# Residuals are a hundred times smaller than features, and so are the weights that make them.
_HEAD_RATE = 0.02
_PLANES = ((0, 16, 0.75), (16, 20, 0.125), (20, 24, 0.125))


def plane_errors(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared error of Y, U and V of 24-channel packed frames: [N, 3], pixels in [0, 1]."""
    squared = (a - b).square()
    return torch.stack([squared[:, s:e].mean(dim=(1, 2, 3)) for s, e, _ in _PLANES], dim=1)


def relative_loss(output: Tensor, base: Tensor, target: Tensor) -> Tensor:
    """Distortion left, as a share of the base's, weighted 6:1:1 over the planes; 1 = no gain."""
    left = plane_errors(output, target) + _FLOOR
    given = plane_errors(base, target) + _FLOOR
    weights = torch.tensor([w for _, _, w in _PLANES])
    return ((left / given) * weights).sum(dim=1).mean()


def prepare(network: Enhancer) -> None:
    """Start where training is quick: features that see detail and not brightness, in [0, 6].

    Detail is some 0.05 of the pixel range, so the stem amplifies it; each filter sums to zero over
    each plane of each frame.
    """
    with torch.no_grad():
        weight = 2.0 * torch.randn_like(network.stem.weight)
        for frame in range(3):
            for start, end, _ in _PLANES:
                taps = weight[:, 24 * frame + start : 24 * frame + end]
                taps -= taps.mean(dim=1, keepdim=True)
        weight[:, 72:] *= 0.25
        network.stem.weight.copy_(weight)
        assert network.stem.bias is not None
        network.stem.bias.normal_(0.0, 0.5)
        for layer in network.body:
            assert isinstance(layer, torch.nn.Conv2d)
            torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            assert layer.bias is not None
            layer.bias.zero_()


def train(
    pack: TripletPack,
    checkpoint: Path,
    tier: str,
    schedule: Schedule,
    batch: int,
    deadline: Deadline,
    seed: int,
) -> tuple[Enhancer, Progress]:
    """Run `schedule` on `pack` until it or `deadline` ends; resumes from `checkpoint`."""
    torch.manual_seed(seed)
    t = TIERS[tier]
    network = Enhancer(t.enhancer_channels, t.enhancer_layers)
    prepare(network)
    head = list(network.head.parameters())
    trunk = [p for name, p in network.named_parameters() if not name.startswith("head")]
    optimizer = torch.optim.Adam(
        [{"params": trunk, "share": 1.0}, {"params": head, "share": _HEAD_RATE}],
        lr=schedule.peak_rate,
        betas=(0.9, 0.99),
    )

    def loss_at(random: np.random.Generator, step: int) -> Tensor:
        x, condition, target = pack.batch(random, batch)
        output = network(x[:, 0], x[:, 1], x[:, 2], condition)
        if schedule.quantized(step):
            output = x[:, 1] + quantize_residual(output - x[:, 1])
        return relative_loss(output, x[:, 1], target)

    job = Job({"enhancer": network}, ("enhancer",), optimizer, max_norm=0.5)
    return network, run(job, loss_at, checkpoint, schedule, deadline, seed)


def quantize_residual(residual: Tensor) -> Tensor:
    """The residual as the device adds it: whole grey levels in -128..127."""
    return quantize_pixels(residual + 128.0 / 255.0) - 128.0 / 255.0


def main() -> None:
    parser = command(__doc__, steps=30000, rate=1.5e-3, batch=16)
    parser.add_argument("--pack", type=Path, nargs="+", required=True)
    parser.add_argument("--publish", type=Path, metavar="FILE.safetensors")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(arguments.threads)
    network, done = train(
        TripletPack(*arguments.pack),
        arguments.checkpoint,
        arguments.tier,
        Schedule(arguments.steps, arguments.rate),
        arguments.batch,
        Deadline(arguments.minutes * 60),
        arguments.seed,
    )
    if arguments.publish:
        publish(network, arguments.publish, done)


if __name__ == "__main__":
    main()
