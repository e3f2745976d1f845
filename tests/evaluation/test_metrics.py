from __future__ import annotations

import json
import subprocess
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest
from edgecodec.evaluation.metrics import measure_sequence
from edgecodec.evaluation.vmaf import VmafMeter
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
