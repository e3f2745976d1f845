"""Put a trained prior where it is committed from, with the curve that belongs to it."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np

from ...runtime.prior import Prior, read_prior
from .checkpoint import Progress
from .prior_net import PriorNet


def publish_prior(net: PriorNet, path: Path, done: Progress) -> Prior:
    """Write `path` (.npz) and `path` with `.curve.json`; gives the prior as players read it.

    Raises ModelError, and leaves what is there, if players would not take it.
    """
    arrays = net.arrays()
    Prior.from_arrays(arrays)
    written = io.BytesIO()
    np.savez(written, allow_pickle=False, **arrays)
    temporary = path.with_suffix(".partial")
    temporary.write_bytes(written.getvalue())
    os.replace(temporary, path)
    curve = {
        "steps": done.step,
        "seconds": round(done.seconds),
        "columns": ["step", "loss", "learning_rate"],
        "points": done.curve,
    }
    path.with_suffix(".curve.json").write_text(json.dumps(curve) + "\n")
    return read_prior(path)
