"""Finished trials on disk: kept exactly, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from edgecodec.encoder.store import TrialStore
from edgecodec.encoder.strategies import chunk_bits
from edgecodec.runtime.container import Codec, StrategyId

from .fakes import made, scene_file_of

SCENE = scene_file_of(2)
CANDIDATES = (
    made(0, 31.25, 1 / 3, codec=Codec.AV1, setting=40.25, body=b"body\n\0of any bytes"),
    made(
        0,
        100.0,
        99.0,
        codec=None,
        strategy=StrategyId.I_FRAME_INTERPOLATION,
        trial="ünïcode",
        body=bytes(range(256)),
        frame_scores=(0.1, 0.2),
    ),
    made(0, 20.0, 20.0, codec=Codec.VVC, strategy=StrategyId.HYBRID_SEMANTIC),
)


def test_a_trial_comes_back_as_it_was_with_its_bodies_on_disk(tmp_path: Path) -> None:
    store = TrialStore(tmp_path / "new" / "folder")
    store.save("key", CANDIDATES)
    again = store.load("key", SCENE)
    assert again is not None
    for kept, saved in zip(again, CANDIDATES, strict=True):
        assert kept.read_body() == saved.body
        assert kept.body is not saved.body
        for name in ("strategy", "codec", "trial", "setting", "frame_psnr", "frame_scores"):
            assert getattr(kept, name) == getattr(saved, name)


def test_bits_are_those_of_the_scene_that_asks(tmp_path: Path) -> None:
    store = TrialStore(tmp_path)
    store.save("key", CANDIDATES[:1])
    here, far = SCENE, scene_file_of(2, index=100_000)
    counted = []
    for scene in (here, far):
        (kept,) = store.load("key", scene) or ()
        size = len(CANDIDATES[0].read_body())
        expected = chunk_bits(scene.index, scene.start, scene.pts, kept.strategy, size)
        assert kept.bits == expected
        counted.append(kept.bits)
    assert counted[0] < counted[1]


def test_a_trial_that_made_nothing_is_known_too(tmp_path: Path) -> None:
    store = TrialStore(tmp_path)
    assert store.load("key", SCENE) is None
    store.save("key", [])
    assert store.load("key", SCENE) == ()
    assert store.load("another key", SCENE) is None


@pytest.mark.parametrize("where", [0, 10, 70, -1])
def test_a_file_that_was_changed_or_cut_off_counts_as_not_there(tmp_path: Path, where: int) -> None:
    store = TrialStore(tmp_path)
    store.save("key", CANDIDATES)
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    data[where] ^= 1
    path.write_bytes(data)
    assert store.load("key", SCENE) is None
    path.write_bytes(data[:where])
    assert store.load("key", SCENE) is None


def test_saving_that_fails_leaves_nothing(tmp_path: Path) -> None:
    store = TrialStore(tmp_path)
    broken = made(1, 30.0, frame_scores=(object(),))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        store.save("key", [broken])
    assert list(tmp_path.iterdir()) == []
