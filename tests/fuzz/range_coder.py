"""The range decoder against a second one in plain integers, and the way back."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
from edgecodec.runtime.errors import BitstreamError
from edgecodec.runtime.range_coder import RunDecoder, encode_runs
from edgecodec.runtime.scale_tables import load_scale_tables

from ..runtime import reference_coder
from .harness import Harness

_MOST_SYMBOLS = 48


@cache
def _weights() -> list[list[int]]:
    weights: list[list[int]] = load_scale_tables().weights.tolist()
    return weights


def run(data: bytes) -> str:
    """One byte of runs; for each a table and a count; then words."""
    if not data:
        return "empty"
    runs, at = data[0] % 9, 1
    shape: list[tuple[int, int]] = []
    tags = data[at : at + 2 * runs]
    for table, count in zip(tags[::2], tags[1::2], strict=False):
        left = _MOST_SYMBOLS - sum(each for _, each in shape)
        shape.append((table % 64, min(count, left)))
    words = data[at + 2 * runs :]
    if data[0] < 0xF0:
        words = words[: len(words) // 4 * 4]
    try:
        decoder = RunDecoder(words, "symbols")
    except BitstreamError:
        return "no words"
    numbers = [int.from_bytes(words[at : at + 4], "little") for at in range(0, len(words), 4)]
    reference = reference_coder.RangeDecoder(numbers)
    decoded = []
    for table, count in shape:
        try:
            found = decoder.decode(table, count)
        except BitstreamError:
            assert _refuses(reference, table, count)
            return "damaged"
        assert found.tolist() == [reference.symbol(_weights()[table]) for _ in range(count)]
        decoded.append((table, found))
    again = RunDecoder(encode_runs(decoded), "symbols")
    for table, symbols in decoded:
        assert np.array_equal(again.decode(table, symbols.size), symbols)
    return "decoded"


def _refuses(reference: reference_coder.RangeDecoder, table: int, count: int) -> bool:
    try:
        for _ in range(count):
            reference.symbol(_weights()[table])
    except AssertionError:
        return True
    return False


def seeds() -> Iterator[bytes]:
    """Runs that the encoder wrote, and words that none did."""
    random = np.random.default_rng(4)
    for tables in ((0,), (20, 40), (63, 2, 30, 50)):
        runs = [
            (table, np.clip(np.rint(random.laplace(size=10) * table / 8), -127, 127).astype(int))
            for table in tables
        ]
        tags = b"".join(bytes((table, 10)) for table in tables)
        yield bytes([len(tables)]) + tags + encode_runs(runs)
        yield bytes([len(tables)]) + tags + b"\xff" * 12


HARNESS = Harness(run, seeds, 160)
