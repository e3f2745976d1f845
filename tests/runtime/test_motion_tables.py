"""Motion tables' files: what is read, and that nothing inexact or malformed is."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from edgecodec.runtime.errors import ModelError
from edgecodec.runtime.motion_tables import (
    MotionTables,
    find_motion,
    packaged_motion,
    read_motion,
)
from edgecodec.runtime.moved_frames import suits_motion
from edgecodec.runtime.prior import identity, packaged_priors

from .motion_samples import (
    EXACT,
    cosine_arrays,
    largest_levels,
    largest_samples,
    motion_arrays,
    random_arrays,
)
from .prior_samples import Arrays

NAMES = ("config", "draw", "draw_bias", "see", "see_bias")


def saved(folder: Path, arrays: Arrays, name: str = "test") -> Path:
    path = folder / f"{name}.npz"
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("channels", [1, 2, 8])
def test_a_file_gives_the_tables_that_were_written(tmp_path: Path, channels: int) -> None:
    arrays = random_arrays(1, channels)
    tables = read_motion(saved(tmp_path, arrays))
    assert tables.motion_id == MotionTables.from_arrays(arrays).motion_id == identity(arrays)
    assert tables.channels == channels
    for name, shift in zip(("draw", "see"), arrays["config"][2:].tolist(), strict=True):
        weights, bias = getattr(tables, name), getattr(tables, f"{name}_bias")
        assert weights.dtype == bias.dtype == np.float32
        np.testing.assert_array_equal(2**shift * weights.astype(float).T, arrays[name])
        np.testing.assert_array_equal(
            2**shift * bias.astype(float), arrays[f"{name}_bias"].astype(float) + 2**shift / 2
        )


def test_tables_of_as_many_channels_as_networks_take_are_read() -> None:
    assert MotionTables.from_arrays(cosine_arrays(159)).channels == 159


@pytest.mark.parametrize("channels", [1, 512])
def test_one_to_512_channels_are_read(channels: int) -> None:
    draw, see = np.ones((384, 9 * channels), int), np.ones((channels, 1536), int)
    assert MotionTables.from_arrays(motion_arrays((1, 20), draw, see)).channels == channels


@pytest.mark.parametrize("name", NAMES)
def test_any_change_of_tables_changes_their_name(name: str) -> None:
    arrays = cosine_arrays()
    changed = {**arrays, name: arrays[name].copy()}
    changed[name].flat[-1] -= 1
    wanted = MotionTables.from_arrays(arrays).motion_id
    assert MotionTables.from_arrays(changed).motion_id != wanted
    arrays[name] = arrays[name].copy()
    assert MotionTables.from_arrays(arrays).motion_id == wanted


Change = Callable[[Arrays], object]


def config(at: int, value: int) -> Change:
    return lambda arrays: arrays["config"].__setitem__(at, value)


def like(name: str, dtype: type) -> Change:
    return lambda arrays: arrays.update({name: arrays[name].astype(dtype)})


def part(name: str, *places: slice) -> Change:
    return lambda arrays: arrays.update({name: arrays[name][places].copy()})


def without(name: str) -> Change:
    return lambda arrays: arrays.pop(name)


BUT_ONE = slice(1, None)
WRONG: dict[str, tuple[Change, str]] = {
    **{f"no {name}": (without(name), f"no array {name}$") for name in NAMES},
    "no biases": (
        lambda a: [a.pop("draw_bias"), a.pop("see_bias")],
        "no array draw_bias, see_bias",
    ),
    "a stranger": (lambda a: a.update(extra=a["see"]), "arrays that no motion tables have: extra"),
    "short config": (part("config", slice(3)), r"config is int32 \(3,\)"),
    "long config": (lambda a: a.update(config=np.zeros(5, np.int32)), r"config is int32 \(5,\)"),
    "wide config": (like("config", np.int64), "config is int64"),
    "config in a row": (lambda a: a.update(config=a["config"][None]), r"config is int32 \(1, 4\)"),
    "version 0": (config(0, 0), "version 0.*update"),
    "version 2": (config(0, 2), "version 2.*update"),
    "no channels": (config(1, 0), "0 channels"),
    "negative channels": (config(1, -(2**31)), "-2147483648 channels"),
    "more channels than may be": (config(1, 513), "513 channels, 1 to 512"),
    "most channels": (config(1, 2**31 - 1), "2147483647 channels"),
    "a channel more": (config(1, 9), r"draw is int16 \(384, 72\).*81"),
    "a channel less": (config(1, 7), r"draw is int16 \(384, 72\).*63"),
    "no shift of draw": (config(2, 0), "shifts 0 and"),
    "negative shift of draw": (config(2, -1), "shifts -1 and"),
    "large shift of draw": (config(2, 21), "shifts 21 and"),
    "no shift of see": (config(3, 0), "and 0, 1 to 20"),
    "large shift of see": (config(3, 2**31 - 1), "and 2147483647, 1 to 20"),
    "narrow draw": (like("draw", np.int8), "draw is int8"),
    "wide draw": (like("draw", np.int32), "draw is int32"),
    "real draw": (like("draw", np.float32), "draw is float32"),
    "fewer samples drawn": (part("draw", BUT_ONE), r"draw is int16 \(383, 72\)"),
    "fewer levels drawn of": (part("draw", slice(None), BUT_ONE), r"draw is int16 \(384, 71\)"),
    "draw turned": (lambda a: a.update(draw=a["draw"].T.copy()), r"draw is int16 \(72, 384\)"),
    "narrow draw_bias": (like("draw_bias", np.int16), "draw_bias is int16"),
    "short draw_bias": (part("draw_bias", BUT_ONE), r"draw_bias is int32 \(383,\)"),
    "unsigned see": (like("see", np.uint16), "see is uint16"),
    "see of bytes": (like("see", np.int8), "see is int8"),
    "fewer levels seen": (part("see", BUT_ONE), r"see is int16 \(7, 1536\)"),
    "fewer samples seen": (part("see", slice(None), BUT_ONE), r"see is int16 \(8, 1535\)"),
    "wide see_bias": (like("see_bias", np.int64), "see_bias is int64"),
    "short see_bias": (part("see_bias", BUT_ONE), r"see_bias is int32 \(7,\)"),
    "a single see_bias": (
        lambda a: a.update(see_bias=np.array(1, np.int32)),
        r"see_bias is int32 \(\)",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_breaks_a_rule_is_refused(tmp_path: Path, name: str) -> None:
    change, message = WRONG[name]
    arrays = cosine_arrays()
    change(arrays)
    with pytest.raises(ModelError, match=message):
        MotionTables.from_arrays(arrays)
    with pytest.raises(ModelError, match=r"test\.npz: "):
        read_motion(saved(tmp_path, arrays))
    with pytest.raises(ModelError, match=r"mine: "):
        MotionTables.from_arrays(arrays, "mine")


@pytest.mark.parametrize("name", ["draw", "see"])
@pytest.mark.parametrize("sign", [-1, 1])
def test_sums_must_stay_below_two_to_the_24(name: str, sign: int) -> None:
    """Biases, with the half for rounding, and weights times the largest that they may meet."""
    arrays = random_arrays(3, 5)
    shift = int(arrays["config"][2 if name == "draw" else 3])
    largest = largest_levels(5) if name == "draw" else largest_samples()
    room = EXACT - 1 - int(np.abs(arrays[name][2].astype(int)) @ largest)
    assert room > 2**shift
    bias = arrays[f"{name}_bias"]
    bias[2] = sign * room - 2 ** (shift - 1)
    assert MotionTables.from_arrays(arrays)
    bias[2] += sign
    with pytest.raises(ModelError, match=f"{name}: sums of up to {EXACT}, below {EXACT}"):
        MotionTables.from_arrays(arrays)
    for extreme in (-(2**31), 2**31 - 1):
        bias[2] = extreme
        with pytest.raises(ModelError, match=f"{name}: sums"):
            MotionTables.from_arrays(arrays)


@pytest.mark.parametrize("name", ["draw", "see"])
def test_one_weight_more_may_be_inexact(name: str) -> None:
    arrays = random_arrays(4, 3)
    largest = largest_levels(3) if name == "draw" else largest_samples()
    weights = arrays[name].astype(int)
    sums = np.abs(weights) @ largest
    room = (EXACT - 1 - sums[7 % len(sums)] - 2**19) // int(largest[0])
    arrays["config"][2:] = 1
    arrays["draw_bias"][:] = arrays["see_bias"][:] = 2**19 - 1
    at = 7 % len(sums), 0
    arrays[name][at] = np.sign(weights[at]) * (abs(weights[at]) + room)
    assert MotionTables.from_arrays(arrays)
    arrays[name][at] += np.sign(weights[at])
    with pytest.raises(ModelError, match=f"{name}: sums"):
        MotionTables.from_arrays(arrays)


@pytest.mark.parametrize("data", [b"", b"PK\3\4 but no archive", b"\x93NUMPY\1\0"])
def test_files_that_are_no_archives_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "test.npz"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"test\.npz"):
        read_motion(path)
    with pytest.raises(ModelError, match=r"none\.npz"):
        read_motion(tmp_path / "none.npz")


def test_a_single_array_is_no_tables(tmp_path: Path) -> None:
    path = tmp_path / "single.npz"
    with path.open("wb") as file:
        np.save(file, cosine_arrays()["config"])
    with pytest.raises(ModelError, match=r"single\.npz: no motion tables"):
        read_motion(path)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    arrays = cosine_arrays()
    arrays["see_bias"] = np.array([{"an": "object"}], object)
    with pytest.raises(ModelError, match="allow_pickle"):
        read_motion(saved(tmp_path, arrays))
    path = tmp_path / "pickle.npz"
    path.write_bytes(pickle.dumps({"config": 1}))
    with pytest.raises(ModelError, match="pickle"):
        read_motion(path)


def test_every_byte_of_a_file_may_be_wrong(tmp_path: Path) -> None:
    """Damage is a ModelError, or changes nothing: no other exception, no other tables."""
    path = saved(tmp_path, random_arrays(1, 1))
    data = path.read_bytes()
    name = read_motion(path).motion_id
    random = np.random.default_rng(2)
    refused = 0
    for at in random.choice(len(data), 300, replace=False):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1 << random.integers(8)]) + data[at + 1 :])
        try:
            assert read_motion(path).motion_id == name
        except ModelError:
            refused += 1
    for length in random.choice(len(data), 60, replace=False):
        path.write_bytes(data[:length])
        with pytest.raises(ModelError):
            read_motion(path)
    assert refused > 100


def test_installed_tables_are_found_by_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path, cosine_arrays(), "edge")
    saved(tmp_path, random_arrays(2, 3), "nano")
    tables = packaged_motion(tmp_path)
    assert sorted(tables) == ["edge", "nano"]
    assert packaged_motion(tmp_path) is tables
    monkeypatch.setattr("edgecodec.runtime.motion_tables.packaged_motion", lambda: tables)
    assert find_motion(identity(random_arrays(2, 3))) is tables["nano"]
    assert find_motion(identity(cosine_arrays())) is tables["edge"]
    with pytest.raises(ModelError, match=r"motion tables 0123456789abcdef.*update edgecodec"):
        find_motion("0123456789abcdef")


def test_a_folder_that_is_not_there_has_no_tables(tmp_path: Path) -> None:
    assert packaged_motion(tmp_path / "none") == {}


def test_damaged_tables_are_not_passed_over(tmp_path: Path) -> None:
    saved(tmp_path, cosine_arrays(), "edge")
    (tmp_path / "nano.npz").write_bytes(b"junk")
    with pytest.raises(ModelError, match=r"nano\.npz"):
        packaged_motion(tmp_path)


def test_what_is_installed_can_be_read() -> None:
    for tables in packaged_motion().values():
        assert find_motion(tables.motion_id).motion_id == tables.motion_id


def test_c_frames_without_gates_have_tables_that_suit_their_prior() -> None:
    for name, prior in packaged_priors().items():
        tier, _, letter = name.rpartition("-")
        if letter == "c" and not prior.shape.is_gated:
            assert suits_motion(prior, packaged_motion()[tier])
