"""Files of integer arrays, which priors and motion tables are read from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ModelError


def read_arrays(path: Path, what: str) -> dict[str, NDArray[Any]]:
    """The arrays of an `.npz` file by their names. ModelError, saying that no `what` can be read,
    if it is none."""
    try:
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise ValueError("no archive of arrays")
            return {name: file[name] for name in file.files}
    except Exception as error:  # damage makes zipfile and NumPy raise a dozen types
        raise ModelError(f"{path}: no {what} can be read: {error}") from error
