"""H.265 by x265."""

from __future__ import annotations

from collections.abc import Sequence

from ...runtime.container import Codec
from ...runtime.frames import Planes
from ...runtime.payloads import BaseStream
from ._base import BaseSettings, CodedSize, check_request, encode_with_pyav, quantizer_of

_SIZE = CodedSize(multiple=2, minimum=16)


class X265:
    """x265 at constant rate factor, preset medium unless told otherwise."""

    codec = Codec.H265
    quantizer_range = (0, 51)

    def encode(self, frames: Sequence[Planes], settings: BaseSettings) -> BaseStream:
        """See `BaseEncoder.encode`."""
        check_request(frames, settings, self.quantizer_range)
        size = _SIZE.of(settings.format)
        # info=0 leaves out an SEI message with the settings, which costs bytes in every scene.
        params = ["keyint=-1", "info=0", "log-level=none"]
        if settings.threads:
            params.append(f"pools={settings.threads}")
        options = {
            "preset": settings.preset or "medium",
            "crf": str(settings.crf),
            "x265-params": ":".join(params),
        }
        extradata, packets = encode_with_pyav("libx265", options, frames, settings, size)
        return BaseStream(
            codec=self.codec,
            width=size[0],
            height=size[1],
            bit_depth=settings.bit_depth,
            quantizer=quantizer_of(settings.crf, self.quantizer_range),
            extradata=extradata,
            packets=tuple(packets),
        )
