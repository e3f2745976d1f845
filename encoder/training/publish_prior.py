"""Put a trained prior where it is committed from, with the curve that belongs to it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from ...runtime.prior import Prior, read_prior
from .checkpoint import Progress
from .prior_net import PriorNet
from .publish import write_with_curve


def publish_prior(net: PriorNet, path: Path, done: Progress) -> Prior:
    """Write `path` (.npz) and `path` with `.curve.json`; gives the prior as players read it.

    Raises ModelError, and leaves what is there, if players would not take it.
    """
    arrays = net.arrays()
    Prior.from_arrays(arrays)
    written = io.BytesIO()
    np.savez(written, allow_pickle=False, **arrays)
    write_with_curve(written.getvalue(), path, done)
    return read_prior(path)
