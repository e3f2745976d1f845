from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest
from edgecodec.encoder.vmaf import VmafMeter
from edgecodec.evaluation.anchors import decode_anchor, encode_anchor
from edgecodec.evaluation.clips import Clip
from edgecodec.evaluation.metrics import measure_sequence
from edgecodec.evaluation.systems import ANCHORS
from edgecodec.runtime.av_planes import to_video_frame
from edgecodec.runtime.errors import EdgecodecError, UnsupportedError
from edgecodec.runtime.frames import PictureFormat, Planes


def write_lossless(path: Path, frames: tuple[Planes, ...]) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for planes in frames:
            container.mux(stream.encode(to_video_frame(planes, 8)))
        container.mux(stream.encode(None))


def test_vmaf_is_what_ffmpeg_gives_for_lossless_files_of_the_same_frames(
    tmp_path: Path,
    source: tuple[Planes, ...],
    blurred: tuple[Planes, ...],
    picture: PictureFormat,
) -> None:
    write_lossless(tmp_path / "source.mkv", source)
    write_lossless(tmp_path / "blurred.mkv", blurred)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", "blurred.mkv", "-i", "source.mkv"]
    command += ["-lavfi", "libvmaf=log_fmt=json:log_path=log.json", "-f", "null", "-"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    expected = json.loads((tmp_path / "log.json").read_text())["pooled_metrics"]["vmaf"]["mean"]

    with VmafMeter(source, picture) as meter:
        scores = meter.measure(blurred)
    assert scores.vmaf == pytest.approx(expected, abs=1e-4)
    assert len(scores.frame_vmaf) == len(source)
    assert np.mean(scores.frame_vmaf) == pytest.approx(scores.vmaf, abs=1e-3)


def test_one_meter_orders_several_versions(
    tmp_path: Path,
    source: tuple[Planes, ...],
    blurred: tuple[Planes, ...],
    picture: PictureFormat,
) -> None:
    brighter = tuple((y // 2 * 2, u, v) for y, u, v in source)
    with VmafMeter(source, picture, threads=2, temporary_folder=tmp_path) as meter:
        itself = meter.measure(source, ms_ssim=True)
        slightly = meter.measure(brighter)
        blurry = meter.measure(blurred, ms_ssim=True)
        # Only the source and the last log stay, and nothing of them after the end.
        (folder,) = tmp_path.iterdir()
        assert {path.name for path in folder.iterdir()} == {"source.y4m", "log.json"}
    assert list(tmp_path.iterdir()) == []
    assert itself.vmaf > slightly.vmaf > blurry.vmaf
    assert blurry.vmaf_neg <= blurry.vmaf + 1e-6
    assert itself.ms_ssim == pytest.approx(1.0)
    assert slightly.ms_ssim is None
    assert blurry.ms_ssim is not None
    assert 0.5 < blurry.ms_ssim < 0.999
    assert (itself.pixel_format, itself.range) == ("yuv420p", "limited")
    assert itself.models == ("vmaf_v0.6.1", "vmaf_v0.6.1neg")


def test_ten_bits_are_compared_as_ten_bits(
    source: tuple[Planes, ...], blurred: tuple[Planes, ...], picture: PictureFormat
) -> None:
    def deep(frames: tuple[Planes, ...]) -> list[Planes]:
        y_u_v = [tuple(plane.astype(np.uint16) * 4 for plane in planes) for planes in frames]
        return [(y, u, v) for y, u, v in y_u_v]

    with VmafMeter(source, picture) as meter:
        eight = meter.measure(blurred)
    with VmafMeter(deep(source), PictureFormat(320, 180, 10), full_range=True) as meter:
        ten = meter.measure(deep(blurred))
    assert (ten.pixel_format, ten.range) == ("yuv420p10le", "full")
    assert ten.vmaf == pytest.approx(eight.vmaf, abs=0.5)


def test_a_missing_frame_is_an_error_and_leaves_nothing(
    tmp_path: Path, source: tuple[Planes, ...], picture: PictureFormat
) -> None:
    meter = VmafMeter(source, picture, temporary_folder=tmp_path)
    with meter, pytest.raises(ValueError, match="11 decoded frames, but the source has 12"):
        meter.measure(source[:-1])
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="no frame"):
        VmafMeter([], picture, temporary_folder=tmp_path)
    with pytest.raises(ValueError, match=r"frame 0: a plane is uint8 \[180, 320\], not uint16"):
        VmafMeter(source, PictureFormat(320, 180, 10), temporary_folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_ffmpegs_failure_is_told_with_its_last_words(
    tmp_path: Path,
    source: tuple[Planes, ...],
    picture: PictureFormat,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = tmp_path / "ffmpeg"
    broken.write_text("#!/bin/sh\necho 'the disk is full' >&2\nexit 7\n")
    broken.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(broken))
    with (
        VmafMeter(source, picture) as meter,
        pytest.raises(EdgecodecError, match=r"(?s)exit code 7.*320x180.*the disk is full"),
    ):
        meter.measure(source)

    broken.write_text("#!/bin/sh\necho \"No such filter: 'libvmaf'\" >&2\nexit 1\n")
    with VmafMeter(source, picture) as meter, pytest.raises(UnsupportedError, match="no libvmaf"):
        meter.measure(source)


def test_a_sequence_is_measured_with_and_without_vmaf(
    source: tuple[Planes, ...], blurred: tuple[Planes, ...], picture: PictureFormat
) -> None:
    plain = measure_sequence(source, blurred)
    assert plain.vmaf is None
    assert plain.frames == 12
    assert 15 < plain.psnr.weighted < 40
    assert plain.pooled_psnr.y <= plain.psnr.y + 1e-9
    assert 0.3 < plain.ssim.all < 0.99
    with VmafMeter(source, picture) as meter:
        full = measure_sequence(source, blurred, vmaf=meter)
    assert full.vmaf is not None
    assert (full.psnr, full.ssim) == (plain.psnr, plain.ssim)
    with pytest.raises(ValueError, match="11 decoded frames"):
        measure_sequence(source, blurred[:-1])


def write_raw(path: Path, frames: Sequence[Planes]) -> None:
    path.write_bytes(b"".join(plane.tobytes() for planes in frames for plane in planes))


def filter_scores(
    folder: Path, source: Sequence[Planes], decoded: Sequence[Planes], pixel_format: str
) -> tuple[list[float], list[float]]:
    """What ffmpeg's psnr and ssim filters give for each frame: (6 Y + U + V) / 8, and "All"."""
    write_raw(folder / "source.yuv", source)
    write_raw(folder / "decoded.yuv", decoded)
    height, width = source[0][0].shape
    raw = ["-f", "rawvideo", "-pix_fmt", pixel_format, "-s", f"{width}x{height}"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", *raw, "-i", "decoded.yuv"]
    command += [*raw, "-i", "source.yuv", "-lavfi"]
    command += ["[0][1]psnr=stats_file=psnr.log;[0][1]ssim=stats_file=ssim.log", "-f", "null", "-"]
    subprocess.run(command, cwd=folder, capture_output=True, check=True)
    weighted = []
    for line in (folder / "psnr.log").read_text().splitlines():
        y, u, v = (float(value) for value in re.findall(r"psnr_[yuv]:(\S+)", line))
        weighted.append((6 * y + u + v) / 8)
    totals = re.findall(r"All:(\S+)", (folder / "ssim.log").read_text())
    return weighted, [float(value) for value in totals]


@pytest.mark.parametrize(
    ("name", "crf", "bit_depth"), [("x264", 38, 8), ("svtav1-p6", 55, 8), ("vvenc-fast", 45, 10)]
)
def test_psnr_and_ssim_are_those_of_ffmpegs_filters_on_a_decoded_clip(
    tmp_path: Path, small_clip: Clip, name: str, crf: int, bit_depth: int
) -> None:
    clip = small_clip
    if bit_depth == 10:
        deep = PictureFormat(320, 180, 10)
        clip = replace(clip, format=deep, frames=tuple(deepened(each) for each in clip.frames))
    anchor = ANCHORS[name]
    encode = encode_anchor(replace(anchor, bit_depth=bit_depth), clip, crf)
    decoded = tuple(decode_anchor(encode, clip))
    assert decoded[0][0].dtype == clip.frames[0][0].dtype
    pixel_format = "yuv420p" if bit_depth == 8 else "yuv420p10le"
    weighted, totals = filter_scores(tmp_path, clip.frames, decoded, pixel_format)
    assert len(weighted) == len(totals) == 12
    measured = measure_sequence(clip.frames, decoded, bit_depth)
    assert measured.psnr.weighted == pytest.approx(np.mean(weighted), abs=0.01)
    assert measured.ssim.all == pytest.approx(np.mean(totals), abs=1e-4)
    assert measured.psnr.weighted < 42


def deepened(planes: Planes) -> Planes:
    """Eight bits as ten, with something in the lower two."""
    y, u, v = ((plane.astype(np.uint16) << 2) | (plane.astype(np.uint16) & 3) for plane in planes)
    return y, u, v
