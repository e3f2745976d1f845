"""Coding of a frame's symbols under a prior: tables come from what was decoded before.

Cells are coded step by step, in each the channels group by group (`prior_positions`), as many
groups as the frame needs: other channels are as in the frame before, or 0. A prior's networks give
each symbol of a group its table, in exact integers, so that all devices agree; a group's symbols
are then coded sorted by table, all of a frame under one range coder, with a CRC over everything
decoded.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from .errors import BitstreamError
from .fields import Limits
from .prior import Prior
from .prior_batches import VALUES, Batch, Known, coded_numbers, coded_rows, wrapped
from .prior_features import Symbols
from .prior_part import first_groups, groups_needed, part_of
from .prior_positions import coding_steps
from .quick_runs import QuickRunDecoder
from .range_coder import RunDecoder, encode_runs
from .scale_tables import MAX_SYMBOL, TABLES, load_scale_tables

_HEADER = struct.Struct("<IhB")
HEADER_BITS = 8.0 * _HEADER.size
"""Of a frame that is coded at all, beside its symbols."""
_WORD_BYTES = 4
_HIGHEST_LOW = 2**15 - VALUES
_LEVELS_PER_COARSE = 4


def encode_with_prior(
    symbols: Symbols, quality: int, prior: Prior, previous: Symbols | None
) -> bytes:
    """Symbols [channels, h, w] int16 of a frame in bytes; `b''` if all are zero, or for a gated
    prior if all are as in the frame before.

    They are -127 to 127; a whole brightness may be any 255 levels in a row. `quality` is the
    frame's, 0 to 63, `previous` the symbols of the frame before: of the same kind, None if there
    is none, or for a gated prior the one that is continued. Raises ValueError for symbols outside
    that, or of other shapes.
    """
    _check_symbols(symbols, prior)
    _check_previous(previous, symbols.shape, prior)
    groups = groups_needed(symbols, _expected(symbols.shape, prior, previous), prior)
    if not groups:
        return b""
    low = min(int(symbols[0].min()), _HIGHEST_LOW) if prior.whole else 0
    coded: list[tuple[int, NDArray[Any]]] = []
    for tables, numbers in _of_groups(symbols, quality, prior, previous, groups):
        order, runs = _coding_order(tables)
        ordered = numbers.ravel()[order]
        coded += [(table, ordered[start : start + count]) for table, start, count in runs]
    return _HEADER.pack(_checksum(symbols), low, groups) + encode_runs(coded)


def _of_groups(
    symbols: Symbols, quality: int, prior: Prior, previous: Symbols | None, groups: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int16]]]:
    """`coded_numbers` of known symbols, of so many groups."""
    part = first_groups(prior, groups)
    known = Known(coded_rows(part_of(symbols, prior, part), part))
    before = _before(previous, prior, part)
    return coded_numbers(known, symbols.shape[1:], quality, part, before)


def decode_with_prior(
    data: bytes,
    shape: tuple[int, int],
    quality: int,
    prior: Prior,
    previous: Symbols | None,
    limits: Limits | None = None,
) -> Symbols:
    """The symbols of `shape` (h, w) cells that `encode_with_prior` wrote, with the same arguments.

    Work and memory are bounded by the shape, whatever the bytes. Raises BitstreamError if they
    are damaged or the shape is over `limits`, and ValueError if `previous` has another shape, or
    is None with a gated prior.
    """
    height, width = shape
    most = (limits or Limits()).max_symbols_per_frame
    if height < 1 or width < 1 or prior.channels * height * width > most:
        raise BitstreamError(f"a latent of {height}x{width} cells: 1 to {most} symbols are allowed")
    _check_previous(previous, (prior.channels, height, width), prior)
    if not data:
        return _expected((prior.channels, height, width), prior, previous)
    if len(data) < _HEADER.size or (len(data) - _HEADER.size) % _WORD_BYTES:
        raise BitstreamError(f"{len(data)} bytes of latents, 7 and a multiple of 4 are wanted")
    checksum, low, groups = _HEADER.unpack_from(data)
    if low > _HIGHEST_LOW or (low and not prior.whole):
        raise BitstreamError(f"latents are damaged: a lowest brightness of {low}")
    if not 0 < groups <= len(prior.groups):
        raise BitstreamError(
            f"latents are damaged: {groups} coded groups, the prior has {len(prior.groups)}"
        )
    part = first_groups(prior, groups)
    before = _before(previous, prior, part)
    coded = _Coded(QuickRunDecoder(data[_HEADER.size :], "latents"), low, part, shape)
    for _ in coded_numbers(coded, shape, quality, part, before):
        pass
    symbols = _expected((prior.channels, height, width), prior, previous)
    symbols.reshape(prior.channels, -1)[prior.order[: part.channels]] = coded.rows.T
    if _checksum(symbols) != checksum:
        raise BitstreamError("decoded latents do not match their checksum, the bytes are damaged")
    return symbols


def prior_bits(symbols: Symbols, quality: int, prior: Prior, previous: Symbols | None) -> float:
    """How many bits `encode_with_prior` would need for symbols, without coding them.

    Its bytes are at most a few words more. Raises ValueError like it.
    """
    _check_symbols(symbols, prior)
    _check_previous(previous, symbols.shape, prior)
    groups = groups_needed(symbols, _expected(symbols.shape, prior, previous), prior)
    if not groups:
        return 0.0
    bits = load_scale_tables().bits
    return HEADER_BITS + sum(
        float(bits[tables, np.abs(numbers)].sum(dtype=np.float64))
        for tables, numbers in _of_groups(symbols, quality, prior, previous, groups)
    )


def coding_tables(
    symbols: Symbols, quality: int, prior: Prior, previous: Symbols | None
) -> tuple[NDArray[np.uint8], NDArray[np.int16]]:
    """The table of each symbol [channels, h, w], and the number that is coded under it in its
    place, if all groups are coded. Raises ValueError like `encode_with_prior`."""
    _check_symbols(symbols, prior)
    _check_previous(previous, symbols.shape, prior)
    tables, numbers = np.empty(symbols.shape, np.uint8), np.empty(symbols.shape, np.int16)
    flat_tables, flat_numbers = (each.reshape(prior.channels, -1) for each in (tables, numbers))
    made = _of_groups(symbols, quality, prior, previous, len(prior.groups))
    for step in coding_steps(*symbols.shape[1:]):
        first = 0
        for count in prior.groups:
            place = np.ix_(prior.order[first : first + count], step.cells)
            of_group, coded = next(made)
            flat_tables[place], flat_numbers[place] = of_group.T, coded.T
            first += count
    return tables, numbers


def network_symbols(symbols: Symbols, prior: Prior) -> NDArray[np.int8]:
    """What networks take of symbols [channels, h, w], still to be dequantised.

    A whole brightness b becomes two channels, c = floor((b + 2) / 4) and b - 4 c. Raises
    BitstreamError if a c is beyond -127 to 127.
    """
    if not prior.whole:
        return symbols.astype(np.int8)
    coarse = (symbols[0] + _LEVELS_PER_COARSE // 2) // _LEVELS_PER_COARSE
    if np.abs(coarse).max() > MAX_SYMBOL:
        raise BitstreamError(f"a brightness beyond {_LEVELS_PER_COARSE * MAX_SYMBOL} in size")
    fine = symbols[0] - _LEVELS_PER_COARSE * coarse
    return np.concatenate([coarse[None], fine[None], symbols[1:]]).astype(np.int8)


class _Coded:
    """Symbols that a range decoder gives; `rows` [h * w, channels] collects them."""

    def __init__(self, decoder: RunDecoder, low: int, prior: Prior, shape: tuple[int, int]) -> None:
        self._decoder = decoder
        self._low = low
        self.rows = np.empty((shape[0] * shape[1], prior.channels), np.int16)

    def symbols(self, batch: Batch) -> tuple[Symbols, NDArray[np.int16]]:
        order, runs = _coding_order(batch.tables)
        ordered = np.concatenate([self._decoder.decode(table, count) for table, _, count in runs])
        numbers = np.zeros(batch.tables.shape, np.int16)
        busy = np.flatnonzero(ordered != 0)  # mostly few, and the others are zero already
        numbers.reshape(-1)[order[busy]] = ordered[busy]
        sums = numbers.astype(np.int32) if batch.centres is None else numbers + batch.centres
        symbols = wrapped(sums)
        if batch.has_whole:
            whole = sums[:, 0].cumsum(dtype=np.int64) if batch.is_chain else sums[:, 0]
            symbols[:, 0] = (self._low + (whole - self._low) % VALUES).astype(np.int16)
        self.rows[batch.step.cells, batch.channels] = symbols
        return symbols, numbers


def _coding_order(tables: NDArray[np.uint8]) -> tuple[NDArray[np.intp], list[tuple[int, int, int]]]:
    """Flat positions in coding order, and its (table, start, count) runs."""
    flat = tables.ravel()
    order = np.argsort(flat, kind="stable")
    counts = np.bincount(flat, minlength=TABLES)
    starts = counts.cumsum() - counts
    return order, [(int(k), int(starts[k]), int(counts[k])) for k in np.flatnonzero(counts)]


def _check_symbols(symbols: Symbols, prior: Prior) -> None:
    if symbols.dtype != np.int16 or symbols.ndim != 3 or len(symbols) != prior.channels:
        raise ValueError(
            f"symbols {symbols.dtype} {symbols.shape}: int16 [{prior.channels}, h, w] is wanted"
        )
    if not symbols.size:
        raise ValueError(f"symbols {symbols.shape}: at least one cell is wanted")
    if prior.whole and int(symbols[0].max()) - int(symbols[0].min()) >= VALUES:
        raise ValueError(f"whole brightness: {VALUES} levels in a row are all there may be")
    if _largest(symbols[prior.whole :]) > MAX_SYMBOL:
        raise ValueError(f"symbols are -{MAX_SYMBOL} to {MAX_SYMBOL}")


def _check_previous(previous: Symbols | None, shape: tuple[int, ...], prior: Prior) -> None:
    if previous is None and prior.shape.is_gated:
        raise ValueError("a gated prior needs the symbols of the frame before")
    if previous is None or not prior.previous:
        return
    if previous.dtype != np.int16 or previous.shape != shape:
        raise ValueError(
            f"the symbols of the frame before are {previous.dtype} {previous.shape}, not int16 "
            f"{shape}"
        )
    if _largest(previous[prior.whole :]) > MAX_SYMBOL:
        raise ValueError(f"the symbols of the frame before are not -{MAX_SYMBOL} to {MAX_SYMBOL}")


def _largest(symbols: Symbols) -> int:
    """The largest size."""
    return max(int(symbols.max(initial=0)), -int(symbols.min(initial=0)))


def _before(previous: Symbols | None, prior: Prior, part: Prior) -> Symbols | None:
    """What `part` of a prior knows of the frame before."""
    # Others than priors that see it are given anything, and look at nothing.
    return part_of(previous, prior, part) if previous is not None and prior.previous else None


def _expected(shape: tuple[int, ...], prior: Prior, previous: Symbols | None) -> Symbols:
    """What is not coded is like this."""
    if prior.shape.is_gated and previous is not None:
        return previous.copy()
    return np.zeros(shape, np.int16)


def _checksum(symbols: Symbols) -> int:
    return crc32(np.ascontiguousarray(symbols, "<i2").data)
