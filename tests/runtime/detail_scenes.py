"""Scenes with detail of every way that frames refer to others, and what stands in for networks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from edgecodec.runtime.chunks import Chunk, StrategyId
from edgecodec.runtime.fields import Limits
from edgecodec.runtime.frames import PictureFormat, Planes
from edgecodec.runtime.models import ModelEntry
from edgecodec.runtime.packing import unpack
from edgecodec.runtime.payloads import FrameKind, LatentBody, pack_body
from edgecodec.runtime.prior import Prior
from edgecodec.runtime.scenes import SceneContext, decode_scene, latent_shape
from numpy.typing import NDArray

from .detail_samples import LATENTS, DetailedScene, detail_prior, detailed_scene
from .motion_samples import Order, cosine_tables, finder, moving_priors
from .prior_samples import CONTINUED_TREE, WIDE_WHOLE, nano_priors
from .streams import LATENT_MODELS, NANO

SMALL = PictureFormat(90, 64)
CELLS = latent_shape(SMALL)
TABLES = cosine_tables(WIDE_WHOLE.channels)
CHAIN: Order = ((0, 0, ()), *((3, at, (at - 1,)) for at in range(1, 10)))
HIERARCHY: Order = ((0, 0, ()), (3, 4, (0,)), (2, 2, (0, 4)), (2, 1, (0, 2)), (2, 3, (2, 4)))
MIXED: Order = (
    (0, 0, ()),
    (3, 4, (0,)),
    (2, 2, (0, 4)),
    (2, 1, (0, 2)),
    (2, 3, (2, 4)),
    (1, 5, (3,)),
    (0, 6, ()),
    (3, 8, (6,)),
    (2, 7, (6, 8)),
)
SCENES: dict[str, tuple[Order, bool]] = {
    "chain": (CHAIN, False),
    "tree": (CONTINUED_TREE, False),
    "moving chain": (CHAIN, True),
    "moving tree": (CONTINUED_TREE, True),
    "hierarchy": (HIERARCHY, True),
    "mixed": (MIXED, True),
}


def draw(inputs: Mapping[str, NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """In the place of networks: samples of all sizes, other ones for other inputs."""
    latent, *features = (inputs[name] for name in sorted(inputs))
    frame = (37 * latent[:, 1:]).repeat(2, 2).repeat(2, 3)
    frame[:, :, 1::2, ::2] += np.uint8(90)
    return sum(features, start=frame)


class Pool:
    """Stands in for `NetworkPool`: its networks take latents of other channels, and `draw`."""

    provider = "cpu"

    def __init__(self, channels: int = LATENTS) -> None:
        self._channels = channels

    def network(self, model_id: str) -> Pool.Network:
        [entry] = [entry for entry in NANO.networks if entry.model_id == model_id]
        shape = 1, self._channels, None, None
        ports = [
            replace(port, shape=shape) if port.name == "latent" else port for port in entry.inputs
        ]
        return self.Network(replace(entry, inputs=tuple(ports)))

    class Network:
        def __init__(self, entry: ModelEntry) -> None:
            self.entry = entry

        def run(self, inputs: Mapping[str, NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
            return [draw(inputs), np.full((1, 96, 1, 1), inputs["latent"][0, 5, 0, 0])]


@cache
def scene_of(name: str, seed: int = 0) -> DetailedScene:
    """One of `SCENES`."""
    order, motion = SCENES[name]
    return detailed_scene(order, CELLS, LATENT_MODELS, motion=motion, seed=seed)


def known_priors() -> dict[str, Prior]:
    """Those of all scenes, by their ids."""
    known = (*nano_priors(WIDE_WHOLE), *moving_priors(WIDE_WHOLE), detail_prior())
    return {each.prior_id: each for each in known}


def find_prior(prior_id: str) -> Prior:
    """One of them."""
    return known_priors()[prior_id]


def play(
    body: LatentBody,
    first: int = 0,
    limits: Limits | None = None,
    priors: Callable[[str], Prior] = find_prior,
    channels: int = LATENTS,
    threads: int = 1,
) -> Iterator[Planes]:
    """The frames of a body from one on, by networks of latents of so many `channels`."""
    times = tuple(range(len(body.packets)))
    chunk = Chunk(0, 0, StrategyId.SEMANTIC_LATENT, times, pack_body(body))
    pool: Any = Pool(channels)
    limits, motion = limits or Limits(), finder(TABLES)
    context = SceneContext(SMALL, pool, threads, limits, priors=priors, motion=motion)
    return decode_scene(chunk, context, first=first)


def wanted_of(scene: DetailedScene) -> list[Planes]:
    """What is shown of each frame."""
    shown: dict[int, Planes] = {}
    features: dict[int, NDArray[np.uint8]] = {}
    for packet in scene.body.packets:
        latent = scene.latents[packet.position]
        inputs = {"latent": latent}
        if packet.kind is FrameKind.P:
            inputs["past"] = features[packet.references[0]]
        features[packet.position] = np.full((1, 96, 1, 1), latent[0, 5, 0, 0])
        frame = draw(inputs)[0] + scene.samples[packet.position]
        shown[packet.position] = unpack(frame.clip(0, 255).astype(np.uint8)[None], SMALL)
    return [shown[position] for position in range(len(shown))]


def assert_same(found: Iterable[Planes], wanted: Sequence[Planes]) -> None:
    """Whether frames are the same to the last sample."""
    found = list(found)
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        for plane, expected in zip(one, other, strict=True):
            assert plane.dtype == np.uint8
            np.testing.assert_array_equal(plane, expected)


def with_packet(body: LatentBody, number: int, **changes: object) -> LatentBody:
    """The same with changes to one packet."""
    packets = list(body.packets)
    packets[number] = replace(packets[number], **changes)  # type: ignore[arg-type]
    return replace(body, packets=tuple(packets))
