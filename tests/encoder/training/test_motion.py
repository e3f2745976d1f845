"""Motion tables are fitted: what is drawn looks like the frame, what is seen like the next one."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from edgecodec.encoder.analysis import load_analysis
from edgecodec.encoder.analysis_weights import weights_path
from edgecodec.encoder.motion_search import find_vectors
from edgecodec.encoder.training import motion
from edgecodec.encoder.training.motion import Moments, around_of, cells_of, fit, pairs
from edgecodec.encoder.training.packs import SequencePack
from edgecodec.runtime.drawing import drawn
from edgecodec.runtime.latents import LATENT_LEVELS_PER_UNIT, step_size
from edgecodec.runtime.motion import expected_levels
from edgecodec.runtime.motion_tables import MotionTables, read_motion
from edgecodec.runtime.packing import pack
from edgecodec.runtime.picture import Picture
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ..moving_pictures import panned

CHANNELS = 5
SIDE, FRAMES = 96, 4
STEPS = (2, 3, -3, 5)
INNER = (slice(None), slice(1, -1), slice(1, -1))
Arrays = dict[str, Any]


class Means(nn.Module):
    """The means of a cell's planes, and its luma's slopes: across and down."""

    def forward(self, frames: Tensor, _: Tensor) -> Tensor:
        grey = 255 * frames - 128
        luma = F.pixel_shuffle(grey[:, :64], 8)
        chroma = F.pixel_shuffle(grey[:, 64:], 4)
        slope = torch.linspace(-2, 2, 16).expand(16, 16)
        kernels = torch.stack([torch.full((16, 16), 2.0), slope, slope.T])[:, None] / 1024
        of_luma = F.conv2d(luma, kernels, stride=16)
        parts = (of_luma[:, :1], F.avg_pool2d(chroma, 8) / 4, of_luma[:, 1:])
        return torch.cat(parts, dim=1)


@pytest.fixture(scope="module")
def moving_pack(tmp_path_factory: pytest.TempPathFactory) -> SequencePack:
    return SequencePack(moving_folder(tmp_path_factory.mktemp("moving")))


def moving_folder(folder: Path) -> Path:
    """12 sequences of 96x96 pixels of cameras that move across."""
    made = [
        np.stack(
            [pack(panned(SIDE, SIDE, 30 + step * at, seed=seed), 8, 16)[0] for at in range(FRAMES)]
        )
        for seed, step in enumerate(3 * STEPS)
    ]
    np.save(folder / "x.npy", np.stack(made))
    return folder


@pytest.fixture(scope="module")
def fitted(moving_pack: SequencePack) -> Arrays:
    return fit(moving_pack, Means(), CHANNELS, 64)


def correlated(inputs: int, outputs: int, noise: float = 0.1) -> tuple[NDArray[np.float32], ...]:
    """Inputs that resemble their neighbours, and outputs that they give."""
    random = np.random.default_rng(inputs)
    seen = random.normal(size=(3000, inputs)).cumsum(axis=1) / 4
    wanted = seen @ random.normal(size=(inputs, outputs)) + 2
    wanted += noise * random.normal(size=wanted.shape)
    return seen.astype(np.float32), wanted.astype(np.float32)


def loss(
    seen: NDArray[np.float32],
    wanted: NDArray[np.float32],
    weights: NDArray[np.floating],
    bias: NDArray[np.floating],
) -> float:
    return float(np.square(seen @ weights.T + bias - wanted).sum())


def test_moments_solve_least_squares() -> None:
    seen, wanted = correlated(12, 3)
    moments = Moments(12, 3, 1e-9)
    moments.add(seen, wanted)
    weights, bias = moments.solved()
    rows = np.concatenate([seen, np.ones((len(seen), 1))], axis=1)
    best, *_ = np.linalg.lstsq(rows, wanted, rcond=None)
    np.testing.assert_allclose(weights, best[:-1].T, atol=1e-3)
    np.testing.assert_allclose(bias, best[-1], atol=1e-3)


def test_portions_are_summed_up_by_their_weight() -> None:
    seen, wanted = correlated(6, 2, noise=3.0)
    whole, portions, heavy = (Moments(6, 2, 1e-9) for _ in range(3))
    whole.add(seen, wanted)
    whole.add(seen[:500], wanted[:500])
    for start in range(0, len(seen), 700):
        portions.add(seen[start : start + 700], wanted[start : start + 700])
    portions.add(seen[:500], wanted[:500])
    heavy.add(seen[:500], wanted[:500], 2.0)
    heavy.add(seen[500:], wanted[500:])
    for other in (portions, heavy):
        for one, same in zip(whole.solved(), other.solved(), strict=True):
            np.testing.assert_allclose(one, same, rtol=1e-3, atol=1e-4)


def test_a_ridge_keeps_weights_small() -> None:
    seen, wanted = correlated(12, 3)
    sizes = []
    for ridge in (1e-6, 1e-2, 1.0):
        moments = Moments(12, 3, ridge)
        moments.add(seen, wanted)
        sizes.append(np.square(moments.solved()[0]).sum())
    assert sizes[0] > sizes[1] > sizes[2]


@pytest.mark.parametrize("shift", [1, 2, 4])
@pytest.mark.parametrize("inputs", [20, 60])
def test_whole_numbers_make_up_for_each_other(inputs: int, shift: int) -> None:
    """They lose far less than the nearest ones where inputs resemble each other."""
    seen, wanted = correlated(inputs, 3)
    moments = Moments(inputs, 3, 1e-6)
    moments.add(seen, wanted)
    weights, bias = moments.solved()
    whole, moved = moments.rounded(shift)
    unit = 2.0**shift
    assert whole.shape == weights.shape
    assert moved.shape == bias.shape
    np.testing.assert_array_equal(whole, np.rint(whole))
    np.testing.assert_array_equal(moved, np.rint(moved))
    least = loss(seen, wanted, weights, bias)
    nearest = loss(seen, wanted, np.rint(unit * weights) / unit, np.rint(unit * bias) / unit)
    assert loss(seen, wanted, whole / unit, moved / unit) - least < 0.5 * (nearest - least)


def test_fine_whole_numbers_lose_nothing() -> None:
    seen, wanted = correlated(20, 3)
    moments = Moments(20, 3, 1e-6)
    moments.add(seen, wanted)
    for one, other in zip(moments.solved(), moments.rounded(20), strict=True):
        np.testing.assert_allclose(other / 2.0**20, one, atol=1e-4)


def test_cells_and_what_is_around_them_are_as_players_have_them() -> None:
    """In the order of the tables' inputs and outputs."""
    random = np.random.default_rng(0)
    levels = random.integers(-100, 100, (CHANNELS, 4, 5)).astype(np.int16)
    around = around_of(levels)
    assert around.shape == (2, 3, 9 * CHANNELS)
    draw = np.zeros((384, 9 * CHANNELS), np.int16)
    # Each sample of a cell shows one input.
    shown = np.arange(384) % (9 * CHANNELS)
    draw[np.arange(384), shown] = 2
    arrays = {
        "config": np.array([1, CHANNELS, 1, 1], np.int32),
        "draw": draw,
        "draw_bias": np.zeros(384, np.int32),
        "see": np.zeros((CHANNELS, 1536), np.int16),
        "see_bias": np.zeros(CHANNELS, np.int32),
    }
    picture = drawn(levels, MotionTables.from_arrays(arrays))
    cells = cells_of(picture)
    assert cells.shape == (4, 5, 384)
    np.testing.assert_array_equal(cells[1:-1, 1:-1], around[..., shown])


def test_pairs_are_frames_after_each_other_as_they_are_sent(moving_pack: SequencePack) -> None:
    made = list(pairs(moving_pack, Means(), 32, seed=3))
    assert len(made) == 32
    assert len({pair.quality for pair in made}) > 10
    for pair in made:
        assert pair.levels.shape == pair.wanted.shape == (CHANNELS, SIDE // 16, SIDE // 16)
        assert pair.levels.dtype == np.int16
        step = LATENT_LEVELS_PER_UNIT * step_size(pair.quality)
        # Symbols are the nearest, and levels the nearest to these.
        assert np.abs(pair.levels - levels_of_picture(pair.picture)).max() <= step / 2 + 1
        np.testing.assert_allclose(pair.wanted, levels_of_picture(pair.next), atol=1e-2)
        vectors = find_vectors(pair.picture.luma / 2, pair.next.luma / 2, 50.0)[INNER]
        assert np.abs(np.median(vectors[1])) in {2 * abs(step) for step in STEPS}


def levels_of_picture(picture: Picture) -> NDArray[np.float32]:
    """What `Means` makes of it, in levels."""
    y, u, v = ((plane / 2 + 128) / 255 for plane in (picture.luma, *picture.chroma))
    packed = [
        F.pixel_unshuffle(torch.from_numpy(plane)[None, None], block)
        for plane, block in ((y, 8), (u, 4), (v, 4))
    ]
    latents: Tensor = Means()(torch.cat(packed, dim=1), torch.zeros(1))
    made: NDArray[np.float32] = (LATENT_LEVELS_PER_UNIT * latents[0]).numpy()
    return made


def error(found: NDArray[Any], wanted: NDArray[np.float32]) -> float:
    return float(np.square((found - wanted)[INNER]).sum())


def test_players_take_what_is_fitted_and_it_tells_what_comes(
    moving_pack: SequencePack, fitted: Arrays
) -> None:
    tables = MotionTables.from_arrays(fitted)
    assert tables.channels == CHANNELS
    moved = still = flat = seen = 0.0
    for pair in pairs(moving_pack, Means(), 48, seed=9):
        picture = drawn(pair.levels, tables)
        seen += float(np.square(picture.luma - pair.picture.luma).sum())
        mean = pair.picture.luma.mean()
        flat += float(np.square(pair.picture.luma - mean).sum())
        vectors = find_vectors(picture.luma / 2, pair.next.luma / 2, 50.0)
        expected = expected_levels(pair.levels, vectors, tables, picture)
        moved += error(expected, pair.wanted)
        still += error(pair.levels, pair.wanted)
    assert seen < 0.6 * flat
    assert moved < 0.6 * still


def test_the_same_pack_gives_the_same_tables(moving_pack: SequencePack) -> None:
    one, other = (fit(moving_pack, Means(), CHANNELS, 16) for _ in range(2))
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name])
    first, second = (MotionTables.from_arrays(each).motion_id for each in (one, other))
    assert first == second


def test_the_installed_analysis_has_tables_fitted_to_it(moving_pack: SequencePack) -> None:
    name = "analysis_i"
    analysis = load_analysis(name, "edge", weights_path(name, "edge"))
    channels = motion.TIERS["edge"].latents - 1
    tables = MotionTables.from_arrays(fit(moving_pack, analysis, channels, 8))
    assert tables.channels == channels
    assert tables.draw.any()
    assert tables.see.any()


def test_the_command_publishes_what_players_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moving_pack: SequencePack
) -> None:
    monkeypatch.setattr(motion, "TIERS", {"tiny": SimpleNamespace(latents=CHANNELS + 1)})
    monkeypatch.setattr(motion, "load_analysis", lambda *_: Means())
    folder = tmp_path / "pack"
    folder.mkdir()
    path = tmp_path / "motions" / "tiny.npz"
    arguments = ["--pack", moving_folder(folder), "--tier", "tiny", "--pairs", 16]
    arguments += ["--threads", 1, "--publish", path]
    monkeypatch.setattr(sys, "argv", ["motion", *map(str, arguments)])
    motion.main()
    assert [each.name for each in path.parent.iterdir()] == ["tiny.npz"]
    wanted = MotionTables.from_arrays(fit(moving_pack, Means(), CHANNELS, 16))
    assert read_motion(path).motion_id == wanted.motion_id


def test_weights_that_are_never_exact_are_refused() -> None:
    """Nothing is published that players would not take."""
    seen = np.random.default_rng(0).normal(0, 1e-6, (200, 4)).astype(np.float32)
    moments = Moments(4, 2, 1e-9)
    moments.add(seen, (1e8 * seen[:, :2]).astype(np.float32))
    with pytest.raises(ValueError, match=r"draw: weights of up to .* are not exact"):
        motion._rounded("draw", moments, np.full(4, 508.0))
