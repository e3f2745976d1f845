"""What cells of a frame cost by what is expected of them, for a search of vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..runtime.frame_levels import Levels, clipped
from ..runtime.motion import Vectors, seen_levels
from ..runtime.motion_tables import MotionTables
from ..runtime.prior_positions import Indices
from .reference import Reference
from .vector_choice import Costs

LevelCosts = Callable[[Indices, NDArray[np.float32]], Costs]
"""What cells [n], flat positions, cost [n] of which [C, n] quantiser's steps are left, in squared
steps."""
# Of what is left of a latent, in squared steps: what coding it costs at least, and its growth.
_LEAST, _GROWTH = 0.55, 0.2


@dataclass(frozen=True, eq=False)
class CellLevels:
    """What a reference says that cells' levels are, by the tables of a tier."""

    reference: Reference
    tables: MotionTables

    def __call__(self, cells: Indices, vectors: Vectors) -> Levels:
        """The levels [C, n] of cells [n], flat positions, by vectors [n, 2]."""
        levels = self.reference.shown.levels
        channels, _, columns = levels.shape
        expected = levels.reshape(channels, -1)[:, cells].astype(np.int32)
        moving = np.flatnonzero(vectors.any(axis=1))
        places = np.stack(np.divmod(cells[moving], columns), axis=1)
        there = vectors[moving].astype(np.intp)
        expected[:, moving] = seen_levels(self.reference.picture, places, there, self.tables).T
        return clipped(expected)


def rough_costs(counts: NDArray[np.float32]) -> LevelCosts:
    """About what is left costs where it is not known how it is coded: errors count for `counts`
    [h * w], and are either coded or stay."""

    def costs(cells: Indices, left: NDArray[np.float32]) -> Costs:
        squared = np.square(left)
        coded = _LEAST + _GROWTH * np.log2(1 + squared)
        cost: Costs = np.minimum(counts[cells] * squared, coded).sum(axis=0)
        return cost

    return costs
