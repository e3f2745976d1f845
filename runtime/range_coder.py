"""Runs of symbols under the integer tables, in and out of one range coder."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from .errors import BitstreamError
from .scale_tables import MAX_SYMBOL, load_scale_tables

_WORD_BYTES = 4


def encode_runs(runs: Iterable[tuple[int, NDArray[np.integer[Any]]]]) -> bytes:
    """Symbols of -127 to 127 as words of 32 bits, from (table 0 to 63, symbols) in their order."""
    models = load_scale_tables().models
    coder = constriction.stream.queue.RangeEncoder()
    for table, symbols in runs:
        coder.encode(symbols.ravel().astype(np.int32) + MAX_SYMBOL, models[table])
    words: bytes = coder.get_compressed().astype("<u4").tobytes()
    return words


class RunDecoder:
    """Reads what `encode_runs` wrote; `what` names it in messages.

    Raises BitstreamError if the bytes are no words of 32 bits.
    """

    def __init__(self, words: bytes, what: str) -> None:
        if len(words) % _WORD_BYTES:
            raise BitstreamError(
                f"{what}: {len(words)} bytes of symbols, a multiple of 4 is wanted"
            )
        array = np.frombuffer(words, dtype="<u4").astype(np.uint32)
        self._coder = constriction.stream.queue.RangeDecoder(array)
        self._models = load_scale_tables().models
        self._what = what

    def decode(self, table: int, count: int) -> NDArray[np.int8]:
        """The next `count` symbols, which table 0 to 63 codes. BitstreamError if damaged."""
        return (self._decoded(self._models[table], count) - MAX_SYMBOL).astype(np.int8)

    def _decoded(self, model: Any, count: int) -> NDArray[np.int32]:
        try:
            decoded: NDArray[np.int32] = self._coder.decode(model, count)
        except (MemoryError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a panic of constriction's Rust code is no Exception
            raise BitstreamError(f"{self._what} are damaged: {error}") from error
        return decoded


def fit_table(symbols: NDArray[np.int8]) -> int:
    """The table with the fewest bits for these symbols, the lowest of equals; 0 if all are zero."""
    counts = _magnitudes(symbols)
    if not counts[1:].any():
        return 0
    return 1 + int(np.argmin(load_scale_tables().bits[1:].astype(np.float64) @ counts))


def symbol_bits(symbols: NDArray[np.int8], table: int) -> float:
    """What symbols cost under a table in bits; under table 0 nothing, or infinitely much if one is
    not zero."""
    counts = _magnitudes(symbols)
    if table == 0:
        return float("inf") if counts[1:].any() else 0.0
    return float(load_scale_tables().bits[table].astype(np.float64) @ counts)


def _magnitudes(symbols: NDArray[np.int8]) -> NDArray[np.int64]:
    """How often each of 0 to 128 occurs in size."""
    sizes = np.abs(symbols.ravel().astype(np.int16))
    return np.bincount(sizes, minlength=MAX_SYMBOL + 2)
