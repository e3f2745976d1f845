"""Reading of videos: exact samples, repaired clocks, and errors that say what to do."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from edgecodec.encoder.media import open_source, planes_of, read_aux
from edgecodec.runtime.errors import BitstreamError, UnsupportedError
from edgecodec.runtime.frames import ColorInfo, Frame, PictureFormat

SMALL = PictureFormat(96, 64)
ODD = PictureFormat(97, 65)
DEEP = PictureFormat(96, 64, bit_depth=10)


def read(path):
    with open_source(path) as source:
        return source.info, list(source.frames())


def write_one_picture(path, pixel_format, codec):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, pixel_format
        frame = av.VideoFrame(96, 64, pixel_format)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return path


@pytest.mark.parametrize(
    "name", ["small_clip", "odd_clip", "deep_clip", "variable_rate_clip", "rotated_clip"]
)
def test_frames_are_exactly_what_was_drawn(request, name):
    clip = request.getfixturevalue(name)
    info, frames = read(clip.path)
    assert info.format == clip.format
    assert len(frames) == len(clip.planes)
    for frame, planes in zip(frames, clip.planes, strict=True):
        for got, drawn in zip(frame.planes, planes, strict=True):
            assert got.dtype == drawn.dtype
            assert np.array_equal(got, drawn)
            assert not got.flags.writeable


def test_timestamps_survive_a_variable_rate(variable_rate_clip):
    info, frames = read(variable_rate_clip.path)
    times = [frame.pts * info.time_base for frame in frames]
    assert times == [pts * variable_rate_clip.time_base for pts in variable_rate_clip.pts]


def test_info_says_what_the_file_claims(small_clip, rotated_clip):
    info, _ = read(small_clip.path)
    assert info.frame_rate == 30
    assert info.frame_count == 10
    assert info.duration_s == pytest.approx(1 / 3)
    assert info.sample_aspect == 1
    assert info.rotation == 0
    assert info.color == ColorInfo(1, 1, 1)
    assert read(rotated_clip.path)[0].rotation == 90


def test_full_range_is_kept_and_samples_are_not_converted(draw_planes, make_clip, tmp_path):
    color = ColorInfo(9, 16, 9, full_range=True)
    clip = make_clip(tmp_path / "full.mp4", SMALL, draw_planes(SMALL, 2), color=color)
    info, frames = read(clip.path)
    assert info.color == color
    assert np.array_equal(frames[1].planes[0], clip.planes[1][0])


@pytest.mark.parametrize(("form", "packed"), [(SMALL, "nv12"), (ODD, "nv12"), (DEEP, "p010le")])
def test_interleaved_chroma_is_taken_apart(draw_planes, form, packed):
    (drawn,) = draw_planes(form, 1)
    frame = Frame(drawn, form, 0, Fraction(1, 25)).to_av().reformat(format=packed)
    assert frame.format.name == packed
    for got, planar in zip(planes_of(frame), drawn, strict=True):
        assert got.dtype == planar.dtype
        assert np.array_equal(got, planar)


@pytest.mark.parametrize(
    ("pixel_format", "target"),
    [
        ("yuv422p", "yuv420p "),
        ("yuv444p", "yuv420p "),
        ("gray", "yuv420p "),
        ("bgra", "yuv420p "),
        ("yuva420p", "yuv420p "),
        ("yuv420p12le", "yuv420p10le "),
        ("yuv444p10le", "yuv420p10le "),
    ],
)
def test_other_pixel_formats_are_refused_with_the_way_out(tmp_path, pixel_format, target):
    path = write_one_picture(tmp_path / "odd.mkv", pixel_format, "ffv1")
    with (
        pytest.raises(UnsupportedError, match=pixel_format) as caught,
        open_source(path),
    ):
        pass
    assert f"-pix_fmt {target}" in str(caught.value)
    assert str(path) in str(caught.value)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"), open_source(tmp_path / "nowhere.mp4"):
        pass


def test_a_folder(tmp_path):
    with pytest.raises(UnsupportedError, match="folder"), open_source(tmp_path):
        pass


@pytest.mark.parametrize("content", [b"", b"this is a letter, not a video\n" * 50])
def test_not_a_video(tmp_path, content):
    path = tmp_path / "letter.mp4"
    path.write_bytes(content)
    with pytest.raises(BitstreamError, match=r"letter\.mp4"), open_source(path):
        pass


def test_sound_without_pictures(tmp_path):
    path = tmp_path / "tone.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), "s16", "stereo")
        frame.sample_rate = 8000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(UnsupportedError, match="no video stream"), open_source(path):
        pass


def test_a_video_without_frames(tmp_path):
    path = tmp_path / "nothing.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height = 96, 64
        container.start_encoding()
    with pytest.raises(BitstreamError, match=r"nothing\.mkv"), open_source(path):
        pass


def test_damage_is_found_and_placed(small_clip, tmp_path):
    data = bytearray(small_clip.path.read_bytes())
    path = tmp_path / "hurt.mp4"
    # In the second half of the pictures, which lie before the index at the end.
    start = data.index(b"moov") * 3 // 4
    data[start : start + 400] = bytes(400)
    path.write_bytes(data)
    with open_source(path) as source:
        reader = source.frames()
        with pytest.raises(BitstreamError, match=r"hurt\.mp4.*frame [1-9]"):
            for _ in reader:
                pass


def test_a_cut_off_file_is_told(draw_planes, make_clip, tmp_path):
    clip = make_clip(tmp_path / "whole.mkv", SMALL, draw_planes(SMALL, 40))
    data = clip.path.read_bytes()
    path = tmp_path / "half.mkv"
    path.write_bytes(data[: len(data) // 2])
    with (
        open_source(path) as source,
        pytest.warns(UserWarning, match=r"half\.mkv claims about 40 frames"),
    ):
        count = len(list(source.frames()))
    assert 0 < count < 30


def test_a_picture_that_changes_its_size(draw_planes, make_clip, tmp_path):
    streams = []
    for width in (96, 128):
        form = PictureFormat(width, 64)
        clip = make_clip(tmp_path / f"{width}.h264", form, draw_planes(form, 2))
        streams.append(clip.path.read_bytes())
    path = tmp_path / "changing.h264"
    path.write_bytes(b"".join(streams))
    with (
        open_source(path) as source,
        pytest.raises(UnsupportedError, match=r"96x64 to 128x64 at frame 2"),
    ):
        list(source.frames())


def test_missing_timestamps_are_filled_in(draw_planes, make_clip, tmp_path):
    clip = make_clip(tmp_path / "raw.h264", SMALL, draw_planes(SMALL, 5))
    with av.open(str(clip.path)) as container:
        assert all(frame.pts is None for frame in container.decode(video=0))
    info, frames = read(clip.path)
    times = [frame.pts * info.time_base for frame in frames]
    assert times == [Fraction(index) / info.frame_rate for index in range(5)]


@pytest.mark.parametrize(
    ("written", "read_back"),
    [
        ([0, 40, 40, 80, 120], [0, 40, 41, 80, 120]),
        ([0, 40, 39, 80, 120], [0, 40, 41, 80, 120]),
        ([9000, 9040, 9080, 100, 140], [9000, 9040, 9080, 9120, 9160]),
    ],
)
@pytest.mark.filterwarnings("ignore:.*claims about")
def test_timestamps_that_repeat_or_jump_back(draw_planes, tmp_path, written, read_back):
    """Motion JPEG in Matroska: the muxer needs increasing dts, but takes any pts."""
    path = tmp_path / "clock.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuvj420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        packets = []
        for index in range(len(written)):
            picture = av.VideoFrame(96, 64, "yuvj420p")
            for plane in picture.planes:
                plane.update(bytes(plane.buffer_size))
            picture.pts, picture.time_base = index, Fraction(1, 1000)
            packets += stream.encode(picture)
        packets += stream.encode(None)
        for index, (packet, pts) in enumerate(zip(packets, written, strict=True)):
            packet.pts, packet.dts = pts, index - len(written)
            container.mux(packet)
    _, frames = read(path)
    shift = frames[0].pts - read_back[0]
    assert [frame.pts - shift for frame in frames] == read_back


def test_interlacing_passes_with_a_warning(draw_planes, tmp_path):
    path = tmp_path / "fields.mp4"
    with av.open(str(path), "w") as container:
        options = {"qp": "0", "x264-params": "interlaced=1"}
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height = 96, 64
        for index, planes in enumerate(draw_planes(SMALL, 3)):
            container.mux(stream.encode(Frame(planes, SMALL, index, Fraction(1, 25)).to_av()))
        container.mux(stream.encode(None))
    with open_source(path) as source, pytest.warns(UserWarning, match="interlaced") as told:
        assert len(list(source.frames())) == 3
    assert len(told) == 1


def test_frames_are_read_once(small_clip):
    with open_source(small_clip.path) as source:
        list(source.frames())
        with pytest.raises(RuntimeError, match="again"):
            next(source.frames())


def test_a_reader_may_stop_in_the_middle(small_clip):
    with open_source(small_clip.path) as source:
        assert next(source.frames()).pts == 0
    assert len(read(small_clip.path)[1]) == 10


def test_audio_is_copied(sound_clip):
    (stream,), packets = read_aux(sound_clip.path)
    assert (stream.index, stream.kind, stream.codec) == (0, "audio", "aac")
    assert (stream.sample_rate, stream.channels, stream.layout) == (48000, 2, "stereo")
    assert stream.extradata
    with av.open(str(sound_clip.path)) as container:
        original = [p for p in container.demux(audio=0) if p.size]
    assert [p.data for p in packets] == [bytes(p) for p in original]
    assert [(p.pts, p.dts) for p in packets] == [(p.pts, p.dts) for p in original]


def test_audio_and_subtitles_are_copied(subtitle_clip):
    streams, packets = read_aux(subtitle_clip.path)
    assert [(s.index, s.kind, s.codec) for s in streams] == [
        (0, "audio", "opus"),
        (1, "subtitle", "subrip"),
    ]
    lines = [p for p in packets if p.stream == 1]
    assert [(p.data, p.pts, p.duration) for p in lines] == [
        (b"line 0", 0, 90),
        (b"line 1", 100, 90),
    ]


def test_no_other_streams(small_clip):
    assert read_aux(small_clip.path) == ((), [])


def test_other_kinds_of_streams_are_left_out_aloud(small_clip, tmp_path):
    path = tmp_path / "attached.mkv"
    with av.open(str(small_clip.path)) as source, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        container.add_attachment("font.ttf", "application/x-truetype-font", b"glyphs")
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    with pytest.warns(UserWarning, match="attachment"):
        assert read_aux(path) == ((), [])
