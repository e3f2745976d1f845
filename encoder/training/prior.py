"""Train the prior of one kind of frames on symbols of real encodes.

    python -m edgecodec.encoder.training.prior --pack SYMBOLS --kind p --checkpoint RUN.pt \
        --previous seen --publish runtime/priors/nano-p.npz

Resumable and time-limited like `training.enhancer`. At the end it prints what samples of sources
that were not trained on take: with the prior, as trained and as players compute, and with explicit
scales.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...runtime.array_file import read_arrays
from ...runtime.errors import ModelError
from ...runtime.payloads import FrameKind
from ...runtime.prior import Prior
from ...runtime.prior_coding import HEADER_BITS, prior_bits
from ...runtime.prior_part import groups_needed
from ...runtime.prior_shape import Previous
from ...runtime.symbols import CHANNELS
from ..script import run_script
from ..strategies.latent_body import FrameSymbols, latent_body
from ..strategies.latent_order import PlannedFrame
from .checkpoint import Progress
from .loop import Job, command, run
from .prior_net import PriorNet, PriorShape
from .publish_prior import publish_prior
from .schedule import Deadline, Schedule
from .symbol_pack import SymbolPack, read_symbols

_KINDS = {kind.name.lower(): kind for kind in FrameKind}
# Of frames' detail.
_DETAIL = "d"
_PREVIOUS = {previous.name.lower(): previous for previous in Previous}
# Channels coded before the others; the second where there are more than so many.
_GROUPS, _MORE_GROUPS, _MANY = (4, 12), (4, 12, 32), 64
_HIDDEN = 64
_MOST_DIFFERENCE = 0.01
_MEASURED = 256


@dataclass(frozen=True)
class Measured:
    """Bits of held-out samples, each measured for itself.

    `integer` is what players' integers take, `estimated` the training's estimate of it, `scales`
    what explicit scales take, None for frames that cannot have them.
    """

    integer: float
    estimated: float
    scales: float | None


def prior_shape(
    pack: SymbolPack,
    previous: Previous,
    hidden: int = _HIDDEN,
    groups: Sequence[int] | None = None,
) -> PriorShape:
    """A prior for these symbols; their largest channels are coded first. `groups` are those that
    are coded before the last, the usual if None. ModelError if they are not fewer than channels."""
    sizes = np.abs(pack.symbols).mean(axis=(0, 2, 3))
    order = tuple(int(channel) for channel in np.argsort(-sizes, kind="stable"))
    if groups is None:
        groups = _MORE_GROUPS if len(order) > _MANY else _GROUPS
    if not all(count > 0 for count in groups) or sum(groups) >= len(order):
        raise ModelError(f"groups of {list(groups)} are not some of {len(order)} channels")
    return PriorShape(
        channels=len(order),
        whole=False,
        previous=previous,
        groups=(*groups, len(order) - sum(groups)),
        means=(*(True for _ in groups), False),
        hidden=hidden,
        order=order,
    )


def started(path: Path, pack: SymbolPack) -> PriorNet:
    """The prior in a file that players read, to go on from. ModelError if it is not for such
    symbols."""
    arrays = read_arrays(path, "prior")
    prior = Prior.from_arrays(arrays, str(path))
    if prior.channels != pack.symbols.shape[1]:
        raise ModelError(
            f"{path}: a prior of {prior.channels} channels, the pack's symbols have "
            f"{pack.symbols.shape[1]}"
        )
    return PriorNet.from_arrays(arrays)


def train(
    net: PriorNet,
    pack: SymbolPack,
    checkpoint: Path,
    schedule: Schedule,
    batch: int,
    deadline: Deadline,
    seed: int,
    *,
    only_last: bool = False,
) -> Progress:
    """Run `schedule` on `pack` until it or `deadline` ends; resumes from `checkpoint`.

    The loss is log(1 + bits per cell): a tenth of the bits less counts alike at every quality, and
    frames that hardly take any count little. Only groups that are coded have bits, and are seen.
    With `only_last` the last group learns, from frames that code it, and the others stay as they
    are.
    """
    if only_last:
        pack = pack.with_groups(len(net.shape.groups))
    learning = list(net.last_parameters() if only_last else net.parameters())
    optimizer = torch.optim.Adam(learning, lr=schedule.peak_rate, betas=(0.9, 0.99))

    def loss_at(random: np.random.Generator, step: int) -> Tensor:
        drawn = pack.batch(random, batch)
        previous = drawn.previous if net.shape.previous else None
        groups = min(drawn.groups, len(net.shape.groups))
        bits = net.bits(drawn.symbols, drawn.quality, previous, groups=groups)
        return torch.log1p(bits / drawn.symbols[0, 0].numel()).mean()

    job = Job({"prior": net}, (), optimizer, max_norm=1.0)
    return run(job, loss_at, checkpoint, schedule, deadline, seed)


def measure(net: PriorNet, prior: Prior, kind: FrameKind | None, held: SymbolPack) -> Measured:
    """What held-out samples of frames of a kind, None for detail, take. ModelError if training's
    estimate is off by more than 1 %."""
    measured = Measured(
        sum(_integer_bits(prior, held)),
        sum(_estimated_bits(net, prior, held)),
        sum(_scale_bits(kind, held)) if kind is not None and _has_scales(kind, prior) else None,
    )
    if abs(measured.estimated - measured.integer) > _MOST_DIFFERENCE * measured.integer:
        raise ModelError(
            f"prior {prior.prior_id} takes {measured.integer:.0f} bits as players compute, "
            f"{measured.estimated:.0f} by training's estimate: do not ship it"
        )
    return measured


def _some(held: SymbolPack) -> Iterator[int]:
    """Samples from all over the pack."""
    count = min(len(held), _MEASURED)
    yield from (n * len(held) // count for n in range(count))


def _integer_bits(prior: Prior, held: SymbolPack) -> Iterator[float]:
    for n in _some(held):
        symbols, previous = (each[n].astype(np.int16) for each in (held.symbols, held.previous))
        seen = previous if prior.previous else None
        yield prior_bits(symbols, int(held.quality[n]), prior, seen)


def _estimated_bits(net: PriorNet, prior: Prior, held: SymbolPack) -> Iterator[float]:
    for n in _some(held):
        # As players have it: only groups of channels that are not all as expected are coded.
        expected = held.previous[n] if prior.shape.is_gated else np.zeros_like(held.symbols[n])
        groups = groups_needed(held.symbols[n], expected, prior)
        if not groups:
            continue
        symbols, previous = (
            torch.from_numpy(each[n : n + 1]).float() for each in (held.symbols, held.previous)
        )
        quality = torch.tensor([int(held.quality[n])])
        with torch.inference_mode():
            seen = previous if net.shape.previous else None
            yield HEADER_BITS + float(net.bits(symbols, quality, seen, groups=groups))


def _has_scales(kind: FrameKind, prior: Prior) -> bool:
    """Whether such symbols could be coded with explicit scales."""
    return kind is not FrameKind.C and not prior.whole and prior.channels == CHANNELS


def _scale_bits(kind: FrameKind, held: SymbolPack) -> Iterator[float]:
    planned = PlannedFrame(kind, 0)
    for n in _some(held):
        sent = FrameSymbols(planned, int(held.quality[n]), held.symbols[n])
        yield 8.0 * len(latent_body([sent], (), {}).packets[0].data)


def main() -> None:
    parser = command(__doc__, steps=1800, rate=2e-3, batch=8)
    parser.add_argument("--pack", type=Path, nargs="+", required=True)
    parser.add_argument(
        "--start", type=Path, help="a prior (.npz) to go on from, whatever --hidden and --previous"
    )
    parser.add_argument(
        "--renew-last",
        action="store_true",
        help="begin the last group anew: one that is never coded has nothing to learn from",
    )
    parser.add_argument(
        "--last-of", type=Path, help="a prior (.npz) whose last group takes the place of its own"
    )
    parser.add_argument(
        "--only-last",
        action="store_true",
        help="train the last group alone, on frames that code it",
    )
    parser.add_argument("--kind", choices=(*_KINDS, _DETAIL), required=True)
    parser.add_argument("--hidden", type=int, default=_HIDDEN, help="width of the nets")
    parser.add_argument(
        "--groups", type=int, nargs="+", help="channels coded together, but for the last group"
    )
    parser.add_argument(
        "--previous",
        choices=tuple(_PREVIOUS),
        default="unknown",
        help="what it knows of the frame of its kind before",
    )
    parser.add_argument("--publish", type=Path, help="the .npz file that players read")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(asked.threads)
    torch.manual_seed(asked.seed)
    kind = _KINDS.get(asked.kind)
    pack, held = read_symbols(*asked.pack, kind=asked.kind)
    if asked.start is None:
        previous = _PREVIOUS[asked.previous]
        net = PriorNet(prior_shape(pack, previous, asked.hidden, asked.groups))
    else:
        net = started(asked.start, pack)
    if asked.last_of is not None:
        net.take_last(started(asked.last_of, pack))
    if asked.renew_last:
        net.renew_last()
    done = train(
        net,
        pack,
        asked.checkpoint,
        Schedule(asked.steps, asked.rate, quantized_share=0.0),
        asked.batch,
        Deadline(asked.minutes * 60),
        asked.seed,
        only_last=asked.only_last,
    )
    prior = Prior.from_arrays(net.arrays())
    found = measure(net, prior, kind, held)
    share = "" if found.scales is None else f"{found.integer / found.scales:.3f} of the bits with "
    print(
        f"{asked.kind} of what was not trained on: {share}"
        f"{'explicit scales; ' if share else ''}{found.integer:.0f} bits in integers, "
        f"{found.estimated:.0f} as estimated"
    )
    if asked.publish:
        publish_prior(net, asked.publish, done)


if __name__ == "__main__":
    run_script(main)
