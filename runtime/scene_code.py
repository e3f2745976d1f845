"""Scene codes: a gain and a bias for each of a network's last features, for one scene.

The network's inputs `gain` and `bias` are bytes: a gain is level / 64, a bias (level - 128) * 6 /
255. The identity, 64 and 128, changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .fields import Cursor, pack_unsigned
from .range_coder import RunDecoder, encode_runs, fit_table
from .scale_tables import MAX_SYMBOL, TABLES

MAX_CHANNELS = 1024
GAIN_IDENTITY = 64
BIAS_IDENTITY = 128
_GAINS = range(1, GAIN_IDENTITY + MAX_SYMBOL + 1)
_BIASES = range(1, BIAS_IDENTITY + MAX_SYMBOL + 1)


@dataclass(frozen=True)
class SceneCode:
    """A level for each channel: gains of 1 to 191, biases of 1 to 255; 1 to 1024 of each."""

    gain: tuple[int, ...]
    bias: tuple[int, ...]

    @property
    def channels(self) -> int:
        """How many features the code is for."""
        return len(self.gain)

    def ports(self) -> dict[str, NDArray[np.uint8]]:
        """What the network's inputs `gain` and `bias` take, [1, C, 1, 1] each."""
        return {
            name: np.array(levels, np.uint8).reshape(1, -1, 1, 1)
            for name, levels in (("gain", self.gain), ("bias", self.bias))
        }


def identity_code(channels: int) -> SceneCode:
    """The code that changes nothing."""
    return SceneCode((GAIN_IDENTITY,) * channels, (BIAS_IDENTITY,) * channels)


def pack_scene_code(code: SceneCode) -> bytes:
    """A code in bytes, about a bit and a half for each level that the scene needs.

    Raises ValueError if a level or the number of channels is out of range.
    """
    if not 0 < code.channels <= MAX_CHANNELS or len(code.bias) != code.channels:
        raise ValueError(
            f"{len(code.gain)} gains and {len(code.bias)} biases: as many of each, "
            f"1 to {MAX_CHANNELS}, are wanted"
        )
    if any(level not in _GAINS for level in code.gain):
        raise ValueError(f"gains are {_GAINS.start} to {_GAINS[-1]}, not {code.gain}")
    if any(level not in _BIASES for level in code.bias):
        raise ValueError(f"biases are {_BIASES.start} to {_BIASES[-1]}, not {code.bias}")
    symbols = (_symbols(code.gain, GAIN_IDENTITY), _symbols(code.bias, BIAS_IDENTITY))
    tables = [fit_table(each) for each in symbols]
    runs = [(table, each) for table, each in zip(tables, symbols, strict=True) if table]
    return pack_unsigned(code.channels) + bytes(tables) + encode_runs(runs)


def parse_scene_code(data: bytes | memoryview, what: str) -> SceneCode:
    """What `pack_scene_code` wrote. BitstreamError if it is damaged."""
    cursor = Cursor(data, f"{what}, scene code")
    channels = cursor.unsigned(MAX_CHANNELS + 1)
    if not channels:
        raise cursor.fail("no channels")
    tables = cursor.take(2)
    if max(tables) >= TABLES:
        raise cursor.fail(f"tables {tables[0]} and {tables[1]}: 0 to {TABLES - 1} are wanted")
    decoder = RunDecoder(cursor.take(cursor.remaining), f"{what}: levels of the scene code")
    zeros = np.zeros(channels, np.int8)
    gains, biases = (decoder.decode(table, channels) if table else zeros for table in tables)
    code = SceneCode(
        tuple(GAIN_IDENTITY + int(symbol) for symbol in gains),
        tuple(BIAS_IDENTITY + int(symbol) for symbol in biases),
    )
    if any(level not in _GAINS for level in code.gain):
        raise cursor.fail(f"a gain below {_GAINS.start}")
    return code


def _symbols(levels: tuple[int, ...], identity: int) -> NDArray[np.int8]:
    return (np.array(levels, np.int16) - identity).astype(np.int8)
