"""Small clips, made once for a session: lossless, so that what a test reads is what was drawn."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from edgecodec.runtime.frames import ColorInfo, Frame, PictureFormat, Plane, Planes

SMALL = PictureFormat(96, 64)
ODD = PictureFormat(97, 65)
DEEP = PictureFormat(96, 64, bit_depth=10)
THIRTY_HZ = Fraction(1, 30)
BT709 = ColorInfo(1, 1, 1)


def pytest_configure() -> None:
    """Each process of tests counts on one core, and interrupts reach what tests start."""
    if "PYTEST_XDIST_WORKER" in os.environ and hasattr(os, "sched_getaffinity"):
        # Threads of two processes would wait for each other on the same cores. What is kept to a
        # core indeed may starve beside a busy thread there, so they are only told.
        core = {min(os.sched_getaffinity(0))}
        os.sched_getaffinity = lambda _: core
    # Shells start what runs in their background with interrupts ignored.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class Clip:
    """A video file and what is in it, sample for sample."""

    path: Path
    format: PictureFormat
    planes: tuple[Planes, ...]
    pts: tuple[int, ...]
    time_base: Fraction


def draw(format: PictureFormat, count: int, *, cut_at: int | None = None) -> tuple[Planes, ...]:
    """Gradients that move, with a little noise; from frame `cut_at` on another picture."""
    noise = np.random.default_rng(1)
    top = (1 << format.bit_depth) - 1
    dtype = np.uint8 if format.bit_depth == 8 else np.uint16

    def plane(rows: int, columns: int, slope: float, offset: float) -> Plane:
        y, x = np.mgrid[0:rows, 0:columns]
        wave = np.sin((x * slope + y * 0.05 + offset) / 2) * 0.4 + 0.5
        samples = wave * top + noise.normal(0, top / 100, (rows, columns))
        return np.clip(samples.round(), 0, top).astype(dtype)

    drawn = []
    for index in range(count):
        after_cut = cut_at is not None and index >= cut_at
        slope, start = (0.9, 40.0) if after_cut else (0.1, 0.0)
        chroma = format.chroma_shape
        planes = (
            plane(format.height, format.width, slope, start + index * 0.2),
            plane(*chroma, slope / 2, start * 2 + 1 + index * 0.1),
            plane(*chroma, slope / 2, start + 2 - index * 0.1),
        )
        if after_cut:
            planes = tuple(top - samples for samples in planes)  # type: ignore[assignment]
        drawn.append(planes)
    return tuple(drawn)


def write_clip(
    path: Path,
    format: PictureFormat,
    planes: Sequence[Planes],
    *,
    pts: Sequence[int] | None = None,
    time_base: Fraction = THIRTY_HZ,
    color: ColorInfo = BT709,
    rotation: int = 0,
    audio: str | None = None,
    subtitles: bool = False,
) -> Clip:
    """Writes planes without loss: FFV1 in Matroska for odd sizes, else H.264 in the file's own."""
    pts = tuple(range(len(planes))) if pts is None else tuple(pts)
    odd = format.width % 2 or format.height % 2
    codec, options = ("ffv1", {}) if odd else ("libx264", {"qp": "0", "preset": "ultrafast"})
    # In the video's own units, or MP4's edit list rounds the first pts to milliseconds.
    clock = {"movie_timescale": str(time_base.denominator)} if path.suffix == ".mp4" else {}
    with av.open(str(path), "w", container_options=clock) as container:
        video = container.add_stream(codec, rate=30, options=options)
        video.width, video.height = format.width, format.height
        video.pix_fmt = "yuv420p" if format.bit_depth == 8 else "yuv420p10le"
        video.codec_context.time_base = time_base
        video.codec_context.color_primaries = color.primaries
        video.codec_context.color_trc = color.transfer
        video.codec_context.colorspace = color.matrix
        video.codec_context.color_range = 2 if color.full_range else 1
        if rotation:
            video.set_display_rotation(-rotation)
        sound = container.add_stream(audio, rate=48000) if audio else None
        text = container.add_mux_stream("subrip") if subtitles else None
        for at, frame in zip(pts, planes, strict=True):
            container.mux(video.encode(Frame(frame, format, at, time_base, color).to_av()))
        container.mux(video.encode(None))
        if sound is not None:
            container.mux([*sound.encode(_sine()), *sound.encode(None)])
        if text is not None:
            for second in range(2):
                packet = av.Packet(f"line {second}".encode())
                packet.stream = text
                packet.time_base = Fraction(1, 1000)
                packet.pts = packet.dts = second * 100
                packet.duration = 90
                container.mux(packet)
    return Clip(path, format, tuple(planes), pts, time_base)


def _sine() -> av.AudioFrame:
    samples = np.sin(np.arange(16000) * 2 * np.pi * 440 / 48000).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(np.stack([samples, samples]), "fltp", "stereo")
    frame.sample_rate = 48000
    frame.pts = 0
    frame.time_base = Fraction(1, 48000)
    return frame


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="session")
def fast_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of `fast_networks.write_fast_networks`."""
    # It loads torch, which most tests do without.
    from .fast_networks import write_fast_networks

    folder = tmp_path_factory.mktemp("fast") / "models"
    write_fast_networks(folder)
    return folder


@pytest.fixture(scope="session")
def draw_planes() -> Callable[..., tuple[Planes, ...]]:
    """`draw(format, count, cut_at=None)`."""
    return draw


@pytest.fixture(scope="session")
def make_clip() -> Callable[..., Clip]:
    """`write_clip`."""
    return write_clip


@pytest.fixture(scope="session")
def small_clip(clip_folder: Path) -> Clip:
    """10 frames of 96x64, 8 bit."""
    return write_clip(clip_folder / "small.mp4", SMALL, draw(SMALL, 10))


@pytest.fixture(scope="session")
def odd_clip(clip_folder: Path) -> Clip:
    """8 frames of 97x65."""
    return write_clip(clip_folder / "odd.mkv", ODD, draw(ODD, 8))


@pytest.fixture(scope="session")
def deep_clip(clip_folder: Path) -> Clip:
    """8 frames of 10 bit."""
    return write_clip(clip_folder / "deep.mp4", DEEP, draw(DEEP, 8))


@pytest.fixture(scope="session")
def variable_rate_clip(clip_folder: Path) -> Clip:
    """8 frames at uneven times, the first of them not 0."""
    pts = (40, 60, 80, 140, 150, 260, 261, 600)
    planes = draw(SMALL, len(pts))
    path = clip_folder / "variable.mp4"
    return write_clip(path, SMALL, planes, pts=pts, time_base=Fraction(1, 600))


@pytest.fixture(scope="session")
def sound_clip(clip_folder: Path) -> Clip:
    """10 frames beside a third of a second of AAC."""
    return write_clip(clip_folder / "sound.mp4", SMALL, draw(SMALL, 10), audio="aac")


@pytest.fixture(scope="session")
def subtitle_clip(clip_folder: Path) -> Clip:
    """10 frames beside Opus and two subtitles."""
    path = clip_folder / "subtitles.mkv"
    return write_clip(path, SMALL, draw(SMALL, 10), audio="libopus", subtitles=True)


@pytest.fixture(scope="session")
def rotated_clip(clip_folder: Path) -> Clip:
    """4 frames to be turned by 90 degrees clockwise."""
    return write_clip(clip_folder / "rotated.mp4", SMALL, draw(SMALL, 4), rotation=90)


@pytest.fixture(scope="session")
def cut_clip(clip_folder: Path) -> Clip:
    """60 frames with a hard cut before frame 30."""
    return write_clip(clip_folder / "cut.mp4", SMALL, draw(SMALL, 60, cut_at=30))
