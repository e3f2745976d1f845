"""What turns the packets of one kind of frame into latents: explicit scales, a prior, or motion and
a prior."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..between_frames import Between, decode_between
from ..errors import BitstreamError
from ..fields import Limits
from ..frame_levels import latent_of, levels_of
from ..latents import dequantize
from ..motion_tables import MotionTables
from ..moved_frames import Shown, decode_moved, suits_motion
from ..payloads import FrameKind, LatentBody, LatentPacket
from ..prior import Prior
from ..prior_coding import decode_with_prior, network_symbols
from ..prior_shape import Previous
from ..symbols import CHANNELS, ScaleIndex, decode_latent
from ._context import SceneContext
from ._kept import Kept

Decoded = NDArray[np.int16]
"""Symbols [C, h, w] of a frame as they are coded, or levels of one that has moved."""
Latent = NDArray[np.uint8]
"""[1, channels, h, w], zero at level 128."""


class KindDecoder(Protocol):
    """Decodes the frames of one kind in a chunk, each in its turn."""

    channels: int
    """How many channels the networks are given."""
    needs_all: bool
    """Whether frames may rest on any of the kind before; if not, on none but their references."""

    def decode(self, packet: LatentPacket) -> Decoded:
        """The next frame. BitstreamError if it is damaged."""

    def latent(self, decoded: Decoded, quality: int) -> Latent:
        """What networks take of it. BitstreamError if they cannot."""


KindDecoders = Mapping[FrameKind, KindDecoder]


def kind_decoders(body: LatentBody, shape: tuple[int, int], context: SceneContext) -> KindDecoders:
    """A decoder for each kind of frame that a chunk has, of latents of `shape` (h, w) cells.

    ModelError if a prior is not there, BitstreamError if it does not suit its frames.
    """
    kinds = sorted({packet.kind for packet in body.packets})
    priors = {kind: _prior(kind, body, context) for kind in kinds}
    first = priors.get(FrameKind.I)
    tables = None if body.motion is None else context.motion(body.motion)
    for kind in kinds:
        prior = priors[kind]
        if prior is not None and kind is not FrameKind.I and body.drawn_alone(kind):
            _check_continued(kind, prior, first, tables)
    shown: Kept[Shown] = Kept(body, context.limits)
    kept: Kept[Decoded] = Kept(body, context.limits)
    made: dict[FrameKind, KindDecoder] = {}
    for kind, prior in priors.items():
        if prior is None:
            made[kind] = _Scaled(body.difference_tables[kind], shape, context.limits)
        elif tables is not None and kind is not FrameKind.I and body.drawn_alone(kind):
            made[kind] = _Moved(prior, tables, shown, context.limits)
        else:
            made[kind] = _WithPrior(kind, prior, shape, kept, context.limits)
    if tables is not None and first is not None:
        made[FrameKind.I] = _Moving(made[FrameKind.I], shown)
    return made


def _prior(kind: FrameKind, body: LatentBody, context: SceneContext) -> Prior | None:
    prior_id = body.priors[kind]
    if prior_id is None:
        return None
    prior = context.priors(prior_id)
    continues = kind is FrameKind.C and body.motion is None
    if prior.shape.is_gated != continues:
        raise BitstreamError(
            f"prior {prior_id} of {kind.name} frames is {'' if prior.shape.is_gated else 'not '}"
            "gated: C frames without motion need such a prior, others cannot have one"
        )
    return prior


def _check_continued(
    kind: FrameKind, prior: Prior, first: Prior | None, tables: MotionTables | None
) -> None:
    """Whether frames of a kind have latents such as I frames have."""
    if first is None:
        raise BitstreamError(f"{kind.name} frames, but no prior for I frames")
    if tables is not None:
        if not (suits_motion(prior, tables) and first.whole):
            raise BitstreamError(
                f"{kind.name} frames' prior {prior.prior_id} or I frames' {first.prior_id} does "
                f"not suit motion tables {tables.motion_id} of {tables.channels} channels"
            )
        if first.channels == prior.channels:
            return
    if (prior.channels, prior.whole) != (first.channels, first.whole):
        raise BitstreamError(
            f"{kind.name} frames' prior {prior.prior_id} codes {prior.channels} channels and I "
            f"frames' {first.prior_id} {first.channels}, or one of them has no whole brightness"
        )


class _Scaled:
    channels = CHANNELS
    needs_all = True

    def __init__(self, tables: tuple[int, ...], shape: tuple[int, int], limits: Limits) -> None:
        self._tables = tables
        self._shape = shape
        self._limits = limits
        self._previous: ScaleIndex | None = None

    def decode(self, packet: LatentPacket) -> Decoded:
        latent = decode_latent(packet.data, self._shape, self._tables, self._previous, self._limits)
        self._previous = latent.scale_index
        return latent.symbols.astype(np.int16)

    def latent(self, decoded: Decoded, quality: int) -> Latent:
        return dequantize(decoded.astype(np.int8), quality)


class _WithPrior:
    def __init__(
        self,
        kind: FrameKind,
        prior: Prior,
        shape: tuple[int, int],
        kept: Kept[Decoded],
        limits: Limits,
    ) -> None:
        self.channels = prior.channels + prior.whole
        self.needs_all = prior.previous is Previous.SEEN
        self._is_continued = kind is FrameKind.C
        self._prior = prior
        self._shape = shape
        self._kept = kept
        self._limits = limits
        self._previous: Decoded | None = None

    def decode(self, packet: LatentPacket) -> Decoded:
        previous = self._kept.of(packet)[0] if self._is_continued else self._previous
        symbols = decode_with_prior(
            packet.data, self._shape, packet.quality, self._prior, previous, self._limits
        )
        self._kept.keep(packet, symbols)
        if self.needs_all:
            self._previous = symbols
        return symbols

    def latent(self, decoded: Decoded, quality: int) -> Latent:
        return dequantize(network_symbols(decoded, self._prior), quality)


class _Moving:
    """I frames that others continue by motion, and need the levels of."""

    def __init__(self, whole: KindDecoder, shown: Kept[Shown]) -> None:
        self.channels = whole.channels
        self.needs_all = whole.needs_all
        self._whole = whole
        self._shown = shown

    def decode(self, packet: LatentPacket) -> Decoded:
        symbols = self._whole.decode(packet)
        latent = self.latent(symbols, packet.quality)
        self._shown.keep(packet, Shown.still(levels_of(latent)))
        return symbols

    def latent(self, decoded: Decoded, quality: int) -> Latent:
        return self._whole.latent(decoded, quality)


class _Moved:
    """C frames, which continue another by motion, and B frames, which lie between two."""

    needs_all = False

    def __init__(
        self, prior: Prior, tables: MotionTables, shown: Kept[Shown], limits: Limits
    ) -> None:
        self.channels = prior.channels + 1
        self._prior = prior
        self._tables = tables
        self._shown = shown
        self._limits = limits

    def decode(self, packet: LatentPacket) -> Decoded:
        how = packet.quality, self._prior, self._tables, self._limits
        others = self._shown.of(packet)
        away = [packet.position - reference for reference in packet.references]
        if packet.kind is FrameKind.C:
            shown = decode_moved(packet.data, others[0], *how, span=away[0])
        else:
            between = Between(others[0], others[1], away[0], -away[1])
            shown = decode_between(packet.data, between, *how)
        self._shown.keep(packet, shown)
        return shown.levels

    def latent(self, decoded: Decoded, quality: int) -> Latent:
        return latent_of(decoded, quality)
