"""Small `.ecv` streams that really decode, written scene by scene."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from edgecodec.encoder.codecs import BaseSettings, encoder_for
from edgecodec.runtime.container import AuxPacket, Chunk, Codec, Header, StrategyId, Writer
from edgecodec.runtime.frames import ColorInfo, PictureFormat, Planes
from edgecodec.runtime.models import packaged_models, read_models
from edgecodec.runtime.payloads import (
    BaseStream,
    Body,
    ClassicalBody,
    FrameKind,
    HybridBody,
    LatentBody,
    pack_body,
)
from edgecodec.runtime.procedural import (
    FULL_WEIGHT,
    SCALE_UNIT,
    Fade,
    Hold,
    PanZoom,
    ProceduralBody,
    Segment,
    Solid,
    Still,
    Window,
)
from edgecodec.runtime.scene_code import SceneCode
from edgecodec.runtime.scenes import latent_shape
from edgecodec.runtime.template import read_template
from edgecodec.runtime.title import TensorDelta, TitleWeights, fit_table
from edgecodec.runtime.upsample import Upsampling, half_size

from .ecv_samples import encode_latents, sample_latent

NANO = read_models(packaged_models("nano"))
ENHANCER = NANO.network("enhancer").model_id
GENERATOR_UP = NANO.network("generator_up").model_id
LATENT_MODELS = tuple(
    NANO.network(name).model_id for name in ("iframe_decoder", "generator_p", "generator_b")
)
FILM = Fraction(1001, 30000)

# (kind, position, references) in decoding order.
CHAIN = ((0, 0, ()), (1, 1, (0,)), (1, 2, (1,)), (1, 3, (2,)))
PYRAMID = ((0, 0, ()), (0, 4, ()), (2, 2, (0, 4)), (2, 1, (0, 2)), (2, 3, (2, 4)))


@dataclass(frozen=True)
class Scene:
    """A body, and how many frames it has."""

    body: Body
    frames: int
    strategy: StrategyId


def code_base(
    planes: Sequence[Planes], picture: PictureFormat, codec: Codec = Codec.H264, crf: int = 30
) -> BaseStream:
    """Frames in a standard codec."""
    settings = BaseSettings(
        crf, picture, Fraction(25), ColorInfo(), picture.bit_depth, threads=1, preset=None
    )
    return encoder_for(codec).encode(planes, settings)


def classical(
    planes: Sequence[Planes], picture: PictureFormat, codec: Codec = Codec.H264, crf: int = 30
) -> Scene:
    """A scene in a standard codec."""
    body = ClassicalBody(code_base(planes, picture, codec, crf))
    return Scene(body, len(planes), StrategyId.CLASSICAL)


def hybrid(
    planes: Sequence[Planes],
    picture: PictureFormat,
    enhanced: Sequence[bool],
    code: SceneCode | None = None,
    title: int | None = None,
) -> Scene:
    """A scene in H.264 whose flagged frames the installed enhancer mends."""
    base = code_base(planes, picture, crf=40)
    body = HybridBody(base, ENHANCER, tuple(enhanced), code, title=title)
    return Scene(body, len(planes), StrategyId.HYBRID_SEMANTIC)


def title_weights(network: str = "enhancer", seed: int = 3, spread: float = 2.0) -> TitleWeights:
    """Arbitrary deltas for an installed network; `spread` 0 changes nothing."""
    random = np.random.default_rng(seed)
    entry = NANO.network(network)
    deltas = []
    for tensor in read_template(entry).tensors:
        noise = np.rint(random.laplace(size=tensor.values.size) * spread).clip(-127, 127)
        symbols = noise.astype(np.int8)
        step = 0 if tensor.values.dtype == np.int8 else 6
        deltas.append(TensorDelta(step, fit_table(symbols), symbols))
    return TitleWeights(entry.model_id, tuple(deltas))


def latents(
    picture: PictureFormat,
    order: Sequence[tuple[int, int, tuple[int, ...]]] = CHAIN,
    seed: int = 0,
) -> Scene:
    """A scene of arbitrary symbols for the installed networks; every kind of frame has a quality
    of its own."""
    random = np.random.default_rng(seed)
    shape = latent_shape(picture)
    body = encode_latents(
        [
            (FrameKind(kind), position, references, sample_latent(random, shape, 0.3))
            for kind, position, references in order
        ]
    )
    packets = tuple(replace(each, quality=30 + 10 * each.kind) for each in body.packets)
    body = LatentBody(LATENT_MODELS, body.difference_tables, packets)
    bidirectional = any(kind == 2 for kind, _, _ in order)
    strategy = StrategyId.I_FRAME_INTERPOLATION if bidirectional else StrategyId.SEMANTIC_LATENT
    return Scene(body, len(order), strategy)


def stream_of(
    scenes: Sequence[Scene],
    picture: PictureFormat,
    *,
    pts: Sequence[int] | None = None,
    time_base: Fraction = FILM,
    aux: Sequence[AuxPacket] = (),
    titles: Sequence[TitleWeights] = (),
    **header: object,
) -> bytes:
    """The scenes one after the other, frame n at `pts[n]` or at n."""
    count = sum(scene.frames for scene in scenes)
    times = tuple(range(count)) if pts is None else tuple(pts)
    values: dict[str, object] = {"frame_rate": Fraction(30), "tier": "nano", **header}
    file = io.BytesIO()
    writer = Writer(file, Header(picture, time_base, **values), titles)  # type: ignore[arg-type]
    start = 0
    for number, scene in enumerate(scenes):
        end = start + scene.frames
        body = pack_body(scene.body)
        writer.write_chunk(Chunk(number, start, scene.strategy, times[start:end], body))
        start = end
    if aux:
        writer.write_aux(aux)
    writer.finish()
    return file.getvalue()


def procedural(planes: Planes, picture: PictureFormat) -> Scene:
    """A scene of ten frames made of one still: held, panned, faded to a colour."""
    still = Still(picture.width, picture.height, code_base([planes], picture))
    start, end = Window(0, 0, SCALE_UNIT), Window(4096, 2048, SCALE_UNIT * 3 // 4)
    fade = Fade(Solid(16, 128, 128), 0, FULL_WEIGHT)
    program = (
        Segment(2, Hold(0)),
        Segment(4, PanZoom(0, start, end)),
        Segment(4, PanZoom(0, end, start), fade),
    )
    return Scene(ProceduralBody((still,), program), 10, StrategyId.PROCEDURAL)


def upsampled(planes: Sequence[Planes], picture: PictureFormat) -> Scene:
    """A scene in AV1 of half the picture's size, of which `planes` are, every frame mended."""
    base = code_base(planes, half_size(picture), Codec.AV1, 40)
    enhanced = (True,) * len(planes)
    body = HybridBody(base, GENERATOR_UP, enhanced, upsampling=Upsampling.EIGHT_TAP)
    return Scene(body, len(planes), StrategyId.HYBRID_SEMANTIC)


def every_strategy(
    draw: Callable[..., tuple[Planes, ...]], picture: PictureFormat
) -> dict[str, Scene]:
    """A scene of each strategy, of the hybrid one also with upsampling."""
    planes = draw(picture, 6)
    code = SceneCode((70, 50) * 32, (128, 140) * 32)
    return {
        "classical": classical(planes[:5], picture),
        "hybrid_semantic": hybrid(planes[1:], picture, (True, False, True, True, True), code),
        "upsampled": upsampled(draw(half_size(picture), 4), picture),
        "semantic_latent": latents(picture, CHAIN, seed=1),
        "i_frame_interpolation": latents(picture, PYRAMID, seed=2),
        "procedural": procedural(planes[0], picture),
    }
