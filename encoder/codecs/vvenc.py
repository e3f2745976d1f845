"""VVC by VVenC, in the ffmpeg program that the imageio-ffmpeg wheel carries."""

from __future__ import annotations

import math
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
# Longer than any scene.
_LONGEST_INTERVAL = 65536
_TEMPORAL_LAYERS = 7
# Parameter sets are in the global header already; a delimiter before each frame is of no use.
_NEEDLESS_UNITS = {14: "VPS", 15: "SPS", 16: "PPS", 20: "access unit delimiter"}


class VVenC:
    """VVenC at a constant QP, preset faster and no perceptual QP unless told otherwise.

    Always codes 10 bits, whatever `BaseSettings.bit_depth` says. It has whole QPs only: between
    them it weighs bits against distortion otherwise than the QP would have it (`lambda_factor`).
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


def _params(settings: BaseSettings) -> list[str]:
    # With 8 threads or more it would switch to other coding tools, better to run in parallel.
    params = ["mtprofile=0"]
    if settings.keyframe_interval:
        params += [f"intraperiod={settings.keyframe_interval}", "poc0idr=1"]
    else:
        # One intra picture, in the first packet. It need not be the first on display;
        # "poc0idr=1" would make it so, but costs rate.
        params.append(f"intraperiod={_LONGEST_INTERVAL}")
    factor = lambda_factor(settings.crf)
    if factor != 1:
        params.append("LambdaModifier=" + ",".join([f"{factor:.4f}"] * _TEMPORAL_LAYERS))
    return params


def whole_qp(crf: float) -> int:
    """The QP nearest to a crf, the lower of two."""
    return math.ceil(crf - 0.5)


def lambda_factor(crf: float) -> float:
    """What to scale the Lagrange multiplier by at `whole_qp`, 1 for a whole crf.

    A QP more is a multiplier 2^(1/3) times as high. With the quantizer left as it is, the rate
    follows the multiplier only weakly, and more weakly the finer the quantizer: for as much as a
    whole QP it would take a factor of 2 at QP 32, 3.4 at 20. Measured, as are the bounds.
    """
    qp = whole_qp(crf)
    octaves_per_qp = min(max(1 + (32 - qp) / 16, 0.7), 1.8)
    return float(2 ** (octaves_per_qp * (crf - qp)))


def _command(settings: BaseSettings, size: tuple[int, int], output: Path) -> list[str]:
    try:
        ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise UnsupportedError(
            "VVC needs an ffmpeg with libvvenc: pip install imageio-ffmpeg, or name one in "
            "the environment variable IMAGEIO_FFMPEG_EXE"
        ) from error
    raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p10le", "-s", f"{size[0]}x{size[1]}"]
    quality = ["-preset", settings.preset or "faster", "-qp", str(whole_qp(settings.crf))]
    quality += ["-qpa", "0", "-vvenc-params", ":".join(_params(settings))]
    threads = ["-threads", str(settings.threads)] if settings.threads else []
    return [
        *(ffmpeg, "-v", "warning", "-y"),
        *raw,
        *("-framerate", str(nominal_rate(settings.frame_rate)), "-i", "pipe:0"),
        *("-c:v", "libvvenc", *quality, *threads),
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
