"""H.264 by x264."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from dataclasses import replace

from ...runtime.container import Codec
from ...runtime.frames import Planes
from ...runtime.payloads import BaseStream
from ._base import BaseSettings, CodedSize, check_request, encode_with_pyav, quantizer_of

_SIZE = CodedSize(multiple=2, minimum=16)
_SEI = 6
# A number, since the word is taken for "automatic"; x264 bounds it by half of the longest interval.
_NEVER = 1 << 29
_START_CODE = re.compile(rb"\x00?\x00\x00\x01")


class X264:
    """x264 at constant rate factor, preset medium unless told otherwise."""

    codec = Codec.H264
    quantizer_range = (0, 51)

    def encode(self, frames: Sequence[Planes], settings: BaseSettings) -> BaseStream:
        """See `BaseEncoder.encode`."""
        check_request(frames, settings, self.quantizer_range)
        size = _SIZE.of(settings.format)
        options = {
            "preset": settings.preset or "medium",
            "crf": str(settings.crf),
            "x264-params": ":".join(_params()),
        }
        extradata, packets = encode_with_pyav(
            "libx264",
            options,
            frames,
            settings,
            size,
            forced_keyframes=settings.keyframe_interval,
        )
        packets[0] = replace(packets[0], data=_without_sei(packets[0].data))
        return BaseStream(
            codec=self.codec,
            width=size[0],
            height=size[1],
            bit_depth=settings.bit_depth,
            quantizer=quantizer_of(settings.crf, self.quantizer_range),
            extradata=extradata,
            packets=tuple(packets),
        )


def _params() -> list[str]:
    # Keyframes where they are asked for, and not at cuts, which get other intra pictures.
    params = ["keyint=infinite", f"min-keyint={_NEVER}"]
    # Its threads work on frames of their own, which costs rate, and more with every thread.
    params.append("threads=1")
    if platform.machine() in ("x86_64", "AMD64"):
        # With AVX-512 its macroblock tree reads memory that nothing has written where a row is
        # not a multiple of 16 macroblocks: the bytes are then not the same twice.
        params.append("asm=SSE4.2")
    return params


def _without_sei(annex_b: bytes) -> bytes:
    """An access unit without the 700 bytes in which x264 writes down its own settings."""
    units = [unit for unit in _START_CODE.split(annex_b) if unit]
    return b"".join(b"\x00\x00\x01" + unit for unit in units if unit[0] & 31 != _SEI)
