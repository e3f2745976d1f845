"""Streams for `player_speed.py`: one clip at 720p and at 1080p, as classical and hybrid scenes.

What is encoded is kept in a folder, and made again only if it is not there.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import av
from edgecodec.encoder import EncodeOptions, encode
from edgecodec.encoder.adaptation import Adaptation
from edgecodec.encoder.effort import Effort
from edgecodec.encoder.targets import QualityTarget
from edgecodec.runtime.container import Codec, Reader, Writer
from edgecodec.runtime.payloads import ALL_PLANES, HybridBody, pack_body, parse_body

CLIP = Path(__file__).parent.parent / "examples/media/bbb_720p.mp4"
SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
STRATEGIES = ("classical", "hybrid_semantic")
QUALITY = 50.0
_CLIP_QUALITY = "12"  # x264's constant quality: next to lossless


@dataclass(frozen=True)
class SpeedStream:
    """A stream of one strategy; `flags` says which frames its network mends: "chosen" by the
    encoder, "all", or "none" where there is no network."""

    path: Path
    size: str
    strategy: str
    flags: str


def make_streams(folder: Path, sizes: list[str], frames: int) -> list[SpeedStream]:
    """Encodes what `folder` does not have yet."""
    folder.mkdir(parents=True, exist_ok=True)
    streams = []
    for size in sizes:
        source = _source(folder, size)
        for strategy in STRATEGIES:
            path = folder / f"{size}-{strategy}-{frames}.ecv"
            if not path.exists():
                options = EncodeOptions(
                    strategies=(strategy,),
                    target=QualityTarget(QUALITY),
                    effort=Effort.FAST,
                    codecs=(Codec.AV1,),
                    frames=frames,
                    adapt=Adaptation.NONE,
                    sizes=("full",),
                )
                encode(source, path, options)
            if strategy == "classical":
                streams.append(SpeedStream(path, size, strategy, "none"))
                continue
            every = path.with_name(f"{path.stem}-all.ecv")
            mend_every_frame(path, every)
            streams.append(SpeedStream(path, size, strategy, "chosen"))
            streams.append(SpeedStream(every, size, strategy, "all"))
    return streams


def _source(folder: Path, size: str) -> Path:
    """The clip at that size."""
    width, height = SIZES[size]
    with av.open(str(CLIP)) as clip:
        video = clip.streams.video[0]
        if (video.width, video.height) == (width, height):
            return CLIP
        path = folder / f"clip-{size}.mp4"
        if path.exists():
            return path
        partial = path.with_suffix(".partial.mp4")
        with av.open(str(partial), "w") as output:
            stream = output.add_stream("libx264", rate=video.average_rate)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.options = {"crf": _CLIP_QUALITY, "preset": "veryfast"}
            for frame in clip.decode(video):
                scaled = frame.reformat(width, height, "yuv420p", interpolation="LANCZOS")
                output.mux(stream.encode(scaled))
            output.mux(stream.encode(None))
        os.replace(partial, path)
    return path


def mend_every_frame(chosen: Path, every: Path) -> None:
    """The stream with all planes of all frames flagged."""
    partial = every.with_suffix(".partial")
    with chosen.open("rb") as file, partial.open("wb") as output:
        reader = Reader(file)
        writer = Writer(output, replace(reader.header, aux_streams=()))
        for entry in reader.index:
            chunk = reader.chunk(entry)
            body = parse_body(chunk.strategy, chunk.body, entry.frames)
            assert isinstance(body, HybridBody)
            flagged = replace(body, enhanced=(True,) * entry.frames, planes=ALL_PLANES)
            writer.write_chunk(replace(chunk, body=pack_body(flagged)))
        writer.finish()
    os.replace(partial, every)
