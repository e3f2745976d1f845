"""A second reader of latents with a prior, written from docs/format.md alone: plain integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

import numpy as np

from .reference_coder import RangeDecoder

Cell = tuple[int, int]


def steps(height: int, width: int) -> list[tuple[int, int, list[Cell]]]:
    """(kind, level, cells) in coding order."""
    cells = [(row, column) for row in range(height) for column in range(width)]
    found = [(0, 4, [(r, c) for r, c in cells if r % 16 == 0 and c % 16 == 0])]
    for level in (3, 2, 1, 0):
        stride, half = 2 << level, 1 << level
        diagonal = [(r, c) for r, c in cells if r % stride == half and c % stride == half]
        cross = [(r, c) for r, c in cells if sorted((r % stride, c % stride)) == [0, half]]
        found += [(0, level, diagonal), (1, level, cross)]
    return found


def neighbours(kind: int, level: int, cell: Cell, shape: Cell) -> list[Cell | None]:
    """The four of a cell that is no root."""
    half = 1 << level
    offsets = (
        [(-1, -1), (1, 1), (-1, 1), (1, -1)] if kind == 0 else [(0, -1), (0, 1), (-1, 0), (1, 0)]
    )
    found: list[Cell | None] = []
    for down, across in offsets:
        place = []
        for at, offset, length in zip(cell, (down * half, across * half), shape, strict=True):
            place.append(at + offset if 0 <= at + offset < length else at - offset)
        inside = all(0 <= at < length for at, length in zip(place, shape, strict=True))
        found.append((place[0], place[1]) if inside else None)
    return found


def wrapped(number: int) -> int:
    return (number + 127) % 255 - 127


class Reader:
    """One frame."""

    def __init__(self, arrays: Mapping[str, Any], shape: Cell, quality: int) -> None:
        self.arrays = {name: array.tolist() for name, array in arrays.items()}
        _, self.channels, self.whole, self.signed, self.previous = self.arrays["config"]
        self.shape = shape
        self.quality = quality
        self.cells: dict[Cell, list[int]] = {}
        self.before: dict[Cell, list[int]] = {}

    def leave_out(self, coded: int) -> dict[Cell, list[int]]:
        """Count channels that are not coded as 0; what they are in the end, if not 0."""
        rest = {cell: known[coded:] for cell, known in self.before.items()}
        for known in self.before.values():
            known[coded:] = [0] * len(known[coded:])
        return rest if self.previous == 2 else {}

    def size(self, number: int) -> int:
        sizes: list[int] = self.arrays["sizes"]
        return sizes[min(abs(number), len(sizes) - 1)]

    def signed_size(self, number: int) -> int:
        return self.size(number) if number >= 0 else -self.size(number)

    def prediction(self, around: Sequence[Cell | None]) -> int:
        levels = [self.cells[cell][0] for cell in around if cell is not None]
        return sum(levels) // len(levels)

    def was(self, cell: Cell, prediction: int) -> list[int]:
        """A cell in the frame before, channel 0 less its prediction."""
        known = list(self.before[cell])
        if self.whole:
            known[0] -= prediction
        return known

    def inputs(
        self, level: int, around: Sequence[Cell | None], prediction: int, cell: Cell
    ) -> list[int]:
        seen = []
        for each in around:
            coded = list(self.cells[each]) if each is not None else [0] * self.channels
            if self.whole and each is not None:
                coded[0] -= prediction
            seen.append(coded)
        x = []
        for one, other in ((0, 1), (2, 3)):
            x += [self.size(seen[one][c]) + self.size(seen[other][c]) for c in range(self.channels)]
        for coded in seen:
            x += [self.signed_size(number) for number in coded[: self.signed]]
        if self.previous == 2:
            changes = []
            for each in around:
                pair = zip(self.cells[each], self.before[each], strict=True) if each else ()
                changes.append([n - p for n, p in pair] or [0] * self.channels)
            for one, other in ((0, 1), (2, 3)):
                x += [
                    self.size(changes[one][c]) + self.size(changes[other][c])
                    for c in range(self.channels)
                ]
        if self.previous:
            known = self.was(cell, prediction) if self.before else [0] * self.channels
            if self.whole and self.previous == 1:
                known[0] = 0
            x += [self.size(number) for number in known]
            x += [self.signed_size(number) for number in known[: self.signed]]
        x += self.arrays["waves"][self.quality]
        return x + [32 if each == level else 0 for each in range(5)]

    def layer(self, name: str, x: list[int]) -> list[int]:
        weights, bias = self.arrays[f"w{name}"], self.arrays[f"b{name}"]
        return [
            sum(w * each for w, each in zip(row, x, strict=True)) + b
            for row, b in zip(weights, bias, strict=True)
        ]

    def network(
        self, kind: int, group: int, x: list[int], was: list[int] | None
    ) -> tuple[list[int], list[int]]:
        """Tables and means; `was` are the group's channels in the frame before, if gated."""
        place = f"_{kind}_{group}"
        a = [min(127, max(0, (o + 64) >> 7)) for o in self.layer(f"1{place}", x)]
        a = [min(127, max(0, (o + 32) >> 6)) for o in self.layer(f"2{place}", a)]
        o = self.layer(f"3{place}", a)
        count = self.arrays["groups"][group]
        tables = [min(63, max(0, (each + 64) >> 7)) for each in o[:count]]
        gate = min(64, max(0, (o.pop() + 64) >> 7)) if was is not None else 0
        means = [(each + 256) >> 9 for each in o[count:]] or [0] * count
        if was is not None:
            means = [m + ((gate * each + 32) >> 6) for m, each in zip(means, was, strict=True)]
        return tables, means


def decode(
    data: bytes,
    shape: Cell,
    quality: int,
    arrays: Mapping[str, Any],
    previous: np.ndarray | None,
    weights: list[list[int]],
) -> np.ndarray:
    """Symbols [channels, h, w] of a frame's bytes, which are not empty."""
    reader = Reader(arrays, shape, quality)
    order = reader.arrays["order"]
    low = int.from_bytes(data[4:6], "little", signed=True)
    coded_groups = data[6]
    words = [int.from_bytes(data[at : at + 4], "little") for at in range(7, len(data), 4)]
    coder = RangeDecoder(words)
    chain = 0
    if previous is not None:
        reader.before = {
            (row, column): [int(previous[channel, row, column]) for channel in order]
            for row in range(shape[0])
            for column in range(shape[1])
        }
    coded = sum(reader.arrays["groups"][:coded_groups])
    rest = reader.leave_out(coded)
    gated = reader.previous == 2
    for kind, level, cells in steps(*shape):
        around = {
            cell: [None] * 4 if level == 4 else neighbours(kind, level, cell, shape)
            for cell in cells
        }
        predictions, inputs = {}, {}
        for cell in cells:
            p = reader.prediction(around[cell]) if reader.whole and level < 4 else 0
            if gated and reader.whole and level == 4:
                p = reader.before[cell][0]
            predictions[cell] = p
            inputs[cell] = reader.inputs(level, around[cell], p, cell)
            reader.cells[cell] = [0] * reader.channels
        first = 0
        for group, count in enumerate(reader.arrays["groups"][:coded_groups]):
            here = slice(first, first + count)
            first += count
            found = {
                cell: reader.network(
                    kind,
                    group,
                    inputs[cell],
                    reader.was(cell, predictions[cell])[here] if gated else None,
                )
                for cell in cells
            }
            numbers: dict[tuple[Cell, int], int] = {}
            for table in range(64):
                for cell in cells:
                    for at in range(count):
                        if found[cell][0][at] == table:
                            numbers[cell, at] = coder.symbol(weights[table])
            for cell in cells:
                own = []
                for at in range(count):
                    number = numbers[cell, at] + found[cell][1][at]
                    if reader.whole and group == 0 and at == 0:
                        if level == 4 and not gated:
                            predictions[cell] = chain
                        chain = low + (number + predictions[cell] - low) % 255
                        own.append(chain)
                    else:
                        own.append(wrapped(number))
                reader.cells[cell][here] = own
                if reader.whole and group == 0:
                    own[0] -= predictions[cell]
                inputs[cell] += [reader.signed_size(number) for number in own]
                inputs[cell] += [reader.size(number) for number in own]
                if gated:
                    changes = zip(reader.cells[cell][here], reader.before[cell][here], strict=True)
                    inputs[cell] += [reader.size(number - was) for number, was in changes]
    symbols = np.zeros((reader.channels, *shape), "<i2")
    for (row, column), known in reader.cells.items():
        known[coded:] = rest.get((row, column), known[coded:])
        for channel, number in zip(order, known, strict=True):
            symbols[channel, row, column] = number
    assert crc32(symbols.tobytes()) == int.from_bytes(data[:4], "little")
    return symbols
