"""Pictures that move, and a linear codec of cosines that sees them as networks would."""

from __future__ import annotations

import cv2
import numpy as np
from edgecodec.runtime.frame_levels import Levels, clipped, symbol_levels
from edgecodec.runtime.frames import Plane, Planes
from edgecodec.runtime.latents import LATENT_LEVELS_PER_UNIT, step_size
from edgecodec.runtime.motion_tables import MotionTables
from edgecodec.runtime.moved_frames import Shown
from edgecodec.runtime.picture import Picture, windows_of
from numpy.typing import NDArray


def texture(height: int, width: int, seed: int = 0, grain: int = 16) -> Plane:
    """Soft shapes of about `grain` samples."""
    random = np.random.default_rng(seed)
    coarse = random.uniform(50, 200, (height // grain + 3, width // grain + 3)).astype(np.float32)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.rint(smooth).clip(0, 255).astype(np.uint8)


def panned(height: int, width: int, across: int, seed: int = 0) -> Planes:
    """A part of a picture that is 64 samples wider, from so many samples on."""
    wide = texture(height, width + 64, seed, grain=8)
    luma = np.ascontiguousarray(wide[:, across : across + width])
    half = cv2.resize(
        np.pad(luma, ((0, height % 2), (0, width % 2)), mode="edge"),
        ((width + 1) // 2, (height + 1) // 2),
        interpolation=cv2.INTER_AREA,
    )
    return luma, half.astype(np.uint8), (255 - half).astype(np.uint8)


def levels_seen(luma: Plane, tables: MotionTables) -> NDArray[np.float32]:
    """The levels [C, h, w], not rounded, that tables see in luma [16 h, 16 w] without colour."""
    rows, columns = (side // 16 for side in luma.shape)
    grey = 2 * (luma.astype(np.float32) - 128)
    picture = Picture(grey, np.zeros((2, 8 * rows, 8 * columns), np.float32))
    cells = np.argwhere(np.ones((rows, columns), bool))
    seen = windows_of(picture, cells, np.zeros((len(cells), 2), np.intp)) @ tables.see
    levels: NDArray[np.float32] = seen.T.reshape(tables.channels, rows, columns)
    return levels


def wanted_of(luma: Plane, tables: MotionTables, quality: int) -> NDArray[np.float32]:
    """`levels_seen` in quantiser's steps of a quality."""
    step = LATENT_LEVELS_PER_UNIT * step_size(quality)
    return (levels_seen(luma, tables) / step).astype(np.float32)


def first_frame(luma: Plane, tables: MotionTables, quality: int) -> Shown:
    """An I-frame of it."""
    symbols = np.rint(wanted_of(luma, tables, quality)).astype(np.int16)
    return Shown.still(clipped(symbol_levels(symbols, quality)))


def vectors_of(levels: Levels, down: int, across: int) -> NDArray[np.int16]:
    """The same vector for all cells of a frame."""
    made = np.empty((2, *levels.shape[1:]), np.int16)
    made[0], made[1] = down, across
    return made
