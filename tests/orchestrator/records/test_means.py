"""A result's figures over its clips."""

from __future__ import annotations

from dataclasses import replace

import pytest
from edgecodec.orchestrator.records import ClipResult, Result
from edgecodec.runtime.errors import UnsupportedError

ONE = ClipResult(
    clip="one",
    frames=100,
    duration_s=4.0,
    bytes=1000,
    bitrate_mbps=1.0,
    psnr=40.0,
    ssim=0.9,
    ms_ssim=0.92,
    vmaf=80.0,
    encode_fps=10.0,
    decode_fps=100.0,
    strategies={"classical": 100},
    tops_per_frame=0.1,
    verdict="pass",
    device_ms=(1.0, 2.0, 3.0),
)
TWO = replace(
    ONE,
    clip="two",
    frames=300,
    bitrate_mbps=3.0,
    psnr=44.0,
    ssim=0.98,
    ms_ssim=0.98,
    vmaf=90.0,
    encode_fps=5.0,
    decode_fps=50.0,
    tops_per_frame=0.3,
    verdict="unlikely",
    device_ms=None,
)


def of(*clips: ClipResult) -> Result:
    return Result("0" * 32, clips, 1.0, "worker", {})


def test_clips_count_alike() -> None:
    both = of(ONE, TWO)
    means = (both.bitrate_mbps, both.psnr, both.ssim, both.ms_ssim, both.vmaf, both.tops_per_frame)
    assert means == pytest.approx((2.0, 42.0, 0.94, 0.95, 85.0, 0.2))


def test_speeds_are_all_frames_over_all_time() -> None:
    both = of(ONE, TWO)
    assert both.encode_fps == pytest.approx(400 / (10 + 60))
    assert both.decode_fps == pytest.approx(400 / (1 + 6))
    assert of(replace(ONE, encode_fps=0.0)).encode_fps == 0.0


def test_vmaf_is_known_if_it_is_of_every_clip() -> None:
    assert of(ONE, replace(TWO, vmaf=None)).vmaf is None


def test_the_verdict_is_the_worst() -> None:
    assert of(ONE).verdict == "pass"
    assert of(TWO, ONE).verdict == "unlikely"
    assert of(TWO, replace(ONE, verdict="unknown")).verdict == "unknown"


def test_a_result_without_clips_is_none() -> None:
    with pytest.raises(UnsupportedError, match="no clips"):
        of()
