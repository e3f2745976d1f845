"""Fit a tier's motion tables: how frames in latents are predicted from the one before.

    python -m edgecodec.encoder.training.motion --pack RUNS --tier edge \
        --publish runtime/motions/edge.npz

Least squares, from frames coded by the tier's analysis of I-frames at all qualities: first what
draws their levels, then what sees the levels of the next frame where the motion search finds it.
Packs are made by `make_packs runs`. Takes minutes; nothing is resumed.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ...decoder import TIERS
from ...runtime.drawing import drawn
from ...runtime.frame_levels import (
    LARGEST_BRIGHTNESS,
    LARGEST_LEVEL,
    Levels,
    clipped,
    symbol_levels,
)
from ...runtime.latents import LATENT_LEVELS_PER_UNIT, step_size
from ...runtime.motion_tables import (
    CELL_SAMPLES,
    CELLS_SEEN,
    MOST_INTERPOLATED,
    MOTION_VERSION,
    WINDOW_SAMPLES,
    MotionTables,
)
from ...runtime.picture import Picture, windows_of
from ...runtime.prior_weights import EXACT
from ..analysis import QUALITIES, load_analysis
from ..analysis_weights import weights_path
from ..motion_search import find_vectors
from ..script import run_script
from .iframe import price_of_bits, whole_symbols
from .packs import SequencePack

_log = logging.getLogger(__name__)
_DRAW_RIDGE, _SEE_RIDGE = 1e-4, 3e-3
_MOST_SHIFT = 14
_INT16 = 2**15 - 1
_BATCH = 8


@dataclass(frozen=True, eq=False)
class Pair:
    """Two frames after each other.

    `levels` [C, h, w] int16 are those of the first as it is sent at `quality`, `picture` and `next`
    both as they are, in half grey levels from the middle grey, `wanted` [C, h, w] float32 the
    levels of the second before rounding.
    """

    levels: Levels
    picture: Picture
    next: Picture
    wanted: NDArray[np.float32]
    quality: int


class Moments:
    """Normal equations of weighted least squares, summed up portion by portion.

    `ridge` is what large weights cost, as a share of the inputs' mean square.
    """

    def __init__(self, inputs: int, outputs: int, ridge: float) -> None:
        self._ridge = ridge
        self._square = np.zeros((inputs + 1, inputs + 1))
        self._cross = np.zeros((inputs + 1, outputs))

    def add(
        self, seen: NDArray[np.float32], wanted: NDArray[np.float32], weight: float = 1.0
    ) -> None:
        """Rows of inputs [n, inputs] and outputs [n, outputs]."""
        rows = np.concatenate([seen, np.ones((len(seen), 1), np.float32)], axis=1)
        self._square += weight * (rows.T @ rows)
        self._cross += weight * (rows.T @ wanted)

    def solved(self) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Weights [outputs, inputs] and biases [outputs]."""
        found = np.linalg.solve(self._curvature(), self._cross).T
        return found[:, :-1], found[:, -1]

    def rounded(self, shift: int) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """The same in whole numbers of 2**-`shift`: one input after the other is rounded, and those
        after it make up for what that loses (Frantar et al., "GPTQ", 2022). The bias comes last."""
        curvature = self._curvature()
        weights = np.linalg.solve(curvature, self._cross) * 2.0**shift
        # Row i of this factor says how the inputs after i answer to an error in i.
        answers = np.linalg.cholesky(np.linalg.inv(curvature)).T
        whole = np.empty_like(weights)
        for row in range(len(weights)):
            whole[row] = np.rint(weights[row])
            error = (weights[row] - whole[row]) / answers[row, row]
            weights[row + 1 :] -= np.outer(answers[row, row + 1 :], error)
        return whole[:-1].T, whole[-1]

    def _curvature(self) -> NDArray[np.floating]:
        ridge = self._ridge * np.mean(np.diag(self._square)[:-1])
        return self._square + ridge * np.eye(len(self._square))


def pairs(pack: SequencePack, analysis: nn.Module, count: int, seed: int) -> Iterator[Pair]:
    """`count` pairs of frames of a pack, at qualities drawn at random."""
    random = np.random.default_rng(seed)
    steps = _step_sizes()
    for _ in range(count // _BATCH):
        frames = pack.batch(random, _BATCH)
        first = int(random.integers(frames.shape[1] - 1))
        quality = torch.from_numpy(random.integers(0, QUALITIES, _BATCH))
        both = frames[:, first : first + 2]
        with torch.inference_mode():
            flat = both.flatten(0, 1).contiguous(memory_format=torch.channels_last)
            latents = analysis(flat, quality.repeat_interleave(2)).unflatten(0, (_BATCH, 2))
        symbols = whole_symbols(latents[:, 0] / steps[quality][:, None, None, None])
        for row in range(_BATCH):
            used = int(quality[row])
            sent = symbols[row].numpy().astype(np.int16)
            yield Pair(
                clipped(symbol_levels(sent, used)),
                _picture(both[row, 0]),
                _picture(both[row, 1]),
                LATENT_LEVELS_PER_UNIT * latents[row, 1].numpy(),
                used,
            )


def _step_sizes() -> torch.Tensor:
    return torch.tensor([step_size(quality) for quality in range(QUALITIES)])


def _picture(packed: torch.Tensor) -> Picture:
    """A packed frame [96, H/8, W/8] in [0, 1], in half grey levels from the middle grey."""
    grey = 2 * (255 * packed - 128)
    luma = torch.nn.functional.pixel_shuffle(grey[:64], 8)[0]
    chroma = torch.nn.functional.pixel_shuffle(grey[64:], 4)
    return Picture(luma.numpy(), chroma.numpy())


def _grey(picture: Picture) -> NDArray[np.float32]:
    return (picture.luma / 2).astype(np.float32)


def cells_of(picture: Picture) -> NDArray[np.float32]:
    """The samples [h, w, 384] of each cell of a picture."""
    rows, columns = (side // 16 for side in picture.luma.shape)
    luma = picture.luma.reshape(rows, 16, columns, 16).transpose(0, 2, 1, 3)
    chroma = picture.chroma.reshape(2, rows, 8, columns, 8).transpose(1, 3, 0, 2, 4)
    parts = [each.reshape(rows, columns, -1) for each in (luma, chroma)]
    return np.concatenate(parts, axis=2)


def around_of(levels: Levels) -> NDArray[np.float32]:
    """The levels [h - 2, w - 2, 9 C] of 3x3 cells around all cells but those at the sides."""
    rows, columns = (side - 2 for side in levels.shape[1:])
    shifted = [
        levels[:, down : down + rows, across : across + columns].transpose(1, 2, 0)
        for down in range(3)
        for across in range(3)
    ]
    return np.concatenate(shifted, axis=2).astype(np.float32)


def fit(pack: SequencePack, analysis: nn.Module, channels: int, count: int) -> dict[str, Any]:
    """The arrays of motion tables, of `count` pairs of frames for either matrix."""
    drawing = Moments(CELLS_SEEN * channels, CELL_SAMPLES, _DRAW_RIDGE)
    for pair in pairs(pack, analysis, count, seed=1):
        seen = around_of(pair.levels)
        wanted = cells_of(pair.picture)[1:-1, 1:-1]
        drawing.add(seen.reshape(-1, CELLS_SEEN * channels), wanted.reshape(-1, CELL_SAMPLES))
    largest = np.full((CELLS_SEEN, channels), float(LARGEST_LEVEL))
    largest[:, 0] = LARGEST_BRIGHTNESS
    arrays = _rounded("draw", drawing, largest.ravel())
    blind = {
        "see": np.zeros((channels, WINDOW_SAMPLES), np.int16),
        "see_bias": np.zeros(channels, np.int32),
    }
    tables = MotionTables.from_arrays(_with_config(arrays | blind, channels, see_shift=1))
    _log.info("drawn")
    seeing = Moments(WINDOW_SAMPLES, channels, _SEE_RIDGE)
    for pair in pairs(pack, analysis, count, seed=2):
        picture = drawn(pair.levels, tables)
        price = float(price_of_bits(torch.tensor(pair.quality)))
        vectors = find_vectors(_grey(picture), _grey(pair.next), price)
        inner = np.zeros(vectors.shape[1:], bool)
        inner[1:-1, 1:-1] = True
        cells = np.argwhere(inner & vectors.any(axis=0))
        if not len(cells):
            continue
        rows, columns = cells.T
        step = float(_step_sizes()[pair.quality])
        windows = windows_of(picture, cells, vectors[:, rows, columns].T.astype(np.intp))
        # Errors count in quantiser's steps.
        seeing.add(windows, pair.wanted[:, rows, columns].T, step**-2)
    arrays |= _rounded("see", seeing, np.full(WINDOW_SAMPLES, float(MOST_INTERPOLATED)))
    return _with_config(arrays, channels, see_shift=int(arrays["see_shift"]))


def _rounded(name: str, moments: Moments, largest: NDArray[np.floating]) -> dict[str, Any]:
    """Integer weights, as fine as exact sums allow."""
    weights, _ = moments.solved()
    most = float((np.abs(weights) @ largest).max())
    for shift in range(min(_MOST_SHIFT, int(np.log2(EXACT / most))), 0, -1):
        whole, moved = moments.rounded(shift)
        sums = np.abs(whole) @ largest + np.abs(moved) + 2**shift
        if sums.max() < EXACT and np.abs(whole).max() <= _INT16:
            _log.info("%s in parts of 2**%d", name, shift)
            return {
                name: whole.astype(np.int16),
                f"{name}_bias": moved.astype(np.int32),
                f"{name}_shift": shift,
            }
    raise ValueError(f"{name}: weights of up to {np.abs(weights).max()} are not exact")


def _with_config(arrays: dict[str, Any], channels: int, see_shift: int) -> dict[str, Any]:
    config = (MOTION_VERSION, channels, arrays["draw_shift"], see_shift)
    kept = {name: arrays[name] for name in ("draw", "draw_bias", "see", "see_bias")}
    return kept | {"config": np.array(config, np.int32)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--tier", choices=sorted(TIERS), default="edge")
    parser.add_argument("--analysis", type=Path, help="weights; the installed ones by default")
    parser.add_argument("--pairs", type=int, default=1600)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--publish", type=Path, required=True, help="the .npz that players read")
    asked = parser.parse_args()
    if asked.pairs < _BATCH:
        parser.error(f"--pairs {asked.pairs}: {_BATCH} at least, and a multiple of it")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(asked.threads)
    name = "analysis_i"
    analysis = load_analysis(name, asked.tier, asked.analysis or weights_path(name, asked.tier))
    channels = TIERS[asked.tier].latents - 1
    arrays = fit(SequencePack(asked.pack), analysis, channels, asked.pairs)
    MotionTables.from_arrays(arrays)
    written = io.BytesIO()
    np.savez_compressed(written, allow_pickle=False, **arrays)
    asked.publish.parent.mkdir(parents=True, exist_ok=True)
    temporary = asked.publish.with_suffix(".partial")
    temporary.write_bytes(written.getvalue())
    os.replace(temporary, asked.publish)


if __name__ == "__main__":
    run_script(main)
