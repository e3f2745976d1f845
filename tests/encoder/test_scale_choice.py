"""Scale indices chosen with their own price: never dearer, always valid."""

from __future__ import annotations

import numpy as np
import pytest
from edgecodec.encoder.scale_choice import economical
from edgecodec.runtime.symbols import (
    Latent,
    choose_difference_tables,
    choose_scale_index,
    decode_latent,
    encode_latent,
)


def symbols_of(mean: float, height: int, width: int, seed: int = 0) -> np.ndarray:
    """Laplace symbols whose scale changes from place to place and from group to group."""
    random = np.random.default_rng(seed)
    groups = (16, -(-height // 4), -(-width // 4))
    scale = mean * random.uniform(0.2, 2.0, groups) * random.uniform(0, 1, (16, 1, 1)) ** 2
    spread = scale.repeat(4, 0).repeat(4, 1).repeat(4, 2)[:, :height, :width]
    values = random.laplace(size=spread.shape) * spread
    return np.clip(np.rint(values), -127, 127).astype(np.int8)


def coded(latent: Latent) -> bytes:
    tables = choose_difference_tables([latent.scale_index])
    data = encode_latent(latent, tables, None)
    back = decode_latent(data, latent.symbols.shape[1:], tables, None)
    assert np.array_equal(back.symbols, latent.symbols)
    assert np.array_equal(back.scale_index, latent.scale_index)
    return data


@pytest.mark.parametrize("mean", [0.1, 0.6, 3.0, 20.0])
@pytest.mark.parametrize("size", [(16, 24), (17, 30)])
def test_it_takes_fewer_bytes_and_decodes(mean: float, size: tuple[int, int]) -> None:
    symbols = symbols_of(mean, *size)
    usual = coded(Latent(symbols, choose_scale_index(symbols)))
    made = economical(symbols)
    assert np.array_equal(made.symbols, symbols)
    # Range coders end on whole words.
    assert len(coded(made)) <= len(usual) + 4
    if mean < 1:
        assert len(coded(made)) < len(usual)


def test_nothing_stays_nothing() -> None:
    made = economical(np.zeros((64, 5, 9), np.int8))
    assert not made.scale_index.any()


def test_a_lonely_symbol_is_coded() -> None:
    symbols = np.zeros((64, 12, 12), np.int8)
    symbols[7, 6, 6] = -3
    made = economical(symbols)
    assert made.scale_index[1, 1, 1] > 0
    coded(made)
