"""AV1 by SVT-AV1."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from ...runtime.container import Codec
from ...runtime.frames import Planes
from ...runtime.payloads import BaseStream
from ._base import BaseSettings, CodedSize, check_request, encode_with_pyav, quantizer_of

# Below 64 SVT-AV1 drops adaptive quantisation and restoration filters.
_SIZE = CodedSize(multiple=2, minimum=64)
_TEMPORAL_DELIMITER = b"\x12\x00"
_MOST_LEVELS_OF_PARALLELISM = 6


class SvtAv1:
    """SVT-AV1 at constant rate factor, preset 6 and its PSNR tune unless told otherwise."""

    codec = Codec.AV1
    # 0 is not a low crf but another way to code: without loss.
    quantizer_range = (1, 63)

    def encode(self, frames: Sequence[Planes], settings: BaseSettings) -> BaseStream:
        """See `BaseEncoder.encode`."""
        check_request(frames, settings, self.quantizer_range)
        size = _SIZE.of(settings.format)
        # It writes its settings to stderr and has no parameter against that: only its errors.
        os.environ.setdefault("SVT_LOG", "1")
        # PyAV's own option crf takes quarters, but rounds them away.
        params = [f"crf={settings.crf}", f"keyint={settings.keyframe_interval or -1}"]
        if settings.threads:
            params.append(f"lp={min(settings.threads, _MOST_LEVELS_OF_PARALLELISM)}")
        options = {
            "preset": settings.preset or "6",
            "svtav1-params": ":".join(params),
        }
        extradata, packets = encode_with_pyav("libsvtav1", options, frames, settings, size)
        return BaseStream(
            codec=self.codec,
            width=size[0],
            height=size[1],
            bit_depth=settings.bit_depth,
            quantizer=quantizer_of(settings.crf, self.quantizer_range),
            extradata=extradata,
            # Packets delimit the frames already, as in MP4: two bytes less for each.
            packets=tuple(
                replace(packet, data=packet.data.removeprefix(_TEMPORAL_DELIMITER))
                for packet in packets
            ),
        )
