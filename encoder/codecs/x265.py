"""H.265 by x265."""

from __future__ import annotations

from collections.abc import Sequence

from ...runtime.container import Codec
from ...runtime.cores import available_cores
from ...runtime.frames import Planes
from ...runtime.payloads import BaseStream
from ._base import BaseSettings, CodedSize, check_request, encode_with_pyav, quantizer_of

# Below 64 it writes beyond its buffers, and the process dies sooner or later.
_SIZE = CodedSize(multiple=2, minimum=64)
# With four threads or more its lookahead estimates motion in another order, and the bytes are
# others.
_MOST_THREADS = 3
_LONGEST_INTERVAL = 1 << 20


class X265:
    """x265 at constant rate factor, preset medium unless told otherwise."""

    codec = Codec.H265
    quantizer_range = (0, 51)

    def encode(self, frames: Sequence[Planes], settings: BaseSettings) -> BaseStream:
        """See `BaseEncoder.encode`."""
        check_request(frames, settings, self.quantizer_range)
        size = _SIZE.of(settings.format)
        # info=0 leaves out an SEI message with the settings, which costs bytes in every scene.
        params = ["info=0", "log-level=none"]
        # The least interval is the longest one too: no keyframes at cuts.
        interval = settings.keyframe_interval or _LONGEST_INTERVAL
        params += [f"keyint={interval}", f"min-keyint={interval}"]
        # Frames at a time are by default a matter of the number of cores, and change the bytes.
        threads = settings.threads or available_cores()
        params += ["frame-threads=1", f"pools={min(threads, _MOST_THREADS)}"]
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
