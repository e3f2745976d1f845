"""Scene codes: bytes and back, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from edgecodec.runtime.errors import BitstreamError
from edgecodec.runtime.fields import pack_unsigned
from edgecodec.runtime.range_coder import encode_runs
from edgecodec.runtime.scene_code import (
    SceneCode,
    identity_code,
    pack_scene_code,
    parse_scene_code,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from .mutations import RAW

GAINS, BIASES = st.integers(1, 191), st.integers(1, 255)


@st.composite
def codes(draw: st.DrawFn) -> SceneCode:
    count = draw(st.integers(1, 1024) | st.integers(1, 6))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    spread = draw(st.sampled_from([0.0, 0.3, 3.0, 200.0]))
    gain, bias = np.rint(random.laplace(size=(2, count)) * spread)
    return SceneCode(
        tuple(int(level) for level in (gain + 64).clip(1, 191)),
        tuple(int(level) for level in (bias + 128).clip(1, 255)),
    )


@settings(deadline=None, max_examples=100)
@given(codes() | st.builds(SceneCode, st.tuples(GAINS, GAINS), st.tuples(BIASES, BIASES)))
def test_codes_round_trip(code: SceneCode) -> None:
    assert parse_scene_code(pack_scene_code(code), "body") == code


def test_the_identity_is_a_few_bytes_whatever_its_size() -> None:
    for channels in (1, 64, 1024):
        code = identity_code(channels)
        assert (set(code.gain), set(code.bias)) == ({64}, {128})
        assert len(pack_scene_code(code)) <= 4
        assert parse_scene_code(pack_scene_code(code), "body") == code


def test_a_code_of_small_steps_costs_about_its_entropy() -> None:
    random = np.random.default_rng(0)
    gain, bias = np.rint(random.laplace(size=(2, 96)) * 1.5).astype(int)
    code = SceneCode(tuple(64 + int(g) for g in gain), tuple(128 + int(b) for b in bias))
    # Laplace of scale 1.5: log2(2e * 1.5) bits a symbol; a word or two may be lost at the end.
    assert 8 * len(pack_scene_code(code)) < 2 * 96 * np.log2(3 * np.e) + 24 + 64


def test_ports_are_bytes_of_one_cell_for_each_channel() -> None:
    ports = SceneCode((1, 191), (255, 3)).ports()
    assert ports["gain"].shape == ports["bias"].shape == (1, 2, 1, 1)
    assert ports["gain"].dtype == ports["bias"].dtype == np.uint8
    assert ports["gain"].ravel().tolist() == [1, 191]
    assert ports["bias"].ravel().tolist() == [255, 3]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (SceneCode((), ()), "0 gains and 0 biases"),
        (SceneCode((64,) * 1025, (128,) * 1025), "1025 gains"),
        (SceneCode((64,), (128, 128)), "1 gains and 2 biases"),
        (SceneCode((0,), (128,)), "gains are 1 to 191"),
        (SceneCode((192,), (128,)), "gains are 1 to 191"),
        (SceneCode((64,), (0,)), "biases are 1 to 255"),
        (SceneCode((64,), (256,)), "biases are 1 to 255"),
    ],
)
def test_what_no_reader_would_take_is_not_written(code: SceneCode, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pack_scene_code(code)


LOW_GAIN = encode_runs([(60, np.array([-64, 3], np.int8)), (60, np.array([0, 1], np.int8))])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "cut off"),
        (b"\x00\x00\x00", "no channels"),
        (pack_unsigned(1025) + b"\0\0", "1025 is not below 1025"),
        (b"\x02\x40\x00", "tables 64 and 0"),
        (b"\x02\x01", "2 bytes wanted, 1 are left"),
        (b"\x02\x01\x01abc", "a multiple of 4 is wanted"),
        (b"\x02\x3c\x3c" + LOW_GAIN, "a gain below 1"),
    ],
)
def test_damage_is_named(data: bytes, message: str) -> None:
    with pytest.raises(BitstreamError, match=message) as raised:
        parse_scene_code(data, "the body")
    assert "the body" in str(raised.value)


def test_mutated_codes_are_codes_or_refused() -> None:
    random = np.random.default_rng(5)
    gain, bias = random.integers(1, 192, 64), random.integers(1, 256, 64)
    packed = pack_scene_code(SceneCode(tuple(map(int, gain)), tuple(map(int, bias))))
    outcomes = {"codes": 0, "refused": 0}
    for number in range(700):
        try:
            code = parse_scene_code(RAW[number % len(RAW)](random, packed), "body")
        except BitstreamError:
            outcomes["refused"] += 1
        else:
            assert parse_scene_code(pack_scene_code(code), "body") == code
            outcomes["codes"] += 1
    assert min(outcomes.values()) >= 50
