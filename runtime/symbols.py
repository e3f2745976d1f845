"""Entropy coding of a frame's latents with integer tables only, so that every device agrees.

A latent is 64 channels of int8 symbols. Each group (4 channels, 4x4 cells) has an explicit scale
index: the table that codes its symbols, 0 where all are zero and nothing is coded. Indices are
predicted, from the left or from the frame before, and their differences coded first; then the
symbols, sorted by table. One range coder a frame, and a CRC over everything decoded.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from .errors import BitstreamError, UnsupportedError
from .fields import Limits
from .range_coder import RunDecoder, encode_runs
from .scale_tables import MAX_SYMBOL, TABLES, load_scale_tables

CHANNELS = 64
GROUP_CHANNELS = 4
GROUP_CELLS = 4
GROUPS = CHANNELS // GROUP_CHANNELS
_HEADER = struct.Struct("<BI")
_NOT_CODED = MAX_SYMBOL + 1
_REFITS = 3

ScaleIndex = NDArray[np.uint8]
Differences = NDArray[np.int8]


class Predictor(IntEnum):
    """What scale indices are predicted from."""

    LEFT = 0
    """The group to the left; in the first column the one above, in the corner 0."""
    PREVIOUS = 1
    """The same group in the frame of the same kind that was decoded before, in the same chunk."""


@dataclass(frozen=True)
class Latent:
    """`symbols` [64, h, w] int8 in -127 to 127; `scale_index` [16, ceil(h/4), ceil(w/4)] uint8 in
    0 to 63, 0 only where all symbols are zero."""

    symbols: NDArray[np.int8]
    scale_index: ScaleIndex


def index_shape(height: int, width: int) -> tuple[int, int, int]:
    """The shape of the scale index of a latent of `height` x `width` cells."""
    return GROUPS, -(-height // GROUP_CELLS), -(-width // GROUP_CELLS)


def choose_scale_index(symbols: NDArray[np.int8]) -> ScaleIndex:
    """For each group the table with the fewest bits, the lowest of equals; 0 iff all are zero."""
    _, height, width = symbols.shape
    groups, rows, columns = index_shape(height, width)
    padding = ((0, 0), (0, rows * GROUP_CELLS - height), (0, columns * GROUP_CELLS - width))
    sizes = np.pad(np.abs(symbols.astype(np.int16)), padding, constant_values=_NOT_CODED)
    tiled = sizes.reshape(groups, GROUP_CHANNELS, rows, GROUP_CELLS, columns, GROUP_CELLS)
    grouped = tiled.transpose(0, 2, 4, 1, 3, 5).reshape(groups * rows * columns, -1)
    coded = np.flatnonzero((grouped % _NOT_CODED).any(axis=1))
    bits = load_scale_tables().bits
    cells = grouped[coded].astype(np.intp)
    best = np.full(len(coded), np.inf, dtype=np.float32)
    index = np.zeros(len(grouped), dtype=np.uint8)
    for table in range(1, TABLES):
        cost = bits[table][cells].sum(axis=1)
        index[coded[cost < best]] = table
        np.minimum(best, cost, out=best)
    return index.reshape(groups, rows, columns)


def choose_difference_tables(scale_indices: Sequence[ScaleIndex]) -> tuple[int, ...]:
    """For each of the 16 groups the table that codes its scale differences in the fewest bits.

    `scale_indices` are those of a chunk's frames of one kind, in decoding order; all of them can
    then be coded with the result.
    """
    candidates = [
        (frame, [_differences(frame, previous) for previous in _predictions(before)])
        for before, frame in zip([None, *scale_indices], scale_indices, strict=False)
        if frame.any()
    ]
    chosen = [differences[0] for _, differences in candidates]
    tables = _fit_tables(chosen)
    for _ in range(_REFITS):
        chosen = [
            min(differences, key=lambda each: _difference_bits(each, tables))
            for _, differences in candidates
        ]
        tables = _fit_tables(chosen)
    return tables


def encode_latent(
    latent: Latent, difference_tables: Sequence[int], previous: ScaleIndex | None
) -> bytes:
    """A latent in bytes, with the predictor that needs fewer; `b''` if all symbols are zero.

    `previous` is the scale index of the frame of the same kind before, None if there is none.
    Raises ValueError if the latent breaks its class's promises, or if a group whose difference
    table is 0 has a difference.
    """
    symbols, scale_index = latent.symbols, latent.scale_index
    _check_latent(latent)
    _check_previous(previous, index_shape(*symbols.shape[1:]))
    if not symbols.any() and not scale_index.any():
        return b""
    costs = [
        _difference_bits(_differences(scale_index, each), difference_tables)
        for each in _predictions(previous)
    ]
    predictor = Predictor(int(np.argmin(costs)))
    if np.isinf(costs[predictor]):
        raise ValueError("a group whose difference table is 0 has a scale that differs")
    differences = _differences(scale_index, previous if predictor else None)
    coded = [
        (table, group) for table, group in zip(difference_tables, differences, strict=True) if table
    ]
    order, runs = _coding_order(scale_index, symbols.shape)
    ordered = symbols.ravel()[order]
    coded += [(table, ordered[start : start + count]) for table, start, count in runs]
    return _HEADER.pack(predictor, _checksum(latent)) + encode_runs(coded)


def decode_latent(
    data: bytes,
    shape: tuple[int, int],
    difference_tables: Sequence[int],
    previous: ScaleIndex | None,
    limits: Limits | None = None,
) -> Latent:
    """The latent of `shape` (h, w) cells that `encode_latent` wrote, with the same arguments.

    Work and memory are bounded by the shape, whatever the bytes. Raises BitstreamError if they
    are damaged or the shape is over `limits`, UnsupportedError for a flag of a later version,
    and ValueError if `previous` has another shape.
    """
    height, width = shape
    most = (limits or Limits()).max_symbols_per_frame
    if height < 1 or width < 1 or CHANNELS * height * width > most:
        raise BitstreamError(f"a latent of {height}x{width} cells: 1 to {most} symbols are allowed")
    _check_previous(previous, index_shape(height, width))
    if not data:
        symbols = np.zeros((CHANNELS, height, width), np.int8)
        return Latent(symbols, np.zeros(index_shape(height, width), np.uint8))
    if len(data) < _HEADER.size or (len(data) - _HEADER.size) % 4:
        raise BitstreamError(f"{len(data)} bytes of latents, 5 and a multiple of 4 are wanted")
    flags, checksum = _HEADER.unpack_from(data)
    if flags not in tuple(Predictor):
        raise UnsupportedError(f"latents with flags {flags:#04x}: update edgecodec")
    if flags and previous is None:
        raise BitstreamError("scales predicted from a frame before, and there is none")
    decoder = RunDecoder(data[_HEADER.size :], "latents")
    scale_index = _decode_scale_index(
        decoder, index_shape(height, width), difference_tables, previous if flags else None
    )
    latent = Latent(_decode_symbols(decoder, scale_index, shape), scale_index)
    if _checksum(latent) != checksum:
        raise BitstreamError("decoded latents do not match their checksum, the bytes are damaged")
    return latent


def _decode_scale_index(
    decoder: RunDecoder,
    shape: tuple[int, int, int],
    difference_tables: Sequence[int],
    previous: ScaleIndex | None,
) -> ScaleIndex:
    differences = np.zeros(shape, np.int32)
    for group, table in zip(differences, difference_tables, strict=True):
        if table:
            group[:] = decoder.decode(table, group.size).reshape(group.shape)
    if differences.min() < -TABLES // 2 or differences.max() >= TABLES // 2:
        raise BitstreamError("latents are damaged: a scale difference outside -32 to 31")
    if previous is not None:
        return ((previous + differences) % TABLES).astype(np.uint8)
    differences[:, :, 0] = differences[:, :, 0].cumsum(axis=1)
    return (differences.cumsum(axis=2) % TABLES).astype(np.uint8)


def _decode_symbols(
    decoder: RunDecoder, scale_index: ScaleIndex, shape: tuple[int, int]
) -> NDArray[np.int8]:
    symbols = np.zeros((CHANNELS, *shape), np.int8)
    order, runs = _coding_order(scale_index, symbols.shape)
    if runs:
        parts = [decoder.decode(table, count) for table, _, count in runs]
        symbols.reshape(-1)[order] = np.concatenate(parts)
    return symbols


def _coding_order(
    scale_index: ScaleIndex, shape: tuple[int, ...]
) -> tuple[NDArray[np.intp], list[tuple[int, int, int]]]:
    """Flat positions of the coded symbols in coding order, and its (table, start, count) runs."""
    _, height, width = shape
    spread = scale_index.repeat(GROUP_CHANNELS, axis=0).repeat(GROUP_CELLS, axis=1)
    tables = spread[:, :height].repeat(GROUP_CELLS, axis=2)[:, :, :width].ravel()
    coded = np.flatnonzero(tables)
    tables = tables[coded]
    order = coded[np.argsort(tables, kind="stable")]
    counts = np.bincount(tables, minlength=TABLES)
    starts = counts.cumsum() - counts
    return order, [(int(k), int(starts[k]), int(counts[k])) for k in np.flatnonzero(counts)]


def _predictions(previous: ScaleIndex | None) -> Iterator[ScaleIndex | None]:
    """What each `Predictor` in turn starts from, None for LEFT."""
    yield None
    if previous is not None:
        yield previous


def _differences(scale_index: ScaleIndex, previous: ScaleIndex | None) -> Differences:
    """Index less prediction modulo 64, in -32 to 31; predicted from the left without `previous`."""
    index = scale_index.astype(np.int16)
    if previous is not None:
        difference = index - previous
    else:
        difference = index.copy()
        difference[:, :, 1:] -= index[:, :, :-1]
        difference[:, 1:, 0] -= index[:, :-1, 0]
    half = TABLES // 2
    return ((difference + half) % TABLES - half).astype(np.int8)


def _check_previous(previous: ScaleIndex | None, shape: tuple[int, int, int]) -> None:
    if previous is not None and previous.shape != shape:
        raise ValueError(f"the previous scale index is {previous.shape}, not {shape}")


def _difference_bits(differences: Differences, difference_tables: Sequence[int]) -> float:
    """What differences cost; infinite if a group whose table is 0 has one."""
    bits = load_scale_tables().bits
    total = 0.0
    for table, group in zip(difference_tables, np.abs(differences), strict=True):
        if table:
            total += float(bits[table][group].sum())
        elif group.any():
            return float("inf")
    return total


def _fit_tables(frames: Sequence[Differences]) -> tuple[int, ...]:
    bits = load_scale_tables().bits
    tables: list[int] = []
    for group in range(GROUPS):
        sizes = np.zeros(bits.shape[1], dtype=np.int64)
        for frame in frames:
            sizes += np.bincount(np.abs(frame[group]).ravel(), minlength=len(sizes))
        tables.append(1 + int(np.argmin(bits[1:] @ sizes)) if sizes[1:].any() else 0)
    return tuple(tables)


def _check_latent(latent: Latent) -> None:
    symbols, scale_index = latent.symbols, latent.scale_index
    if symbols.dtype != np.int8 or symbols.ndim != 3 or len(symbols) != CHANNELS:
        raise ValueError(f"symbols {symbols.dtype} {symbols.shape}: int8 [64, h, w] is wanted")
    if scale_index.dtype != np.uint8 or scale_index.shape != index_shape(*symbols.shape[1:]):
        raise ValueError(f"scale index {scale_index.dtype} {scale_index.shape} does not fit")
    if symbols.min() < -MAX_SYMBOL or scale_index.max() >= TABLES:
        raise ValueError("symbols are -127 to 127, scale indices 0 to 63")
    order, _ = _coding_order(scale_index, symbols.shape)
    if np.count_nonzero(symbols) != np.count_nonzero(symbols.ravel()[order]):
        raise ValueError("a group of scale index 0 has symbols that are not zero")


def _checksum(latent: Latent) -> int:
    index = crc32(np.ascontiguousarray(latent.scale_index).data)
    return crc32(np.ascontiguousarray(latent.symbols).data, index)
