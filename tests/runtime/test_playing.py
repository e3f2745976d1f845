"""What players do beside playing: jump, wait, give up, read from pipes."""

from __future__ import annotations

import asyncio
import io
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from edgecodec import runtime
from edgecodec.runtime import (
    BitstreamError,
    Frame,
    PictureFormat,
    SceneInfo,
    UnsupportedError,
    Video,
)
from edgecodec.runtime.container import Reader
from edgecodec.runtime.frames import Planes
from edgecodec.runtime.records import NETW, RecordFile

from .streams import FILM, classical, every_strategy, stream_of, title_weights

SMALL = PictureFormat(96, 64)
Draw = Callable[..., tuple[Planes, ...]]


@pytest.fixture(scope="module")
def stream(draw_planes: Draw) -> bytes:
    """Five scenes of three frames of H.264."""
    planes = draw_planes(SMALL, 15)
    return stream_of([classical(planes[n : n + 3], SMALL) for n in range(0, 15, 3)], SMALL)


def opened(data: bytes, **options: object) -> Video:
    return runtime.open(io.BytesIO(data), threads=1, **options)  # type: ignore[arg-type]


def numbers(frames: Iterator[Frame]) -> list[int | None]:
    return [frame.number for frame in frames]


def prefetching() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "edgecodec-prefetch"]


def damaged(data: bytes, *scenes: int) -> bytes:
    changed = bytearray(data)
    index = Reader(io.BytesIO(data)).index
    for scene in scenes:
        changed[index[scene].offset + index[scene].size // 2] ^= 0x55
    return bytes(changed)


def without_index(data: bytes) -> bytes:
    offset = RecordFile(io.BytesIO(data)).index_offset()
    assert offset is not None
    return data[:offset]


def test_scenes_are_listed_and_play_from_each(stream: bytes) -> None:
    with opened(stream) as video:
        assert video.scenes[3] == SceneInfo(3, 9, 3, 9 * float(FILM))
        assert [each.start_frame for each in video.scenes] == [0, 3, 6, 9, 12]
        for scene in reversed(video.scenes):
            video.seek_scene(scene.number)
            assert numbers(video) == list(range(scene.start_frame, 15))


@pytest.mark.parametrize("number", [-1, 15, 1 << 70])
def test_a_frame_that_the_stream_has_not_is_an_error(stream: bytes, number: int) -> None:
    with opened(stream) as video:
        assert next(video).number == 0
        with pytest.raises(ValueError, match="the stream has 15"):
            video.seek_frame(number)
        with pytest.raises(ValueError, match="no scene 5"):
            video.seek_scene(5)
        with pytest.raises(ValueError, match="no number"):
            video.seek(float("nan"))
        # Nothing moved.
        assert next(video).number == 1
    with opened(stream_of([], SMALL)) as video, pytest.raises(ValueError, match="has 0"):
        video.seek_frame(0)


def test_a_seek_from_another_thread_moves_the_one_that_iterates(stream: bytes) -> None:
    seen: list[int | None] = []
    there, moved = threading.Event(), threading.Event()
    with opened(stream) as video:

        def play() -> None:
            for frame in video:
                seen.append(frame.number)
                if frame.number == 2:
                    there.set()
                    moved.wait(60)

        player = threading.Thread(target=play)
        player.start()
        assert there.wait(60)
        video.seek_frame(13)
        moved.set()
        player.join(60)
    assert seen == [0, 1, 2, 13, 14]


def test_no_more_frames_than_asked_for_are_decoded_ahead(
    stream: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    enough = threading.Event()

    def counted(placed: object, *_: object) -> Iterator[Frame]:
        for number in range(100):
            made.append(number)
            if number == 2 + 3:
                enough.set()
            yield Frame(PLANES, SMALL, number, FILM)

    monkeypatch.setattr("edgecodec.runtime.video.scene_frames", counted)
    with opened(stream, look_ahead=2) as video:
        for _ in range(3):
            next(video)
        assert enough.wait(60)
        # Three were given, two wait, and one is in the decoder's hands.
        assert made == list(range(6))
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="look_ahead"):
            opened(stream, look_ahead=wrong)


GREY = np.full((64, 96), 90, np.uint8)
PLANES = (GREY, GREY[:32, :48], GREY[:32, :48])


def test_a_picture_over_the_wanted_size_is_refused(stream: bytes) -> None:
    with opened(stream, max_frame_size=96 * 64) as video:
        assert numbers(video) == list(range(15))
    with pytest.raises(BitstreamError, match="96x64"):
        opened(stream, max_frame_size=96 * 64 - 1)


def test_damage_raises_after_what_lies_before_it_and_then_goes_on(stream: bytes) -> None:
    """With an index, and without: then it is found when the file is opened."""
    for data in (damaged(stream, 1, 3), damaged(without_index(stream), 1, 3)):
        with opened(data) as video:
            met: list[int | str | None] = []
            while True:
                try:
                    met.append(next(video).number)
                except StopIteration:
                    break
                except BitstreamError as error:
                    met.append("no index" if "no index" in str(error) else "damaged")
            wanted: list[int | str | None] = [0, 1, 2, "damaged", 6, 7, 8, "damaged", 12, 13, 14]
            assert met == wanted + ["no index"] * (len(data) != len(stream))
            # Once more, from the second scene on: all of it again.
            video.seek_scene(1 if len(data) == len(stream) else 0)
            with pytest.raises(BitstreamError, match="damaged"):
                list(video)


def test_damage_has_the_time_that_it_costs(stream: bytes) -> None:
    for data in (damaged(stream, 1), damaged(without_index(stream), 1)):
        with opened(data, on_damage="skip") as video:
            list(video)
            found = video.damage[0]
            assert found.start == pytest.approx(3 * float(FILM), abs=0.001)
            assert found.end == pytest.approx(6 * float(FILM))
    with opened(stream[: Reader(io.BytesIO(stream)).index[2].offset + 30]) as video:
        assert [each.start for each in video.damage] == [
            pytest.approx(6 * float(FILM), abs=0.001)
        ] * 2
        assert [each.end for each in video.damage] == [None, None]


def test_damaged_title_weights_raise_wherever_playing_starts(draw_planes: Draw) -> None:
    planes = draw_planes(SMALL, 4)
    scenes = [classical(planes[:2], SMALL), classical(planes[2:], SMALL)]
    data = bytearray(stream_of(scenes, SMALL, titles=[title_weights()]))
    (place,) = (
        each
        for each in RecordFile(io.BytesIO(bytes(data))).walk(0)
        if getattr(each, "kind", b"") == NETW
    )
    data[place.offset + 100] ^= 1
    with opened(bytes(data)) as video:
        for scene in (0, 1):
            video.seek_scene(scene)
            with pytest.raises(BitstreamError, match="NETW"):
                next(video)
            assert next(video).number == 2 * scene
        # They cost no picture.
        assert [(each.start, each.end) for each in video.damage] == [(None, None)]


def test_a_lost_frame_is_an_error_or_the_next_scene(stream: bytes) -> None:
    data = damaged(without_index(stream), 1)
    with opened(data) as video, pytest.raises(BitstreamError, match="frame 4 is not there"):
        video.seek_frame(4)
    with opened(data, on_damage="skip") as video:
        video.seek_frame(4)
        assert next(video).number == 6


def played_async(video: Video) -> list[int | None]:
    async def play() -> list[int | None]:
        async with video:
            return [frame.number async for frame in video]

    return asyncio.run(play())


def test_async_iteration_gives_the_frames_and_the_errors(stream: bytes) -> None:
    video = opened(stream)
    assert played_async(video) == list(range(15))
    with pytest.raises(ValueError, match="closed"):
        next(video)
    with pytest.raises(BitstreamError, match="damaged"):
        played_async(opened(damaged(stream, 2)))
    assert not prefetching()


def test_a_task_that_gives_up_loses_no_frame(
    stream: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every frame is waited for in vain first."""
    turn = threading.Semaphore(0)

    def slow(*_: object) -> Iterator[Frame]:
        for number in range(3):
            turn.acquire()
            yield Frame(PLANES, SMALL, number, FILM, number=number)

    monkeypatch.setattr("edgecodec.runtime.video.scene_frames", slow)

    async def play() -> list[int | None]:
        seen = []
        async with opened(stream) as video:
            for _ in range(3):
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(anext(video), 0.01)
                turn.release()
                seen.append((await anext(video)).number)
        return seen

    monkeypatch.setattr("edgecodec.runtime.video.Video.close", _released(turn, Video.close))
    assert asyncio.run(play()) == [0, 1, 2]


def _released(turn: threading.Semaphore, close: Callable[[Video], None]) -> Callable[[Video], None]:
    def closing(video: Video) -> None:
        turn.release(100)
        close(video)

    return closing


def test_two_videos_play_in_one_loop(stream: bytes) -> None:
    async def both() -> list[list[int | None]]:
        async def one() -> list[int | None]:
            async with opened(stream) as video:
                return [frame.number async for frame in video]

        return list(await asyncio.gather(one(), one()))

    assert asyncio.run(both()) == [list(range(15))] * 2


@pytest.mark.parametrize("waits_async", [False, True])
def test_closing_from_another_thread_ends_a_wait_with_an_error(
    stream: bytes, monkeypatch: pytest.MonkeyPatch, waits_async: bool
) -> None:
    waits, ends = threading.Event(), threading.Event()

    def never(*_: object) -> Iterator[Frame]:
        waits.set()
        ends.wait(60)
        yield from ()

    monkeypatch.setattr("edgecodec.runtime.video.scene_frames", never)
    video = opened(stream)
    outcome: list[str] = []

    def wait() -> None:
        try:
            if waits_async:
                asyncio.run(one_of(video))
            else:
                next(video)
        except ValueError as error:
            outcome.append(str(error))

    async def one_of(video: Video) -> None:
        await anext(video)

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert waits.wait(60)
    closing = threading.Thread(target=video.close)
    closing.start()
    waiting.join(60)
    assert outcome == ["the video is closed"]
    ends.set()
    closing.join(60)
    assert not closing.is_alive()
    assert not prefetching()


def test_closing_at_any_moment_hangs_nobody(draw_planes: Draw) -> None:
    data = stream_of(list(every_strategy(draw_planes, SMALL).values()), SMALL)
    for consumed in range(0, 30, 4):
        video = opened(data)
        outcome: list[str] = []
        there = threading.Event()

        def play(
            video: Video = video,
            outcome: list[str] = outcome,
            there: threading.Event = there,
            consumed: int = consumed,
        ) -> None:
            try:
                for number, _ in enumerate(video):
                    if number == consumed:
                        there.set()
                outcome.append("end")
            except ValueError as error:
                outcome.append(str(error))
            there.set()

        player = threading.Thread(target=play)
        player.start()
        assert there.wait(60)
        video.close()
        player.join(60)
        assert not player.is_alive()
        assert outcome in (["end"], ["the video is closed"])
    assert not prefetching()


class Pipe(io.RawIOBase):
    """Bytes that can only be read once, a few at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        return self._data.readinto(memoryview(buffer)[:100])


def test_a_file_that_cannot_seek_plays_front_to_back(stream: bytes) -> None:
    for file in (Pipe(stream), io.BufferedReader(Pipe(stream))):
        with runtime.open(file, threads=1) as video:
            assert not video.seekable
            assert (video.info.format, video.info.scenes) == (SMALL, 0)
            assert numbers(video) == list(range(15))
            assert video.damage == ()
            assert list(video) == []
            with pytest.raises(UnsupportedError, match="cannot seek"):
                video.seek_scene(0)
        assert not file.closed


def test_a_pipe_tells_its_damage_as_a_file_without_an_index(stream: bytes) -> None:
    data = damaged(without_index(stream), 0, 2)
    with opened(data, on_damage="skip") as video:
        frames, damage = numbers(video), video.damage
    with runtime.open(Pipe(data), threads=1, on_damage="skip") as video:
        assert (numbers(video), video.damage) == (frames, damage)


def test_a_named_pipe_plays_and_closing_it_waits_for_nobody(stream: bytes, tmp_path: Path) -> None:
    path = tmp_path / "pipe.ecv"
    os.mkfifo(path)
    goes_on = threading.Event()

    def write() -> None:
        with path.open("wb", buffering=0) as file:
            file.write(stream[:-100])
            goes_on.wait(60)

    writer = threading.Thread(target=write)
    writer.start()
    video = runtime.open(path, threads=1)
    assert [next(video).number for _ in range(12)] == list(range(12))
    # The writer is silent, but still there.
    closing = threading.Thread(target=video.close)
    closing.start()
    closing.join(60)
    assert not closing.is_alive()
    goes_on.set()
    writer.join(60)
    assert not writer.is_alive()
