"""Training data as memory-mapped arrays: made once from a folder of clips, read at random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .augment import mirrored, recolored


class TripletPack:
    """Crops of decoded frames t-1, t, t+1 and the source's frame t, packed to 1/4 resolution.

    Several folders are read as one.

    `FOLDER/x.npy` is uint8 [N, 4, 24, P, P] (t-1, t, t+1, source), `FOLDER/condition.npy` uint8
    [N, 2] (the base's quantiser, its codec).
    """

    def __init__(self, *folders: Path) -> None:
        self._x = [np.load(f / "x.npy", mmap_mode="r", allow_pickle=False) for f in folders]
        self._condition = np.concatenate(
            [np.load(f / "condition.npy", allow_pickle=False) for f in folders]
        )
        self._starts = np.cumsum([0, *map(len, self._x)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def batch(self, random: np.random.Generator, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """`size` random samples: frames [N, 3, 24, P, P], condition [N, 2, P, P], target.

        Pixels are float32 in [0, 1]. Half of the samples run backwards in time; mirrors and colours
        are random.
        """
        rows = np.sort(random.choice(len(self), size, replace=False))
        samples = [self._sample(int(row)) for row in rows]
        x = torch.stack([mirrored(recolored(each, random), random) for each in samples])
        backwards = torch.from_numpy(random.random(size) < 0.5)
        x[backwards] = x[backwards][:, [2, 1, 0, 3]]
        condition = torch.from_numpy(self._condition[rows]).float() / 255.0
        planes = condition[:, :, None, None].expand(-1, -1, *x.shape[-2:])
        return x[:, :3], planes, x[:, 3]

    def _sample(self, row: int) -> Tensor:
        pack = int(np.searchsorted(self._starts, row, side="right")) - 1
        sample = np.array(self._x[pack][row - self._starts[pack]])
        return torch.from_numpy(sample).float() / 255.0


class SequencePack:
    """Crops of 9 consecutive source frames, packed to 1/8 resolution.

    `FOLDER/x.npy` is uint8 [N, 9, 96, P, P].
    """

    def __init__(self, folder: Path) -> None:
        self._x = np.load(folder / "x.npy", mmap_mode="r", allow_pickle=False)

    def __len__(self) -> int:
        return len(self._x)

    def batch(self, random: np.random.Generator, size: int) -> Tensor:
        """`size` random sequences [N, 9, 96, P, P], float32 pixels in [0, 1].

        Half of them run backwards in time, all are mirrored at random.
        """
        rows = np.sort(random.choice(len(self._x), size, replace=False))
        x = torch.stack(
            [
                mirrored(torch.from_numpy(np.array(self._x[row])).float() / 255.0, random)
                for row in rows
            ]
        )
        backwards = torch.from_numpy(random.random(size) < 0.5)
        x[backwards] = x[backwards].flip(1)
        return x
