"""A second reader of latents, written from docs/format.md alone: plain integers, no library."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np

MASK = (1 << 64) - 1


class RangeDecoder:
    """The range decoder of the format page."""

    def __init__(self, words: Sequence[int]) -> None:
        self.words = list(words)
        self.lower, self.range = 0, MASK
        self.point = self.next_word() << 32 | self.next_word()

    def next_word(self) -> int:
        return self.words.pop(0) if self.words else 0

    def symbol(self, weights: Sequence[int]) -> int:
        scale = self.range >> 24
        quantile = (self.point - self.lower & MASK) // scale
        assert quantile < 1 << 24
        cumulative = index = 0
        while cumulative + weights[index] + 1 <= quantile:
            cumulative += weights[index] + 1
            index += 1
        self.lower = self.lower + scale * cumulative & MASK
        self.range = scale * (weights[index] + 1)
        if self.range < 1 << 32:
            self.lower = self.lower << 32 & MASK
            self.range = self.range << 32
            self.point = self.point << 32 & MASK | self.next_word()
        return index - 127


def decode(
    data: bytes,
    cells: tuple[int, int],
    tables: Sequence[int],
    previous: np.ndarray | None,
    weights: list[list[int]],
) -> tuple[np.ndarray, np.ndarray]:
    """(symbols, scale index) of one frame's bytes, which are not empty."""
    height, width = cells
    rows, columns = -(-height // 4), -(-width // 4)
    words = [int.from_bytes(data[at : at + 4], "little") for at in range(5, len(data), 4)]
    coder = RangeDecoder(words)
    scale_index = np.zeros((16, rows, columns), np.uint8)
    for group in range(16):
        differences = [
            coder.symbol(weights[tables[group]]) if tables[group] else 0
            for _ in range(rows * columns)
        ]
        for at, difference in enumerate(differences):
            row, column = divmod(at, columns)
            if data[0] == 1:
                assert previous is not None
                prediction = int(previous[group, row, column])
            elif column:
                prediction = int(scale_index[group, row, column - 1])
            else:
                prediction = int(scale_index[group, row - 1, 0]) if row else 0
            scale_index[group, row, column] = (prediction + difference) % 64
    symbols = np.zeros((64, height, width), np.int8)
    for table in range(1, 64):
        for channel, row, column in np.ndindex(64, height, width):
            if scale_index[channel // 4, row // 4, column // 4] == table:
                symbols[channel, row, column] = coder.symbol(weights[table])
    assert crc32(scale_index.tobytes() + symbols.tobytes()) == int.from_bytes(data[1:5], "little")
    return symbols, scale_index
