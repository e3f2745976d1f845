"""VVC by VVenC, in the ffmpeg program that the imageio-ffmpeg wheel carries."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np

from ...runtime.container import Codec
from ...runtime.errors import EdgecodecError, UnsupportedError
from ...runtime.frames import Planes
from ...runtime.payloads import BasePacket, BaseStream
from ._base import (
    BaseSettings,
    CodedSize,
    check_request,
    coded_pictures,
    in_decode_order,
    nominal_rate,
    quantizer_of,
)

_SIZE = CodedSize(multiple=8, minimum=32)
_BIT_DEPTH = 10
_TAIL_CHARACTERS = 800
# Longer than any scene: one intra picture, in the first packet. It need not be the first on
# display; "poc0idr=1" would make it so, but costs rate.
_PARAMS = "intraperiod=65536"
# Parameter sets are in the global header already; a delimiter before each frame is of no use.
_NEEDLESS_UNITS = {14: "VPS", 15: "SPS", 16: "PPS", 20: "access unit delimiter"}


class VVenC:
    """VVenC at a constant QP, preset faster and no perceptual QP unless told otherwise.

    Always codes 10 bits, whatever `BaseSettings.bit_depth` says.
    """

    codec = Codec.VVC
    quantizer_range = (0, 63)

    def encode(self, frames: Sequence[Planes], settings: BaseSettings) -> BaseStream:
        """See `BaseEncoder.encode`."""
        check_request(frames, settings, self.quantizer_range)
        size = _SIZE.of(settings.format)
        with tempfile.TemporaryDirectory(prefix="edgecodec-vvc-") as folder:
            # MP4 keeps the order of display and the parameter sets apart from the packets.
            coded = Path(folder) / "scene.mp4"
            _run_ffmpeg(_command(settings, size, coded), frames, settings, size, Path(folder))
            extradata, packets = _demux(coded, len(frames))
        return BaseStream(
            codec=self.codec,
            width=size[0],
            height=size[1],
            bit_depth=_BIT_DEPTH,
            quantizer=quantizer_of(settings.crf, self.quantizer_range),
            extradata=extradata,
            packets=tuple(packets),
        )


def _command(settings: BaseSettings, size: tuple[int, int], output: Path) -> list[str]:
    try:
        ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise UnsupportedError(
            "VVC needs an ffmpeg with libvvenc: pip install imageio-ffmpeg, or name one in "
            "the environment variable IMAGEIO_FFMPEG_EXE"
        ) from error
    raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p10le", "-s", f"{size[0]}x{size[1]}"]
    quality = ["-preset", settings.preset or "faster", "-qp", str(settings.crf), "-qpa", "0"]
    threads = ["-threads", str(settings.threads)] if settings.threads else []
    return [
        *(ffmpeg, "-v", "warning", "-y"),
        *raw,
        *("-framerate", str(nominal_rate(settings.frame_rate)), "-i", "pipe:0"),
        *("-c:v", "libvvenc", *quality, "-vvenc-params", _PARAMS, *threads),
        *("-f", "mp4", str(output)),
    ]


def _run_ffmpeg(
    command: list[str],
    frames: Sequence[Planes],
    settings: BaseSettings,
    size: tuple[int, int],
    folder: Path,
) -> None:
    # Only the input is a pipe, so that neither side can wait for the other forever.
    log = folder / "ffmpeg.log"
    with (
        log.open("wb") as errors,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=errors, stderr=errors) as process,
    ):
        assert process.stdin is not None
        try:
            for planes in coded_pictures(frames, settings, size, _BIT_DEPTH):
                for plane in planes:
                    process.stdin.write(np.ascontiguousarray(plane, dtype="<u2").data)
            process.stdin.close()
        except BrokenPipeError:
            pass  # It stopped reading: its exit code and its log say why.
        except BaseException:
            process.kill()
            raise
        status = process.wait()
    if status == 0:
        return
    said = log.read_text(errors="replace")[-_TAIL_CHARACTERS:].strip()
    if "Unknown encoder" in said:
        raise UnsupportedError(
            f"{command[0]} has no libvvenc, which VVC needs: pip install imageio-ffmpeg, and "
            "unset IMAGEIO_FFMPEG_EXE"
        )
    raise EdgecodecError(
        f"libvvenc failed (exit code {status}) on {len(frames)} frames of "
        f"{size[0]}x{size[1]}: {said}"
    )


def _demux(path: Path, frames: int) -> tuple[bytes, list[BasePacket]]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        extradata = stream.codec_context.extradata or b""
        coded = [
            (packet.pts, packet.is_keyframe, _without_needless_units(bytes(packet)))
            for packet in container.demux(stream)
            if packet.size and packet.pts is not None
        ]
    # The file's clock has its own unit: frame numbers are the ranks of the timestamps.
    rank = {pts: number for number, pts in enumerate(sorted(pts for pts, _, _ in coded))}
    packets = [(rank[pts], is_keyframe, data) for pts, is_keyframe, data in coded]
    return extradata, in_decode_order("libvvenc", frames, packets)


def _without_needless_units(access_unit: bytes) -> bytes:
    """NAL units, each behind its length in four bytes, less the needless ones."""
    kept = []
    start = 0
    while start < len(access_unit):
        end = start + 4 + int.from_bytes(access_unit[start : start + 4], "big")
        if access_unit[start + 5] >> 3 not in _NEEDLESS_UNITS:
            kept.append(access_unit[start:end])
        start = end
    return b"".join(kept)
