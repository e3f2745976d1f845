"""PSNR and SSIM are checked against ffmpeg's own filters on a really compressed clip."""

from __future__ import annotations

import itertools
import re
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest
from edgecodec.encoder import quality
from edgecodec.encoder.quality import PlanePsnr, SequenceQuality
from edgecodec.runtime.frames import Plane, Planes

CLIP = Path(__file__).parents[2] / "examples" / "media" / "bbb_720p.mp4"
# A cut that leaves neither luma nor chroma a multiple of the SSIM grid.
WIDTH, HEIGHT, FRAMES = 1268, 700, 4


@dataclass(frozen=True)
class FilterScores:
    """What ffmpeg printed: per frame, and over the sequence."""

    frame_psnr: list[tuple[float, float, float]]
    pooled_psnr: tuple[float, float, float]
    frame_ssim: list[tuple[float, float, float, float]]


def planes_of(frame: av.VideoFrame) -> Planes:
    """The upper left WIDTH x HEIGHT of a frame."""
    samples = frame.to_ndarray(format="yuv420p").reshape(-1)
    luma, chroma = frame.width * frame.height, frame.width * frame.height // 4
    half = (frame.height // 2, frame.width // 2)
    y = samples[:luma].reshape(frame.height, frame.width)
    u = samples[luma : luma + chroma].reshape(half)
    v = samples[luma + chroma :].reshape(half)
    rows, columns = HEIGHT // 2, WIDTH // 2
    return y[:HEIGHT, :WIDTH], u[:rows, :columns], v[:rows, :columns]


@pytest.fixture(scope="module")
def source() -> list[Planes]:
    with av.open(str(CLIP)) as container:
        frames = itertools.islice(container.decode(video=0), FRAMES)
        return [planes_of(frame) for frame in frames]


@pytest.fixture(scope="module")
def decoded(source: list[Planes]) -> list[Planes]:
    """The source after libx264 at a low quality."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height = WIDTH, HEIGHT
    encoder.pix_fmt = "yuv420p"
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"crf": "36", "preset": "ultrafast"}
    decoder = av.CodecContext.create("h264", "r")
    frames: list[av.VideoFrame] = []
    packets = []
    for position, planes in enumerate(source):
        packed = np.concatenate([plane.reshape(-1) for plane in planes])
        frame = av.VideoFrame.from_ndarray(packed.reshape(-1, WIDTH), format="yuv420p")
        frame.pts = position
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    for packet in packets:
        frames += decoder.decode(av.Packet(bytes(packet)))
    frames += decoder.decode(None)
    assert len(frames) == FRAMES
    return [planes_of(frame) for frame in frames]


@pytest.fixture(scope="module")
def expected(
    source: list[Planes], decoded: list[Planes], tmp_path_factory: pytest.TempPathFactory
) -> FilterScores:
    folder = tmp_path_factory.mktemp("filters")
    for name, clip in (("source", source), ("decoded", decoded)):
        samples = [plane.tobytes() for planes in clip for plane in planes]
        (folder / f"{name}.yuv").write_bytes(b"".join(samples))
    raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{WIDTH}x{HEIGHT}"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin"]
    command += [*raw, "-i", "decoded.yuv", *raw, "-i", "source.yuv", "-lavfi"]
    command += ["[0][1]psnr=stats_file=psnr.log;[0][1]ssim=stats_file=ssim.log"]
    command += ["-f", "null", "-"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    pooled = re.search(r"PSNR y:(\S+) u:(\S+) v:(\S+)", result.stderr)
    assert pooled is not None
    y, u, v = (float(value) for value in pooled.groups())
    psnr_lines = (folder / "psnr.log").read_text().splitlines()
    ssim_lines = (folder / "ssim.log").read_text().splitlines()
    frame_psnr = []
    for line in psnr_lines:
        py, pu, pv = (float(x) for x in re.findall(r"psnr_[yuv]:(\S+)", line))
        frame_psnr.append((py, pu, pv))
    frame_ssim = []
    for line in ssim_lines:
        sy, su, sv, total = (float(x) for x in re.findall(r"(?:Y|U|V|All):(\S+)", line))
        frame_ssim.append((sy, su, sv, total))
    return FilterScores(frame_psnr, (y, u, v), frame_ssim)


def test_psnr_of_each_frame_equals_ffmpegs_filter(
    source: list[Planes], decoded: list[Planes], expected: FilterScores
) -> None:
    ours = [quality.psnr(a, b) for a, b in zip(source, decoded, strict=True)]
    assert len(expected.frame_psnr) == FRAMES
    for mine, theirs in zip(ours, expected.frame_psnr, strict=True):
        assert (mine.y, mine.u, mine.v) == pytest.approx(theirs, abs=0.01)
        assert mine.weighted == pytest.approx((6 * theirs[0] + theirs[1] + theirs[2]) / 8, abs=0.01)


def test_ssim_of_each_frame_equals_ffmpegs_filter(
    source: list[Planes], decoded: list[Planes], expected: FilterScores
) -> None:
    ours = [quality.ssim(a, b) for a, b in zip(source, decoded, strict=True)]
    assert len(expected.frame_ssim) == FRAMES
    for mine, theirs in zip(ours, expected.frame_ssim, strict=True):
        assert (mine.y, mine.u, mine.v, mine.all) == pytest.approx(theirs, abs=1e-4)
        assert mine.all < 0.999


def test_sequence_gives_the_mean_of_frames_and_the_pooled_error(
    source: list[Planes], decoded: list[Planes], expected: FilterScores
) -> None:
    sequence = SequenceQuality()
    frames = [sequence.add(a, b) for a, b in zip(source, decoded, strict=True)]
    assert sequence.frames == FRAMES
    assert sequence.frame_psnr == tuple(frames)
    assert sequence.psnr.y == pytest.approx(np.mean([frame.y for frame in frames]))
    assert sequence.psnr.weighted == pytest.approx(np.mean([frame.weighted for frame in frames]))
    pooled = sequence.pooled_psnr
    assert (pooled.y, pooled.u, pooled.v) == pytest.approx(expected.pooled_psnr, abs=0.01)
    assert pooled.y <= sequence.psnr.y
    assert sequence.ssim.all == pytest.approx(
        np.mean([frame[3] for frame in expected.frame_ssim]), abs=1e-4
    )


def flat(value: int, shape: tuple[int, int] = (32, 48), bit_depth: int = 8) -> Planes:
    kind = np.uint8 if bit_depth == 8 else np.uint16
    half = ((shape[0] + 1) // 2, (shape[1] + 1) // 2)
    luma: Plane = np.full(shape, value, kind)
    return luma, np.full(half, value, kind), np.full(half, value, kind)


def test_identical_pictures_are_capped() -> None:
    picture = flat(77)
    assert quality.psnr(picture, picture) == PlanePsnr(100.0, 100.0, 100.0)
    assert quality.psnr(picture, picture).weighted == 100.0
    assert quality.ssim(picture, picture).all == pytest.approx(1.0)


def test_psnr_follows_its_definition_and_weights() -> None:
    y, u, v = flat(100)
    worse = (y + 2, u + 4, v)
    assert quality.mse_planes((y, u, v), worse) == (4.0, 16.0, 0.0)
    result = quality.psnr((y, u, v), worse)
    assert result.y == pytest.approx(10 * np.log10(255**2 / 4))
    assert result.u == pytest.approx(10 * np.log10(255**2 / 16))
    assert result.v == 100.0
    assert result.weighted == pytest.approx((6 * result.y + result.u + result.v) / 8)


def test_ten_bit_scores_like_eight_bit_when_scaled() -> None:
    generator = np.random.default_rng(3)
    clean: Plane = generator.integers(0, 250, (64, 96), dtype=np.uint8)
    noisy: Plane = clean + generator.integers(0, 6, clean.shape, dtype=np.uint8)
    eight = quality.ssim((clean,) * 3, (noisy,) * 3)
    deep_clean, deep_noisy = clean.astype(np.uint16) * 4, noisy.astype(np.uint16) * 4
    ten = quality.ssim((deep_clean,) * 3, (deep_noisy,) * 3, bit_depth=10)
    assert ten.all == pytest.approx(eight.all, abs=1e-4)
    step = quality.psnr(flat(500, bit_depth=10), flat(501, bit_depth=10), bit_depth=10)
    assert step.y == pytest.approx(20 * np.log10(1023))


def test_full_scale_ten_bit_squares_do_not_overflow() -> None:
    black, white = flat(0, bit_depth=10), flat(1023, bit_depth=10)
    assert quality.psnr(black, white, bit_depth=10).y == pytest.approx(0.0)
    assert 0 < quality.ssim(black, white, bit_depth=10).all < 1e-3


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (7, 31), (16, 16), (17, 33)])
def test_small_and_odd_pictures_are_compared(shape: tuple[int, int]) -> None:
    picture = flat(40, shape)
    assert quality.ssim(picture, picture).all == pytest.approx(1.0)
    assert quality.ssim(picture, flat(90, shape)).all < 0.9
    assert quality.psnr(picture, flat(41, shape)).y == pytest.approx(20 * np.log10(255))


def test_pictures_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match=r"plane Y: uint8 \[32, 48\].*uint8 \[32, 40\]"):
        quality.psnr(flat(1), flat(1, (32, 40)))
    with pytest.raises(ValueError, match="uint16"):
        quality.ssim(flat(1), flat(1, bit_depth=10))


def test_an_empty_sequence_has_no_mean() -> None:
    with pytest.raises(ValueError, match="no frame"):
        _ = SequenceQuality().psnr
