"""The integer tables of the entropy layer, as the range coder's models."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from .errors import ModelError

TABLES = 64
MAX_SYMBOL = 127
PRECISION_BITS = 24
SCALE_TABLES_SHA256 = "38283016678ecdb590b337c098c6b7c86ad90754548b4aae0a8cb43c7deab563"


@dataclass(frozen=True)
class ScaleTables:
    """64 tables of symbols -127 to 127.

    `weights` [64, 255] uint32: symbol s of table k has probability `(weights[k, s + 127] + 1) /
    2**24`. `models` are the same for constriction. `bits` [64, 129] float32 is what a symbol of
    magnitude 0 to 127 costs; column 128 is 0, for cells that are not coded.
    """

    weights: NDArray[np.uint32]
    models: tuple[Any, ...]
    bits: NDArray[np.float32]


@cache
def load_scale_tables() -> ScaleTables:
    """The tables of this format version. ModelError if their file was changed."""
    path = Path(__file__).parent / "tables" / "scale_tables.npy"
    weights: NDArray[np.uint32] = np.load(path, allow_pickle=False)
    if sha256(weights.astype("<u4").tobytes()).hexdigest() != SCALE_TABLES_SHA256:
        raise ModelError(f"{path} is not the table that the format defines: reinstall edgecodec")
    # Integer weights of this sum make constriction's scale exactly 1: no rounding anywhere.
    models = tuple(
        constriction.stream.model.Categorical(row, lazy=False, perfect=False)
        for row in weights.astype(np.float64)
    )
    bits = PRECISION_BITS - np.log2(weights[:, MAX_SYMBOL:].astype(np.float64) + 1)
    return ScaleTables(weights, models, np.pad(bits, ((0, 0), (0, 1))).astype(np.float32))
