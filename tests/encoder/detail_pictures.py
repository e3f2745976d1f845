"""Pictures of fine grain, the same without it, and priors that may code what is missing."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from edgecodec.runtime.packing import Packed, pack
from edgecodec.runtime.prior import Prior, packaged_priors
from numpy.typing import NDArray

from .moving_pictures import texture
from .prior_samples import prior_of

CELLS = (4, 6)
BLOCKS = (8, 12)
LATENTS = 160
PRIORS = ("installed", "random")


@cache
def detail_prior(name: str = "installed") -> Prior:
    """What is installed for tier edge, or one that knows nothing of detail."""
    if name == "random":
        return prior_of(96, previous=True, seed=7)
    return packaged_priors()["edge-d"]


@cache
def grainy(seed: int = 0) -> Packed:
    """A picture [1, 96, 8, 12]."""
    return pack(_planes(seed), 8, 16)


@cache
def soft(seed: int = 0) -> Packed:
    """The same as a network might draw it."""
    luma, u, v = (cv2.GaussianBlur(plane, (0, 0), 2.5) for plane in _planes(seed))
    return pack((luma, u, v), 8, 16)


def _planes(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    sides = ((64, 96), (32, 48), (32, 48))
    y, u, v = (texture(*each, 3 * seed + plane, grain=3) for plane, each in enumerate(sides))
    return y, u, v


def some_latent(seed: int = 0) -> NDArray[np.uint8]:
    """Of tier edge's networks, [1, 160, 4, 6]."""
    random = np.random.default_rng(seed)
    return random.integers(100, 157, (1, LATENTS, *CELLS)).astype(np.uint8)


def error_of(source: Packed, shown: Packed) -> NDArray[np.float64]:
    """The mean squared error of each block [8, 12]."""
    errors: NDArray[np.float64] = np.square(source[0].astype(np.float64) - shown[0]).mean(axis=0)
    return errors
