"""Vectors that cost least together: their bits as they are coded, and what they leave of cells.

A vector is cheap where its neighbours foretell it, and is what foretells others. So cells take
turns (iterated conditional modes, Besag 1986): each takes, of the vectors around it and some
others, the one by which it and the cells that it foretells cost least, while the others keep
theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..runtime.prior_positions import NEIGHBOURS, Indices, Step, coding_steps
from ..runtime.vectors import (
    CONTINUED_TABLES,
    MAX_VECTOR,
    ROOT_CONTEXT,
    ContextTables,
    Vectors,
    difference_bits,
    neighbours_of,
    predicted,
)

Costs = NDArray[np.float32]
CostOf = Callable[[Indices, Vectors], Costs]
"""What is left of cells [n] (flat positions) costs [n] by vectors [n, 2]."""
_ROUNDS = 5
# Of the cells: when no more of them change, the rest is not worth a round.
_FEW = 0.005
_STEPS = ((-1, 0), (1, 0), (0, -1), (0, 1))


@dataclass(frozen=True, eq=False)
class _Turn:
    """Cells that choose at the same time, and those that they foretell.

    `cells` [n] are flat positions, `neighbours` [4, n] those that they are foretold by, None of
    roots. Pair m says that cell `cells[chooser[m]]` foretells `dependent[m]`, whose neighbours are
    `around[:, m]`.
    """

    cells: Indices
    neighbours: Indices | None
    chooser: Indices
    dependent: Indices
    around: Indices


def best_vectors(
    start: Vectors,
    offered: tuple[Vectors, ...],
    before: Vectors,
    cost_of: CostOf,
    price: float,
    tables: ContextTables = CONTINUED_TABLES,
) -> Vectors:
    """Vectors [2, h, w] that cost hardly more than any near them, from those of `start` on.

    `offered` are further ones [2, h, w] that each cell may take, `before` those of the frame
    before. `price` is what a bit costs in the unit of `cost_of`, `tables` are those of the vectors'
    contexts.
    """
    shape = start.shape[1:]
    # Copies: what is offered stays on offer when the field, which may begin as it, has changed.
    field, was, *others = (each.reshape(2, -1).T.copy("C") for each in (start, before, *offered))
    turns, known = _turns(*shape), _Known(cost_of)
    for number in range(_ROUNDS):
        # For all turns at once: what a neighbour takes now may be tried in the next round.
        tried = _candidates(field, was, others, shape, finer=number > 0)
        costs = known(tried)
        changed = 0
        for turn in turns:
            own = tried[turn.cells]
            spent = costs[turn.cells] + np.float32(price) * _bits(turn, field, was, own, tables)
            best = spent.argmin(axis=1)
            chosen = own[np.arange(len(best)), best]
            changed += int(np.count_nonzero(best))
            field[turn.cells] = chosen
        if number and changed < _FEW * len(field):
            break
    return np.ascontiguousarray(field.T).reshape(start.shape)


class _Known:
    """Remembers what vectors cost: the same are tried again and again."""

    def __init__(self, cost_of: CostOf) -> None:
        self._cost_of = cost_of
        self._keys = np.zeros(0, np.int64)
        self._costs = np.zeros(0, np.float32)

    def __call__(self, tried: Vectors) -> Costs:
        """Of vectors [n, k, 2] of all n cells: [n, k]."""
        side = 2 * MAX_VECTOR + 1
        moved = tried.astype(np.int64) + MAX_VECTOR
        cells = np.arange(len(tried))[:, None]
        keys = ((cells * side + moved[..., 0]) * side + moved[..., 1]).ravel()
        wanted = np.unique(keys)
        new = wanted[~np.isin(wanted, self._keys, assume_unique=True)]
        if len(new):
            rest, across = np.divmod(new, side)
            cell, down = np.divmod(rest, side)
            vectors = (np.stack((down, across), axis=1) - MAX_VECTOR).astype(np.int16)
            every = np.concatenate((self._keys, new))
            order = np.argsort(every, kind="stable")
            self._costs = np.concatenate((self._costs, self._cost_of(cell, vectors)))[order]
            self._keys = every[order]
        found: Costs = self._costs[np.searchsorted(self._keys, keys)].reshape(tried.shape[:2])
        return found


def _candidates(
    field: Vectors, was: Vectors, others: list[Vectors], shape: tuple[int, ...], *, finer: bool
) -> Vectors:
    """What each cell may take [n, k, 2]; the first is what it has."""
    made = [field, np.zeros_like(field), was, *others]
    neighbours, foretold = np.repeat(field[None], NEIGHBOURS, axis=0), field.copy()
    for step in coding_steps(*shape):
        if not step.is_root:
            around = neighbours_of(step.neighbours, field)
            is_there = (step.neighbours < len(field))[..., None]
            neighbours[:, step.cells] = np.where(is_there, around, field[step.cells])
            foretold[step.cells] = predicted(around, was[step.cells])[1]
    made += [*neighbours, foretold]
    grid = np.pad(field.reshape(*shape, 2), ((1, 1), (1, 1), (0, 0)), mode="edge")
    inner = slice(1, -1)
    sides = (grid[:-2, inner], grid[2:, inner], grid[inner, :-2], grid[inner, 2:])
    made += [side.reshape(-1, 2) for side in sides]
    if finer:
        made += [field + np.array(each, np.int16) for each in _STEPS]
    return np.stack(made, axis=1).clip(-MAX_VECTOR, MAX_VECTOR)


def _bits(
    turn: _Turn, field: Vectors, was: Vectors, tried: Vectors, tables: ContextTables
) -> Costs:
    """What cells and those that they foretell take by vectors [n, k, 2]: [n, k]."""
    count, kinds, _ = tried.shape
    here = was[turn.cells]
    if turn.neighbours is None:
        contexts, expected = np.full(count, ROOT_CONTEXT), here
    else:
        contexts, expected = predicted(neighbours_of(turn.neighbours, field), here)
    bits = difference_bits(
        np.broadcast_to(contexts[:, None], (count, kinds)), tried - expected[:, None], tables
    )
    if len(turn.chooser):
        is_chooser = turn.around == turn.cells[turn.chooser]
        around = np.where(
            is_chooser[..., None, None],
            tried[turn.chooser],
            neighbours_of(turn.around, field)[:, :, None],
        )
        own = np.repeat(was[turn.dependent][:, None], kinds, axis=1)
        contexts, expected = predicted(around.reshape(4, -1, 2), own.reshape(-1, 2))
        has = np.repeat(field[turn.dependent][:, None], kinds, axis=1).reshape(-1, 2)
        after = difference_bits(contexts, has - expected, tables).reshape(-1, kinds)
        np.add.at(bits, turn.chooser, after)
    return bits


@lru_cache(maxsize=8)
def _turns(height: int, width: int) -> tuple[_Turn, ...]:
    """Every cell once, as they are coded; of a step, cells that foretell the same one in turns."""
    steps = coding_steps(height, width)
    of_cell = np.full((4, height * width), height * width)
    for step in steps:
        of_cell[:, step.cells] = step.neighbours
    slots, dependents = np.nonzero(of_cell < height * width)
    # At the sides a cell is the neighbour of another twice.
    sources, dependents = np.unique((of_cell[slots, dependents], dependents), axis=1)
    turns = []
    for step in steps:
        for part in _apart(step, width):
            place = np.full(height * width, -1)
            place[step.cells[part]] = np.arange(len(part))
            pairs = np.flatnonzero(place[sources] >= 0)
            turns.append(
                _Turn(
                    step.cells[part],
                    None if step.is_root else step.neighbours[:, part],
                    place[sources[pairs]],
                    dependents[pairs],
                    of_cell[:, dependents[pairs]],
                )
            )
    return tuple(turns)


def _apart(step: Step, width: int) -> list[Indices]:
    """The cells of a step in parts, of which none has two that foretell the same cell nearby."""
    rows, columns = (each >> step.level for each in np.divmod(step.cells, width))
    if step.is_root:
        colours = 2 * (rows % 2) + columns % 2
    else:
        colours = 4 * (rows % 2) + 2 * (rows // 2 % 2) + columns // 2 % 2
    return [np.flatnonzero(colours == colour) for colour in np.unique(colours)]
