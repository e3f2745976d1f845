"""Priors' files: what is read, and that nothing inexact or malformed is."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from edgecodec.runtime.errors import ModelError
from edgecodec.runtime.prior import (
    Prior,
    find_prior,
    identity,
    packaged_priors,
    read_prior,
)

from .prior_samples import BOTH, DESIGNS, PLAIN, WHOLE, WITH_PREVIOUS, Arrays, Design, prior_arrays


def saved(folder: Path, arrays: Arrays, name: str = "test-i") -> Path:
    path = folder / f"{name}.npz"
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("design", DESIGNS)
def test_a_file_gives_the_prior_that_was_written(tmp_path: Path, design: Design) -> None:
    arrays = prior_arrays(1, design)
    prior = read_prior(saved(tmp_path, arrays))
    assert prior.prior_id == Prior.from_arrays(arrays).prior_id == identity(arrays)
    assert prior.channels == design.channels
    assert (prior.whole, prior.previous) == (design.whole, design.previous)
    assert (prior.signed, prior.groups, prior.means) == (
        design.signed,
        design.groups,
        design.means,
    )
    np.testing.assert_array_equal(prior.order, arrays["order"])


def test_the_name_is_a_digest_of_names_types_shapes_and_bytes() -> None:
    arrays = {"b": np.array([[1, 2]], np.int32), "a": np.array([7, 255], np.uint8)}
    text = b"a |u1 2\n" + b"\7\xff" + b"b <i4 1x2\n" + b"\1\0\0\0\2\0\0\0"
    assert identity(arrays) == hashlib.sha256(text).hexdigest()[:16]
    assert identity({"a": arrays["a"], "b": arrays["b"].astype(">i4")}) == identity(arrays)
    assert identity({**arrays, "b": arrays["b"].T}) != identity(arrays)


def test_any_change_of_a_prior_changes_its_name() -> None:
    arrays = prior_arrays(1, WHOLE)
    names = {Prior.from_arrays(arrays).prior_id}
    for key in ("waves", "w1_0_0", "b3_1_1", "sizes"):
        changed = dict(arrays)
        changed[key] = arrays[key].copy()
        changed[key].flat[-1] -= 1
        names.add(Prior.from_arrays(changed).prior_id)
    assert len(names) == 5


Change = Callable[[Arrays], object]
WRONG: dict[str, tuple[Design, Change, str]] = {
    "no groups": (PLAIN, lambda a: a.pop("groups"), "no array groups"),
    "no weights": (PLAIN, lambda a: a.pop("w2_1_0"), "w2_1_0"),
    "a stranger": (PLAIN, lambda a: a.update(extra=a["sizes"]), "extra"),
    "short config": (PLAIN, lambda a: a.update(config=a["config"][:4]), "config"),
    "wide config": (PLAIN, lambda a: a.update(config=a["config"].astype(np.int64)), "config"),
    "version": (PLAIN, lambda a: a["config"].__setitem__(0, 3), "version 3.*update"),
    "no channels": (PLAIN, lambda a: a["config"].__setitem__(1, 0), "channels"),
    "negative channels": (PLAIN, lambda a: a["config"].__setitem__(1, -(2**31)), "channels"),
    "channels beyond groups": (PLAIN, lambda a: a["config"].__setitem__(1, 6), "6 channels"),
    "a flag of 2": (PLAIN, lambda a: a["config"].__setitem__(2, 2), "whole is 2"),
    "previous of 3": (PLAIN, lambda a: a["config"].__setitem__(4, 3), "previous is 3"),
    "previous below 0": (PLAIN, lambda a: a["config"].__setitem__(4, -1), "previous is -1"),
    "no gates": (WITH_PREVIOUS, lambda a: a["config"].__setitem__(4, 2), "w1_0_0"),
    "signed beyond": (PLAIN, lambda a: a["config"].__setitem__(3, 6), "signed"),
    "an empty group": (PLAIN, lambda a: a.update(groups=np.array([0, 5], np.int32)), "groups"),
    "too few means": (PLAIN, lambda a: a.update(means=a["means"][:1]), "means"),
    "means of 2": (PLAIN, lambda a: a["means"].__setitem__(0, 2), "means"),
    "an order with one twice": (PLAIN, lambda a: a["order"].__setitem__(0, a["order"][1]), "order"),
    "a brightness that is not first": (
        WHOLE,
        lambda a: a.update(order=a["order"][::-1].copy()),
        "from channel 0",
    ),
    "one size": (PLAIN, lambda a: a.update(sizes=a["sizes"][:1]), "sizes"),
    "zero that is not": (PLAIN, lambda a: a["sizes"].__setitem__(0, 1), "sizes"),
    "sizes that go down": (PLAIN, lambda a: a["sizes"].__setitem__(3, 2), "sizes"),
    "a large size": (PLAIN, lambda a: a["sizes"].__setitem__(-1, 64), "sizes"),
    "few qualities": (PLAIN, lambda a: a.update(waves=a["waves"][1:]), "waves"),
    "a wave of -128": (PLAIN, lambda a: a["waves"].__setitem__((0, 0), -128), "waves"),
    "narrow weights": (PLAIN, lambda a: a.update(w1_0_0=a["w1_0_0"][:, 1:].copy()), "w1_0_0"),
    "wide weights": (PLAIN, lambda a: a.update(w1_1_0=a["w1_1_0"].astype(np.int16)), "w1_1_0"),
    "other hidden": (PLAIN, lambda a: a.update(w2_0_1=a["w2_0_1"][:, 1:].copy()), "w2_0_1"),
    "no means": (PLAIN, lambda a: a["means"].__setitem__(0, 0), "w3_0_0"),
    "few biases": (PLAIN, lambda a: a.update(b3_0_0=a["b3_0_0"][1:]), "b3_0_0"),
    "float biases": (PLAIN, lambda a: a.update(b1_0_0=a["b1_0_0"].astype(np.float32)), "b1_0_0"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_breaks_a_rule_is_refused(tmp_path: Path, name: str) -> None:
    design, change, message = WRONG[name]
    arrays = prior_arrays(1, design)
    change(arrays)
    with pytest.raises(ModelError, match=message):
        Prior.from_arrays(arrays)
    with pytest.raises(ModelError, match=r"test-i\.npz"):
        read_prior(saved(tmp_path, arrays))


@pytest.mark.parametrize("layer", [1, 2, 3])
@pytest.mark.parametrize("sign", [-1, 1])
def test_sums_must_stay_below_two_to_the_24(layer: int, sign: int) -> None:
    arrays = prior_arrays(1, BOTH)
    channels, signed = BOTH.channels, BOTH.signed
    largest = np.full(arrays[f"w{layer}_1_2"].shape[1], 127)
    if layer == 1:
        largest[:] = 63
        largest[: 2 * channels] = 126
        waves = 2 * channels + 4 * signed + channels + signed
        largest[waves : waves + BOTH.waves] = 127
    weights = arrays[f"w{layer}_1_2"].astype(np.int64)
    room = 2**24 - 1 - np.abs(weights[0]) @ largest
    bias = arrays[f"b{layer}_1_2"]
    bias[0] = sign * room
    assert Prior.from_arrays(arrays)
    bias[0] += sign
    with pytest.raises(ModelError, match=f"w{layer}_1_2.*16777216"):
        Prior.from_arrays(arrays)
    bias[0] = -(2**31)
    with pytest.raises(ModelError, match=f"w{layer}_1_2"):
        Prior.from_arrays(arrays)


@pytest.mark.parametrize("data", [b"", b"PK\3\4 but no archive", b"\x93NUMPY\1\0"])
def test_files_that_are_no_archives_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "test-i.npz"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"test-i\.npz"):
        read_prior(path)
    with pytest.raises(ModelError, match=r"none\.npz"):
        read_prior(tmp_path / "none.npz")


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    arrays = prior_arrays(1, PLAIN)
    arrays["sizes"] = np.array([{"an": "object"}], object)
    with pytest.raises(ModelError, match="allow_pickle"):
        read_prior(saved(tmp_path, arrays))
    path = tmp_path / "pickle.npz"
    path.write_bytes(pickle.dumps({"config": 1}))
    with pytest.raises(ModelError, match="pickle"):
        read_prior(path)


def test_every_byte_of_a_file_may_be_wrong(tmp_path: Path) -> None:
    """Damage is a ModelError, or changes nothing: no other exception, no other prior."""
    path = saved(tmp_path, prior_arrays(1, Design(groups=(1,), means=(0,), signed=1, hidden=1)))
    data = path.read_bytes()
    name = read_prior(path).prior_id
    random = np.random.default_rng(2)
    refused = 0
    for at in random.choice(len(data), 400, replace=False):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1 << random.integers(8)]) + data[at + 1 :])
        try:
            assert read_prior(path).prior_id == name
        except ModelError:
            refused += 1
    for length in random.choice(len(data), 60, replace=False):
        path.write_bytes(data[:length])
        with pytest.raises(ModelError):
            read_prior(path)
    assert refused > 100


def test_installed_priors_are_found_by_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path, prior_arrays(1, PLAIN), "nano-i")
    saved(tmp_path, prior_arrays(2, BOTH), "nano-p")
    priors = packaged_priors(tmp_path)
    assert sorted(priors) == ["nano-i", "nano-p"]
    assert packaged_priors(tmp_path) is priors
    monkeypatch.setattr("edgecodec.runtime.prior.packaged_priors", lambda: priors)
    wanted = identity(prior_arrays(2, BOTH))
    assert find_prior(wanted) is priors["nano-p"]
    with pytest.raises(ModelError, match=r"prior 0123456789abcdef.*update edgecodec"):
        find_prior("0123456789abcdef")


def test_what_is_installed_can_be_read() -> None:
    for name, prior in packaged_priors().items():
        tier, _, letter = name.rpartition("-")
        assert tier
        assert prior.previous == {"i": 0, "s": 0, "p": 1, "b": 1, "c": 1, "h": 2, "d": 1}[letter]
        assert find_prior(prior.prior_id).prior_id == prior.prior_id
