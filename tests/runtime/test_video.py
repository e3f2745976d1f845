"""Playing, seeking, closing, and going on after damage."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from edgecodec import runtime
from edgecodec.runtime import (
    BitstreamError,
    ColorInfo,
    Frame,
    Limits,
    PictureFormat,
    ProviderError,
    UnsupportedError,
)
from edgecodec.runtime.base import decode_base
from edgecodec.runtime.container import AuxPacket, AuxStream, Codec, Reader, StrategyId
from edgecodec.runtime.frames import Planes
from edgecodec.runtime.payloads import ClassicalBody

from .streams import CHAIN, PYRAMID, Scene, classical, hybrid, latents, stream_of

SMALL = PictureFormat(96, 64)
ODD = PictureFormat(97, 65)
DEEP = PictureFormat(96, 64, 10)
Draw = Callable[..., tuple[Planes, ...]]


def play(data: bytes, **options: object) -> list[Frame]:
    with runtime.open(io.BytesIO(data), threads=1, **options) as video:  # type: ignore[arg-type]
        return list(video)


def base_planes(scene: Scene, picture: PictureFormat) -> list[Planes]:
    assert isinstance(scene.body, ClassicalBody)
    return list(decode_base(scene.body.base, picture, frames=scene.frames, max_pixels=1 << 20))


def same(a: Planes, b: Planes) -> bool:
    return all(
        one.dtype == other.dtype and np.array_equal(one, other)
        for one, other in zip(a, b, strict=True)
    )


def prefetching() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "edgecodec-prefetch"]


@pytest.fixture(scope="module")
def drawn(draw_planes: Draw) -> tuple[Planes, ...]:
    return draw_planes(SMALL, 12, cut_at=6)


@pytest.fixture(scope="module")
def two_scenes(drawn: tuple[Planes, ...]) -> bytes:
    """Six frames of H.264, then five in latents with B-frames, at 29.97 Hz."""
    return stream_of([classical(drawn[:6], SMALL), latents(SMALL, PYRAMID)], SMALL)


@pytest.fixture(scope="module")
def four_scenes(drawn: tuple[Planes, ...]) -> bytes:
    """A scene of every strategy, four or five frames each."""
    return stream_of(
        [
            classical(drawn[:4], SMALL),
            hybrid(drawn[2:6], SMALL, (True, False, True, True)),
            latents(SMALL, CHAIN, seed=1),
            latents(SMALL, PYRAMID, seed=2),
        ],
        SMALL,
    )


@pytest.mark.parametrize("codec", Codec)
@pytest.mark.parametrize("picture", [SMALL, ODD, DEEP], ids=["8 bit", "odd", "10 bit"])
def test_a_classical_scene_plays_as_its_base_decodes(
    draw_planes: Draw, codec: Codec, picture: PictureFormat
) -> None:
    scene = classical(draw_planes(picture, 3), picture, codec)
    frames = play(stream_of([scene], picture))
    assert len(frames) == 3
    for frame, planes in zip(frames, base_planes(scene, picture), strict=True):
        assert frame.format == picture
        assert frame.planes[0].shape == (picture.height, picture.width)
        assert frame.planes[1].shape == frame.planes[2].shape == picture.chroma_shape
        assert same(frame.planes, planes)


@pytest.mark.parametrize("picture", [SMALL, ODD], ids=["whole blocks", "odd"])
def test_scenes_in_latents_have_the_pictures_size(picture: PictureFormat) -> None:
    frames = play(stream_of([latents(picture, PYRAMID), latents(picture, CHAIN)], picture))
    assert [frame.pts for frame in frames] == list(range(9))
    for frame in frames:
        shapes = [plane.shape for plane in frame.planes]
        assert shapes == [(picture.height, picture.width), *[picture.chroma_shape] * 2]
    assert not same(frames[0].planes, frames[4].planes)


def test_timestamps_are_kept_at_an_uneven_rate(drawn: tuple[Planes, ...]) -> None:
    pts = (-40, 60, 80, 140, 150, 260, 261, 600)
    scenes = [classical(drawn[:4], SMALL), classical(drawn[4:8], SMALL)]
    data = stream_of(scenes, SMALL, pts=pts, time_base=Fraction(1, 600))
    frames = play(data)
    assert tuple(frame.pts for frame in frames) == pts
    assert {frame.time_base for frame in frames} == {Fraction(1, 600)}
    assert frames[-1].time == 1.0
    with runtime.open(io.BytesIO(data)) as video:
        # The last frame lasts as long as the nominal rate says.
        assert video.info.duration == pytest.approx(640 / 600 + 1 / 30)


def test_info_is_what_the_header_says(drawn: tuple[Planes, ...]) -> None:
    sound = AuxStream(3, "aac", "audio", Fraction(1, 48000), sample_rate=48000, channels=2)
    packets = [AuxPacket(3, n * 1024, n * 1024, 1024, True, bytes([n])) for n in range(3)]
    data = stream_of(
        [classical(drawn[:2], SMALL), classical(drawn[2:5], SMALL)],
        SMALL,
        aux=packets,
        color=ColorInfo(9, 16, 9, True),
        rotation=90,
        sample_aspect=Fraction(4, 3),
        aux_streams=(sound,),
        model_ids=("00112233445566aa",),
    )
    with runtime.open(io.BytesIO(data)) as video:
        info = video.info
        assert (info.format, info.time_base, info.frame_rate) == (SMALL, Fraction(1001, 30000), 30)
        assert (info.color, info.rotation) == (ColorInfo(9, 16, 9, True), 90)
        assert (info.sample_aspect, info.tier) == (Fraction(4, 3), "nano")
        assert (info.frames, info.scenes, info.provider) == (5, 2, "cpu")
        assert (info.aux_streams, info.model_ids) == ((sound,), ("00112233445566aa",))
        assert list(video.aux_packets()) == packets
        assert next(video).color == info.color
        # Packets can be read in the middle of playing, and again.
        assert list(video.aux_packets()) == packets
        assert len(list(video)) == 4


def test_seeking_to_a_frames_time_gives_exactly_that_frame(two_scenes: bytes) -> None:
    linear = play(two_scenes)
    with runtime.open(io.BytesIO(two_scenes), threads=1) as video:
        for number in [*range(11), *range(10, -1, -3)]:
            video.seek(linear[number].time)
            frame = next(video)
            assert frame.pts == linear[number].pts
            assert same(frame.planes, linear[number].planes)


def test_a_frames_own_time_finds_it_at_any_time_base(drawn: tuple[Planes, ...]) -> None:
    """pts * time_base / time_base in floats is often a little less than pts."""
    scene = classical(drawn[:1], SMALL)
    for time_base in (Fraction(1, 49), Fraction(1, 90000), Fraction(1001, 24000)):
        pts = [n * (n + 1) for n in range(40)]
        data = stream_of([scene] * 40, SMALL, pts=pts, time_base=time_base)
        with runtime.open(io.BytesIO(data), threads=1) as video:
            for each in pts[::7]:
                video.seek(float(each * time_base))
                assert next(video).pts == each


def test_seeking_between_frames_gives_the_one_on_screen(two_scenes: bytes) -> None:
    linear = play(two_scenes)
    with runtime.open(io.BytesIO(two_scenes), threads=1) as video:
        for before, after in ((2, 3), (5, 6), (7, 8)):
            video.seek((linear[before].time + linear[after].time) / 2)
            assert next(video).pts == linear[before].pts


def test_playing_goes_on_to_the_end_after_a_seek(two_scenes: bytes) -> None:
    linear = play(two_scenes)
    with runtime.open(io.BytesIO(two_scenes), threads=1) as video:
        next(video)
        video.seek(linear[3].time)
        rest = list(video)
        assert [frame.pts for frame in rest] == list(range(3, 11))
        assert all(same(a.planes, b.planes) for a, b in zip(rest, linear[3:], strict=True))
        assert list(video) == []
        video.seek(0)
        assert len(list(video)) == 11


@pytest.mark.parametrize("seconds", [-5.0, float("-inf"), 0.0])
def test_before_the_start_is_the_first_frame(two_scenes: bytes, seconds: float) -> None:
    with runtime.open(io.BytesIO(two_scenes), threads=1) as video:
        next(video)
        video.seek(seconds)
        assert [frame.pts for frame in video] == list(range(11))


@pytest.mark.parametrize("seconds", [10 * 1001 / 30000, 100.0, float("inf")])
def test_after_the_end_is_the_last_frame(two_scenes: bytes, seconds: float) -> None:
    with runtime.open(io.BytesIO(two_scenes), threads=1) as video:
        video.seek(seconds)
        assert [frame.pts for frame in video] == [10]


def test_a_stream_without_scenes_has_no_frames() -> None:
    with runtime.open(io.BytesIO(stream_of([], SMALL))) as video:
        assert (video.info.frames, video.info.duration) == (0, 0.0)
        video.seek(1.0)
        assert list(video) == []


def test_a_file_plays_again_after_it_was_closed(two_scenes: bytes, tmp_path: Path) -> None:
    path = tmp_path / "clip.ecv"
    path.write_bytes(two_scenes)
    runs = []
    for source in (path, str(path)):
        with runtime.open(source, threads=1) as video:
            runs.append([frame.planes for frame in video])
    assert all(same(a, b) for a, b in zip(*runs, strict=True))
    path.unlink()


def test_a_file_object_stays_open_and_a_path_does_not(two_scenes: bytes, tmp_path: Path) -> None:
    file = io.BytesIO(two_scenes)
    with runtime.open(file, threads=1) as video:
        next(video)
    assert not file.closed
    assert len(play(file.getvalue())) == 11

    path = tmp_path / "clip.ecv"
    path.write_bytes(two_scenes)
    before = open_files(path)
    with runtime.open(path, threads=1) as video:
        next(video)
        assert open_files(path) == before + 1
    assert open_files(path) == before


def open_files(path: Path) -> int:
    descriptors = Path("/proc/self/fd").iterdir()
    return sum(each.exists() and each.resolve() == path for each in descriptors)


def test_a_stream_that_cannot_be_opened_leaves_no_file_open(tmp_path: Path) -> None:
    path = tmp_path / "clip.ecv"
    path.write_bytes(b"not a stream at all")
    with pytest.raises(BitstreamError, match=r"not an \.ecv stream"):
        runtime.open(path)
    assert open_files(path) == 0


def test_closing_twice_does_nothing_and_playing_on_is_an_error(two_scenes: bytes) -> None:
    video = runtime.open(io.BytesIO(two_scenes), threads=1)
    next(video)
    video.close()
    video.close()
    with pytest.raises(ValueError, match="closed"):
        next(video)
    with pytest.raises(ValueError, match="closed"):
        list(video)
    with pytest.raises(ValueError, match="closed"):
        video.seek(0)


def test_closing_in_the_middle_leaves_no_thread(four_scenes: bytes) -> None:
    for consumed in (0, 1, 5, 9):
        with runtime.open(io.BytesIO(four_scenes), threads=1) as video:
            for _ in range(consumed):
                next(video)
        assert not prefetching()


def test_frames_outlive_the_video_and_are_read_only(four_scenes: bytes) -> None:
    with runtime.open(io.BytesIO(four_scenes), threads=1) as video:
        frames = list(video)
        copies = [[plane.copy() for plane in frame.planes] for frame in frames]
    play(four_scenes)
    for frame, copy in zip(frames, copies, strict=True):
        assert same(frame.planes, (copy[0], copy[1], copy[2]))
        for plane in frame.planes:
            assert not plane.flags.writeable
            with pytest.raises(ValueError, match="read-only"):
                plane[0, 0] = 1


def test_the_number_of_threads_does_not_change_a_pixel(four_scenes: bytes) -> None:
    runs = []
    for threads in (1, 2):
        with runtime.open(io.BytesIO(four_scenes), threads=threads) as video:
            runs.append([frame.planes for frame in video])
    assert len(runs[0]) == 17
    assert all(same(a, b) for a, b in zip(*runs, strict=True))


def test_scenes_decode_alike_alone_and_in_a_row(four_scenes: bytes) -> None:
    linear = play(four_scenes)
    with runtime.open(io.BytesIO(four_scenes), threads=1) as video:
        for first in (12, 8, 4, 0):
            video.seek(linear[first].time)
            assert same(next(video).planes, linear[first].planes)


def damage(data: bytes, scenes: Sequence[int]) -> bytes:
    damaged = bytearray(data)
    index = Reader(io.BytesIO(data)).index
    for scene in scenes:
        damaged[index[scene].offset + index[scene].size // 2] ^= 0x55
    return bytes(damaged)


def test_a_damaged_scene_raises(four_scenes: bytes) -> None:
    with runtime.open(io.BytesIO(damage(four_scenes, [1])), threads=1) as video:
        for number in range(4):
            assert next(video).pts == number
        with pytest.raises(BitstreamError, match="damaged"):
            next(video)
        assert [each.offset for each in video.damage] == [
            Reader(io.BytesIO(four_scenes)).index[1].offset
        ]
    assert not prefetching()


def test_a_damaged_scene_can_be_skipped(four_scenes: bytes) -> None:
    linear = play(four_scenes)
    index = Reader(io.BytesIO(four_scenes)).index
    data = damage(four_scenes, [0, 2])
    with runtime.open(io.BytesIO(data), threads=1, on_damage="skip") as video:
        frames = list(video)
        assert [each.offset for each in video.damage] == [index[0].offset, index[2].offset]
        assert all("damaged" in each.what for each in video.damage)
        assert [frame.pts for frame in frames] == [4, 5, 6, 7, 12, 13, 14, 15, 16]
        assert all(same(frame.planes, linear[frame.pts].planes) for frame in frames)
        # It is listed once, however often it is met.
        video.seek(0)
        assert len(list(video)) == 9
        assert len(video.damage) == 2


def test_damage_under_a_good_checksum_is_listed_too(drawn: tuple[Planes, ...]) -> None:
    scene = latents(SMALL, CHAIN)
    packets = list(scene.body.packets)  # type: ignore[union-attr]
    broken = packets[2].data[:-3] + bytes(3)
    packets[2] = replace(packets[2], data=broken)
    bad = replace(scene, body=replace(scene.body, packets=tuple(packets)))  # type: ignore[call-arg]
    data = stream_of([bad, classical(drawn[:3], SMALL)], SMALL)
    with pytest.raises(BitstreamError, match="latents"):
        play(data)
    with runtime.open(io.BytesIO(data), threads=1, on_damage="skip") as video:
        # What comes before the damage is played.
        assert [frame.pts for frame in video] == [0, 1, 4, 5, 6]
        offset = Reader(io.BytesIO(data)).index[0].offset
        assert [each.offset for each in video.damage] == [offset]


def test_seeking_into_a_damaged_scene(four_scenes: bytes) -> None:
    inside = play(four_scenes)[6].time
    data = damage(four_scenes, [1])
    with runtime.open(io.BytesIO(data), threads=1) as video, pytest.raises(BitstreamError):
        video.seek(inside)
    with runtime.open(io.BytesIO(data), threads=1, on_damage="skip") as video:
        video.seek(inside)
        assert [frame.pts for frame in video] == list(range(8, 17))
        assert len(video.damage) == 1


def test_a_file_that_was_cut_off_plays_what_is_whole(four_scenes: bytes) -> None:
    index = Reader(io.BytesIO(four_scenes)).index
    data = four_scenes[: index[2].offset + 30]
    with pytest.raises(BitstreamError, match="cut off"):
        play(data)
    with runtime.open(io.BytesIO(data), threads=1, on_damage="skip") as video:
        assert video.info.frames == 8
        assert [frame.pts for frame in video] == list(range(8))
        assert video.damage


def test_a_damaged_last_scene_does_not_keep_a_file_from_opening(four_scenes: bytes) -> None:
    with runtime.open(io.BytesIO(damage(four_scenes, [3])), threads=1) as video:
        assert (video.info.frames, video.info.scenes) == (17, 4)
        assert video.info.duration == pytest.approx(16 * 1001 / 30000 + 1 / 30)


def test_what_cannot_be_opened_says_why(tmp_path: Path, two_scenes: bytes) -> None:
    with pytest.raises(FileNotFoundError):
        runtime.open(tmp_path / "nowhere.ecv")
    with pytest.raises(BitstreamError, match=r"not an \.ecv stream"):
        runtime.open(io.BytesIO(b""))
    with pytest.raises(BitstreamError, match="header is damaged"):
        runtime.open(io.BytesIO(two_scenes[:10]))
    with pytest.raises(ProviderError, match="unknown provider"):
        runtime.open(io.BytesIO(two_scenes), provider="npu")
    with pytest.raises(BitstreamError, match="96x64"):
        runtime.open(io.BytesIO(two_scenes), limits=Limits(max_pixels=96 * 64 - 1))


def test_what_this_version_cannot_decode_is_no_damage() -> None:
    """Skipping is for damage: a player that lacks something must say so."""
    scene = latents(SMALL)
    procedural = replace(scene, strategy=StrategyId.PROCEDURAL)
    foreign = replace(scene, body=replace(scene.body, models=("f" * 16,)))  # type: ignore[call-arg]
    for unplayable, error in (
        (procedural, UnsupportedError),
        (foreign, runtime.ModelError),
    ):
        with runtime.open(
            io.BytesIO(stream_of([unplayable], SMALL)), threads=1, on_damage="skip"
        ) as video:
            with pytest.raises(error):
                next(video)
            assert video.damage == ()
