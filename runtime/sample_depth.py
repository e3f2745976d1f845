"""Samples of 10 bits brought to 8, and the residuals of networks added to samples of either.

Planes are worked on in strips that stay in a core's cache, in int16: NumPy's loops for it use the
processor's vectors, those for bytes mostly do not.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .frames import Plane

RESIDUAL_ZERO = 128
# A quarter of a megabyte in int16.
_STRIP_SAMPLES = 1 << 17
_Strip = NDArray[np.int16]


def to_8_bit(samples: Plane) -> NDArray[np.uint8]:
    """10 bits to 8, to the nearest, halves up."""
    rounded = np.empty(samples.shape, np.uint8)
    for rows, strip in _strips(samples):
        strip += np.int16(2)
        strip >>= np.int16(2)
        np.minimum(strip, 255, out=strip)
        rounded[rows] = strip
    return rounded


def with_residual(samples: Plane, residual: NDArray[np.uint8], bit_depth: int) -> Plane:
    """`samples` and what a network adds to them, at `bit_depth`, which is not above their own.

    `samples` are uint8 or, of 10 bits, uint16; `residual`, of the same shape, is in quarters of a
    grey level of 8 bits, and 128 is none. With samples of 8 bits counted four times, the sum is
    clipped to 0 to 1023; for 8 bits it becomes min(255, (sum + 2) >> 2).
    """
    if bit_depth == 10:
        deep = np.empty(samples.shape, np.uint16)
        for rows, strip in _strips(samples):
            strip += residual[rows]
            strip -= np.int16(RESIDUAL_ZERO)
            deep[rows] = np.clip(strip, 0, 1023, out=strip)
        return deep
    made = np.empty(samples.shape, np.uint8)
    shallow = samples.dtype == np.uint8
    for rows, strip in _strips(samples):
        # The half to round by comes with the zero.
        if shallow:
            # Four times a sample has nothing below the quarters: (4 a + b) >> 2 = a + (b >> 2).
            change = residual[rows].astype(np.int16)
            change -= np.int16(RESIDUAL_ZERO - 2)
            change >>= np.int16(2)
            strip += change
        else:
            strip += residual[rows]
            strip -= np.int16(RESIDUAL_ZERO - 2)
            strip >>= np.int16(2)
        made[rows] = np.clip(strip, 0, 255, out=strip)
    return made


def _strips(samples: Plane) -> Iterator[tuple[slice, _Strip]]:
    """Rows, and their samples in memory that the next strip is given too."""
    count, columns = samples.shape
    height = max(1, _STRIP_SAMPLES // max(1, columns))
    memory = np.empty((min(height, count), columns), np.int16)
    for top in range(0, count, height):
        rows = slice(top, min(top + height, count))
        strip = memory[: rows.stop - top]
        strip[:] = samples[rows]
        yield rows, strip
