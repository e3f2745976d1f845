"""Whole scenes of every strategy, through FFmpeg's decoders; networks are stood in for."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from itertools import count

import numpy as np
from edgecodec.runtime.chunks import Chunk, StrategyId
from edgecodec.runtime.container import Reader
from edgecodec.runtime.errors import EdgecodecError, ModelError
from edgecodec.runtime.fields import Limits
from edgecodec.runtime.frames import PictureFormat
from edgecodec.runtime.models import ModelEntry, find_model, packaged_models, read_models
from edgecodec.runtime.payloads import (
    ClassicalBody,
    FrameKind,
    HybridBody,
    LatentBody,
    pack_body,
    parse_body,
)
from edgecodec.runtime.prior import Prior
from edgecodec.runtime.scenes import SceneContext, decode_scene, latent_shape
from edgecodec.runtime.template import Template, read_template, titled
from edgecodec.runtime.title import TitleWeights
from numpy.typing import NDArray

from ..runtime import mutations
from ..runtime.filter_samples import fixed_filter
from ..runtime.golden_streams import DEEP, GOLDEN, SMALL
from ..runtime.motion_samples import (
    NANO_CHANNELS,
    Order,
    cosine_tables,
    finder,
    moving_priors,
    moving_scene,
)
from ..runtime.prior_samples import (
    NANO_DESIGN,
    Priors,
    body_with_priors,
    nano_priors,
    prior_symbols,
)
from ..runtime.streams import CHAIN, LATENT_MODELS, PYRAMID
from .harness import Harness

LIMITS = Limits(max_pixels=1 << 14, max_symbols_per_frame=1 << 14, max_frames_held=3)
_FORMATS = (SMALL, DEEP)
# (kind, position, references) in decoding order: I and C frames, one of which skips one.
_CONTINUED = ((0, 0, ()), (3, 1, (0,)), (3, 3, (1,)), (3, 2, (1,)))
# B frames between others, one of them between B frames, beside one that the last is made from.
_BETWEEN = ((0, 0, ()), (3, 3, (0,)), (2, 1, (0, 3)), (2, 2, (1, 3)), (1, 4, (2,)))
_MOST_FRAMES = 12


class _Network:
    """Stands in for `Network`: gives grey of the right shape, whatever it is asked."""

    channels_last = True

    def __init__(self, entry: ModelEntry) -> None:
        self.entry = entry

    def run(self, inputs: Mapping[str, NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        for port in self.entry.inputs:
            given = inputs[port.name]
            assert given.dtype == np.uint8
            assert len(given.shape) == 4
            pairs = zip(given.shape, port.shape, strict=True)
            assert all(side == wanted for side, wanted in pairs if wanted is not None)
        first = self.entry.inputs[0]
        height, width = (side * first.stride for side in inputs[first.name].shape[2:])
        return [
            np.full(
                (1, port.shape[1] or 1, height // port.stride, width // port.stride), 128, np.uint8
            )
            for port in self.entry.outputs
        ]


class _Networks:
    """Stands in for `NetworkPool`."""

    def network(self, model_id: str, title: TitleWeights | None = None) -> _Network:
        entry = find_model(model_id, [_folder()])
        if title is not None:
            titled(_template(entry.name), title)
        return _Network(entry)


@cache
def _folder():  # type: ignore[no-untyped-def]
    return read_models(packaged_models("nano"))


@cache
def _template(name: str) -> Template:
    return read_template(_folder().network(name))


@cache
def _priors() -> Priors:
    return nano_priors()


def _find_prior(prior_id: str) -> Prior:
    for prior in (*_priors(), *moving_priors()):
        if prior.prior_id == prior_id:
            return prior
    raise ModelError(f"no prior {prior_id}")


def _with_priors() -> Iterator[tuple[StrategyId, LatentBody]]:
    """Scenes whose frames have priors, of all kinds, and some whose frames move."""
    for strategy, order in (
        (StrategyId.SEMANTIC_LATENT, CHAIN),
        (StrategyId.SEMANTIC_LATENT, _CONTINUED),
        (StrategyId.I_FRAME_INTERPOLATION, PYRAMID),
    ):
        frames = [
            (FrameKind(kind), position, references, symbols)
            for (kind, position, references), symbols in zip(order, _symbols(), strict=False)
        ]
        yield strategy, body_with_priors(frames, LATENT_MODELS, _priors())
    yield StrategyId.SEMANTIC_LATENT, _with_motion(_CONTINUED, 3)
    yield StrategyId.SEMANTIC_LATENT, _with_motion(_BETWEEN, 3)
    yield StrategyId.I_FRAME_INTERPOLATION, _with_motion(PYRAMID, 4)


def _with_motion(order: Order, still: int) -> LatentBody:
    """A scene whose frames move, but for one."""
    body = moving_scene(order, latent_shape(SMALL), LATENT_MODELS).body
    packets = list(body.packets)
    packets[still] = replace(packets[still], data=b"")
    return replace(body, packets=tuple(packets))


def _symbols() -> Iterator[NDArray[np.int16]]:
    for seed in count():
        yield prior_symbols(seed, NANO_DESIGN, latent_shape(SMALL), 0.2)


@cache
def _titles() -> Mapping[int, TitleWeights]:
    stream = (GOLDEN / "strategies_1.ecv").read_bytes()
    return Reader(io.BytesIO(stream)).titles


def run(data: bytes) -> str:
    """A byte of strategy, one of frames and depth, one of the first frame, then a body."""
    if len(data) < 3:
        return "empty"
    strategy = StrategyId(1 + data[0] % len(StrategyId))
    frames, first = 1 + (data[1] & 127) % _MOST_FRAMES, data[2]
    picture: PictureFormat = _FORMATS[data[1] >> 7]
    first %= frames
    context = SceneContext(
        picture,
        _Networks(),  # type: ignore[arg-type]
        1,
        LIMITS,
        _titles(),
        priors=_find_prior,
        motion=finder(cosine_tables(NANO_CHANNELS)),
    )
    chunk = Chunk(0, 0, strategy, tuple(range(frames)), data[3:])
    name = strategy.name.lower()
    shown = first
    try:
        for planes in decode_scene(chunk, context, first=first):
            assert planes[0].shape == (picture.height, picture.width)
            assert planes[1].shape == planes[2].shape == picture.chroma_shape
            assert not any(plane.flags.writeable for plane in planes)
            shown += 1
    except EdgecodecError as error:
        return f"{name} {type(error).__name__}"
    assert shown == frames
    return f"{name} played"


def seeds() -> Iterator[bytes]:
    """The golden streams' bodies, and some with priors, from their first frames and later ones."""
    for strategy, body in _with_priors():
        for first in (0, len(body.packets) - 1):
            yield bytes([strategy - 1, len(body.packets) - 1, first]) + pack_body(body)
    for depth, stream in enumerate(("strategies_1", "codecs_1")):
        reader = Reader(io.BytesIO((GOLDEN / f"{stream}.ecv").read_bytes()))
        for entry in reader.index:
            chunk = reader.chunk(entry)
            if len(chunk.body) > _MOST_BYTES - 3:
                continue
            for first in (0, entry.frames - 1):
                tag = bytes([chunk.strategy - 1, entry.frames - 1 | depth << 7, first])
                yield tag + chunk.body
            body = parse_body(chunk.strategy, chunk.body, entry.frames)
            tag = bytes([chunk.strategy - 1, entry.frames - 1 | depth << 7, 0])
            if isinstance(body, ClassicalBody | HybridBody | LatentBody):
                yield tag + pack_body(replace(body, filter=fixed_filter()))
            if isinstance(body, HybridBody):
                yield tag + pack_body(replace(body, planes=(True, False, True), title=0))
            if isinstance(body, LatentBody):
                yield bytes([tag[0], tag[1] | 1 << 7, 0]) + chunk.body  # too deep


def mutate(random: np.random.Generator, data: bytes, mutate_value: mutations.Mutation) -> bytes:
    """Mostly one value in the fields, with the lengths around it mended."""
    if len(data) < 4 or random.random() < 0.1:
        return mutate_value(random, data)
    return data[:3] + mutations.inside_fields(random, data[3:], mutate_value)


_MOST_BYTES = 6000
HARNESS = Harness(run, seeds, _MOST_BYTES, mutate)
