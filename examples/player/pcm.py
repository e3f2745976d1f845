"""Sound as samples: the stream's own packets, decoded by FFmpeg."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import av
from av.audio.codeccontext import AudioCodecContext
from edgecodec.runtime import AuxPacket, AuxStream

RATE = 48000
FRAME_BYTES = 4  # Two channels of 16 bits.
_BLOCK_FRAMES = 8192
# Decoders need what is before a place to be right there: AAC one packet, Opus 80 ms.
_WARM_UP_SECONDS = 0.1
_JUMP_SECONDS = 0.05


@dataclass(frozen=True)
class Block:
    """Samples from second `time` on: stereo, interleaved, 16 bits at 48 kHz."""

    time: float
    samples: bytes

    @property
    def end(self) -> float:
        """The second behind its last sample."""
        return self.time + len(self.samples) / FRAME_BYTES / RATE

    def after(self, seconds: float) -> Block:
        """What is left of it from that second on."""
        skipped = max(round((seconds - self.time) * RATE), 0)
        return Block(self.time + skipped / RATE, self.samples[skipped * FRAME_BYTES :])


def sound_stream(streams: Sequence[AuxStream]) -> AuxStream | None:
    """The stream that a player plays unasked: the default one, or else the first."""
    sounds = [stream for stream in streams if stream.kind == "audio"]
    chosen = [stream for stream in sounds if stream.disposition & 1]
    return next(iter([*chosen, *sounds]), None)


def decoded(packets: Iterable[AuxPacket], stream: AuxStream, start: float) -> Iterator[Block]:
    """Blocks of a stream from second `start` on, at most 171 ms each.

    Packets that do not decode are left out. Raises ValueError for a codec that FFmpeg lacks.
    """
    block = Block(start, b"")
    for frame, time in _frames(packets, stream, start):
        samples = frame.to_ndarray().tobytes()
        if abs(time - block.end) > _JUMP_SECONDS or not block.samples:
            if block.samples:
                yield block
            block = Block(time, b"")
        block = Block(block.time, block.samples + samples)
        if block.end > start:
            block = block.after(start)
        while len(block.samples) >= _BLOCK_FRAMES * FRAME_BYTES:
            whole = Block(block.time, block.samples[: _BLOCK_FRAMES * FRAME_BYTES])
            yield whole
            block = block.after(whole.end)
    if block.samples:
        yield block


def _frames(
    packets: Iterable[AuxPacket], stream: AuxStream, start: float
) -> Iterator[tuple[av.AudioFrame, float]]:
    codec = av.CodecContext.create(stream.codec, "r")
    if not isinstance(codec, AudioCodecContext):
        raise ValueError(f"{stream.codec} is no codec for sound")
    codec.extradata = stream.extradata or None
    codec.sample_rate = stream.sample_rate
    if stream.layout:
        codec.layout = stream.layout
    resampler = av.AudioResampler("s16", "stereo", RATE)
    for packet in packets:
        time = float(packet.pts * stream.time_base)
        if packet.stream != stream.index or time < start - _WARM_UP_SECONDS:
            continue
        try:
            frames = codec.decode(av.Packet(packet.data))
        except av.error.FFmpegError:
            continue
        for frame in frames:
            frame.pts = None  # Or the resampler would fill what it takes for gaps.
            for resampled in resampler.resample(frame):
                yield resampled, time
                time += resampled.samples / RATE
