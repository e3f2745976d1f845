"""Streams behind a URL: of a real server, with and without ranges, and of servers that fail."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Callable

import numpy as np
import pytest
from edgecodec import runtime
from edgecodec.runtime import BitstreamError, Frame, PictureFormat, UnsupportedError
from edgecodec.runtime.container import AuxPacket, AuxStream, Reader
from edgecodec.runtime.frames import Planes
from edgecodec.runtime.http_file import HttpFile

from .http_server import Habits, serving
from .streams import FILM, classical, stream_of

SMALL = PictureFormat(96, 64)
Draw = Callable[..., tuple[Planes, ...]]
LARGE = bytes(np.random.default_rng(4).integers(0, 256, 300_000, np.uint8))


@pytest.fixture(scope="module")
def stream(draw_planes: Draw) -> bytes:
    """Four scenes of two frames, with 200 kB of sound before the last."""
    planes = draw_planes(SMALL, 8)
    scenes = [classical(planes[n : n + 2], SMALL) for n in range(0, 8, 2)]
    sound = AuxStream(3, "aac", "audio", FILM)
    packets = [AuxPacket(3, n, n, 1, True, LARGE[:50_000]) for n in range(4)]
    return stream_of(scenes, SMALL, aux=packets, aux_streams=(sound,))


@pytest.fixture(scope="module")
def silent(draw_planes: Draw) -> bytes:
    """Four scenes of two frames."""
    planes = draw_planes(SMALL, 8)
    return stream_of([classical(planes[n : n + 2], SMALL) for n in range(0, 8, 2)], SMALL)


def from_memory(data: bytes) -> list[Frame]:
    with runtime.open(io.BytesIO(data), threads=1) as video:
        return list(video)


def assert_same(found: list[Frame], wanted: list[Frame]) -> None:
    assert [each.number for each in found] == [each.number for each in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert all(map(np.array_equal, one.planes, other.planes))


def test_a_url_plays_seeks_and_has_its_sound(stream: bytes) -> None:
    wanted = from_memory(stream)
    with serving(Habits(stream)) as url, runtime.open(url, threads=1) as video:
        assert video.seekable
        assert (video.info.frames, video.info.scenes) == (8, 4)
        assert_same(list(video), wanted)
        for number in (5, 0, 3):
            video.seek_frame(number)
            assert_same([next(video)], [wanted[number]])
        assert len(list(video.aux_packets())) == 4


def test_only_what_is_played_is_fetched(draw_planes: Draw) -> None:
    """Four scenes with a megabyte between the first ones and the last."""
    planes = draw_planes(SMALL, 8)
    scenes = [classical(planes[n : n + 2], SMALL) for n in range(0, 8, 2)]
    sound = AuxStream(3, "aac", "audio", FILM)
    packets = [AuxPacket(3, n, n, 1, True, LARGE[:250_000]) for n in range(8)]
    data = stream_of(scenes, SMALL, aux=packets, aux_streams=(sound,))
    habits = Habits(data)
    with serving(habits) as url, runtime.open(url, threads=1) as video:
        assert len(list(video)) == 8
        assert video.damage == ()
    assert len(data) > 2_000_000
    assert habits.sent < 200_000
    assert len(habits.requests) < 8


def test_without_ranges_it_plays_front_to_back(silent: bytes) -> None:
    habits = Habits(silent, ranges=False)
    with serving(habits) as url, runtime.open(url, threads=1) as video:
        assert not video.seekable
        assert_same(list(video), from_memory(silent))
        assert [each.start_frame for each in video.scenes] == [0, 2, 4, 6]
        assert list(video.aux_packets()) == []
        for jump in (lambda: video.seek(0), lambda: video.seek_frame(1)):
            with pytest.raises(UnsupportedError, match="cannot seek"):
                jump()
    assert len(habits.requests) == 1


def test_without_ranges_there_is_no_sound_to_go_back_to(stream: bytes) -> None:
    with serving(Habits(stream, ranges=False)) as url, runtime.open(url) as video:
        with pytest.raises(UnsupportedError, match="PushDecoder"):
            video.aux_packets()
        assert video.info.aux_streams[0].codec == "aac"


def test_redirects_are_followed_but_only_to_http(silent: bytes) -> None:
    habits = Habits(silent)
    with serving(habits) as url:
        habits.redirect = url.replace("clip", "moved")
        with runtime.open(url, threads=1) as video:
            assert len(list(video)) == 8
        habits.redirect = "ftp://127.0.0.1/clip.ecv"
        with pytest.raises(OSError, match="ftp"):
            runtime.open(url)
        habits.redirect = "file:///etc/hostname"
        with pytest.raises(OSError, match="302"):
            runtime.open(url)


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, FileNotFoundError), (410, FileNotFoundError), (403, PermissionError), (418, OSError)],
)
def test_a_refusal_is_an_error_that_names_the_url(status: int, error: type[OSError]) -> None:
    habits = Habits(b"", failures=[status])
    with serving(habits) as url:
        with pytest.raises(error, match=f"HTTP {status}") as raised:
            runtime.open(url)
        assert raised.value.filename == url
    assert len(habits.requests) == 1


def test_a_server_that_recovers_is_asked_again(silent: bytes) -> None:
    habits = Habits(silent, failures=[503, 500])
    with serving(habits) as url, runtime.open(url, threads=1) as video:
        assert len(list(video)) == 8


def test_a_server_that_does_not_is_given_up() -> None:
    habits = Habits(b"", failures=[503] * 9)
    with serving(habits) as url, pytest.raises(OSError, match="HTTP 503"):
        runtime.open(url)
    assert len(habits.requests) == 3


def test_broken_connections_are_taken_up_where_they_broke() -> None:
    habits = Habits(LARGE)
    with serving(habits) as url, HttpFile(url) as file:
        habits.cuts = [70_000, -1, 70_000, 10, 0]
        file.seek(65_536)
        assert file.read(200_000) == LARGE[65_536:265_536]
        starts = [int(span[6:].partition("-")[0]) for span in habits.requests[1:] if span]
    assert starts == [65_536, 135_536, 135_536, 205_536, 205_546, 205_546]


def test_a_connection_that_breaks_again_and_again_is_an_error() -> None:
    habits = Habits(LARGE)
    with serving(habits) as url, HttpFile(url) as file:
        habits.cuts = [0, 0, 0]
        file.seek(100_000)
        with pytest.raises(ConnectionError, match="cut off"):
            file.read(10)
        # The file is still good.
        assert file.read(10) == LARGE[100_000:100_010]


def test_after_a_server_was_gone_playing_goes_on_where_it_was(
    silent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if scenes were large: each has to be fetched.
    monkeypatch.setattr("edgecodec.runtime.http_file._BLOCK_BYTES", 16)
    monkeypatch.setattr("edgecodec.runtime.http_file._KEPT_BLOCKS", 2)
    wanted = from_memory(silent)
    habits = Habits(silent)
    with serving(habits) as url, runtime.open(url, threads=1) as video:
        video.seek_frame(3)
        habits.failures = [503] * 3
        with pytest.raises(OSError, match="503"):
            list(video)
        assert_same(list(video), wanted[3:])
        assert video.damage == ()


def test_without_ranges_a_cut_is_an_error_and_not_the_end(silent: bytes) -> None:
    index = Reader(io.BytesIO(silent)).index
    habits = Habits(silent, ranges=False, cuts=[index[2].offset + 30])
    with serving(habits) as url, runtime.open(url, threads=1) as video:
        for number in range(4):
            assert next(video).number == number
        with pytest.raises(ConnectionError, match="cut off at byte"):
            next(video)
        # What follows is what the stream then lacks.
        with pytest.raises(BitstreamError, match="cut off"):
            next(video)


def test_a_file_that_changes_is_not_mixed_with_the_new_one() -> None:
    habits = Habits(LARGE)
    with serving(habits) as url, HttpFile(url) as file:
        habits.tag = '"two"'
        file.seek(100_000)
        with pytest.raises(OSError, match="changed while it was read"):
            file.read(10)


def test_a_server_that_goes_silent_runs_into_the_time_out(silent: bytes) -> None:
    habits = Habits(silent, stall_after=10)
    with serving(habits) as url:
        with pytest.raises(TimeoutError, match=r"nothing came for 0\.2 s"):
            runtime.open(url, timeout=0.2)
        assert habits.stalls.is_set()


def test_nobody_listens() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}/clip.ecv"
        with pytest.raises(ConnectionError, match="refused") as raised:
            runtime.open(url)
    assert raised.value.filename == url


@pytest.mark.parametrize("data", [b"", b"<html>", bytes(100)])
@pytest.mark.parametrize("ranges", [True, False])
def test_what_is_no_stream_is_refused(data: bytes, ranges: bool) -> None:
    with (
        serving(Habits(data, ranges=ranges)) as url,
        pytest.raises(BitstreamError, match=r"not an \.ecv"),
    ):
        runtime.open(url)


@pytest.mark.parametrize("ranges", [True, False])
def test_closing_ends_a_wait_for_a_server(silent: bytes, ranges: bool) -> None:
    """Long before the time-out: the server would be silent for a minute."""
    index = Reader(io.BytesIO(silent)).index
    habits = Habits(silent, ranges=ranges)
    if not ranges:
        habits.stall_after = index[0].offset + index[0].size + 20
    with serving(habits) as url:
        file = HttpFile(url, timeout=100)
        outcome: list[str] = []

        def read() -> None:
            try:
                while file.read(1000):
                    pass
                file.seek(0)
            except ValueError as error:
                outcome.append(str(error))

        if ranges:
            file._blocks.clear()
            habits.stall_after = 10
        waiting = threading.Thread(target=read)
        waiting.start()
        assert habits.stalls.wait(30)
        file.close()
        waiting.join(30)
        assert not waiting.is_alive()
    assert "closed" in outcome[0]


def test_closing_a_video_ends_its_wait_for_a_server(silent: bytes) -> None:
    index = Reader(io.BytesIO(silent)).index
    stall = index[1].offset + 20
    habits = Habits(silent, ranges=False, stall_after=stall)
    with serving(habits) as url:
        video = runtime.open(url, threads=1, timeout=100)
        assert [next(video).number, next(video).number] == [0, 1]
        outcome: list[str] = []

        def wait() -> None:
            try:
                next(video)
            except ValueError as error:
                outcome.append(str(error))

        waiting = threading.Thread(target=wait)
        waiting.start()
        assert habits.stalls.wait(30)
        video.close()
        waiting.join(30)
    assert outcome == ["the video is closed"]


@pytest.mark.parametrize("length", ["200M", "-5", "9" * 5000])
def test_a_length_that_is_none_counts_as_unknown(length: str) -> None:
    habits = Habits(LARGE[:1000], ranges=False, lies={"Content-Length": length})
    with serving(habits) as url, HttpFile(url) as file:
        assert not file.seekable()
        assert file.read(5) == LARGE[:5]


@pytest.mark.parametrize("span", ["bytes 0-9/" + "9" * 5000, "bytes 0-9/1e9", "bytes -/"])
def test_a_range_that_is_none_makes_it_flow(span: str) -> None:
    habits = Habits(LARGE[:1000], lies={"Content-Range": span})
    with serving(habits) as url, HttpFile(url) as file:
        assert not file.seekable()


def test_a_first_range_from_elsewhere_is_refused() -> None:
    habits = Habits(LARGE[:1000], lies={"Content-Range": "bytes 7-999/1000"})
    with serving(habits) as url, pytest.raises(OSError, match="byte 0 was asked for"):
        HttpFile(url)


def test_more_than_was_asked_for_is_not_taken() -> None:
    """Neither into memory nor for the bytes that follow."""
    habits = Habits(LARGE, surplus=bytes(1 << 20))
    with serving(habits) as url, HttpFile(url) as file:
        assert file.read(100_000) == LARGE[:100_000]
        file.seek(150_000)
        assert file.read(150_000) == LARGE[150_000:]
        assert sum(map(len, file._blocks.values())) <= len(LARGE)


@pytest.mark.parametrize("target", ["http://[", "http://[::1/x", "http://\xff\xff/"])
def test_a_redirect_to_no_address_is_an_error_of_the_connection(target: str) -> None:
    with serving(Habits(LARGE, redirect=target)) as url, pytest.raises(OSError, match="http"):
        HttpFile(url)


def test_headers_go_into_every_request(silent: bytes) -> None:
    habits = Habits(silent)
    with (
        serving(habits) as url,
        HttpFile(url, headers={"Authorization": "Bearer abc"}) as file,
        runtime.open(file, threads=1) as video,
    ):
        assert len(list(video)) == 8
    assert {each.get("Authorization") for each in habits.headers} == {"Bearer abc"}


def test_a_file_behind_a_url_reads_as_any_other() -> None:
    with serving(Habits(LARGE)) as url, HttpFile(url) as file:
        local = io.BytesIO(LARGE)
        for offset, whence, size in [
            (0, 0, 10),
            (5, 1, 65_536),
            (-7, 2, 100),
            (299_999, 0, 5),
            (400_000, 0, 5),
            (1, 0, 299_000),
            (65_535, 0, 2),
            (131_072, 0, 0),
        ]:
            assert file.seek(offset, whence) == local.seek(offset, whence)
            assert file.read(size) == local.read(size)
            assert file.tell() == local.tell()
        file.seek(0)
        assert file.readall() == LARGE
        buffer = bytearray(20)
        file.seek(100)
        assert file.readinto(buffer) == 20
        assert buffer == LARGE[100:120]
    with pytest.raises(ValueError, match="closed"):
        file.read(1)
