"""What detail frames have: what they keep of others', and what their own packets bring."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..detail import Detailed, decode_detail, kept_samples, suits_detail
from ..errors import BitstreamError
from ..frame_levels import levels_of
from ..payloads import LatentBody, LatentPacket
from ._context import SceneContext
from ._kept import Kept
from ._symbols import KindDecoders

Samples = NDArray[np.int16]


class DetailDecoder:
    """The detail of a chunk's frames, each in its turn.

    Raises ModelError if the prior is not there, BitstreamError if it does not suit the frames.
    """

    def __init__(self, body: LatentBody, decoders: KindDecoders, context: SceneContext) -> None:
        self._body = body
        self._limits = context.limits
        self._prior = None if body.detail is None else context.priors(body.detail)
        self._kept: Kept[Detailed] = Kept(body, context.limits)
        if self._prior is None:
            return
        for kind, decoder in decoders.items():
            if body.drawn_alone(kind) and not suits_detail(self._prior, decoder.channels):
                raise BitstreamError(
                    f"prior {body.detail} codes no detail of {kind.name} frames with latents of "
                    f"{decoder.channels} channels"
                )

    @property
    def is_there(self) -> bool:
        """Whether frames may have any."""
        return self._prior is not None

    def decode(self, packet: LatentPacket, latent: NDArray[np.uint8]) -> Samples | None:
        """What is added to the next frame, of which networks take `latent`; None for nothing.

        BitstreamError if it is damaged.
        """
        if self._prior is None or not self._body.drawn_alone(packet.kind):
            return None
        levels = levels_of(latent)
        kept = kept_samples(levels, self._kept.of(packet))
        samples = decode_detail(
            packet.detail, latent, packet.quality, self._prior, kept, self._limits
        )
        self._kept.keep(packet, Detailed(levels, samples))
        return samples
