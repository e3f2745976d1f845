"""What turns the packets of one kind of frame into symbols: explicit scales, or a prior."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import BitstreamError
from ..fields import Limits
from ..payloads import FrameKind, LatentBody, LatentPacket
from ..prior import Prior
from ..prior_coding import decode_with_prior, network_symbols
from ..prior_shape import Previous
from ..symbols import CHANNELS, ScaleIndex, decode_latent
from ._context import SceneContext

Symbols = NDArray[np.int16]


class KindDecoder(Protocol):
    """Decodes the frames of one kind in a chunk, each in its turn."""

    channels: int
    """How many channels the networks are given."""
    needs_all: bool
    """Whether frames may rest on any of the kind before; if not, on none but their references."""

    def decode(self, packet: LatentPacket) -> Symbols:
        """Symbols of the next frame, as they are coded. BitstreamError if it is damaged."""

    def latents(self, symbols: Symbols) -> NDArray[np.int8]:
        """What networks take of them, [channels, h, w], still to be dequantised. BitstreamError if
        they cannot."""


def kind_decoders(
    body: LatentBody, shape: tuple[int, int], context: SceneContext
) -> Mapping[FrameKind, KindDecoder]:
    """A decoder for each kind of frame that a chunk has, of latents of `shape` (h, w) cells.

    ModelError if a prior is not there, BitstreamError if it does not suit its frames.
    """
    kept = _Kept(body, context.limits)
    kinds = sorted({packet.kind for packet in body.packets})
    priors = {kind: _prior(kind, body, context) for kind in kinds}
    continued, first = priors.get(FrameKind.C), priors.get(FrameKind.I)
    if continued is not None:
        _check_continued(continued, first)
    return {
        kind: _Scaled(body.difference_tables[kind], shape, context.limits)
        if prior is None
        else _WithPrior(kind, prior, shape, kept, context.limits)
        for kind, prior in priors.items()
    }


def _prior(kind: FrameKind, body: LatentBody, context: SceneContext) -> Prior | None:
    prior_id = body.priors[kind]
    if prior_id is None:
        return None
    prior = context.priors(prior_id)
    if prior.shape.is_gated != (kind is FrameKind.C):
        raise BitstreamError(
            f"prior {prior_id} of {kind.name} frames is {'' if prior.shape.is_gated else 'not '}"
            "gated: C frames need such a prior, others cannot have one"
        )
    return prior


def _check_continued(continued: Prior, first: Prior | None) -> None:
    """Whether C frames' symbols are such as I frames have."""
    if first is None:
        raise BitstreamError("C frames, but no prior for I frames")
    if (continued.channels, continued.whole) != (first.channels, first.whole):
        raise BitstreamError(
            f"C frames' prior {continued.prior_id} codes {continued.channels} channels and I "
            f"frames' {first.prior_id} {first.channels}, or one of them has no whole brightness"
        )


class _Kept:
    """Symbols of frames, as long as a later one continues them."""

    def __init__(self, body: LatentBody, limits: Limits) -> None:
        self._most = limits.max_frames_held
        self._steps = {packet.position: step for step, packet in enumerate(body.packets)}
        self._last_use = {
            packet.references[0]: step
            for step, packet in enumerate(body.packets)
            if packet.kind is FrameKind.C
        }
        self._symbols: dict[int, Symbols] = {}

    def continued_by(self, packet: LatentPacket) -> Symbols:
        """The symbols that a C frame continues."""
        return self._symbols[packet.references[0]]

    def keep(self, packet: LatentPacket, symbols: Symbols) -> None:
        """Keep the symbols of a decoded frame if a later one continues it, and no longer those
        that none does."""
        self._symbols[packet.position] = symbols
        step = self._steps[packet.position]
        for position in [each for each in self._symbols if self._last_use.get(each, -1) <= step]:
            del self._symbols[position]
        if len(self._symbols) > self._most:
            raise BitstreamError(
                f"{len(self._symbols)} frames are yet to be continued, at most {self._most} may"
            )


class _Scaled:
    channels = CHANNELS
    needs_all = True

    def __init__(self, tables: tuple[int, ...], shape: tuple[int, int], limits: Limits) -> None:
        self._tables = tables
        self._shape = shape
        self._limits = limits
        self._previous: ScaleIndex | None = None

    def decode(self, packet: LatentPacket) -> Symbols:
        latent = decode_latent(packet.data, self._shape, self._tables, self._previous, self._limits)
        self._previous = latent.scale_index
        return latent.symbols.astype(np.int16)

    def latents(self, symbols: Symbols) -> NDArray[np.int8]:
        return symbols.astype(np.int8)


class _WithPrior:
    def __init__(
        self, kind: FrameKind, prior: Prior, shape: tuple[int, int], kept: _Kept, limits: Limits
    ) -> None:
        self.channels = prior.channels + prior.whole
        self.needs_all = prior.previous is Previous.SEEN
        self._is_continued = kind is FrameKind.C
        self._prior = prior
        self._shape = shape
        self._kept = kept
        self._limits = limits
        self._previous: Symbols | None = None

    def decode(self, packet: LatentPacket) -> Symbols:
        previous = self._kept.continued_by(packet) if self._is_continued else self._previous
        symbols = decode_with_prior(
            packet.data, self._shape, packet.quality, self._prior, previous, self._limits
        )
        self._kept.keep(packet, symbols)
        if self.needs_all:
            self._previous = symbols
        return symbols

    def latents(self, symbols: Symbols) -> NDArray[np.int8]:
        return network_symbols(symbols, self._prior)
