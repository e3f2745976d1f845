"""From the symbols of a scene's frames to the body of its chunk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...runtime.motion_tables import MotionTables
from ...runtime.payloads import KINDS, FrameKind, LatentBody, LatentPacket
from ...runtime.prior import Prior
from ...runtime.prior_coding import encode_with_prior
from ...runtime.scale_tables import MAX_SYMBOL
from ...runtime.symbols import (
    GROUPS,
    Latent,
    ScaleIndex,
    choose_difference_tables,
    choose_scale_index,
    encode_latent,
)
from ..detail_coding import Detail
from ..moved_coding import Moved
from ..priors import Priors
from ..scale_choice import economical
from .latent_order import PlannedFrame, known_frames


@dataclass(frozen=True)
class FrameSymbols:
    """What is sent of one frame: `symbols` [C, h, w], at a quality index of 0 to 63.

    `moved` is what is sent of a frame that is predicted by motion, None for all others, `detail`
    what is added to what a network draws, None where nothing is.
    """

    frame: PlannedFrame
    quality: int
    symbols: NDArray[np.int16]
    moved: Moved | None = None
    detail: Detail | None = None


def latent_body(
    frames: Sequence[FrameSymbols],
    models: tuple[str, ...],
    priors: Priors,
    motion: MotionTables | None = None,
    detail: Prior | None = None,
) -> LatentBody:
    """Frames in decoding order as a chunk's body. It names the priors of kinds that it has, the
    tables by which frames have moved, and the prior of their `detail`.

    Raises ValueError for symbols that cannot be sent: of a kind without a prior 64 channels of
    -127 to 127, of others what `encode_with_prior` takes; and for C frames or detail without a
    prior.
    """
    known = _known_symbols(frames)
    tables: list[tuple[int, ...]] = []
    ids: list[str | None] = []
    coded: dict[FrameKind, Iterator[bytes]] = {}
    for kind in FrameKind:
        of_kind = [each for each in frames if each.frame.kind is kind]
        prior = priors.get(kind) if of_kind else None
        ids.append(None if prior is None else prior.prior_id)
        if prior is not None:
            coded[kind] = _with_prior(of_kind, prior, known)
            tables.append((0,) * GROUPS)
        else:
            latents = [_scaled(each) for each in of_kind]
            tables.append(choose_difference_tables([latent.scale_index for latent in latents]))
            coded[kind] = _with_scales(latents, tables[-1])
    packets = tuple(
        LatentPacket(
            each.frame.kind,
            each.frame.position,
            each.frame.references,
            each.quality,
            next(coded[each.frame.kind]),
            _detail(each, detail),
        )
        for each in frames
    )
    i, p, b, c = ids
    used = motion if any(each.moved is not None for each in frames) else None
    motion_id = None if used is None else used.motion_id
    detail_id = detail.prior_id if detail and any(packet.detail for packet in packets) else None
    return LatentBody(models, tuple(tables[:KINDS]), packets, (i, p, b, c), motion_id, detail_id)


def _detail(each: FrameSymbols, prior: Prior | None) -> bytes:
    if each.detail is None:
        return b""
    if prior is None:
        raise ValueError("detail needs a prior")
    return each.detail.packet(prior)


def _known_symbols(frames: Sequence[FrameSymbols]) -> Mapping[int, NDArray[np.int16] | None]:
    """By a frame's position, the symbols that its prior sees beside the frame's own."""
    sent = {each.frame.position: each.symbols for each in frames}
    order = [each.frame for each in frames]
    return {
        frame.position: None if known is None else sent[known]
        for frame, known in zip(order, known_frames(order), strict=True)
    }


def _with_prior(
    frames: Sequence[FrameSymbols], prior: Prior, known: Mapping[int, NDArray[np.int16] | None]
) -> Iterator[bytes]:
    for each in frames:
        if each.moved is not None:
            yield each.moved.packet(each.quality, prior)
            continue
        previous = known[each.frame.position]
        yield encode_with_prior(each.symbols, each.quality, prior, previous)


def _with_scales(latents: Sequence[Latent], tables: tuple[int, ...]) -> Iterator[bytes]:
    previous: ScaleIndex | None = None
    for latent in latents:
        yield encode_latent(latent, tables, previous)
        previous = latent.scale_index


def _scaled(each: FrameSymbols) -> Latent:
    if each.frame.kind is FrameKind.C or each.moved is not None:
        raise ValueError(f"{each.frame.kind.name} frames that continue others need a prior")
    if np.abs(each.symbols).max(initial=0) > MAX_SYMBOL:
        raise ValueError("symbols are -127 to 127 without a prior of whole brightness")
    symbols = each.symbols.astype(np.int8)
    if each.frame.kind is FrameKind.I:
        return economical(symbols)
    return Latent(symbols, choose_scale_index(symbols))
