"""Train the prior of continued frames: it codes a frame's symbols knowing those of the one before.

    python -m edgecodec.encoder.training.continued --pack RUNS --checkpoint RUN.pt --tier edge \
        --publish runtime/priors/edge-c.npz

Nothing else is trained: frames become latents by the tier's analysis of I-frames, which has to be
there, and are drawn by its I-frame decoder. Packs are made by `make_packs runs`. Resumable and
time-limited like `training.enhancer`.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...runtime.latents import step_size
from ...runtime.prior_shape import Previous
from ..analysis import QUALITIES, load_analysis
from ..analysis_weights import weights_path
from ..script import run_script
from .checkpoint import Progress
from .grow import grow_prior_from
from .iframe import iframe_prior, spread_qualities, whole_symbols
from .loop import Job, command, run
from .packs import SequencePack
from .prior_net import PriorNet
from .publish_prior import publish_prior
from .schedule import Deadline, Schedule

# Of a quantiser's step: a symbol stays what it was in the frame before, as long as its latent has
# not moved further. Encoders choose more closely (`encoder.symbol_choice`).
_STAYS_WITHIN = 0.75
# Bits added to a crop's own before the logarithm: crops in which nothing moves count little.
_FLOOR_BITS = 50.0


def coded(analysis: nn.Module, frames: Tensor, quality: Tensor) -> list[Tensor]:
    """Symbols [N, C, h, w] of each of T frames [N, T, 96, 2h, 2w] in [0, 1] at qualities [N]: the
    first as an I-frame's, the others continued."""
    count, length = frames.shape[:2]
    steps = torch.tensor([step_size(each) for each in range(QUALITIES)])[quality]
    with torch.inference_mode():
        flat = frames.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        latents = analysis(flat, quality.repeat_interleave(length))
    levels = latents.unflatten(0, (count, length)) / steps[:, None, None, None, None]
    made = [whole_symbols(levels[:, 0])]
    for level in levels.unbind(1)[1:]:
        stays = (level - made[-1]).abs() < _STAYS_WITHIN
        made.append(torch.where(stays, made[-1], whole_symbols(level)))
    return [each.clone() for each in made]


def train(
    pack: SequencePack,
    analysis: nn.Module,
    net: PriorNet,
    checkpoint: Path,
    schedule: Schedule,
    batch: int,
    deadline: Deadline,
    seed: int,
) -> Progress:
    """Run `schedule` on `pack` until it or `deadline` ends; resumes from `checkpoint`."""
    optimizer = torch.optim.Adam(net.parameters(), lr=schedule.peak_rate, betas=(0.9, 0.99))

    def loss_at(random: np.random.Generator, step: int) -> Tensor:
        frames = pack.batch(random, batch)
        # The frame before may itself be an I-frame's or a continued one's.
        frames = frames[:, : int(random.integers(2, frames.shape[1] + 1))]
        quality = spread_qualities(random, batch)
        *_, before, now = coded(analysis, frames, quality)
        groups = _groups(net, random)
        return torch.log(net.bits(now, quality, before, groups=groups) + _FLOOR_BITS).mean()

    job = Job({"prior_c": net}, (), optimizer, max_norm=1.0)
    return run(job, loss_at, checkpoint, schedule, deadline, seed)


def _groups(net: PriorNet, random: np.random.Generator) -> int:
    """How many are coded. At low rates encoders leave out the last, or all but the first two."""
    everything = len(net.shape.groups)
    fewest = min(2, everything)
    return everything if random.random() < 0.5 else int(random.integers(fewest, everything + 1))


def main() -> None:
    parser = command(__doc__, steps=3000, rate=2e-3, batch=4)
    parser.set_defaults(tier="edge")
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--analysis", type=Path, help="weights; the installed ones by default")
    parser.add_argument("--publish", type=Path, help="the .npz file that players read")
    parser.add_argument("--start", type=Path, help="checkpoint whose prior it begins with")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(asked.threads)
    torch.manual_seed(asked.seed)
    name = "analysis_i"
    analysis = load_analysis(name, asked.tier, asked.analysis or weights_path(name, asked.tier))
    analysis.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    net = PriorNet(replace(iframe_prior(asked.tier), previous=Previous.GATED))
    if asked.start is not None and not asked.checkpoint.exists():
        grow_prior_from(net, "prior_c", asked.start)
    done = train(
        SequencePack(asked.pack),
        analysis,
        net,
        asked.checkpoint,
        Schedule(asked.steps, asked.rate, quantized_share=0.0),
        asked.batch,
        Deadline(asked.minutes * 60),
        asked.seed,
    )
    if asked.publish:
        publish_prior(net, asked.publish, done)


if __name__ == "__main__":
    run_script(main)
