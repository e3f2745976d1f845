"""Detail of scenes: sent once for what stands still, and added by players as the encoder saw it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from edgecodec.encoder.detail_quality import FINEST_QUALITY, FIRST_QUALITY
from edgecodec.encoder.scene_detail import FrameDetail, LatentFrame, scene_detail
from edgecodec.runtime.detail import Detailed, decode_detail, kept_samples, with_detail
from edgecodec.runtime.frame_levels import levels_of
from edgecodec.runtime.packing import Packed
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from .detail_pictures import (
    BLOCKS,
    CELLS,
    PRIORS,
    detail_prior,
    error_of,
    grainy,
    soft,
    some_latent,
)

Order = Sequence[tuple[int, tuple[int, ...]]]
# (position, references) in decoding order.
CHAIN: Order = ((0, ()), (1, (0,)), (2, (1,)), (3, (2,)))
TREE: Order = ((0, ()), (3, (0,)), (1, (0,)), (2, (1,)))
BETWEEN: Order = ((0, ()), (4, (0,)), (2, (0, 4)), (1, (0, 2)), (3, (2, 4)))
ORDERS = {"chain": CHAIN, "tree": TREE, "between": BETWEEN}
LATENT_QUALITY = 40
QUALITY = 60


def draw(latent: NDArray[np.uint8]) -> Packed:
    """In the place of a network: each cell from its own latents alone."""
    brighter = latent[0, 5].astype(np.int16) - 128
    blocks = brighter.repeat(2, 0).repeat(2, 1) // 2
    return (soft()[0] + blocks).clip(0, 255).astype(np.uint8)[None]


@dataclass(frozen=True)
class Scene:
    """Frames in decoding order, and their sources by position."""

    frames: Sequence[LatentFrame]
    sources: Mapping[int, Packed]

    def detail(self, quality: float = QUALITY, name: str = "random") -> dict[int, FrameDetail]:
        """What is sent, by position."""
        source, prior = self.sources.__getitem__, detail_prior(name)
        return dict(scene_detail(self.frames, source, self.drawn, prior, quality))

    def drawn(self, position: int) -> Packed:
        """A frame without detail."""
        [latent] = [each.latent for each in self.frames if each.position == position]
        return draw(latent)

    def error(self, position: int, shown: Packed) -> float:
        return float(error_of(self.sources[position], shown).mean())


def blocks_of(cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return cells.repeat(2, 0).repeat(2, 1)


def scene_of(order: Order, moving: NDArray[np.bool_] | float = 0.0, seed: int = 0) -> Scene:
    """Frames whose cells that move, or such a share, have other latents than the first that they
    refer to, and other things are missing there."""
    random = np.random.default_rng(seed)
    latents: dict[int, NDArray[np.uint8]] = {}
    missing: dict[int, NDArray[np.int16]] = {}
    for number, (position, references) in enumerate(order):
        latent = some_latent(100 * seed + number)
        lacks = (grainy(number % 4)[0].astype(np.int16) - soft(number % 4)[0]).copy()
        if references:
            cells = random.random(CELLS) < moving if isinstance(moving, float) else moving
            latent = np.where(cells, latent, latents[references[0]])
            lacks = np.where(blocks_of(cells), lacks, missing[references[0]])
        latents[position], missing[position] = latent, lacks
    frames = [
        LatentFrame(position, references, LATENT_QUALITY, latents[position])
        for position, references in order
    ]
    sources = {
        position: (draw(latents[position])[0] + lacks).clip(0, 255).astype(np.uint8)[None]
        for position, lacks in missing.items()
    }
    return Scene(frames, sources)


def chain_of(count: int) -> Order:
    return [(0, ()), *((at, (at - 1,)) for at in range(1, count))]


def assert_played(scene: Scene, sent: Mapping[int, FrameDetail], name: str) -> None:
    """A player's loop: what is shown is what the encoder says is shown."""
    done: dict[int, Detailed] = {}
    for frame in scene.frames:
        prior, made = detail_prior(name), sent.get(frame.position)
        data = b"" if made is None else made.sent.packet(prior)
        levels = levels_of(frame.latent)
        kept = kept_samples(levels, [done[each] for each in frame.references])
        samples = decode_detail(data, frame.latent, frame.quality, prior, kept)
        done[frame.position] = Detailed(levels, samples)
        if made is None:
            assert samples is None
            continue
        drawn = draw(frame.latent)
        shown = drawn if samples is None else with_detail(drawn, samples)
        np.testing.assert_array_equal(made.shown, shown)


@pytest.mark.parametrize("order", ["chain", "tree", "between"])
@pytest.mark.parametrize("name", PRIORS)
def test_what_stands_still_is_sent_once(name: str, order: str) -> None:
    scene = scene_of(ORDERS[order])
    sent = scene.detail(name=name)
    assert list(sent) == [frame.position for frame in scene.frames]
    first, *others = sent.values()
    prior = detail_prior(name)
    assert first.sent.symbols.any()
    assert first.sent.keeps
    for position, made in sent.items():
        assert scene.error(position, made.shown) < 0.1 * scene.error(position, scene.drawn(0))
    for made in others:
        assert not made.sent.symbols.any()
        assert made.sent.keeps
        assert made.sent.packet(prior) == b""
        np.testing.assert_array_equal(made.shown, first.shown)
    assert_played(scene, sent, name)


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(sorted(ORDERS)),
    st.sampled_from([0.0, 0.2, 0.6, 1.0]),
    st.integers(0, 1000),
    st.floats(-10, FINEST_QUALITY),
    st.booleans(),
)
def test_players_show_what_the_encoder_saw(
    order: str, moving: float, seed: int, quality: float, noisy: bool
) -> None:
    """In scenes where more or less moves, and where what stands still is another source or not."""
    scene = scene_of(ORDERS[order], moving, seed)
    if noisy:
        random = np.random.default_rng(seed)
        other = [at for at in scene.sources if random.random() < 0.4]
        shuffled = {at: random.permutation(scene.sources[at][0])[None] for at in other}
        scene = replace(scene, sources={**scene.sources, **shuffled})
    assert_played(scene, scene.detail(quality), "random")


@pytest.mark.parametrize("name", PRIORS)
def test_where_only_a_part_moves_the_rest_is_kept(name: str) -> None:
    moving = np.zeros(CELLS, bool)
    moving[:, :2] = True
    scene = scene_of(CHAIN, moving)
    sent = scene.detail(QUALITY, name)
    assert_played(scene, sent, name)
    first = sent[0].sent.symbols
    for position in (1, 2, 3):
        own = sent[position].sent
        assert own.keeps
        assert own.symbols[:, blocks_of(moving)].any()
        still = own.symbols[:, ~blocks_of(moving)]
        assert np.count_nonzero(still) < 0.05 * np.count_nonzero(first[:, ~blocks_of(moving)])
        errors = error_of(scene.sources[position], sent[position].shown)
        assert (errors[~blocks_of(moving)] < 40).all()


@pytest.mark.parametrize("name", PRIORS)
def test_what_is_seen_longer_is_finer(name: str) -> None:
    """The same is missing on both sides, but one moves on."""
    moving = np.zeros(CELLS, bool)
    moving[:, ::2] = True
    scene = scene_of(chain_of(6), moving)
    errors = error_of(scene.sources[0], scene.detail(40, name)[0].shown)
    assert errors[~blocks_of(moving)].mean() < 0.75 * errors[blocks_of(moving)].mean()
    still = error_of(scene.sources[0], scene_of(chain_of(6)).detail(40, name)[0].shown)
    assert still[blocks_of(moving)].mean() < 0.75 * errors[blocks_of(moving)].mean()


def test_the_longer_a_scene_stands_still_the_finer_it_is() -> None:
    def finest(order: Order, quality: float = 30) -> int:
        return scene_of(order).detail(quality)[0].sent.quality

    qualities = [finest(chain_of(count)) for count in (1, 2, 4, 8)]
    assert qualities[0] == 30 - FIRST_QUALITY
    # Twice as long, the price of a bit is half: that of 8 or 9 qualities.
    assert set(np.diff(qualities).tolist()) <= {8, 9}
    assert finest(TREE) == finest(CHAIN) == qualities[2]
    assert finest(chain_of(8), 80) == finest(chain_of(1), FINEST_QUALITY) == 63


def test_detail_that_is_not_worth_it_is_not_even_looked_for() -> None:
    scene = scene_of(CHAIN, 1.0)

    def never(_: object) -> Packed:
        raise AssertionError("nobody needs it")

    coarsest = FIRST_QUALITY - 0.6
    assert not list(scene_detail(scene.frames, never, never, detail_prior("random"), coarsest))
    assert list(scene.detail(FIRST_QUALITY - 0.4)) == [0, 1, 2, 3]
    # For what is seen four times, it is.
    still = scene_of(CHAIN).detail(coarsest)
    assert list(still) == [0, 1, 2, 3]
    assert still[0].sent.symbols.any()


def inverted(scene: Scene, position: int) -> Scene:
    """The same with what a frame lacks the other way round, so that what it keeps is wrong."""
    drawn = scene.drawn(position)[0].astype(np.int16)
    other = (2 * drawn - scene.sources[position][0]).clip(0, 255).astype(np.uint8)
    return replace(scene, sources={**scene.sources, position: other[None]})


@pytest.mark.parametrize("name", PRIORS)
def test_a_frame_that_would_be_worse_keeps_nothing(name: str) -> None:
    scene = inverted(scene_of(CHAIN), 2)
    sent = scene.detail(QUALITY, name)
    assert_played(scene, sent, name)
    assert [made.sent.keeps for made in sent.values()][:3] == [True, True, False]
    assert not sent[1].sent.symbols.any()
    assert sent[2].sent.symbols.any()
    assert sent[2].sent.packet(detail_prior(name))[0] == 64 + sent[2].sent.quality
    for position, made in sent.items():
        assert scene.error(position, made.shown) < 0.2 * scene.error(position, scene.drawn(0))


@pytest.mark.parametrize("name", PRIORS)
def test_a_frame_that_would_be_worse_and_is_worth_nothing_says_so_in_a_byte(name: str) -> None:
    """What is seen four times is worth sending, but not what is seen twice."""
    scene = inverted(scene_of(CHAIN), 2)
    sent = scene.detail(6, name)
    assert_played(scene, sent, name)
    assert sent[0].sent.symbols.any()
    assert sent[2].sent.packet(detail_prior(name)) == b"\x40"
    np.testing.assert_array_equal(sent[2].shown, scene.drawn(2))
    # Nothing is left to keep for the next.
    assert 3 not in sent


@pytest.mark.parametrize("name", PRIORS)
def test_frames_between_others_keep_what_has_not_moved_and_send_the_rest(name: str) -> None:
    moving = np.zeros(CELLS, bool)
    moving[1:3] = True
    scene = scene_of(BETWEEN, moving)
    sent = scene.detail(QUALITY, name)
    assert_played(scene, sent, name)
    assert [made.shown.shape for made in sent.values()] == [(1, 96, *BLOCKS)] * 5
    for position in (1, 2, 3):
        own = sent[position].sent
        assert own.keeps
        count, still = np.count_nonzero(own.symbols), own.symbols[:, ~blocks_of(moving)]
        assert count > 100
        assert np.count_nonzero(still) < 0.1 * count
        assert scene.error(position, sent[position].shown) < 0.2 * (
            scene.error(position, scene.drawn(position))
        )
