"""The examples as a user starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pygame
import pytest
import to_ffmpeg
from edgecodec.runtime import AuxPacket, AuxStream, PictureFormat
from edgecodec.runtime.frames import Planes

from ..conftest import Clip
from ..runtime.streams import classical, stream_of
from .conftest import SMALL, all_frames
from .test_pictures import pixels

Draw = Callable[..., tuple[Planes, ...]]
EXAMPLES = Path(__file__).parents[2] / "examples"


def run(script: str, *words: object) -> subprocess.CompletedProcess[bytes]:
    """Without SDL's dummy driver: a command must do without it."""
    environment = {name: value for name, value in os.environ.items() if "SDL_" not in name}
    command = [sys.executable, "-W", "error", str(EXAMPLES / script), *map(str, words)]
    return subprocess.run(command, capture_output=True, timeout=120, env=environment)


def test_the_player_takes_a_picture_of_itself(film: Path, tmp_path: Path) -> None:
    out = tmp_path / "player.png"
    done = run("play.py", film, "--screenshot", out, "--at", 0.3, "--size", "400x300")
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == b""
    taken = pixels(pygame.image.load(str(out)))
    assert taken.shape == (300, 400, 3)
    assert len(np.unique(taken[100:250].reshape(-1, 3), axis=0)) > 1000


def test_a_picture_of_what_cannot_be_played_has_the_error_in_it(tmp_path: Path) -> None:
    out = tmp_path / "player.png"
    done = run("play.py", tmp_path / "none.ecv", "--screenshot", out)
    assert done.returncode == 1
    taken = pixels(pygame.image.load(str(out)))
    assert (taken == (255, 130, 110)).all(axis=2).any()


def test_without_a_display_the_player_says_so(film: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "play.py"), str(film)]
    environment = {**os.environ, "SDL_VIDEODRIVER": "nowhere"}
    done = subprocess.run(command, capture_output=True, timeout=120, env=environment)
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: no window: ")


def test_the_embedding_sample_plays_in_a_terminal(film: Path, damaged_film: Path) -> None:
    done = run("embed.py", film, 48)
    assert done.returncode == 0, done.stderr
    pictures = done.stdout.decode().split("\x1b[H")[1:]
    assert len(pictures) == 30
    assert {len(line) for picture in pictures for line in picture.split()} <= set(range(1, 49))
    done = run("embed.py", damaged_film)
    assert done.stdout.count(b"\x1b[H") == 24
    assert b"checksum does not match" in done.stderr


def test_the_embedding_sample_is_short() -> None:
    assert len((EXAMPLES / "embed.py").read_text("utf-8").splitlines()) <= 30


@pytest.fixture(scope="module")
def texted_film(draw_planes: Draw, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 frames at 25 Hz, turned by 90 degrees, with two subtitles."""
    planes = draw_planes(SMALL, 12)
    text = AuxStream(0, "subrip", "subtitle", Fraction(1, 1000), language="fin")
    packets = [
        AuxPacket(0, 0, 0, 200, True, "päivää".encode()),
        AuxPacket(0, 240, 240, 200, True, b"hei"),
    ]
    path = tmp_path_factory.mktemp("commands") / "texted.ecv"
    path.write_bytes(
        stream_of(
            [classical(planes[:5], SMALL), classical(planes[5:], SMALL)],
            SMALL,
            time_base=Fraction(1, 25),
            frame_rate=Fraction(25),
            rotation=90,
            aux=packets,
            aux_streams=(text,),
        )
    )
    return path


def test_a_stream_becomes_a_file_with_its_subtitles(texted_film: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mkv"
    done = run("to_ffmpeg.py", texted_film, out, "--crf", 1)
    assert done.returncode == 0, done.stderr
    with av.open(str(out)) as container:
        frames = list(container.decode(video=0))
    with av.open(str(out)) as container:
        texts = [bytes(packet) for packet in container.demux(subtitles=0) if packet.size]
        assert container.streams.subtitles[0].language == "fin"
    assert [frame.time for frame in frames] == pytest.approx([n / 25 for n in range(12)], abs=1e-3)
    assert abs(frames[0].rotation) == 90
    for frame, wanted in zip(frames, all_frames(texted_film), strict=True):
        error = frame.to_ndarray()[:64].astype(int) - wanted.planes[0]
        assert abs(error).mean() < 2
    assert texts == ["päivää".encode(), b"hei"]


def test_sound_is_copied(draw_planes: Draw, sound_clip: Clip, tmp_path: Path) -> None:
    with av.open(str(sound_clip.path)) as container:
        source = container.streams.audio[0]
        context = source.codec_context
        stream = AuxStream(
            1, "aac", "audio", source.time_base, context.extradata or b"", 48000, 2, "stereo", "und"
        )
        packets = [
            AuxPacket(1, packet.pts, packet.dts or 0, packet.duration or 0, True, bytes(packet))
            for packet in container.demux(source)
            if packet.pts is not None
        ]
    path, out = tmp_path / "in.ecv", tmp_path / "out.mp4"
    scene = classical(draw_planes(SMALL, 10), SMALL)
    path.write_bytes(stream_of([scene], SMALL, aux=packets, aux_streams=(stream,)))
    done = run("to_ffmpeg.py", path, out)
    assert done.returncode == 0, done.stderr
    with av.open(str(out)) as container:
        copied = [bytes(packet) for packet in container.demux(audio=0) if packet.size]
    assert copied == [packet.data for packet in packets]


def test_filters_work_on_the_pictures(texted_film: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mkv"
    done = run("to_ffmpeg.py", texted_film, out, "--filter", "scale=48:-2", "--filter", "fps=50")
    assert done.returncode == 0, done.stderr
    with av.open(str(out)) as container:
        frames = list(container.decode(video=0))
    assert {(frame.width, frame.height) for frame in frames} == {(48, 32)}
    assert [frame.time for frame in frames] == pytest.approx([n / 50 for n in range(24)], abs=1e-3)


def test_the_pipe_feeds_an_ffmpeg_process(film: Path, tmp_path: Path) -> None:
    piped = run("to_ffmpeg.py", film, "-", "--filter", "hflip")
    assert piped.returncode == 0, piped.stderr
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    raw = subprocess.run(
        [ffmpeg, "-v", "error", "-i", "-", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"],
        input=piped.stdout,
        capture_output=True,
        timeout=120,
    )
    assert raw.returncode == 0, raw.stderr
    frames = np.frombuffer(raw.stdout, np.uint8).reshape(30, -1)
    for frame, wanted in zip(frames, all_frames(film), strict=True):
        luma = frame[: 96 * 64].reshape(64, 96)
        assert np.array_equal(luma, wanted.planes[0][:, ::-1])


@pytest.mark.parametrize("picture", [PictureFormat(97, 65), PictureFormat(96, 64, 10)])
def test_odd_sizes_and_ten_bits(draw_planes: Draw, picture: PictureFormat, tmp_path: Path) -> None:
    path, out = tmp_path / "in.ecv", tmp_path / "out.mp4"
    path.write_bytes(stream_of([classical(draw_planes(picture, 3), picture)], picture))
    piped = run("to_ffmpeg.py", path, "-")
    head, _, rest = piped.stdout.partition(b"\n")
    assert f" W{picture.width} H{picture.height} ".encode() in head
    frame = all_frames(path)[0]
    assert rest.startswith(b"FRAME\n" + b"".join(plane.tobytes() for plane in frame.planes))
    done = run("to_ffmpeg.py", path, out)
    assert done.returncode == 0, done.stderr
    with av.open(str(out)) as container:
        coded = next(container.decode(video=0))
    even = (picture.width + picture.width % 2, picture.height + picture.height % 2)
    assert (coded.width, coded.height) == even
    assert coded.format.name == ("yuv420p" if picture.bit_depth == 8 else "yuv420p10le")


def test_what_cannot_be_done_leaves_nothing(
    film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty.ecv"
    empty.write_bytes(stream_of([], SMALL))
    folder = tmp_path / "out"
    folder.mkdir()
    for words, said in (
        ((film, folder / "out.avi"), ".mkv"),
        ((film, folder / "out.mp4", "--filter", "nosuch=1"), "nosuch"),
        ((empty, folder / "out.mp4"), "no frame"),
        ((tmp_path / "none.ecv", folder / "out.mp4"), "none.ecv"),
    ):
        assert to_ffmpeg.main([str(word) for word in words]) == 1
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert said in error
    assert list(folder.iterdir()) == []
