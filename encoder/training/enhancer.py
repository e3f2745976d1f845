"""Train an enhancer, or the generator that brings a half-size base to full size.

    python -m edgecodec.encoder.training.enhancer --pack PACK --checkpoint RUN.pt --steps 30000

The pack says which of the two it is. A run that is cut off (or stopped by --minutes) resumes from
its checkpoint, on the same machine or on another; the finished one is published with --publish.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ...decoder import Enhancer, build
from ...runtime.errors import ModelError
from ..script import run_script
from .checkpoint import Progress
from .fake_quant import quantize_residual
from .loop import Job, command, run
from .packs import PIXEL_CHANNELS, PLANES, TripletBatch, TripletPack
from .publish import publish
from .schedule import Deadline, Schedule

# Squared grey levels. What is rounded to 8 bits has a twelfth, so there is little to gain in an
# encode of less than this; it must not dominate a loss that is relative to the base's distortion.
_FLOOR = 0.25
# Residuals are a hundred times smaller than features, and so are the weights that make them.
HEAD_RATE = 0.02


def plane_errors(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared error of Y, U and V of 24-channel packed frames in [0, 1]: [N, 3], in squared
    grey levels."""
    squared = ((a - b) * 255.0).square()
    return torch.stack([squared[:, s:e].mean(dim=(1, 2, 3)) for s, e, _ in PLANES], dim=1)


def relative_loss(output: Tensor, batch: TripletBatch) -> Tensor:
    """Distortion left, as a share of the base's, weighted 6:1:1 over the planes; 1 = no gain.

    Each sample's distortion counts relative to that of the whole encode that it is from. Relative
    to its own, the loss would be about crops that have hardly any, and these count for nothing in
    the PSNR of a frame.
    """
    weights = torch.tensor([w for _, _, w in PLANES], device=output.device)
    usual = weights / (batch.distortion + _FLOOR)
    left = (plane_errors(output, batch.target) + _FLOOR) * usual
    given = (plane_errors(batch.base, batch.target) + _FLOOR) * usual
    return left.sum() / given.sum()


def prepare(network: Enhancer) -> None:
    """Start where training is quick: features that see detail and not brightness, in [0, 6].

    Detail is some 0.05 of the pixel range, so the stem amplifies it; each filter sums to zero over
    each plane of each frame.
    """
    with torch.no_grad():
        weight = 2.0 * torch.randn_like(network.stem.weight)
        frame_channels = (weight.shape[1] - 2) // 3
        luma, chroma = 4 * frame_channels // 6, frame_channels // 6
        for frame in range(3):
            start = frame_channels * frame
            for channels in (luma, chroma, chroma):
                taps = weight[:, start : start + channels]
                if channels > 1:
                    taps -= taps.mean(dim=1, keepdim=True)
                else:
                    # A single sample of a plane is all brightness.
                    taps *= 0.05
                start += channels
        weight[:, 3 * frame_channels :] *= 0.25
        network.stem.weight.copy_(weight)
        assert network.stem.bias is not None
        network.stem.bias.normal_(0.0, 0.5)
        for layer in network.body:
            assert isinstance(layer, torch.nn.Conv2d)
            torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            assert layer.bias is not None
            layer.bias.zero_()


def optimizer_for(
    network: Enhancer, rate: float, head_share: float = HEAD_RATE
) -> torch.optim.Optimizer:
    """Adam with the head's own share of the rate."""
    head = list(network.head.parameters())
    trunk = [p for name, p in network.named_parameters() if not name.startswith("head")]
    return torch.optim.Adam(
        [{"params": trunk, "share": 1.0}, {"params": head, "share": head_share}],
        lr=rate,
        betas=(0.9, 0.99),
    )


def predicted(network: Enhancer, batch: TripletBatch, *, half_precision: bool) -> Tensor:
    """The residual of a batch without a scene's code, float32.

    `half_precision` computes in bfloat16, which takes a third of the time on CPUs and GPUs that
    have it.
    """
    shown = batch.shown.unbind(1)
    device = batch.base.device.type
    with torch.autocast(device, torch.bfloat16, enabled=half_precision):
        features = network.features(shown[0], shown[1], shown[2], batch.condition)
        residual: Tensor = network.head(features)
    return residual.float()


def train(
    pack: TripletPack,
    checkpoint: Path,
    tier: str,
    schedule: Schedule,
    batch: int,
    deadline: Deadline,
    seed: int,
    device: str = "cpu",
    head_share: float = HEAD_RATE,
    start: Path | None = None,
) -> tuple[Enhancer, Progress]:
    """Run `schedule` on `pack` until it or `deadline` ends; resumes from `checkpoint`.

    Where there is none yet, it begins with the published weights `start`, or afresh without them.
    Raises ModelError for weights of another network.
    """
    torch.manual_seed(seed)
    name = "enhancer" if pack.frame_channels == PIXEL_CHANNELS else "generator_up"
    network = build(name, tier)
    assert isinstance(network, Enhancer)
    prepare(network)
    if start is not None:
        try:
            network.load_state_dict(load_file(start))
        except (SafetensorError, RuntimeError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise ModelError(f"{start} is not the weights of {name} ({tier}): {reason}") from error
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = optimizer_for(network, schedule.peak_rate, head_share)

    def loss_at(random: np.random.Generator, step: int) -> Tensor:
        drawn = pack.batch(random, batch)
        quantized = schedule.quantized(step)
        # bfloat16 would blur the steps of INT8.
        residual = predicted(network, drawn, half_precision=not quantized)
        if quantized:
            residual = quantize_residual(residual)
        return relative_loss(drawn.base + residual, drawn)

    job = Job({"enhancer": network}, ("enhancer",), optimizer, max_norm=0.5)
    return network, run(job, loss_at, checkpoint, schedule, deadline, seed)


def main() -> None:
    parser = command(__doc__, steps=30000, rate=1.5e-3, batch=16)
    parser.add_argument("--pack", type=Path, nargs="+", required=True)
    parser.add_argument("--publish", type=Path, metavar="FILE.safetensors")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--int8-share", type=float, default=0.1, help="of the steps, the last ones")
    parser.add_argument("--start", type=Path, metavar="FILE.safetensors", help="begin with these")
    parser.add_argument("--head-share", type=float, default=HEAD_RATE, help="of the rate")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(arguments.threads)
    network, done = train(
        TripletPack(*arguments.pack, device=arguments.device),
        arguments.checkpoint,
        arguments.tier,
        Schedule(arguments.steps, arguments.rate, quantized_share=arguments.int8_share),
        arguments.batch,
        Deadline(arguments.minutes * 60),
        arguments.seed,
        arguments.device,
        arguments.head_share,
        arguments.start,
    )
    if arguments.publish:
        publish(network, arguments.publish, done)


if __name__ == "__main__":
    run_script(main)
