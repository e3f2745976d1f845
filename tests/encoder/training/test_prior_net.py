"""What a prior is trained as is what players have: the same integers, table for table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from edgecodec.encoder.training import prior_net
from edgecodec.encoder.training.prior_net import PriorNet, PriorShape
from edgecodec.runtime.errors import ModelError
from edgecodec.runtime.prior import Prior
from edgecodec.runtime.prior_coding import coding_tables, prior_bits
from edgecodec.runtime.prior_part import first_groups, part_of
from edgecodec.runtime.prior_positions import coding_steps
from edgecodec.runtime.prior_shape import Previous
from edgecodec.runtime.scale_tables import load_scale_tables
from torch import Tensor, nn

CHANNELS = 6
# Roots without neighbours, all levels, and edges with some neighbours missing.
CELLS = (18, 35)
Symbols = np.ndarray


def random_net(whole: bool, previous: Previous, seed: int = 0) -> PriorNet:
    """Nets whose tables, means and gates go all over their ranges."""
    torch.manual_seed(seed)
    order = (0, 3, 1, 5, 2, 4)
    net = PriorNet(PriorShape(CHANNELS, whole, previous, (1, 2, 3), (1, 0, 1), 4, 16, order))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.normal_(0, 0.4 if parameter.dim() == 2 else 1.0)
        for nets in net.nets:
            for each in nets:
                each.layers[2].bias += 1.5
    return net


def random_symbols(whole: bool, seed: int) -> tuple[Symbols, Symbols]:
    """A frame's, and those of a frame before of which much is the same."""
    random = np.random.default_rng(seed)
    before = np.rint(random.laplace(0, 2.5, (CHANNELS, *CELLS)))
    before[:, 4:6] *= 30
    changed = random.random(before.shape) < 0.3
    symbols = before + changed * np.rint(random.laplace(0, 6, before.shape))
    made = [np.clip(each, -127, 127).astype(np.int16) for each in (symbols, before)]
    if whole:
        for each in made:
            each[0] = each[0].clip(-90, 90) + 230
        made[1][0] += 25
    return made[0], made[1]


def trained_tables(
    net: PriorNet,
    symbols: Symbols,
    quality: int,
    before: Symbols | None,
    monkeypatch: pytest.MonkeyPatch,
    *,
    groups: int | None = None,
) -> tuple[Symbols, Symbols]:
    """What training takes as each symbol's table and number, [channels, h, w]."""
    found: list[tuple[Tensor, Tensor]] = []
    bits: Callable[[Tensor, Tensor], Tensor] = prior_net.laplace_bits

    def recorded(numbers: Tensor, tables: Tensor) -> Tensor:
        found.append((numbers[0].detach(), tables[0].detach()))
        return bits(numbers, tables)

    monkeypatch.setattr(prior_net, "laplace_bits", recorded)
    net.bits(
        torch.from_numpy(symbols[None]).float(),
        torch.tensor([quality]),
        None if before is None else torch.from_numpy(before[None]).float(),
        groups=groups,
    )
    tables, numbers = (np.zeros((CHANNELS, CELLS[0] * CELLS[1]), int) for _ in range(2))
    made = iter(found)
    order = np.array(net.shape.order)
    for step in coding_steps(*CELLS):
        first = 0
        for count in net.shape.groups[:groups]:
            place = np.ix_(order[first : first + count], step.cells)
            for target, each in zip((numbers, tables), next(made), strict=True):
                target[place] = each.numpy().T
            first += count
    assert next(made, None) is None
    wrapped = (numbers + 127) % 255 - 127
    return tables.reshape(symbols.shape), wrapped.reshape(symbols.shape)


@pytest.mark.parametrize("previous", Previous)
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("quality", [0, 41])
def test_players_compute_the_tables_of_training(
    whole: bool, previous: Previous, quality: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = random_net(whole, previous)
    symbols, before = random_symbols(whole, seed=quality)
    known = before if previous else None
    prior = Prior.from_arrays(net.arrays())
    tables, numbers = coding_tables(symbols, quality, prior, known)
    wanted_tables, wanted_numbers = trained_tables(net, symbols, quality, known, monkeypatch)
    np.testing.assert_array_equal(tables, wanted_tables)
    np.testing.assert_array_equal(numbers, wanted_numbers)
    assert len(np.unique(tables)) > 20
    assert (numbers != symbols).mean() > 0.2
    bits = load_scale_tables().bits[tables, np.abs(numbers)].sum()
    assert prior_bits(symbols, quality, prior, known) == pytest.approx(bits, abs=100)


@pytest.mark.parametrize("previous", Previous)
@pytest.mark.parametrize("groups", [1, 2])
def test_players_compute_the_same_with_fewer_groups(
    previous: Previous, groups: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = random_net(True, previous)
    symbols, before = random_symbols(True, 7)
    known = before if previous else None
    prior = Prior.from_arrays(net.arrays())
    tables, numbers = trained_tables(net, symbols, 41, known, monkeypatch, groups=groups)
    part = first_groups(prior, groups)
    part_known = None if known is None else part_of(known, prior, part)
    wanted = coding_tables(part_of(symbols, prior, part), 41, part, part_known)
    np.testing.assert_array_equal(part_of(tables, prior, part), wanted[0])
    np.testing.assert_array_equal(part_of(numbers, prior, part), wanted[1])
    assert len(np.unique(wanted[0])) > 10


def test_gates_let_through_what_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """With gates wide open and nothing changed, there is nothing but zeros to code."""
    net = random_net(False, Previous.GATED)
    with torch.no_grad():
        for nets in net.nets:
            for each in nets:
                last = each.layers[2]
                nn.init.zeros_(last.weight)
                nn.init.zeros_(last.bias)
                last.bias[-1] = 64
    _, before = random_symbols(False, 1)
    prior = Prior.from_arrays(net.arrays())
    symbols = before.copy()
    symbols[2, 3, 4] -= 1
    _, numbers = coding_tables(symbols, 30, prior, before)
    np.testing.assert_array_equal(numbers, symbols - before)
    _, wanted = trained_tables(net, symbols, 30, before, monkeypatch)
    np.testing.assert_array_equal(numbers, wanted)


def last_bias(symbol: int, table: float) -> Tensor:
    """Gradients of the biases of the last group's tables, all of which are `table`, where each of
    its symbols is `symbol`."""
    net = random_net(False, Previous.UNKNOWN)
    biases = []
    for nets in net.nets:
        last = nets[-1].layers[2]
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        with torch.no_grad():
            last.bias[: nets[-1].channels] = table / 8
        biases.append(last.bias)
    symbols = torch.full((1, CHANNELS, *CELLS), float(symbol))
    net.bits(symbols, torch.tensor([30])).sum().backward()
    tables = net.shape.groups[-1]
    gradients = [bias.grad[:tables] for bias in biases if bias.grad is not None]
    assert len(gradients) == 2
    return torch.cat(gradients)


def test_tables_beyond_their_range_learn_the_way_back_and_no_way_further() -> None:
    """Of a group that is 0 for long, the tables are below 0 when something else comes."""
    assert (last_bias(1, -5) < 0).all()
    assert (last_bias(0, -5) == 0).all()
    assert (last_bias(0, 70) > 0).all()
    assert (last_bias(127, 70) == 0).all()
    # Within it, both ways.
    assert (last_bias(3, 5) < 0).all()
    assert (last_bias(0, 30) > 0).all()


@pytest.mark.parametrize("previous", Previous)
def test_the_last_group_begins_anew_and_the_others_stay(
    previous: Previous, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = random_net(False, previous)
    symbols, before = random_symbols(False, 3)
    known = before if previous else None
    was, _ = trained_tables(net, symbols, 41, known, monkeypatch)
    net.renew_last()
    tables, _ = trained_tables(net, symbols, 41, known, monkeypatch)
    last = list(net.shape.order[-net.shape.groups[-1] :])
    others = list(net.shape.order[: -net.shape.groups[-1]])
    np.testing.assert_array_equal(tables[others], was[others])
    assert (was[last] != tables[last]).any()
    assert (tables[last] == 6).all()
    # Some of its symbols are worth their bits there, and all can be learned.
    bits = load_scale_tables().bits[6]
    assert bits[0] < 0.02
    assert 7 < bits[1] < 9
    assert all(parameter.requires_grad for parameter in net.parameters())
    Prior.from_arrays(net.arrays())


def test_the_last_group_can_be_that_of_another_prior() -> None:
    net, other = (random_net(False, Previous.SEEN, seed) for seed in (1, 2))
    began, taken = net.arrays(), other.arrays()
    net.take_last(other)
    for name, array in net.arrays().items():
        is_last = name.endswith(("_0_2", "_1_2"))
        np.testing.assert_array_equal(array, (taken if is_last else began)[name])
    assert (began["w1_0_2"] != taken["w1_0_2"]).any()
    with pytest.raises(ModelError, match="no last group"):
        net.take_last(random_net(False, Previous.UNKNOWN))


@pytest.mark.parametrize("previous", Previous)
@pytest.mark.parametrize("whole", [False, True])
def test_a_published_prior_can_be_gone_on_with(whole: bool, previous: Previous) -> None:
    net = random_net(whole, previous)
    arrays = net.arrays()
    again = PriorNet.from_arrays(arrays)
    assert again.shape == net.shape
    for name, array in again.arrays().items():
        np.testing.assert_array_equal(array, arrays[name])
        assert array.dtype == arrays[name].dtype
    assert Prior.from_arrays(again.arrays()).previous == previous
