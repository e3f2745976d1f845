"""Scenes in latents: their frames coded in order, then a filter and detail for what these lack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...runtime.chunks import StrategyId
from ...runtime.detail import seen_before
from ...runtime.frame_levels import levels_of
from ...runtime.frames import Planes
from ...runtime.latent_body import pack_latents
from ...runtime.moved_frames import Shown
from ...runtime.packing import pack, unpack
from ...runtime.payloads import FrameKind, LatentBody
from ..detail_coding import with_own_detail
from ..latent_filter import apply_filter
from ..latent_kinds import frame_kinds
from ..quality import psnr
from ..reference import Reference
from ..scene import Scene
from ..scene_detail import FrameDetail, LatentFrame, scene_detail
from .latent import BLOCK, FINEST_LATENTS, MULTIPLE, CodedFrame, LatentCoder
from .latent_body import FrameSymbols, latent_body
from .latent_order import (
    INTERVAL,
    PlannedFrame,
    continued_order,
    interpolated_order,
    known_frames,
    moved_order,
    predicted_order,
)

# B-frames in the middle feed no other frame's reference but those below them: they may be coarser.
_B_QUALITY_OFFSET = 8
# What an I-frame has, the frames after it get for nothing.
_MOVED_QUALITY_OFFSET = 8
# Where B-frames lie between those that continue another: of these, and of B-frames by their depth.
_REACHING_QUALITY_OFFSETS = (4, 10, 15, 19)
# Where frames follow others, detail that is seen once belongs to a quality by so much coarser than
# I-frames: what is not referred to is coarser by up to 19, and a little less is better still.
_DETAIL_QUALITY_OFFSET = 27
# In scenes that stand still latents get finer only half as fast from here on: their detail is kept
# for so long that more of it is the better use of bits.
_STILL_LATENTS = 8
REACH = 8
"""How many frames lie from a frame that others are between to the next, where nobody says."""


def code_scene(
    coder: LatentCoder,
    strategy: StrategyId,
    scene: Scene,
    quality: int,
    interval: int | None = None,
    reach: int | None = None,
) -> tuple[LatentBody, list[float]]:
    """A scene in latents at a quality index, and (6 Y + U + V) / 8 in dB of each frame.

    Where there is detail, qualities go on beyond those of latents, up to
    `detail_quality.FINEST_QUALITY`.

    `interval` is how many frames I-frames are apart at most. None is the usual: with B-frames
    drawn from them `INTERVAL`, else the whole scene, as always with P-frames. `reach` is how many
    frames those that continue another by motion reach back, with B-frames between: 1 is none of
    them, None `REACH`, where the coder has a prior for them.
    """
    coder = coder.suited_to(scene)
    sent: dict[int, FrameSymbols] = {}
    drawn: dict[int, Planes] = {}
    single: dict[int, int] = {}
    latents: list[LatentFrame] = []
    for frame, used, coded in coded_frames(coder, strategy, scene, quality, interval, reach):
        at = frame.position
        sent[at] = FrameSymbols(frame, used, coded.symbols, coded.moved)
        drawn[at] = coded.planes
        if coded.detail is not None:
            single[at] = coded.detail
        if coder.detail is not None:
            latents.append(LatentFrame(at, frame.references, used, coded.latent))
    kinds = sorted({FrameKind.C if each.moved else each.frame.kind for each in sent.values()})
    # Several kinds may share a network.
    models = tuple(dict.fromkeys(coder.light(kind).entry.model_id for kind in kinds))

    def body() -> LatentBody:
        return latent_body(list(sent.values()), models, coder.priors, coder.motion, coder.detail)

    made = body()
    shown = [drawn[at] for at in range(len(drawn))]
    own = coder.filter_for(scene.frames, shown, scene.format, 8 * len(pack_latents(made)))
    if own is not None:
        for at, planes in enumerate(apply_filter(shown, own, scene.format)):
            shown[at] = planes
    details = [*_single_detail(coder, scene, latents, shown, single)]
    if FrameKind.C in frame_kinds(strategy, coder.priors):
        details += _scene_detail(coder, scene, latents, shown, quality)
    for at, detail in details:
        sent[at] = replace(sent[at], detail=detail.sent)
        shown[at] = unpack(detail.shown, scene.format)
    if details:
        made = body()
    pairs = zip(scene.frames, shown, strict=True)
    return replace(made, filter=own), [psnr(*pair).weighted for pair in pairs]


def _single_detail(
    coder: LatentCoder,
    scene: Scene,
    frames: Sequence[LatentFrame],
    shown: Sequence[Planes],
    qualities: Mapping[int, int],
) -> Iterator[tuple[int, FrameDetail]]:
    """The detail of those frames that no others refer to, which have some of these `qualities`."""
    for frame in frames:
        at = frame.position
        if at in qualities and coder.detail is not None:
            source = pack(scene.frames[at], BLOCK, MULTIPLE)
            seen = seen_before(frame.latent, frame.quality)
            drawn = pack(shown[at], BLOCK, MULTIPLE)
            packed, sent = with_own_detail(source, drawn, seen, qualities[at], coder.detail)
            if sent is not None:
                yield at, FrameDetail(sent, packed)


def _scene_detail(
    coder: LatentCoder,
    scene: Scene,
    frames: Sequence[LatentFrame],
    shown: Sequence[Planes],
    quality: int,
) -> Iterator[tuple[int, FrameDetail]]:
    """The detail of those of a scene's `frames` that refer to others, or are referred to, beyond
    what is `shown` without."""
    referred = {reference for frame in frames for reference in frame.references}
    followed = [each for each in frames if each.references or each.position in referred]
    if coder.detail is None or not followed:
        return iter(())

    def source(position: int) -> NDArray[np.uint8]:
        return pack(scene.frames[position], BLOCK, MULTIPLE)

    def drawn(position: int) -> NDArray[np.uint8]:
        return pack(shown[position], BLOCK, MULTIPLE)

    return scene_detail(followed, source, drawn, coder.detail, quality - _DETAIL_QUALITY_OFFSET)


def coded_frames(
    coder: LatentCoder,
    strategy: StrategyId,
    scene: Scene,
    quality: int,
    interval: int | None = None,
    reach: int | None = None,
) -> Iterator[tuple[PlannedFrame, int, CodedFrame]]:
    """The frames of a scene in decoding order, each with its own quality index, at most `quality`;
    `interval` and `reach` as of `code_scene`.

    It is less where a scene from black to white, by its first, middle and last frame, has more
    steps of brightness than can be sent at that quality.
    """
    coder = coder.suited_to(scene)
    _, other = frame_kinds(strategy, coder.priors)
    order = _order(coder, other, len(scene.frames), interval, reach)
    reaches = any(frame.depth for frame in order)
    referred = {reference for frame in order for reference in frame.references}
    asked_alone = quality
    followers = min(interval or len(order), len(order)) - 1 if other is FrameKind.C else 0
    quality = min(quality, FINEST_LATENTS)
    quality = min(
        coder.finest_quality(pack(scene.frames[at], BLOCK, MULTIPLE), quality)
        for at in {0, len(order) // 2, len(order) - 1}
    )
    if other is FrameKind.C and coder.motion is None and coder.detail is not None:
        quality = min(quality, (quality + _STILL_LATENTS) // 2)
    last_use = {ref: step for step, frame in enumerate(order) for ref in frame.drawn_from}
    features: dict[int, NDArray[np.uint8]] = {}
    symbols: dict[int | None, NDArray[np.int16]] = {}
    last_look = {ref: step for step, frame in enumerate(order) for ref in frame.references}
    seen: dict[int, Reference] = {}
    for step, (frame, known) in enumerate(zip(order, known_frames(order), strict=True)):
        asked = quality - _offset(frame, reaches=reaches)
        used = max(0, asked)
        packed = pack(scene.frames[frame.position], BLOCK, MULTIPLE)
        if frame.kind is FrameKind.I and frame.position not in referred:
            used, coded = coder.code_alone(packed, scene.format, asked_alone)
        elif frame.moves:
            away = [abs(frame.position - reference) for reference in frame.references]
            others = [seen[reference] for reference in frame.references]
            coded = coder.code_moved(packed, scene.format, others, away, asked)
        else:
            references = [features[reference] for reference in frame.drawn_from]
            previous = symbols.get(known)
            coded = coder.code(
                packed, scene.format, frame.kind, references, used, previous, followers
            )
        symbols[frame.position] = coded.symbols
        if coder.motion is not None and frame.position in last_look:
            seen[frame.position] = Reference(_shown(coded), coder.motion)
        for done in [each for each in seen if last_look[each] <= step]:
            del seen[done]
        yield frame, used, coded
        if frame.position in last_use:
            features[frame.position] = coded.feature
        for done in [each for each in features if last_use[each] <= step]:
            del features[done]


def _order(
    coder: LatentCoder, other: FrameKind, count: int, interval: int | None, reach: int | None
) -> list[PlannedFrame]:
    """Of so many frames, by the kind of what follows the first."""
    if other is FrameKind.B:
        return interpolated_order(count, interval or INTERVAL)
    if other is FrameKind.P:
        return predicted_order(count)
    if coder.motion is None:
        return continued_order(count, interval)
    return moved_order(count, interval, (reach or REACH) if coder.has_between else 1)


def _offset(frame: PlannedFrame, *, reaches: bool) -> int:
    """By how much a frame is coarser than I-frames, where moved frames have others between them
    or not."""
    if frame.moves:
        return _REACHING_QUALITY_OFFSETS[min(frame.depth, 3)] if reaches else _MOVED_QUALITY_OFFSET
    return _B_QUALITY_OFFSET if frame.kind is FrameKind.B else 0


def _shown(coded: CodedFrame) -> Shown:
    return Shown.still(levels_of(coded.latent)) if coded.moved is None else coded.moved.shown
