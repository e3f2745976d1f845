"""Frames into FFmpeg: filters and an encoder by PyAV, or a pipe to an `ffmpeg` process.

    python examples/to_ffmpeg.py clip.ecv clip.mp4 [--filter scale=640:-2] [--filter hflip]
    python examples/to_ffmpeg.py clip.ecv - [--filter scale=640:-2] | ffmpeg -i - clip.webm

A file (.mp4, .mov or .mkv) gets H.264, and sound and subtitles as they are, if it can hold them.
The pipe is YUV4MPEG2 and has neither. Scenes that are damaged are left out.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import av
from av.container import OutputContainer
from av.filter import Graph
from av.video.frame import PictureType
from av.video.stream import VideoStream
from edgecodec import runtime
from edgecodec.runtime.av_planes import PIXEL_FORMATS, view_planes
from edgecodec.runtime.mux import CONTAINERS, add_aux_streams, muxable
from edgecodec.runtime.sink_base import PartFile
from edgecodec.runtime.y4m import write_y4m_frame, write_y4m_header

# H.264 has no odd sizes.
_EVEN = "pad=ceil(iw/2)*2:ceil(ih/2)*2"


def filtered(video: runtime.Video, filters: Sequence[str]) -> Iterator[av.VideoFrame]:
    """The film's frames behind filters, each as `ffmpeg -vf` has them: "scale=640:-2"."""
    graph = _graph(video.info, filters)
    nominal = round(1 / (video.info.frame_rate * video.info.time_base))
    for frame in video:
        picture = frame.to_av()
        picture.duration = nominal  # From the last one's, filters see where the film ends.
        graph.vpush(picture)
        yield from _ready(graph)
    graph.vpush(None)
    yield from _ready(graph)


def transcode(video: runtime.Video, path: Path, filters: Sequence[str], crf: int) -> None:
    """Writes H.264 beside copies of the other streams. Only a whole file gets the name."""
    if path.suffix.lower() not in CONTAINERS:
        raise runtime.UnsupportedError(f"{path}: name a file that ends in {', '.join(CONTAINERS)}")
    part = PartFile(path)
    try:
        with av.open(str(part.path), "w", format=CONTAINERS[path.suffix.lower()]) as container:
            frames = filtered(video, [*filters, _EVEN])
            first = next(frames, None)
            if first is None:
                raise runtime.UnsupportedError(f"no frame for {path}: the stream gave none")
            stream = _add_video(container, first, video.info, crf)
            packets = _packets(container, path, video)
            waiting = next(packets, None)
            for frame in chain([first], frames):
                # In the order of time, or the muxer would have to hold one kind back.
                while waiting is not None and _seconds(waiting) <= _seconds(frame):
                    container.mux(waiting)
                    waiting = next(packets, None)
                frame.pict_type = PictureType.NONE  # Which kind it becomes is the encoder's choice.
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
            for packet in chain([] if waiting is None else [waiting], packets):
                container.mux(packet)
        part.commit()
    finally:
        part.discard()


def pipe(video: runtime.Video, file: BinaryIO, filters: Sequence[str]) -> None:
    """Writes YUV4MPEG2, which every video tool reads."""
    depth = video.info.format.bit_depth
    for number, frame in enumerate(filtered(video, filters)):
        if number == 0:
            size = runtime.PictureFormat(frame.width, frame.height, depth)
            full_range = video.info.color.full_range
            aspect = video.info.sample_aspect
            write_y4m_header(file, size, video.info.frame_rate, aspect, full_range=full_range)
        write_y4m_frame(file, view_planes(frame, depth, frame.width, frame.height))


def _graph(info: runtime.StreamInfo, filters: Sequence[str]) -> Graph:
    pixels = PIXEL_FORMATS[info.format.bit_depth]
    aspect = info.sample_aspect or 1
    graph = Graph()
    nodes = [
        graph.add(
            "buffer",
            video_size=f"{info.format.width}x{info.format.height}",
            pix_fmt=pixels,
            time_base=str(info.time_base),
            pixel_aspect=str(aspect),
            colorspace=str(info.color.matrix),
            range="pc" if info.color.full_range else "tv",
        )
    ]
    for each in (*filters, f"format={pixels}"):
        name, _, arguments = each.partition("=")
        nodes.append(graph.add(name, arguments or None))
    graph.link_nodes(*nodes, graph.add("buffersink")).configure()
    return graph


def _ready(graph: Graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            yield graph.vpull()
        except (BlockingIOError, EOFError):  # It wants more frames, or has had them all.
            return


def _add_video(
    container: OutputContainer, first: av.VideoFrame, info: runtime.StreamInfo, crf: int
) -> VideoStream:
    stream = container.add_stream("libx264", info.frame_rate, options={"crf": str(crf)})
    stream.width, stream.height = first.width, first.height
    stream.pix_fmt = first.format.name
    context = stream.codec_context
    context.time_base = first.time_base or info.time_base  # A filter may have changed it.
    context.color_primaries = info.color.primaries
    context.color_trc = info.color.transfer
    context.colorspace = info.color.matrix
    context.color_range = 2 if info.color.full_range else 1
    if info.rotation:
        stream.set_display_rotation(-info.rotation)
    return stream


def _packets(
    container: OutputContainer, path: Path, video: runtime.Video
) -> Iterator[av.Packet[av.stream.Stream]]:
    """Sound and subtitles, for streams that are added at once."""
    time_bases = {stream.index: stream.time_base for stream in video.info.aux_streams}
    added = add_aux_streams(container, path, video.info.aux_streams)
    return (
        muxable(packet, added[packet.stream], time_bases[packet.stream])
        for packet in (video.aux_packets() if added else ())
        if packet.stream in added
    )


def _seconds(timed: av.Packet[av.stream.Stream] | av.VideoFrame) -> float:
    when = timed.dts if isinstance(timed, av.Packet) else timed.pts
    assert when is not None
    assert timed.time_base is not None
    return float(when * timed.time_base)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stream", help="a path or an http(s) URL")
    parser.add_argument("out", help="a .mp4, .mov or .mkv file, or - for the pipe")
    parser.add_argument("--filter", action="append", default=[], metavar="NAME=OPTIONS")
    parser.add_argument("--crf", type=int, default=20, help="H.264's quality, 0 to 51 (20)")
    options = parser.parse_args(arguments)
    try:
        with runtime.open(options.stream, on_damage="skip") as video:
            if options.out == "-":
                pipe(video, sys.stdout.buffer, options.filter)
            else:
                transcode(video, Path(options.out), options.filter, options.crf)
    except BrokenPipeError:  # Who reads the pipe has had enough.
        return 0
    except (runtime.EdgecodecError, av.error.FFmpegError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
