"""Latent symbols of real encodes, as `make_symbols` writes them, and batches of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...runtime.errors import EdgecodecError

# Of every so many sources one is kept for measuring.
_HELD_OUT_EVERY = 11


@dataclass(frozen=True)
class SymbolPack:
    """`symbols` and `previous` [N, C, h, w] int16 or int8, `quality` [N] uint8 in 0 to 63.

    `previous` are those of the frame of the same kind before, zeros where there is none; of frames
    that are predicted by motion, what their prior sees instead. `groups` [N] uint8 are how many
    groups of channels are coded of a sample's frame, which may be more than the sample needs.
    """

    symbols: NDArray[np.int16]
    previous: NDArray[np.int16]
    quality: NDArray[np.uint8]
    groups: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.quality)

    def with_groups(self, least: int) -> SymbolPack:
        """The samples of frames that code `least` groups or more. EdgecodecError if there are
        none."""
        some = self.groups >= least
        if not some.any():
            raise EdgecodecError(f"no samples of frames that code {least} groups of channels")
        return SymbolPack(
            self.symbols[some], self.previous[some], self.quality[some], self.groups[some]
        )

    def batch(self, random: np.random.Generator, size: int) -> SymbolBatch:
        """Samples drawn at random, all of which have as many coded groups as the first."""
        groups = self.groups[random.integers(0, len(self))]
        alike = np.flatnonzero(self.groups == groups)
        chosen = np.sort(alike[random.integers(0, len(alike), size)])
        return SymbolBatch(
            torch.from_numpy(self.symbols[chosen]).float(),
            torch.from_numpy(self.previous[chosen]).float(),
            torch.from_numpy(self.quality[chosen]).long(),
            int(groups),
        )


@dataclass(frozen=True)
class SymbolBatch:
    """`symbols` and `previous` [N, C, h, w] float32 and `quality` [N] int64 of samples, of all of
    which `groups` of channels are coded."""

    symbols: Tensor
    previous: Tensor
    quality: Tensor
    groups: int


def read_symbols(*folders: Path, kind: str) -> tuple[SymbolPack, SymbolPack]:
    """Samples of frames of a kind, i, p, b or c, or of detail, d: to train on, and those of other
    sources to measure with.

    Several folders, made of the same sources, are read as one; samples of frames of which nothing
    is coded are left out. Raises EdgecodecError if fewer than two sources have such frames, or if a
    pack does not say how many groups are coded.
    """
    packs = [_of_folder(folder, kind) for folder in folders]
    trained, held = zip(*packs, strict=True)
    return _joined(trained), _joined(held)


def _of_folder(folder: Path, kind: str) -> tuple[SymbolPack, SymbolPack]:
    parts: list[SymbolPack] = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as arrays:
            if f"{kind}_quality" in arrays:
                if f"{kind}_groups" not in arrays:
                    raise EdgecodecError(
                        f"{path}: symbols without the groups that are coded, of an older "
                        "make_symbols: make them again"
                    )
                fields = ("symbols", "previous", "quality", "groups")
                part = SymbolPack(*(arrays[f"{kind}_{field}"] for field in fields))
                if part.groups.any():
                    parts.append(part.with_groups(1))
    if len(parts) < 2:
        raise EdgecodecError(
            f"{folder}: {len(parts)} files with symbols of kind {kind}, two are needed; "
            "make more with make_symbols, or make_detail for d"
        )
    # The last of every eleven, and the last of all where there are fewer.
    held = set(range(_HELD_OUT_EVERY - 1, len(parts), _HELD_OUT_EVERY)) or {len(parts) - 1}
    return (
        _joined([part for number, part in enumerate(parts) if number not in held]),
        _joined([part for number, part in enumerate(parts) if number in held]),
    )


def _joined(parts: Sequence[SymbolPack]) -> SymbolPack:
    return SymbolPack(
        np.concatenate([part.symbols for part in parts]),
        np.concatenate([part.previous for part in parts]),
        np.concatenate([part.quality for part in parts]),
        np.concatenate([part.groups for part in parts]),
    )
