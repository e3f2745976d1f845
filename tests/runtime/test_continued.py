"""Continued frames: coded after another's symbols, and drawn from their own alone."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from edgecodec.runtime.chunks import Chunk, StrategyId
from edgecodec.runtime.errors import BitstreamError
from edgecodec.runtime.fields import Limits
from edgecodec.runtime.frames import PictureFormat, Planes
from edgecodec.runtime.latents import dequantize
from edgecodec.runtime.packing import unpack
from edgecodec.runtime.payloads import FrameKind, LatentBody, pack_body
from edgecodec.runtime.prior import Prior
from edgecodec.runtime.prior_coding import decode_with_prior, network_symbols
from edgecodec.runtime.scenes import SceneContext, _symbols, decode_scene, latent_shape
from edgecodec.runtime.sessions import Network, NetworkPool
from numpy.typing import NDArray

from .prior_samples import (
    CONTINUED_CHAIN,
    CONTINUED_TREE,
    NANO_DESIGN,
    NANO_WHOLE,
    Design,
    FrameSymbols,
    Priors,
    body_with_priors,
    fixed_arrays,
    from_digest,
    nano_priors,
    prior_arrays,
    slow_symbols,
)
from .streams import LATENT_MODELS, NANO

SMALL = PictureFormat(96, 64)
CELLS = latent_shape(SMALL)
Order = Sequence[tuple[int, int, tuple[int, ...]]]


class CountingPool:
    """A pool that counts which network draws how many frames."""

    def __init__(self) -> None:
        self._pool = NetworkPool(threads=1)
        self.drawn: Counter[str] = Counter()

    def network(self, model_id: str) -> CountingPool.Counting:
        return self.Counting(self._pool.network(model_id), self.drawn)

    class Counting:
        def __init__(self, network: Network, drawn: Counter[str]) -> None:
            self.entry = network.entry
            self._network = network
            self._drawn = drawn

        def run(self, inputs: Mapping[str, NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
            self._drawn[self.entry.name] += 1
            return self._network.run(inputs)


@pytest.fixture
def pool() -> CountingPool:
    return CountingPool()


def continued(order: Order, design: Design = NANO_DESIGN, seed: int = 0) -> LatentBody:
    frames = slow_symbols(order, CELLS, design, seed)
    return body_with_priors(frames, LATENT_MODELS, nano_priors(design))


def finder(priors: Priors) -> Callable[[str], Prior]:
    return lambda prior_id: {prior.prior_id: prior for prior in priors}[prior_id]


def play(
    body: LatentBody,
    pool: CountingPool,
    first: int = 0,
    design: Design = NANO_DESIGN,
    limits: Limits | None = None,
    find: Callable[[str], Prior] | None = None,
) -> list[Planes]:
    times = tuple(range(len(body.packets)))
    chunk = Chunk(0, 0, StrategyId.SEMANTIC_LATENT, times, pack_body(body))
    find = find or finder(nano_priors(design))
    context = SceneContext(SMALL, pool, 1, limits or Limits(), priors=find)  # type: ignore[arg-type]
    return list(decode_scene(chunk, context, first=first))


def drawn_alone(frames: Sequence[FrameSymbols], design: Design) -> list[Planes]:
    """Each frame by the I-frame decoder, from its own symbols."""
    network = NetworkPool(threads=1).network(NANO.network("iframe_decoder").model_id)
    prior = nano_priors(design)[FrameKind.I]
    made = {}
    for _, position, _, symbols in frames:
        frame, _ = network.run({"latent": dequantize(network_symbols(symbols, prior), 17)})
        made[position] = unpack(frame, SMALL)
    return [made[position] for position in sorted(made)]


def same(a: Sequence[Planes], b: Sequence[Planes]) -> bool:
    pairs = zip(a, b, strict=True)
    return all(np.array_equal(*each) for one in pairs for each in zip(*one, strict=True))


@pytest.mark.parametrize("design", [NANO_DESIGN, NANO_WHOLE], ids=["differences", "whole"])
@pytest.mark.parametrize("order", [CONTINUED_CHAIN, CONTINUED_TREE], ids=["chain", "tree"])
def test_every_frame_is_drawn_from_its_own_symbols(
    pool: CountingPool, order: Order, design: Design
) -> None:
    body = continued(order, design)
    wanted = drawn_alone(slow_symbols(order, CELLS, design), design)
    assert same(play(body, pool, design=design), wanted)
    assert pool.drawn == {"iframe_decoder": len(order)}
    alone = replace(body, models=LATENT_MODELS[:1])
    assert same(play(alone, pool, design=design), wanted)


@pytest.mark.parametrize("first", range(6))
def test_from_a_later_frame_on_nothing_else_is_drawn(
    pool: CountingPool, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    decoded = 0

    def counted(*arguments: object) -> NDArray[np.int16]:
        nonlocal decoded
        decoded += 1
        return decode_with_prior(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(_symbols, "decode_with_prior", counted)
    body = continued(CONTINUED_TREE)
    wanted = drawn_alone(slow_symbols(CONTINUED_TREE, CELLS), NANO_DESIGN)
    assert same(play(body, pool, first), wanted[first:])
    assert pool.drawn == {"iframe_decoder": 6 - first}
    # 3 rests on 0, 2 on 1 and that on 0, 4 on 5.
    assert decoded == (6, 6, 6, 4, 2, 1)[first]


def test_a_packet_without_bytes_is_its_reference_again(pool: CountingPool) -> None:
    frames = slow_symbols(CONTINUED_CHAIN, CELLS)
    still = [(kind, at, references, frames[0][3]) for kind, at, references, _ in frames]
    body = body_with_priors(still, LATENT_MODELS, nano_priors())
    assert [packet.data for packet in body.packets[1:]] == [b"", b"", b""]
    first, *others = play(body, pool)
    assert all(same([first], [other]) for other in others)


def test_other_frames_may_be_made_from_a_continued_one(pool: CountingPool) -> None:
    order = ((0, 0, ()), (3, 1, (0,)), (1, 2, (1,)), (3, 5, (1,)), (2, 4, (2, 5)), (2, 3, (2, 4)))
    body = continued(order)
    wanted = play(body, pool)
    assert pool.drawn == {"iframe_decoder": 3, "generator_p": 1, "generator_b": 2}
    for first in range(1, 6):
        pool.drawn.clear()
        assert same(play(body, pool, first), wanted[first:])
        # From frame 3 on: 1 for 2, 2 and 5 for 4, and 0 is not drawn.
        assert pool.drawn["iframe_decoder"] == (3, 2, 2, 2, 2, 1)[first]


def test_symbols_are_kept_only_until_they_are_continued(pool: CountingPool) -> None:
    chain = [(0, 0, ()), *((3, at, (at - 1,)) for at in range(1, 12))]
    assert len(play(continued(chain), pool, limits=Limits(max_frames_held=1))) == 12


def test_a_scene_that_hoards_symbols_is_stopped(pool: CountingPool) -> None:
    """Frames that are all continued later: without a bound all of their symbols would be kept."""
    order = [*((0, at, ()) for at in range(5)), *((3, at, (at - 5,)) for at in range(5, 10))]
    body = continued(order)
    with pytest.raises(BitstreamError, match="5 frames are yet to be continued, at most 4 may"):
        play(body, pool, limits=Limits(max_frames_held=4))
    assert len(play(body, pool, limits=Limits(max_frames_held=5))) == 10
    # Those that wait for nothing that is shown are not even decoded.
    assert len(play(body, pool, first=7, limits=Limits(max_frames_held=4))) == 3


def changed(priors: Priors, kind: FrameKind, prior: Prior) -> Priors:
    made = list(priors)
    made[kind] = prior
    i, p, b, c = made
    return i, p, b, c


GATED_I = Prior.from_arrays(prior_arrays(10, replace(NANO_DESIGN, previous=2)))
GATED_P = Prior.from_arrays(prior_arrays(11, replace(NANO_DESIGN, previous=2)))
SEEING_C = Prior.from_arrays(prior_arrays(13, replace(NANO_DESIGN, previous=1)))
NARROW_C = Prior.from_arrays(prior_arrays(13, replace(NANO_DESIGN, groups=(4, 59), previous=2)))
WHOLE_C = Prior.from_arrays(prior_arrays(13, replace(NANO_WHOLE, groups=(4, 60), previous=2)))
UNSUITED = {
    "gated for I": (FrameKind.I, GATED_I, "of I frames is gated"),
    "gated for P": (FrameKind.P, GATED_P, "of P frames is gated"),
    "not gated for C": (FrameKind.C, SEEING_C, "of C frames is not gated"),
    "fewer channels": (FrameKind.C, NARROW_C, "codes 63 channels and I frames'"),
    "a whole brightness": (FrameKind.C, WHOLE_C, "no whole brightness"),
}


@pytest.mark.parametrize("name", UNSUITED)
def test_a_prior_that_does_not_suit_its_frames_is_damage(pool: CountingPool, name: str) -> None:
    kind, prior, message = UNSUITED[name]
    body = continued(((0, 0, ()), (3, 1, (0,)), (1, 2, (1,))))
    priors = changed(nano_priors(), kind, prior)
    i, p, b, c = (each.prior_id for each in priors)
    with pytest.raises(BitstreamError, match=message):
        play(replace(body, priors=(i, p, b, c)), pool, find=finder(priors))


def test_priors_of_kinds_that_a_chunk_lacks_are_not_looked_for(pool: CountingPool) -> None:
    body = continued(CONTINUED_CHAIN[:1])
    body = replace(body, priors=(body.priors[0], "ab" * 8, "cd" * 8, "ef" * 8))
    assert len(play(body, pool)) == 1


def test_damage_costs_what_rests_on_it(pool: CountingPool) -> None:
    """Symbols of a damaged frame are noticed, and the frames before it are still shown."""
    body = continued(CONTINUED_CHAIN)
    damaged = list(body.packets)
    data = bytearray(damaged[2].data)
    data[0] ^= 1
    damaged[2] = replace(damaged[2], data=bytes(data))
    chunk = Chunk(
        0,
        0,
        StrategyId.SEMANTIC_LATENT,
        tuple(range(4)),
        pack_body(replace(body, packets=tuple(damaged))),
    )
    context = SceneContext(SMALL, pool, 1, priors=finder(nano_priors()))  # type: ignore[arg-type]
    shown = decode_scene(chunk, context)
    assert same([next(shown), next(shown)], play(body, pool)[:2])
    with pytest.raises(BitstreamError, match="checksum"):
        next(shown)


def test_symbols_of_another_frame_before_are_noticed(pool: CountingPool) -> None:
    body = continued(CONTINUED_CHAIN)
    packets = list(body.packets)
    packets[3] = replace(packets[3], references=(0,))
    with pytest.raises(BitstreamError):
        play(replace(body, packets=tuple(packets)), pool)


def test_streams_of_this_version_stay_as_they_are() -> None:
    """Chunks of this version, of fixed priors and symbols, and what is decoded from them."""
    found = []
    for whole in (0, 1):
        order = ((0, 0, ()), (3, 1, (0,)), (3, 2, (1,)))
        design = Design(groups=(1, 3, 5), means=(1, 1, 0), whole=whole, signed=4)
        i, c = (
            Prior.from_arrays(fixed_arrays(replace(design, previous=previous)))
            for previous in (0, 2)
        )
        first = from_digest("first", (9, 17, 19), 3).astype(np.int16)
        moves = from_digest("moves", first.shape, 8) == 7
        second = np.where(moves, from_digest("second", first.shape, 3), first).astype(np.int16)
        frames: list[FrameSymbols] = [
            (FrameKind(kind), at, references, symbols)
            for (kind, at, references), symbols in zip(order, (first, second, second), strict=True)
        ]
        body = body_with_priors(frames, ("00112233445566aa",), (i, i, i, c))
        assert decoded(body, i, c) == [first.tobytes(), second.tobytes(), second.tobytes()]
        found.append(hashlib.sha256(pack_body(body)).hexdigest()[:16])
    assert found == ["7987468a3e7c085f", "fb1b3a1b64baf858"]


def decoded(body: LatentBody, i: Prior, c: Prior) -> list[bytes]:
    symbols: NDArray[np.int16] | None = None
    found = []
    for packet in body.packets:
        prior = c if packet.kind is FrameKind.C else i
        symbols = decode_with_prior(packet.data, (17, 19), 17, prior, symbols)
        found.append(symbols.tobytes())
    return found
