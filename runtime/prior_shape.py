"""What a prior's configuration says about its networks: what they see, in which order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from .prior_positions import LEVELS, NEIGHBOURS

PAIR_LARGEST, OTHER_LARGEST, WAVE_LARGEST = 126, 63, 127


class Previous(IntEnum):
    """What a prior knows of the frame before."""

    UNKNOWN = 0
    SEEN = 1
    """Its symbols are features; there need be no frame before."""
    GATED = 2
    """So are the changes of neighbours since then, and a share of it, the gate, is in every
    centre. There is always a frame before."""


@dataclass(frozen=True, eq=False)
class Shape:
    """The sides of a prior's networks; see `prior.Prior`.

    A cell's features are, in this order: sizes of pairs of neighbours, neighbours with signs,
    sizes of pairs of neighbours' changes, the cell in the frame before, and, group by group, its
    own channels.
    """

    channels: int
    signed: int
    previous: Previous
    groups: tuple[int, ...]
    means: tuple[bool, ...]
    waves: NDArray[np.int8]

    @property
    def is_gated(self) -> bool:
        """Whether networks also give gates, and see changes."""
        return self.previous is Previous.GATED

    @property
    def changes_start(self) -> int:
        """Features before those of changes."""
        return 2 * self.channels + NEIGHBOURS * self.signed

    @property
    def before_start(self) -> int:
        """Features before those of the frame before."""
        return self.changes_start + (2 * self.channels if self.is_gated else 0)

    @property
    def own_start(self) -> int:
        """Features of a cell before those of its own channels."""
        return self.before_start + (self.channels + self.signed if self.previous else 0)

    @property
    def own_parts(self) -> int:
        """Features for each own channel: signed, size, and size of its change."""
        return 3 if self.is_gated else 2

    def features(self, group: int) -> int:
        """Features that the networks of a group see; its inputs are these, waves and levels."""
        return self.own_start + self.own_parts * sum(self.groups[:group])

    def outputs(self, group: int) -> int:
        """What a group's networks give for a cell."""
        return self.groups[group] * (2 if self.means[group] else 1) + self.is_gated

    def largest_inputs(self, group: int) -> NDArray[np.int64]:
        """The largest size of each input of a group's networks.

        Inputs are features up to `own_start`, waves, levels, and then the groups before.
        """
        waves = self.waves.shape[1]
        largest = np.full(self.features(group) + waves + LEVELS, OTHER_LARGEST, np.int64)
        largest[: 2 * self.channels] = PAIR_LARGEST
        if self.is_gated:
            largest[self.changes_start : self.before_start] = PAIR_LARGEST
        largest[self.own_start : self.own_start + waves] = WAVE_LARGEST
        return largest
