"""Packs are read at random, in the range and the shapes that training expects."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from edgecodec.encoder.training import packs
from edgecodec.encoder.training.packs import SequencePack, TripletPack


@pytest.fixture
def as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """No mirrors and no colours."""
    for name in ("mirrored", "recolored"):
        monkeypatch.setattr(packs, name, lambda x, random: x)


def test_a_batch_of_triplets_has_frames_condition_and_target(triplet_pack: Path) -> None:
    pack = TripletPack(triplet_pack)
    assert len(pack) == 8
    x, condition, target = pack.batch(np.random.default_rng(1), 5)
    assert x.shape == (5, 3, 24, 4, 4)
    assert condition.shape == (5, 2, 4, 4)
    assert target.shape == (5, 24, 4, 4)
    for each in (x, condition, target):
        assert each.dtype == torch.float32
        assert 0.0 <= float(each.min()) <= float(each.max()) <= 1.0
    assert torch.equal(condition, condition[:, :, :1, :1].expand_as(condition))


def test_triplets_are_the_packs_forwards_or_backwards(
    triplet_pack: Path, as_they_are: None
) -> None:
    stored = np.load(triplet_pack / "x.npy")
    conditions = np.load(triplet_pack / "condition.npy")
    x, condition, target = TripletPack(triplet_pack).batch(np.random.default_rng(1), 8)
    backwards = 0
    for row in range(8):
        assert np.array_equal((target[row] * 255).round().numpy(), stored[row, 3])
        assert np.array_equal((condition[row, :, 0, 0] * 255).round().numpy(), conditions[row])
        shown = (x[row] * 255).round().numpy()
        flipped = np.array_equal(shown, stored[row, [2, 1, 0]])
        assert flipped or np.array_equal(shown, stored[row, :3])
        backwards += flipped
    assert 0 < backwards < 8


def test_several_packs_are_read_as_one(
    triplet_pack: Path, as_they_are: None, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(triplet_pack, other)
    np.save(other / "x.npy", 255 - np.load(triplet_pack / "x.npy"))
    pack = TripletPack(triplet_pack, other)
    assert len(pack) == 16
    _, _, target = pack.batch(np.random.default_rng(1), 16)
    both = np.concatenate([np.load(folder / "x.npy")[:, 3] for folder in (triplet_pack, other)])
    assert np.array_equal((target * 255).round().numpy(), both)


def test_sequences_run_forwards_or_backwards(sequence_pack: Path, as_they_are: None) -> None:
    stored = np.load(sequence_pack / "x.npy")
    x = SequencePack(sequence_pack).batch(np.random.default_rng(2), 6)
    assert x.shape == (6, 9, 96, 8, 8)
    assert len(SequencePack(sequence_pack)) == 6
    backwards = 0
    for row in range(6):
        shown = (x[row] * 255).round().numpy()
        flipped = np.array_equal(shown, stored[row, ::-1])
        assert flipped or np.array_equal(shown, stored[row])
        backwards += flipped
    assert 0 < backwards < 6


def test_the_same_seed_gives_the_same_batch(triplet_pack: Path, sequence_pack: Path) -> None:
    for make in (
        lambda seed: TripletPack(triplet_pack).batch(np.random.default_rng(seed), 4)[0],
        lambda seed: SequencePack(sequence_pack).batch(np.random.default_rng(seed), 4),
    ):
        assert torch.equal(make(3), make(3))
        assert not torch.equal(make(3), make(4))


def test_a_pack_that_is_a_pickle_is_refused(triplet_pack: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    shutil.copytree(triplet_pack, folder)
    pickled = np.array([{"a": 1}], dtype=object)
    np.save(folder / "condition.npy", pickled)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        TripletPack(folder)
    np.save(folder / "x.npy", pickled)
    with pytest.raises(ValueError, match="Python objects"):
        SequencePack(folder)
