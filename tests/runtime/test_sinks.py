"""Sinks: what was written is read back sample for sample, and a failure leaves nothing behind."""

from __future__ import annotations

import hashlib
import subprocess
from fractions import Fraction

import av
import imageio_ffmpeg
import numpy as np
import pytest
from edgecodec.encoder.media import open_source, read_aux
from edgecodec.runtime.auxiliary import AuxPacket, AuxStream
from edgecodec.runtime.container import Header
from edgecodec.runtime.errors import EdgecodecError, UnsupportedError
from edgecodec.runtime.frames import ColorInfo, Frame, PictureFormat
from edgecodec.runtime.sinks import open_sink

SMALL = PictureFormat(96, 64)
CLIPS = ["small_clip", "odd_clip", "deep_clip", "variable_rate_clip", "rotated_clip"]


def load(path):
    """A clip as the decoder would hand it out: a header, frames, packets."""
    with open_source(path) as source:
        info = source.info
        frames = [
            Frame(frame.planes, info.format, frame.pts, info.time_base, info.color)
            for frame in source.frames()
        ]
    streams, packets = read_aux(path)
    header = Header(
        format=info.format,
        time_base=info.time_base,
        frame_rate=info.frame_rate,
        color=info.color,
        rotation=info.rotation,
        sample_aspect=info.sample_aspect,
        aux_streams=streams,
    )
    return header, frames, packets


def write(target, header, frames, packets=()):
    with open_sink(target, header) as sink:
        for frame in frames:
            sink.write(frame)
        for packet in packets:
            sink.write_aux(packet)
    return sink


def assert_same_samples(got, wanted):
    assert len(got) == len(wanted)
    for a, b in zip(got, wanted, strict=True):
        assert all(np.array_equal(x, y) for x, y in zip(a.planes, b.planes, strict=True))


def times(header, frames):
    return [frame.pts * header.time_base for frame in frames]


@pytest.mark.parametrize(
    ("name", "extension"),
    [(name, extension) for name in CLIPS for extension in ("y4m", "mkv")]
    + [(name, extension) for name in CLIPS if name != "odd_clip" for extension in ("mp4", "mov")],
)
def test_files_are_lossless(request, tmp_path, name, extension):
    header, frames, _ = load(request.getfixturevalue(name).path)
    path = tmp_path / f"out.{extension}"
    sink = write(path, header, frames)
    assert sink.summary == str(path)
    again, read, _ = load(path)
    assert again.format == header.format
    assert_same_samples(read, frames)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("extension", ["mp4", "mov"])
def test_odd_sizes_are_padded_where_they_must_be(odd_clip, tmp_path, extension):
    header, frames, _ = load(odd_clip.path)
    path = tmp_path / f"out.{extension}"
    with pytest.warns(UserWarning, match="97x65"):
        write(path, header, frames)
    again, read, _ = load(path)
    assert (again.format.width, again.format.height) == (98, 66)
    for got, wanted in zip(read, frames, strict=True):
        assert np.array_equal(got.planes[0][:65, :97], wanted.planes[0])
        assert np.array_equal(got.planes[0][:65, 97], wanted.planes[0][:, 96])
        assert np.array_equal(got.planes[1], wanted.planes[1])


@pytest.mark.parametrize("extension", ["mp4", "mov"])
@pytest.mark.parametrize("name", ["small_clip", "deep_clip", "variable_rate_clip"])
def test_timestamps_are_exact(request, tmp_path, name, extension):
    header, frames, _ = load(request.getfixturevalue(name).path)
    path = tmp_path / f"out.{extension}"
    assert write(path, header, frames).keeps_timestamps
    again, read, _ = load(path)
    assert times(again, read) == times(header, frames)


def test_matroska_rounds_timestamps_to_milliseconds(variable_rate_clip, tmp_path):
    header, frames, _ = load(variable_rate_clip.path)
    path = tmp_path / "out.mkv"
    assert write(path, header, frames).keeps_timestamps
    again, read, _ = load(path)
    for got, wanted in zip(times(again, read), times(header, frames), strict=True):
        assert abs(got - wanted) <= Fraction(1, 2000)


@pytest.mark.parametrize(
    "time_base", [Fraction(1001, 30000), Fraction(1, 90000), Fraction(1, 10**6)]
)
def test_any_time_base(draw_planes, tmp_path, time_base):
    header = Header(format=SMALL, time_base=time_base, frame_rate=Fraction(30000, 1001))
    frames = [
        Frame(planes, SMALL, 7 + 3 * index * index, time_base)
        for index, planes in enumerate(draw_planes(SMALL, 4))
    ]
    path = tmp_path / "out.mp4"
    write(path, header, frames)
    again, read, _ = load(path)
    assert times(again, read) == times(header, frames)


@pytest.mark.parametrize("extension", ["mp4", "mov", "mkv"])
def test_colour_rotation_and_shape_are_kept(draw_planes, tmp_path, extension):
    color = ColorInfo(9, 16, 9, full_range=True)
    header = Header(
        format=SMALL,
        time_base=Fraction(1, 1000),
        frame_rate=Fraction(25),
        color=color,
        rotation=270,
        sample_aspect=Fraction(4, 3),
    )
    planes = draw_planes(SMALL, 2)
    frames = [Frame(p, SMALL, 40 * i, header.time_base, color) for i, p in enumerate(planes)]
    path = tmp_path / f"out.{extension}"
    write(path, header, frames)
    again, read, _ = load(path)
    assert again.color == color
    assert again.rotation == 270
    assert again.sample_aspect == Fraction(4, 3)
    assert_same_samples(read, frames)


@pytest.mark.parametrize("name", ["sound_clip", "subtitle_clip"])
@pytest.mark.parametrize("extension", ["mp4", "mkv"])
@pytest.mark.filterwarnings("ignore:.*left out")
def test_other_streams_keep_every_byte(request, tmp_path, name, extension):
    header, frames, packets = load(request.getfixturevalue(name).path)
    path = tmp_path / f"out.{extension}"
    write(path, header, frames, packets)
    again, _, copied = load(path)
    streams = [s for s in header.aux_streams if extension == "mkv" or s.kind == "audio"]
    assert [s.codec for s in again.aux_streams] == [s.codec for s in streams]
    for was, now in zip(streams, again.aux_streams, strict=True):
        assert (was.sample_rate, was.channels, was.layout) == (
            now.sample_rate,
            now.channels,
            now.layout,
        )
        assert [p.data for p in copied if p.stream == now.index] == [
            p.data for p in packets if p.stream == was.index
        ]


def test_audio_keeps_its_place_beside_the_video(sound_clip, tmp_path):
    header, frames, packets = load(sound_clip.path)
    path = tmp_path / "out.mp4"
    write(path, header, frames, packets)
    again, read, copied = load(path)
    was, now = header.aux_streams[0].time_base, again.aux_streams[0].time_base
    assert [p.pts * now for p in copied] == [p.pts * was for p in packets]
    assert times(again, read) == times(header, frames)
    with av.open(str(path)) as container:
        decoded = sum(frame.samples for frame in container.decode(audio=0))
    with av.open(str(sound_clip.path)) as container:
        assert decoded == sum(frame.samples for frame in container.decode(audio=0))


@pytest.mark.parametrize(
    ("extension", "stream"),
    [
        ("mp4", AuxStream(0, "subrip", "subtitle", Fraction(1, 1000))),
        ("mov", AuxStream(0, "opus", "audio", Fraction(1, 48000), b"OpusHead", 48000, 2, "stereo")),
        ("mkv", AuxStream(0, "no_such_codec", "audio", Fraction(1, 48000))),
        ("mkv", AuxStream(0, "h264", "audio", Fraction(1, 48000))),
        ("mkv", AuxStream(0, "aac", "audio", Fraction(1, 48000), b"", 48000, 2, "no layout")),
    ],
)
def test_streams_that_do_not_fit_are_left_out_aloud(draw_planes, tmp_path, extension, stream):
    header = Header(
        format=SMALL, time_base=Fraction(1, 25), frame_rate=Fraction(25), aux_streams=(stream,)
    )
    frames = [Frame(p, SMALL, i, header.time_base) for i, p in enumerate(draw_planes(SMALL, 2))]
    path = tmp_path / f"out.{extension}"
    with pytest.warns(UserWarning, match=f"{stream.codec}.*left out"):
        write(path, header, frames, [AuxPacket(0, 0, 0, 10, True, b"data")])
    again, read, packets = load(path)
    assert (again.aux_streams, packets) == ((), [])
    assert_same_samples(read, frames)


@pytest.mark.parametrize("name", ["odd_clip", "deep_clip"])
def test_md5_is_the_one_that_ffmpeg_prints(request, name):
    path = request.getfixturevalue(name).path
    header, frames, packets = load(path)
    sink = write("md5:", header, frames, packets)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path), "-an"]
    printed = subprocess.run(
        [*command, "-c:v", "rawvideo", "-f", "md5", "-"], capture_output=True, text=True, check=True
    ).stdout
    assert sink.summary == printed.strip()


def test_md5_of_cropped_views_is_that_of_their_samples(draw_planes):
    (planes,) = draw_planes(SMALL, 1)
    views = (planes[0][:33, :51], planes[1][:17, :26], planes[2][:17, :26])
    form = PictureFormat(51, 33)
    header = Header(format=form, time_base=Fraction(1, 25), frame_rate=Fraction(25))
    sink = write("md5:", header, [Frame(views, form, 0, header.time_base)])
    samples = b"".join(view.tobytes() for view in views)
    assert sink.summary == "MD5=" + hashlib.md5(samples).hexdigest()


def test_null_takes_everything(sound_clip):
    assert write("null:", *load(sound_clip.path)).summary == ""


def test_y4m_has_no_clock(variable_rate_clip, tmp_path):
    header, frames, packets = load(variable_rate_clip.path)
    path = tmp_path / "out.y4m"
    assert not write(path, header, frames, packets).keeps_timestamps
    first = path.read_bytes().split(b"\n", 1)[0].decode()
    rate = f"F{header.frame_rate.numerator}:{header.frame_rate.denominator}"
    assert first == f"YUV4MPEG2 W96 H64 {rate} Ip A1:1 C420jpeg XCOLORRANGE=LIMITED"
    assert path.stat().st_size == len(first) + 1 + 8 * (6 + 96 * 64 * 3 // 2)


@pytest.mark.parametrize("extension", ["y4m", "mp4", "mkv"])
def test_a_failure_leaves_nothing_and_keeps_what_was_there(small_clip, tmp_path, extension):
    header, frames, _ = load(small_clip.path)
    path = tmp_path / f"out.{extension}"
    path.write_bytes(b"older")

    def frames_that_break():
        yield frames[0]
        assert path.read_bytes() == b"older"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write(path, header, frames_that_break())
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"older"
    write(path, header, frames)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert_same_samples(load(path)[1], frames)


def test_frames_that_cannot_be_muxed(small_clip, tmp_path):
    header, frames, _ = load(small_clip.path)
    with pytest.raises(EdgecodecError, match=r"out\.mp4 cannot be written"):
        write(tmp_path / "out.mp4", header, [frames[5], frames[4], frames[3]])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["out.webm", "out", "md5", "null"])
def test_unknown_targets(small_clip, tmp_path, target):
    with pytest.raises(UnsupportedError, match=r"\.y4m, \.mp4, \.mov, \.mkv"):
        open_sink(tmp_path / target, load(small_clip.path)[0])


@pytest.mark.parametrize("name", ["out.y4m", "out.mp4"])
def test_places_that_cannot_be_written(small_clip, tmp_path, name):
    header = load(small_clip.path)[0]
    with pytest.raises(FileNotFoundError, match="no such folder"):
        open_sink(tmp_path / "missing" / name, header)
    (tmp_path / name).mkdir()
    with pytest.raises(UnsupportedError, match="is a folder"):
        open_sink(tmp_path / name, header)
