"""The torch side of a learned prior: what `runtime.prior` codes latents with, as it is trained.

All numbers are the integers that players compute with, held in float32: weights and activations
are rounded in the forward pass and let gradients through, so nothing is lost when the arrays are
published. docs/format.md says what every step computes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ...runtime.errors import ModelError
from ...runtime.prior_positions import Step, coding_steps
from ...runtime.prior_shape import Previous
from .rate import laplace_bits, round_straight_through

_VERSION = 2
_LEVELS = 5
_ONE = 32
# Integer units of real ones: of inputs, weights, and activations.
_INPUT_UNIT, _WEIGHT_UNIT, _ACTIVATION_UNIT = 32, 64, 16
_LARGEST = 127
_TABLES_PER_UNIT, _MEANS_PER_UNIT = 8, 2
_LAST_TABLE = 63
# A gate that lets all of the frame before through.
_OPEN = 64
_FIRST_TABLE = 20.0
# Of a group that has hardly been coded: a 0 takes hardly anything there, a 1 eight bits.
_RARE_TABLE = 6.0
_MAGNITUDES = 256
_WAVES = 6
_QUALITIES = 64


@dataclass(frozen=True)
class PriorShape:
    """What a prior is for and how large it is.

    `channels` of symbols, of which the first is the whole brightness if `whole`; `previous` says
    how the frame before is used. `groups` are channels coded together, `means` which of
    the groups have means; `signed` is how many channels of neighbours have their signs seen.
    """

    channels: int
    whole: bool
    previous: Previous
    groups: tuple[int, ...]
    means: tuple[bool, ...]
    signed: int = 16
    hidden: int = 96
    order: tuple[int, ...] = field(default=())

    @property
    def inputs(self) -> int:
        """Features that a step's first net takes."""
        before = self.channels + self.signed if self.previous else 0
        if self.previous is Previous.GATED:
            before += 2 * self.channels
        return 2 * self.channels + 4 * self.signed + before + _WAVES + _LEVELS


def magnitude_sizes() -> NDArray[np.uint8]:
    """What stands for a magnitude among the features: about six times its logarithm to base 2."""
    return np.array([round(6 * math.log2(1 + n)) for n in range(_MAGNITUDES)], np.uint8)


def quality_waves() -> NDArray[np.int8]:
    """Features of the 64 quality indices, cosines of the index."""
    at = np.arange(_QUALITIES)[:, None] * np.pi / (_QUALITIES - 1)
    waves: NDArray[np.int8] = np.rint(_ONE * np.cos(at * np.arange(_WAVES))).astype(np.int8)
    return waves


class _IntegerLinear(nn.Module):
    """A layer of integer weights -127 to 127; `unit` is a real one in its input."""

    def __init__(self, inputs: int, outputs: int, unit: int) -> None:
        super().__init__()
        self.unit = unit * _WEIGHT_UNIT
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """Integers in, integers in units of 1 / `unit` out."""
        return F.linear(x, *self.integers())

    def integers(self) -> tuple[Tensor, Tensor]:
        """Weights and biases as players have them."""
        weight = round_straight_through(self.weight * _WEIGHT_UNIT).clamp(-_LARGEST, _LARGEST)
        return weight, round_straight_through(self.bias * self.unit)


class _Net(nn.Module):
    """Features to the tables of a group of channels and, if wanted, their means."""

    def __init__(
        self, inputs: int, hidden: int, channels: int, *, means: bool, gated: bool
    ) -> None:
        super().__init__()
        self.channels, self.gated = channels, gated
        outputs = (2 * channels if means else channels) + int(gated)
        self.layers = nn.ModuleList(
            (
                _IntegerLinear(inputs, hidden, _INPUT_UNIT),
                _IntegerLinear(hidden, hidden, _ACTIVATION_UNIT),
                _IntegerLinear(hidden, outputs, _ACTIVATION_UNIT),
            )
        )
        last = self.layers[2]
        assert isinstance(last, _IntegerLinear)
        nn.init.zeros_(last.weight)
        with torch.no_grad():
            last.bias[:channels] = _FIRST_TABLE / _TABLES_PER_UNIT

    def forward(self, x: Tensor, before: Tensor | None) -> tuple[Tensor, Tensor]:
        """Tables and means; `before` is what the symbols were in the frame before, if gated."""
        for layer in (self.layers[0], self.layers[1]):
            assert isinstance(layer, _IntegerLinear)
            x = _rounded_down(layer(x), layer.unit // _ACTIVATION_UNIT).clamp(0, _LARGEST)
        last = self.layers[2]
        assert isinstance(last, _IntegerLinear)
        made = last(x)
        tables = _rounded_down(made[..., : self.channels], last.unit // _TABLES_PER_UNIT)
        end = made.shape[-1] - int(self.gated)
        means = torch.zeros(())
        if end > self.channels:
            means = _rounded_down(made[..., self.channels : end], last.unit // _MEANS_PER_UNIT)
        if before is not None:
            gate = _rounded_down(made[..., end:], last.unit // _TABLES_PER_UNIT)
            means = means + _rounded_down(gate.clamp(0, _OPEN) * before, _OPEN)
        return _clamped(tables), means


def _rounded_down(x: Tensor, divisor: int) -> Tensor:
    """`(x + divisor / 2) >> log2(divisor)`, with the gradient of the division."""
    real = x / divisor
    return real + (torch.floor(real + 0.5) - real).detach()


def _clamped(tables: Tensor) -> Tensor:
    """Tables within their range. Those beyond it have the gradients that lead back: where hardly a
    symbol is anything but 0, its table is soon below 0, and would have no way out of there."""
    clamped = tables + (tables.clamp(0, _LAST_TABLE) - tables).detach()
    if clamped.requires_grad:
        beyond = tables.detach()

        def leading_back(gradient: Tensor) -> Tensor:
            leads_out = ((beyond < 0) & (gradient > 0)) | ((beyond > _LAST_TABLE) & (gradient < 0))
            return gradient.masked_fill(leads_out, 0.0)

        clamped.register_hook(leading_back)
    return clamped


class PriorNet(nn.Module):
    """The nets of a prior, and the bits that latents take with them."""

    _sizes: Tensor
    _waves: Tensor

    def __init__(self, shape: PriorShape) -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("_sizes", torch.from_numpy(magnitude_sizes()).float(), False)
        self.register_buffer("_waves", torch.from_numpy(quality_waves()).float(), False)
        kinds = []
        for _ in range(2):
            inputs, nets = shape.inputs, []
            for channels, means in zip(shape.groups, shape.means, strict=True):
                gated = shape.previous is Previous.GATED
                nets.append(_Net(inputs, shape.hidden, channels, means=means, gated=gated))
                inputs += (3 if gated else 2) * channels
            kinds.append(nn.ModuleList(nets))
        self.nets = nn.ModuleList(kinds)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> PriorNet:
        """The prior that such `arrays` are, to go on with."""
        _, channels, whole, signed, previous = (int(each) for each in arrays["config"])
        net = cls(
            PriorShape(
                channels,
                bool(whole),
                Previous(previous),
                tuple(int(each) for each in arrays["groups"]),
                tuple(bool(each) for each in arrays["means"]),
                signed,
                len(arrays["b1_0_0"]),
                tuple(int(each) for each in arrays["order"]),
            )
        )
        with torch.no_grad():
            for name, layer in net.layers():
                weight, bias = (torch.from_numpy(arrays[f"{each}{name}"]) for each in "wb")
                layer.weight.copy_(weight.float() / _WEIGHT_UNIT)
                layer.bias.copy_(bias.float() / layer.unit)
        return net

    def renew_last(self) -> None:
        """Begin the last group anew, in tables under which some of its symbols are worth coding.

        A prior that was trained on frames without any says of all that they are 0. Nothing else is
        worth coding then, so frames that are made with it have none either.
        """
        for nets in self.nets:
            assert isinstance(nets, nn.ModuleList)
            old = nets[-1]
            assert isinstance(old, _Net)
            first = old.layers[0]
            assert isinstance(first, _IntegerLinear)
            new = _Net(
                first.weight.shape[1],
                self.shape.hidden,
                old.channels,
                means=self.shape.means[-1],
                gated=old.gated,
            )
            last = new.layers[2]
            assert isinstance(last, _IntegerLinear)
            with torch.no_grad():
                last.bias[: new.channels] = _RARE_TABLE / _TABLES_PER_UNIT
            nets[-1] = new

    def take_last(self, other: PriorNet) -> None:
        """Take the last group of another prior of the same shape, but for the channels' order.
        ModelError if it has another."""
        if replace(other.shape, order=self.shape.order) != self.shape:
            raise ModelError(f"a prior of {other.shape} has no last group for one of {self.shape}")
        for nets, others in zip(self.nets, other.nets, strict=True):
            assert isinstance(nets, nn.ModuleList)
            assert isinstance(others, nn.ModuleList)
            nets[-1].load_state_dict(others[-1].state_dict())

    def last_parameters(self) -> Iterator[nn.Parameter]:
        """The weights and biases of the last group."""
        for nets in self.nets:
            assert isinstance(nets, nn.ModuleList)
            yield from nets[-1].parameters()

    def layers(self) -> Iterator[tuple[str, _IntegerLinear]]:
        """Every layer with the end of its arrays' names."""
        for kind, nets in enumerate(self.nets):
            assert isinstance(nets, nn.ModuleList)
            for group, net in enumerate(nets):
                assert isinstance(net, _Net)
                for number, layer in enumerate(net.layers, 1):
                    assert isinstance(layer, _IntegerLinear)
                    yield f"{number}_{kind}_{group}", layer

    def bits(
        self,
        symbols: Tensor,
        quality: Tensor,
        previous: Tensor | None = None,
        noisy: Tensor | None = None,
        groups: int | None = None,
    ) -> Tensor:
        """Bits of each sample of whole-numbered `symbols` [N, C, h, w] at qualities [N].

        `previous` [N, C, h, w] is as `symbols`. Gradients go to the nets alone. With `noisy`, the
        same before rounding and with noise of -1/2 to 1/2 in its place, they go there too, as if
        it were what is coded: so they are not zero where symbols are. What a symbol changes in
        its neighbours' bits has none. `groups` are how many of them are coded, all if None: the
        other channels have no bits, and nothing sees them.
        """
        shape = self.shape
        coded = sum(shape.groups[:groups])
        order = list(shape.order) or slice(None)
        seen = symbols.detach()[:, order].flatten(2).transpose(1, 2)
        cells = seen.shape[1]
        # One cell more, of zeros, for neighbours that are missing.
        around = F.pad(seen, (0, 0, 0, 1))
        around[..., coded:] = 0
        magnitudes, signs_of_all = self._features(around)
        signed = signs_of_all[..., : shape.signed]
        values = None if noisy is None else noisy[:, order].flatten(2).transpose(1, 2)
        before = None
        if previous is not None:
            before = F.pad(previous[:, order].flatten(2).transpose(1, 2), (0, 0, 0, 1))
            before[..., coded:] = 0
        changes = None
        if before is not None and shape.previous is Previous.GATED:
            changes, _ = self._features(around - before)
        waves = self._waves[quality]
        total = torch.zeros(len(symbols), device=symbols.device)
        for step in coding_steps(*symbols.shape[2:]):
            cell, near = _indices(step)
            prediction = self._prediction(around, cell, near, cells, before)
            sizes = [magnitudes[:, each] for each in near.unbind(1)]
            signs = signed[:, near]
            own_sizes, own_signs = magnitudes[:, cell], signs_of_all[:, cell]
            offset = torch.zeros(len(seen), len(cell), shape.channels, device=seen.device)
            if shape.whole:
                beside = (around[:, near, 0] - prediction[..., None]) * (near < cells)
                beside_sizes, signs[..., 0] = self._features(beside)
                for place, each in enumerate(sizes):
                    each[..., 0] = beside_sizes[..., place]
                offset[..., 0] = prediction
                own = self._features(seen[:, cell, 0] - prediction)
                own_sizes[..., 0], own_signs[..., 0] = own
            parts = [
                sizes[0] + sizes[1],
                sizes[2] + sizes[3],
                signs.flatten(2),
                *self._before(before, cell, prediction),
                waves[:, None].expand(-1, len(cell), -1),
                self._level(step.level).expand(len(waves), len(cell), -1),
            ]
            if changes is not None:
                near_changes = [changes[:, each] for each in near.unbind(1)]
                parts[3:3] = [
                    near_changes[0] + near_changes[1],
                    near_changes[2] + near_changes[3],
                ]
            x = torch.cat(parts, dim=-1)
            known = seen[:, cell] - offset
            near_known = None if values is None else values[:, cell] - offset
            nets = self.nets[step.kind]
            assert isinstance(nets, nn.ModuleList)
            first = 0
            for net, channels in list(zip(nets, shape.groups, strict=True))[:groups]:
                here = slice(first, first + channels)
                was = None
                if changes is not None and before is not None:
                    was = (before[:, cell] - offset)[..., here]
                tables, mean = net(x, was)
                total = total + laplace_bits(known[..., here] - mean, tables).sum(dim=(1, 2))
                if near_known is not None:
                    number = near_known[..., here] - mean.detach()
                    soft = laplace_bits(number, tables.detach()).sum(dim=(1, 2))
                    total = total + (soft - soft.detach())
                own_features = [own_signs[..., here], own_sizes[..., here]]
                if changes is not None:
                    own_features.append(changes[:, cell][..., here])
                x = torch.cat((x, *own_features), dim=-1)
                first += channels
        return total

    def _level(self, level: int) -> Tensor:
        return _ONE * F.one_hot(torch.tensor(level), _LEVELS).float().to(self._waves.device)

    def _prediction(
        self, around: Tensor, cell: Tensor, near: Tensor, cells: int, before: Tensor | None
    ) -> Tensor:
        """What the whole brightness of each cell [N, P] is coded as a difference from."""
        if not self.shape.whole:
            return torch.zeros(len(around), len(cell), device=around.device)
        there = (near < cells).sum(dim=1)
        if not bool(there.any()):
            if before is not None and self.shape.previous is Previous.GATED:
                return before[:, cell, 0]
            return F.pad(around[:, cell[:-1], 0], (1, 0))
        return (around[:, near, 0].sum(dim=2) / there).floor()

    def _before(self, before: Tensor | None, cell: Tensor, prediction: Tensor) -> list[Tensor]:
        if before is None:
            return []
        was = before[:, cell]
        if self.shape.whole:
            gated = self.shape.previous is Previous.GATED
            was[..., 0] = was[..., 0] - prediction if gated else 0.0
        sizes, signs = self._features(was)
        return [sizes, signs[..., : self.shape.signed]]

    def _features(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """What stands for the size of numbers, and the same with their signs."""
        size = self._sizes[numbers.abs().clamp(max=_MAGNITUDES - 1).long()]
        return size, numbers.sign() * size

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The prior as `runtime.prior` reads it."""
        shape = self.shape
        config = (_VERSION, shape.channels, shape.whole, shape.signed, shape.previous)
        made: dict[str, NDArray[Any]] = {
            "config": np.array(config, np.int32),
            "groups": np.array(shape.groups, np.int32),
            "means": np.array(shape.means, np.int32),
            "order": np.array(shape.order or range(shape.channels), np.int32),
            "sizes": magnitude_sizes(),
            "waves": quality_waves(),
        }
        for name, layer in self.layers():
            weight, bias = (each.detach().cpu().numpy() for each in layer.integers())
            made[f"w{name}"] = weight.astype(np.int8)
            made[f"b{name}"] = bias.astype(np.int32)
        return made


def _indices(step: Step) -> tuple[Tensor, Tensor]:
    """Flat indices of a step's cells [P] and of their neighbours [P, 4]."""
    # Copied, for they may not be written to.
    return torch.tensor(step.cells), torch.tensor(step.neighbours.T)
