"""Playing by the clock: every picture in its time, and the exact one after a seek or a step."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from edgecodec.runtime.container import StrategyId
from edgecodec.runtime.frames import Planes
from edgecodec.runtime.payloads import HybridBody

from ..runtime.http_server import Habits, serving
from ..runtime.streams import classical, hybrid, stream_of
from .conftest import GOLDEN, SMALL, Desk, all_frames, same

SitDown = Callable[..., Desk]
FRAME = 1001 / 30000


def play_on(desk: Desk) -> list[int]:
    """Numbers of the frames that are shown from here on to the end, none of them late."""
    numbers = []
    while not desk.playback.ended:
        desk.until_ready()
        coming = desk.playback.decoder.peek()
        if coming is None:
            desk.pass_time(1.0)
            continue
        wait = coming.time - desk.playback.clock.time
        assert not desk.pass_time(wait * 0.99), "shown before its time"
        assert desk.pass_time(wait * 0.01 + 1e-6)
        numbers.append(desk.number)
    return numbers


def test_a_golden_stream_plays_to_its_end(sit_down: SitDown) -> None:
    wanted = json.loads((GOLDEN / "strategies_1.json").read_text())["frames"]
    desk = sit_down(GOLDEN / "strategies_1.ecv")
    desk.until_shown(0)
    desk.playback.play()
    shown = {0: desk.frame}
    while not desk.playback.ended:
        desk.until_ready()
        if desk.pass_time(FRAME):
            shown[desk.number] = desk.frame
    found = [
        hashlib.md5(b"".join(plane.tobytes() for plane in shown[number].planes)).hexdigest()
        for number in sorted(shown)
    ]
    assert found == wanted
    assert (desk.playback.dropped, desk.playback.waits) == (0, 0)


def test_every_frame_is_shown_in_its_time_and_the_end_pauses(sit_down: SitDown, film: Path) -> None:
    desk = sit_down(film)
    desk.until_shown(0)
    desk.playback.play()
    assert play_on(desk) == list(range(1, 30))
    assert not desk.playback.playing
    assert not desk.playback.clock.running


def test_the_first_frame_is_shown_before_playing_begins(sit_down: SitDown, film: Path) -> None:
    desk = sit_down(film)
    assert same(desk.until_shown(0), all_frames(film)[0])
    desk.until_ready()
    assert not desk.pass_time(5.0)
    assert desk.number == 0


def test_frames_that_are_late_are_dropped(sit_down: SitDown, film: Path) -> None:
    desk = sit_down(film)
    desk.until_shown(0)
    desk.playback.play()
    desk.until_ready(7)
    assert desk.pass_time(4.5 * FRAME)
    assert desk.number == 4
    assert desk.playback.dropped == 3
    desk.until_ready()
    assert desk.pass_time(FRAME)
    assert desk.number == 5
    assert (desk.playback.dropped, desk.playback.waits) == (3, 0)


def test_the_clock_waits_for_a_decoder_that_is_far_behind(sit_down: SitDown, film: Path) -> None:
    desk = sit_down(film)
    desk.until_shown(0)
    desk.playback.play()
    desk.until_ready()
    desk.pass_time(100.0)
    assert desk.playback.waits == 1
    assert desk.playback.clock.time == desk.frame.time
    assert play_on(desk)[-1] == 29


def test_nothing_moves_while_it_is_paused(sit_down: SitDown, film: Path) -> None:
    desk = sit_down(film)
    desk.until_shown(0)
    desk.playback.play()
    desk.until_ready()
    desk.pass_time(2.5 * FRAME)
    desk.playback.toggle()
    assert not desk.pass_time(60.0)
    desk.playback.toggle()
    assert not desk.pass_time(0.4 * FRAME)
    assert desk.pass_time(0.2 * FRAME)
    assert desk.number == 3


@pytest.mark.parametrize("playing", [False, True])
def test_a_seek_shows_the_exact_frame(sit_down: SitDown, film: Path, playing: bool) -> None:
    frames = all_frames(film)
    desk = sit_down(film)
    desk.until_shown(0)
    if playing:
        desk.playback.play()
    for number in (25, 3, 13, 12, 29, 0, 17):
        desk.playback.seek((number + 0.5) * FRAME)
        assert desk.playback.position == (number + 0.5) * FRAME
        assert same(desk.until_shown(number), frames[number])
        assert desk.playback.clock.time == frames[number].time == desk.playback.position
        assert desk.playback.clock.running == playing
    desk.until_ready()
    assert desk.pass_time(1.01 * FRAME) == playing
    assert desk.number == 17 + playing


def test_of_many_seeks_the_last_counts(sit_down: SitDown, film: Path) -> None:
    desk = sit_down(film)
    desk.until_shown(0)
    for number in (5, 28, 9, 20, 2, 15):
        desk.playback.seek((number + 0.5) * FRAME)
    desk.until(lambda: desk.number != 0)
    assert desk.number == 15


def test_steps_show_the_frames_on_either_side(sit_down: SitDown, film: Path) -> None:
    frames = all_frames(film)
    desk = sit_down(film)
    desk.until_shown(0)
    desk.playback.seek_frame(12)
    desk.until_shown(12)
    for number in (13, 14, 15):
        desk.playback.step()
        assert same(desk.until_shown(number), frames[number])
    for number in range(14, 5, -1):
        desk.playback.step_back()
        assert same(desk.until_shown(number), frames[number])
    assert desk.playback.position == frames[6].time


def test_steps_that_come_faster_than_frames_all_count(sit_down: SitDown, film: Path) -> None:
    desk = sit_down(film)
    desk.until_shown(0)
    for _ in range(5):
        desk.playback.step()
    desk.until_shown(5)
    desk.playback.seek_frame(20)
    desk.until_shown(20)
    for _ in range(3):
        desk.playback.step_back()
    desk.until_shown(17)
    desk.playback.step_back()
    desk.playback.step()
    desk.until(lambda: not desk.playback._at_once)
    assert desk.number == 17


def test_a_step_pauses(sit_down: SitDown, film: Path) -> None:
    desk = sit_down(film)
    desk.until_shown(0)
    desk.playback.play()
    desk.playback.step()
    desk.until_shown(1)
    assert not desk.pass_time(10.0)


def test_there_is_nothing_before_the_start_and_behind_the_end(
    sit_down: SitDown, film: Path
) -> None:
    desk = sit_down(film)
    desk.until_shown(0)
    desk.playback.step_back()
    desk.until(lambda: not desk.playback._at_once)
    assert desk.number == 0
    desk.playback.seek(1000.0)
    desk.until_shown(29)
    desk.playback.step()
    desk.until(lambda: not desk.playback._at_once)
    assert desk.number == 29
    assert desk.playback.ended


def test_playing_at_the_end_starts_again(sit_down: SitDown, film: Path) -> None:
    desk = sit_down(film)
    desk.until_shown(0)
    desk.playback.seek(1000.0)
    desk.until_shown(29)
    desk.until(lambda: desk.playback.ended)
    desk.playback.play()
    desk.until_shown(0)
    assert play_on(desk) == list(range(1, 30))


def test_a_damaged_scene_is_left_out(sit_down: SitDown, damaged_film: Path) -> None:
    desk = sit_down(damaged_film)
    desk.until_shown(0)
    desk.playback.play()
    assert play_on(desk) == [*range(1, 18), *range(24, 30)]
    source = desk.playback.decoder.source
    assert source is not None
    (damage,) = source.video.damage
    assert (damage.start, damage.end) == (pytest.approx(18 * FRAME), pytest.approx(24 * FRAME))
    desk.playback.seek(20 * FRAME)
    desk.until_shown(24)
    desk.playback.step_back()
    desk.until_shown(17)
    desk.playback.step()
    desk.until_shown(24)


def test_a_missing_network_costs_its_scene(
    sit_down: SitDown, draw_planes: Callable[..., tuple[Planes, ...]], tmp_path: Path
) -> None:
    planes = draw_planes(SMALL, 3)
    known = classical(planes, SMALL)
    mended = hybrid(planes, SMALL, (True, True, True))
    assert isinstance(mended.body, HybridBody)
    unknown = replace(mended, body=replace(mended.body, enhancer="00112233445566aa"))
    path = tmp_path / "unknown.ecv"
    path.write_bytes(stream_of([known, unknown, known], SMALL))
    desk = sit_down(path)
    desk.until_shown(0)
    desk.playback.play()
    assert play_on(desk) == [1, 2, 6, 7, 8]
    (problem,) = desk.playback.decoder.problems
    assert "00112233445566aa" in problem


def test_what_cannot_be_opened_is_a_problem(sit_down: SitDown, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.ecv"
    wrong.write_bytes(b"hello" * 100)
    for path, words in ((wrong, "not an .ecv stream"), (tmp_path / "none.ecv", "No such file")):
        desk = sit_down(path)
        desk.until(lambda desk=desk: desk.playback.decoder.at_end)
        assert words in desk.playback.decoder.problems[-1]
        desk.playback.play()
        desk.playback.seek(1.0)
        desk.playback.step()
        desk.playback.step_back()
        assert not desk.pass_time(1.0)
        assert desk.playback.shown is None


def test_a_stream_without_frames_ends_at_once(sit_down: SitDown, tmp_path: Path) -> None:
    path = tmp_path / "empty.ecv"
    path.write_bytes(stream_of([], SMALL))
    desk = sit_down(path)
    desk.playback.play()
    desk.until(lambda: desk.playback.ended)
    assert desk.playback.decoder.problems == ()


def test_a_url_plays_and_seeks(sit_down: SitDown, film: Path) -> None:
    with serving(Habits(film.read_bytes())) as url:
        desk = sit_down(url)
        desk.until_shown(0)
        desk.playback.seek(25.5 * FRAME)
        assert same(desk.until_shown(25), all_frames(film)[25])
        desk.playback.close()


def test_closing_in_the_middle_ends_the_thread(sit_down: SitDown, film: Path) -> None:
    for ready in (0, 1, 4):
        desk = sit_down(film)
        desk.until(lambda desk=desk, ready=ready: desk.playback.decoder.ready >= ready)
        desk.playback.play()
        desk.playback.close()
        assert not desk.playback.decoder._thread.is_alive()
        assert desk.playback.decoder.problems == ()


def test_closing_does_not_wait_for_a_pipe_that_stands_still(
    sit_down: SitDown, film: Path, tmp_path: Path
) -> None:
    fifo = tmp_path / "stalled.ecv"
    os.mkfifo(fifo)
    data = film.read_bytes()
    done = threading.Event()

    def write() -> None:
        with fifo.open("wb", buffering=0) as file:
            file.write(data[: len(data) // 2])
            done.wait(60)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        desk = sit_down(fifo)
        desk.until_shown(0)
        desk.playback.seek(0.5)
        desk.playback.step_back()
        assert not desk.playback.tick()
        desk.playback.close()
        assert not desk.playback.decoder._thread.is_alive()
    finally:
        done.set()
        writer.join()


def test_closing_does_not_wait_for_a_source_that_never_opens(
    sit_down: SitDown, tmp_path: Path
) -> None:
    fifo = tmp_path / "silent.ecv"
    os.mkfifo(fifo)
    desk = sit_down(fifo)
    try:
        desk.playback.play()
        assert not desk.playback.tick()
        desk.playback.close()
        assert desk.playback.decoder.source is None
    finally:
        fifo.open("wb").close()  # Lets the thread go.
        desk.playback.decoder._thread.join()


def test_a_shot_knows_its_scene(sit_down: SitDown, film: Path) -> None:
    desk = sit_down(film)
    desk.until_shown(0)
    wanted = {
        2: (StrategyId.CLASSICAL, False),
        7: (StrategyId.HYBRID_SEMANTIC, True),
        8: (StrategyId.HYBRID_SEMANTIC, False),
        15: (StrategyId.SEMANTIC_LATENT, True),
        29: (StrategyId.CLASSICAL, False),
    }
    for number, (strategy, enhanced) in wanted.items():
        desk.playback.seek_frame(number)
        desk.until_shown(number)
        assert desk.playback.shown is not None
        scene = desk.playback.shown.scene
        assert scene is not None
        assert (scene.strategy, scene.is_enhanced(number)) == (strategy, enhanced)
        assert scene.scenes == 5
        assert scene.bits_per_second > 0
