"""Training data as memory-mapped arrays: made once from a folder of clips, read at random."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .augment import Mirroring, Packed

FINE_STEPS = 4
"""A base of 10 bits has so many levels for each one of 8."""
FINE_ZERO = 128
"""What is stored of a base that is what it was rounded to."""
PIXEL_CHANNELS = 24
"""Channels of a full-size frame packed to 1/4 resolution."""


@dataclass(frozen=True)
class TripletBatch:
    """What an enhancer is trained on, float32.

    `shown` [N, 3, C, P, P]: frames t-1, t, t+1 as the network sees them (C is 24, or 6 where it
    sees a base of half the size), pixels in [0, 1]. `condition` [N, 2, P, P] in [0, 1]. `base` and
    `target` [N, 24, P, P]: frame t as the decoder has it before anything is added, at full size and
    in quarters of a grey level, and as it should be. `distortion` [N, 3]: mean squared error of Y,
    U and V of the whole encode that the sample is from, in squared grey levels.
    """

    shown: Tensor
    condition: Tensor
    base: Tensor
    target: Tensor
    distortion: Tensor


class TripletPack:
    """Crops of decoded frames and of their source, packed to 1/4 resolution.

    Several folders are read as one; `device` is where batches are made.

    `FOLDER/x.npy` is uint8 [N, K, P, P]: frames t-1, t, t+1 as the network sees them (24 channels
    each, or 6 of a base of half the size); then, of a base of half the size only, frame t brought
    to full size (24); 128 and what frame t has beyond 8 bits, and what a filter changed of it, in
    quarters of a grey level (24); the source's frame t (24). `FOLDER/condition.npy` is uint8 [N, 2]
    (the base's quantiser, its codec), `FOLDER/distortion.npy` float32 [N, 3] (see `TripletBatch`).
    """

    def __init__(self, *folders: Path, device: str = "cpu") -> None:
        self._device = device
        self._x = [np.load(f / "x.npy", mmap_mode="r", allow_pickle=False) for f in folders]
        self._condition = np.concatenate(
            [np.load(f / "condition.npy", allow_pickle=False) for f in folders]
        )
        self._distortion = np.concatenate(
            [np.load(f / "distortion.npy", allow_pickle=False) for f in folders]
        )
        self._starts = np.cumsum([0, *map(len, self._x)])
        kinds = {each.shape[1] for each in self._x}
        if kinds not in ({channels_stored(6)}, {channels_stored(24)}):
            raise ValueError(
                f"{', '.join(map(str, folders))}: {sorted(kinds)} channels, packs of full-size "
                f"bases have {channels_stored(24)} and those of half-size ones {channels_stored(6)}"
            )
        self.frame_channels = 24 if kinds == {channels_stored(24)} else 6

    def __len__(self) -> int:
        return int(self._starts[-1])

    def batch(self, random: np.random.Generator, size: int) -> TripletBatch:
        """`size` random samples.

        Half of them run backwards in time; all are mirrored at random.
        """
        rows = np.sort(random.choice(len(self), size, replace=False))
        samples = [self._sample(int(row), random) for row in rows]
        stacks = (torch.from_numpy(np.stack(each)) for each in zip(*samples, strict=True))
        shown, full, fine, target = (each.to(self._device).float() for each in stacks)
        condition = torch.from_numpy(self._condition[rows]).to(self._device).float() / 255.0
        return TripletBatch(
            shown=shown / 255.0,
            condition=condition[:, :, None, None].expand(-1, -1, *target.shape[-2:]),
            base=(full + (fine - FINE_ZERO) / FINE_STEPS) / 255.0,
            target=target / 255.0,
            distortion=torch.from_numpy(self._distortion[rows]).to(self._device),
        )

    def _sample(
        self, row: int, random: np.random.Generator
    ) -> tuple[Packed, Packed, Packed, Packed]:
        """Frames as shown, and frame t at full size, beyond 8 bits, and as it should be."""
        pack = int(np.searchsorted(self._starts, row, side="right")) - 1
        stored: Packed = self._x[pack][row - self._starts[pack]]
        seen = 3 * self.frame_channels
        shown = stored[:seen].reshape(3, self.frame_channels, *stored.shape[1:])
        rest = stored[seen:].reshape(-1, 1, PIXEL_CHANNELS, *stored.shape[1:])
        full = shown[1:2] if len(rest) == 2 else rest[0]
        fine, target = rest[-2:]
        mirroring = Mirroring.drawn(random)
        shown, full, fine, target = (mirroring.of(each) for each in (shown, full, fine, target))
        if random.random() < 0.5:
            shown = shown[::-1]
        return shown, full[0], fine[0], target[0]


PLANES = ((0, 16, 0.75), (16, 20, 0.125), (20, 24, 0.125))
"""First and last channel of Y, U and V in 24-channel packed frames, and what each counts for."""


def plane_errors(stored: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mean squared error of Y, U and V in a pack's samples [N, K, P, P]: [N, 3] float32, in squared
    grey levels."""
    frame_channels = 24 if stored.shape[1] == channels_stored(24) else 6
    full = 24 if frame_channels == 24 else 18
    base = stored[:, full : full + 24].astype(np.float32)
    base += (stored[:, -48:-24].astype(np.float32) - FINE_ZERO) / FINE_STEPS
    squared = np.square(base - stored[:, -24:])
    errors = [squared[:, start:end].mean(axis=(1, 2, 3)) for start, end, _ in PLANES]
    return np.stack(errors, axis=1).astype(np.float32)


def channels_stored(frame_channels: int) -> int:
    """Channels of a pack's sample whose shown frames have so many each."""
    return 3 * frame_channels + (2 if frame_channels == PIXEL_CHANNELS else 3) * PIXEL_CHANNELS


class SequencePack:
    """Crops of T consecutive source frames, packed to 1/8 resolution.

    `FOLDER/x.npy` is uint8 [N, T, 96, P, P].
    """

    def __init__(self, folder: Path) -> None:
        self._x = np.load(folder / "x.npy", mmap_mode="r", allow_pickle=False)

    def __len__(self) -> int:
        return len(self._x)

    def batch(self, random: np.random.Generator, size: int) -> Tensor:
        """`size` random sequences [N, T, 96, P, P], float32 pixels in [0, 1].

        Half of them run backwards in time, all are mirrored at random.
        """
        rows = np.sort(random.choice(len(self._x), size, replace=False))
        samples = [Mirroring.drawn(random).of(self._x[row]) for row in rows]
        samples = [each[::-1] if random.random() < 0.5 else each for each in samples]
        return torch.from_numpy(np.stack(samples)).float() / 255.0


class PicturePack:
    """Crops of single source frames, packed to 1/8 resolution.

    Several folders are read as one. `FOLDER/x.npy` is uint8 [N, 96, S, S].
    """

    def __init__(self, *folders: Path) -> None:
        self._x = [np.load(f / "x.npy", mmap_mode="r", allow_pickle=False) for f in folders]
        self._starts = np.cumsum([0, *map(len, self._x)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def batch(self, random: np.random.Generator, size: int, cells: int) -> Tensor:
        """`size` random crops [N, 96, cells, cells], float32 pixels in [0, 1].

        All are mirrored at random. Raises ValueError where crops have fewer cells.
        """
        rows = np.sort(random.choice(len(self), size, replace=False))
        samples = [self._sample(int(row), random, cells) for row in rows]
        return torch.from_numpy(np.concatenate(samples)).float() / 255.0

    def _sample(self, row: int, random: np.random.Generator, cells: int) -> Packed:
        pack = int(np.searchsorted(self._starts, row, side="right")) - 1
        stored = self._x[pack][row - self._starts[pack]]
        room = stored.shape[-1] - cells
        if room < 0:
            raise ValueError(f"crops of {cells} cells from a pack of {stored.shape[-1]}")
        top, left = random.integers(room + 1, size=2)
        return Mirroring.drawn(random).of(stored[None, :, top : top + cells, left : left + cells])
