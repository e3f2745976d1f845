"""Packs are read at random, in the range and the shapes that training expects."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from edgecodec.encoder.training.augment import Mirroring
from edgecodec.encoder.training.packs import (
    PLANES,
    PicturePack,
    SequencePack,
    TripletPack,
    channels_stored,
    plane_errors,
)


@pytest.fixture
def as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """No mirrors."""
    monkeypatch.setattr(Mirroring, "drawn", lambda _: Mirroring(False, False))


@pytest.mark.parametrize("kind", ["full", "half"])
def test_a_batch_has_frames_condition_base_and_target(
    triplet_packs: dict[str, Path], kind: str
) -> None:
    pack = TripletPack(triplet_packs[kind])
    assert len(pack) == 8
    assert pack.frame_channels == {"full": 24, "half": 6}[kind]
    batch = pack.batch(np.random.default_rng(1), 5)
    assert batch.shown.shape == (5, 3, pack.frame_channels, 4, 4)
    assert batch.condition.shape == (5, 2, 4, 4)
    assert batch.base.shape == batch.target.shape == (5, 24, 4, 4)
    assert batch.distortion.shape == (5, 3)
    for each in (batch.shown, batch.condition, batch.target):
        assert each.dtype == torch.float32
        assert 0.0 <= float(each.min()) <= float(each.max()) <= 1.0
    condition = batch.condition
    assert torch.equal(condition, condition[:, :, :1, :1].expand_as(condition))


@pytest.mark.parametrize("kind", ["full", "half"])
def test_a_batch_is_the_packs_samples_forwards_or_backwards(
    triplet_packs: dict[str, Path], kind: str, as_they_are: None
) -> None:
    folder = triplet_packs[kind]
    stored = np.load(folder / "x.npy").astype(int)
    conditions = np.load(folder / "condition.npy")
    batch = TripletPack(folder).batch(np.random.default_rng(1), 8)
    channels = batch.shown.shape[2]
    frames = stored[:, : 3 * channels].reshape(8, 3, channels, 4, 4)
    full = frames[:, 1] if kind == "full" else stored[:, 18:42]
    backwards = 0
    for row in range(8):
        assert np.array_equal((batch.target[row] * 255).round().numpy(), stored[row, -24:])
        assert np.array_equal((batch.condition[row, :, 0, 0] * 255).round(), conditions[row])
        quarters = 4 * full[row] + stored[row, -48:-24] - 128
        assert np.array_equal((batch.base[row] * 1020).round().numpy(), quarters)
        shown = (batch.shown[row] * 255).round().numpy()
        flipped = np.array_equal(shown, frames[row, ::-1])
        assert flipped or np.array_equal(shown, frames[row])
        backwards += flipped
    assert 0 < backwards < 8


def test_mirrors_leave_the_bases_error_as_it_is(
    triplet_packs: dict[str, Path],
) -> None:
    for folder in triplet_packs.values():
        stored = plane_errors(np.load(folder / "x.npy"))
        batch = TripletPack(folder).batch(np.random.default_rng(3), 8)
        squared = ((batch.base - batch.target) * 255).square()
        for plane, (start, end, _) in enumerate(PLANES):
            errors = squared[:, start:end].mean(dim=(1, 2, 3)).numpy()
            assert np.allclose(errors, stored[:, plane], rtol=1e-4)


def test_several_packs_are_read_as_one(
    triplet_packs: dict[str, Path], as_they_are: None, tmp_path: Path
) -> None:
    folder = triplet_packs["full"]
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    np.save(other / "x.npy", 255 - np.load(folder / "x.npy"))
    pack = TripletPack(folder, other)
    assert len(pack) == 16
    target = pack.batch(np.random.default_rng(1), 16).target
    both = np.concatenate([np.load(each / "x.npy")[:, -24:] for each in (folder, other)])
    assert np.array_equal((target * 255).round().numpy(), both)


def test_packs_of_two_kinds_or_of_none_are_refused(
    triplet_packs: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=f"{channels_stored(24)} and those of half-size ones"):
        TripletPack(*triplet_packs.values())
    odd = tmp_path / "odd"
    shutil.copytree(triplet_packs["full"], odd)
    np.save(odd / "x.npy", np.load(odd / "x.npy")[:, :-1])
    with pytest.raises(ValueError, match="119"):
        TripletPack(odd)


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


def test_the_same_seed_gives_the_same_batch(
    triplet_packs: dict[str, Path], sequence_pack: Path
) -> None:
    for make in (
        lambda seed: TripletPack(triplet_packs["half"]).batch(np.random.default_rng(seed), 4).shown,
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


def test_pictures_are_cropped_at_any_cell_and_several_packs_are_one(
    picture_pack: Path, tmp_path: Path
) -> None:
    stored = np.arange(16, dtype=np.uint8)[None, None, :, None] + np.zeros(
        (3, 96, 16, 16), np.uint8
    )
    np.save(tmp_path / "x.npy", stored)
    both = PicturePack(tmp_path, picture_pack)
    assert len(both) == 27
    alone = PicturePack(tmp_path)
    rows = set()
    for seed in range(20):
        x = alone.batch(np.random.default_rng(seed), 3, 8)
        assert x.shape == (3, 96, 8, 8)
        levels = (x * 255).round()
        rows |= {int(each) for each in levels[:, 0, :, 0].min(dim=1).values}
        # Neighbouring cells of the pack are neighbours in the crop.
        assert set((levels[:, 0, 1:, 0] - levels[:, 0, :-1, 0]).abs().unique().tolist()) == {1.0}
    assert rows == set(range(9))


def test_a_crop_larger_than_the_pack_is_an_error(picture_pack: Path) -> None:
    with pytest.raises(ValueError, match="crops of 24 cells from a pack of 16"):
        PicturePack(picture_pack).batch(np.random.default_rng(0), 2, 24)
