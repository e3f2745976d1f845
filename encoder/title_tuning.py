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


def tune(task: TuningTask, tell: Callable[[float], None]) -> TitleWeights:
    """The title's weights. `tell` hears now and then which share of the work is done.

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


class _Training:
    """One run of `tune`."""

    def __init__(self, task: TuningTask, network: TitledNetwork) -> None:
        self._task, self._network = task, network
        self._records = task.samples.open()
        options = task.options
        warmup = min(200, options.steps // 10)
        self._schedule = Schedule(options.steps, options.rate, warmup_steps=warmup)
        self._optimizer = _optimizer(network, options.rate)

    def run(self, tell: Callable[[float], None]) -> None:
        """All steps; the network is left with its steps chosen."""
        steps = self._task.options.steps
        arithmetic = Arithmetic.FREE
        for step in range(steps):
            share = step / steps
            if share >= _CODED_FROM and arithmetic is Arithmetic.FREE:
                self._choose_steps()
                arithmetic = Arithmetic.CODED
            if share >= _DEVICE_FROM:
                arithmetic = Arithmetic.DEVICE
            self._step(step, arithmetic)
            if step % _TOLD_STEPS == 0:
                tell(share)
        if arithmetic is Arithmetic.FREE:
            self._choose_steps()
        tell(1.0)

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
        size = min(self._task.options.batch, len(self._records))
        rows = np.sort(random.choice(len(self._records), size, replace=False))
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
                costs[step] = _mean_distortion(values, batches) + self._task.price * bits
            tensor.step = min(costs, key=lambda step: costs[step])
            values[number] = tensor.base * tensor.unit
            if _mean_distortion(values, batches) < costs[tensor.step]:
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


def _mean_distortion(values: list[Tensor], batches: list[_Batch]) -> float:
    left = [
        _distortion(residual_of(values, b.shown, b.condition, on_device=False), b) for b in batches
    ]
    return float(torch.stack(left).mean())


def _bias_step(tensor: TitledTensor, *, last: bool) -> int:
    """Half a level of what the convolution gives: biases are few, and cost little."""
    level = (RESIDUAL_SCALE if last else RELU6_SCALE) / 2
    steps = usable_steps(tensor, math.floor(math.log2(level / float(tensor.unit.median()))))
    return steps[-1]
