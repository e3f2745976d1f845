"""Fine-tuning of a whole network on a title, to weights that are worth their bits."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..decoder.networks import RELU6_SCALE, RESIDUAL_SCALE
from ..runtime.models import packaged_models, read_models
from ..runtime.template import read_template
from ..runtime.title import TitleWeights
from .title_network import Arithmetic, TitledNetwork, TitledTensor, residual_of, usable_steps
from .title_task import TuningTask
from .torch_threads import one_torch_thread
from .training.enhancer import HEAD_RATE
from .training.packs import PLANES
from .training.schedule import Schedule

# What no network mends, in squared grey levels: the rounding to 8 bits.
_FLOOR = 1.0 / 12.0
_MAX_NORM = 0.5
# Weights are free first, then what the stream can say, then used as devices use them.
_CODED_FROM, _DEVICE_FROM = 0.35, 0.85
_COARSEST_STEP = 6
_STEP_BATCHES = 6
_TOLD_STEPS = 20
# One of so many samples is not trained on, up to a limit, and so tells how good weights are for the
# whole title.
_HELD_OUT, _MOST_HELD_OUT = 16, 320
# Weights are looked at before and during their time in a device's arithmetic, as shares of it.
_LOOKS = (0.0, 0.4, 0.7, 1.0)


def tune(task: TuningTask, tell: Callable[[float], None]) -> TitleWeights:
    """The title's weights: the best for their bits, on samples held out, that the training came
    by, the network as it is being the first. `tell` hears now and then which share is done.

    The same task gives the same weights on the same machine: it runs in one thread of torch's.
    Raises ModelError if the network or its template is not installed.
    """
    entry = read_models(packaged_models(task.tier)).network(task.network)
    template = read_template(entry)
    with one_torch_thread():
        network = TitledNetwork(template, task.device)
        _Training(task, network).run(tell)
    return network.coded(entry.model_id)


@dataclass(frozen=True)
class _Batch:
    """`shown` [N, 3, C, h, w] and `condition` [N, 2] in [0, 1]; `lacking` [N, 24, h, w] in grey
    levels, `base_error` [N, 3] in squared ones."""

    shown: Tensor
    condition: Tensor
    lacking: Tensor
    base_error: Tensor


@dataclass(frozen=True)
class _Seen:
    """Weights that training came by: the step and the delta of each tensor in order, and their
    `cost`: what they leave of the base's distortion, as a share, and what their bits are worth."""

    cost: float
    tensors: tuple[tuple[int, Tensor], ...]

    @torch.no_grad()
    def restore(self, network: TitledNetwork) -> None:
        """Give the network these weights."""
        for tensor, (step, delta) in zip(network.tensors, self.tensors, strict=True):
            tensor.step = step
            tensor.delta.copy_(delta)


class _Training:
    """One run of `tune`."""

    def __init__(self, task: TuningTask, network: TitledNetwork) -> None:
        self._task, self._network = task, network
        self._records = task.samples.open()
        self._drawn, held_out = split(len(self._records))
        self._held_out = [
            self._samples(rows) for rows in np.array_split(held_out, -(-len(held_out) // 32))
        ]
        options = task.options
        warmup = min(200, options.steps // 10)
        self._schedule = Schedule(options.steps, options.rate, warmup_steps=warmup)
        self._optimizer = _optimizer(network, options.rate)

    def run(self, tell: Callable[[float], None]) -> None:
        """All steps; the network is left as it was best."""
        steps = self._task.options.steps
        coded_from, device_from = (
            math.ceil(share * steps) for share in (_CODED_FROM, _DEVICE_FROM)
        )
        coded_from = min(coded_from, steps - 1)
        looks = {device_from + round(share * (steps - device_from)) for share in _LOOKS}
        best = self._seen()
        for step in range(steps):
            if step == coded_from:
                self._choose_steps()
            self._step(step, _arithmetic(step, coded_from, device_from))
            if step % _TOLD_STEPS == 0:
                tell(step / steps)
            if step + 1 in looks:
                best = min(best, self._seen(), key=lambda seen: seen.cost)
        best.restore(self._network)
        tell(1.0)

    @torch.no_grad()
    def _seen(self) -> _Seen:
        """The weights as they are now."""
        tensors = self._network.tensors
        values = self._network.values(Arithmetic.DEVICE)
        left = _mean_distortion(values, self._held_out, on_device=True)
        bits = sum(each.coded_bits() for each in tensors)
        return _Seen(
            left + self._task.price * bits,
            tuple((each.step, each.delta.detach().clone()) for each in tensors),
        )

    def _step(self, step: int, arithmetic: Arithmetic) -> None:
        batch = self._batch(step)
        residual = self._network.residual(batch.shown, batch.condition, arithmetic)
        loss = _distortion(residual, batch)
        if arithmetic is not Arithmetic.FREE:
            loss = loss + self._task.price * self._network.bits()
        for group in self._optimizer.param_groups:
            group["lr"] = group["share"] * self._schedule.rate(step)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        moved = [each.delta for each in self._network.tensors]
        torch.nn.utils.clip_grad_norm_(moved, _MAX_NORM)
        self._optimizer.step()

    def _batch(self, number: int) -> _Batch:
        """The samples of that step, drawn at random; the same for the same number."""
        random = np.random.default_rng((self._task.options.seed, number))
        size = min(self._task.options.batch, len(self._drawn))
        return self._samples(np.sort(random.choice(self._drawn, size, replace=False)))

    def _samples(self, rows: NDArray[np.intp]) -> _Batch:
        drawn: NDArray[np.void] = self._records[rows]

        def tensor(name: str) -> Tensor:
            values = torch.from_numpy(np.ascontiguousarray(drawn[name]))
            return values.to(self._task.device).float()

        return _Batch(
            tensor("shown") / 255.0,
            tensor("condition") / 255.0,
            tensor("lacking") / 4.0,
            tensor("base_error"),
        )

    @torch.no_grad()
    def _choose_steps(self) -> None:
        """For each tensor the step at which distortion and bits are least, the others as they are;
        one whose change is not worth its bits is as at the beginning again."""
        tensors = self._network.tensors
        steps = self._task.options.steps
        batches = [self._batch(steps + number) for number in range(_STEP_BATCHES)]
        values = self._network.values(Arithmetic.FREE)
        for number, tensor in enumerate(tensors):
            if not tensor.integer_weights:
                tensor.step = _bias_step(tensor, last=number + 1 == len(tensors))
                continue
            costs: dict[int, float] = {}
            for step in usable_steps(tensor, _COARSEST_STEP):
                tensor.step = step
                bits = tensor.coded_bits()
                values[number] = tensor.value(Arithmetic.CODED)
                costs[step] = (
                    _mean_distortion(values, batches, on_device=False) + self._task.price * bits
                )
            tensor.step = min(costs, key=lambda step: costs[step])
            values[number] = tensor.base * tensor.unit
            if _mean_distortion(values, batches, on_device=False) < costs[tensor.step]:
                tensor.delta.zero_()
            values[number] = tensor.value(Arithmetic.FREE)


def _optimizer(network: TitledNetwork, rate: float) -> torch.optim.Optimizer:
    """Adam, as generic networks are trained: the last convolution at its own share of the rate."""
    moved = [each.delta for each in network.tensors]
    return torch.optim.Adam(
        [{"params": moved[:-2], "share": 1.0}, {"params": moved[-2:], "share": HEAD_RATE}],
        lr=rate,
        betas=(0.9, 0.99),
    )


def _distortion(residual: Tensor, batch: _Batch) -> Tensor:
    """What is left of the base's distortion, as a share, 6:1:1 over the planes."""
    squared = (batch.lacking - 255.0 * residual).square()
    left = torch.stack([squared[:, s:e].mean(dim=(1, 2, 3)) for s, e, _ in PLANES], dim=1)
    weights = torch.tensor([weight for _, _, weight in PLANES], device=residual.device)
    shares = (left + _FLOOR) / (batch.base_error + _FLOOR)
    return (shares * weights).sum(dim=1).mean()


def _mean_distortion(values: list[Tensor], batches: list[_Batch], *, on_device: bool) -> float:
    left = [
        _distortion(residual_of(values, b.shown, b.condition, on_device=on_device), b)
        for b in batches
    ]
    return float(torch.stack(left).mean())


def split(count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which of so many samples are trained on, and which are held out, evenly over the title.

    Of very few, all are both.
    """
    numbers = np.arange(count)
    held_out = numbers[_HELD_OUT // 2 :: _HELD_OUT]
    if not len(held_out):
        return numbers, numbers
    apart = min(len(held_out), _MOST_HELD_OUT)
    held_out = held_out[np.arange(apart) * len(held_out) // apart]
    return np.setdiff1d(numbers, held_out), held_out


def _arithmetic(step: int, coded_from: int, device_from: int) -> Arithmetic:
    if step < coded_from:
        return Arithmetic.FREE
    return Arithmetic.CODED if step < device_from else Arithmetic.DEVICE


def _bias_step(tensor: TitledTensor, *, last: bool) -> int:
    """Half a level of what the convolution gives: biases are few, and cost little."""
    level = (RESIDUAL_SCALE if last else RELU6_SCALE) / 2
    steps = usable_steps(tensor, math.floor(math.log2(level / float(tensor.unit.median()))))
    return steps[-1]
