"""The whole player by its keys and its mouse, without a screen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pygame
import pytest
from numpy.typing import NDArray
from player.decoding import Decoder
from player.overlay import clock_text, statistics, troubles
from player.picture import Layout
from player.playback import Playback
from player.source import Options, open_source
from player.window import BAR_HEIGHT, Window

from ..conftest import Clip
from ..runtime.streams import classical, stream_of
from .conftest import PATIENCE, SMALL, all_frames
from .test_pictures import pixels

OpenWindow = Callable[..., Window]
FRAME = 1001 / 30000
TROUBLE = (255, 130, 110)


@pytest.fixture
def open_window() -> Iterator[OpenWindow]:
    """`open_window(path, original=None)`: pictures are as large as the stream's."""
    windows: list[Window] = []

    def begin(path: Path, original: Path | None = None) -> Window:
        options = Options(str(path), original, threads=1)
        playback = Playback(Decoder(partial(open_source, options)))
        windows.append(Window(playback, path.name, (96, 64 + BAR_HEIGHT)))
        windows[-1].shows_statistics = False
        return windows[-1]

    yield begin
    for window in windows:
        window.close()


def until(window: Window, condition: Callable[[], object]) -> None:
    """Let the window run until something holds."""
    give_up = time.monotonic() + PATIENCE
    while not condition():
        window.step(1)
        assert time.monotonic() < give_up, "it never came to that"


def until_shown(window: Window, number: int) -> None:
    until(window, lambda: shown(window) == number)


def shown(window: Window) -> int:
    """The number of the frame on screen, -1 before the first."""
    return -1 if window.playback.shown is None else window.playback.shown.number


def press(window: Window, key: int) -> None:
    pygame.event.post(pygame.Event(pygame.KEYDOWN, key=key))
    window.step(1)


def mouse(window: Window, kind: int, x: int, y: int) -> None:
    details = {"buttons": (1, 0, 0)} if kind == pygame.MOUSEMOTION else {"button": 1}
    pygame.event.post(pygame.Event(kind, pos=(x, y), **details))
    window.step(1)


def picture(window: Window) -> NDArray[np.uint8]:
    return pixels(window.surface)[:64]


def test_a_film_plays_to_its_end(open_window: OpenWindow, film: Path) -> None:
    window = open_window(film)
    press(window, pygame.K_SPACE)
    until(window, lambda: window.playback.ended)
    assert shown(window) == 29
    assert np.array_equal(picture(window), all_frames(film)[29].to_rgb())


def test_the_keys_seek_and_step_to_exact_pictures(open_window: OpenWindow, film: Path) -> None:
    frames = all_frames(film)
    window = open_window(film)
    until_shown(window, 0)
    for key, number in (
        (pygame.K_PERIOD, 1),
        (pygame.K_PERIOD, 2),
        (pygame.K_COMMA, 1),
        (pygame.K_RIGHT, 29),
        (pygame.K_COMMA, 28),
        (pygame.K_LEFT, 0),
        (pygame.K_RIGHT, 29),
        (pygame.K_HOME, 0),
    ):
        press(window, key)
        until_shown(window, number)
        window.draw()
        assert np.array_equal(picture(window), frames[number].to_rgb())


def test_space_pauses_and_goes_on(open_window: OpenWindow, film: Path) -> None:
    window = open_window(film)
    until_shown(window, 0)
    press(window, pygame.K_SPACE)
    until(window, lambda: shown(window) > 2)
    press(window, pygame.K_SPACE)
    here = shown(window)
    for _ in range(20):
        window.step(5)
    assert shown(window) == here
    press(window, pygame.K_SPACE)
    until(window, lambda: shown(window) > here)


def test_the_bar_seeks_where_it_is_clicked_and_dragged(open_window: OpenWindow, film: Path) -> None:
    window = open_window(film)
    until_shown(window, 0)
    timeline = window.timeline
    assert timeline is not None
    y = timeline.track.centery
    for kind, x, number in (
        (pygame.MOUSEBUTTONDOWN, timeline.x_of(15.5 * FRAME), 15),
        (pygame.MOUSEMOTION, timeline.x_of(20.5 * FRAME), 20),
        (pygame.MOUSEMOTION, 10_000, 29),
        (pygame.MOUSEMOTION, -10_000, 0),
    ):
        mouse(window, kind, x, y)
        until_shown(window, number)
    mouse(window, pygame.MOUSEBUTTONUP, 0, y)
    mouse(window, pygame.MOUSEMOTION, 50, y)
    assert window.playback.position == 0.0
    mouse(window, pygame.MOUSEBUTTONDOWN, 50, 10)
    assert window.playback.position == 0.0


@pytest.fixture(scope="module")
def reversed_film(cut_clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stream of `cut_clip` in which every frame is another one than in the original."""
    path = tmp_path_factory.mktemp("window") / "reversed.ecv"
    path.write_bytes(stream_of([classical(cut_clip.planes[::-1], SMALL)], SMALL))
    return path


def test_the_original_is_beside_it_and_behind_the_split(
    open_window: OpenWindow, cut_clip: Clip, reversed_film: Path
) -> None:
    window = open_window(reversed_film, cut_clip.path)
    until_shown(window, 0)
    window.draw()
    layouts = [window.layout]
    shot = window.playback.shown
    assert shot is not None
    assert shot.original is not None
    press(window, pygame.K_c)
    layouts.append(window.layout)
    seam = 24
    mouse(window, pygame.MOUSEBUTTONDOWN, seam, 30)
    assert np.array_equal(picture(window)[:, :seam], shot.original.to_rgb()[:, :seam])
    assert np.array_equal(picture(window)[:, seam + 1 :], shot.frame.to_rgb()[:, seam + 1 :])
    mouse(window, pygame.MOUSEMOTION, 96, 30)
    assert np.array_equal(picture(window), shot.original.to_rgb())
    press(window, pygame.K_c)
    layouts.append(window.layout)
    assert np.array_equal(picture(window), shot.frame.to_rgb())
    assert layouts == [Layout.BESIDE, Layout.SPLIT, Layout.ALONE]


def test_without_an_original_there_is_one_layout(open_window: OpenWindow, film: Path) -> None:
    window = open_window(film)
    until_shown(window, 0)
    press(window, pygame.K_c)
    assert window.layout is Layout.ALONE


def test_the_overlay_says_what_is_on_screen(open_window: OpenWindow, film: Path) -> None:
    window = open_window(film)
    until_shown(window, 0)
    window.playback.seek_frame(7)
    until_shown(window, 7)
    text = "\n".join(statistics(window.playback, "aac"))
    for words in (
        "96x64, 8 bit, 30 fps, tier nano",
        "frame 7 at 00:00.234, enhanced",
        "scene 2 of 5: hybrid_semantic over H264",
        "kbit/s here",
        "0 dropped",
        "networks on cpu, sound: aac",
    ):
        assert words in text
    window.playback.seek_frame(8)
    until_shown(window, 8)
    assert "frame 8 at 00:00.267, not enhanced" in statistics(window.playback, "aac")
    assert troubles(window.playback) == []
    assert clock_text(-61.5) == "-01:01.500"


def test_the_overlay_hides_and_shows_itself(open_window: OpenWindow, film: Path) -> None:
    window = open_window(film)
    until_shown(window, 0)
    window.draw()
    bare = picture(window)
    press(window, pygame.K_i)
    assert not np.array_equal(picture(window), bare)
    press(window, pygame.K_i)
    assert np.array_equal(picture(window), bare)


def test_the_overlay_times_the_decoder(open_window: OpenWindow, film: Path) -> None:
    window = open_window(film)
    press(window, pygame.K_SPACE)
    until(window, lambda: window.playback.ended)
    assert "ms a frame" in "\n".join(statistics(window.playback, "none"))


def has_trouble(window: Window) -> bool:
    window.draw()
    return bool((pixels(window.surface) == TROUBLE).all(axis=2).any())


def test_damage_is_told_and_marked(open_window: OpenWindow, film: Path, damaged_film: Path) -> None:
    window = open_window(film)
    until_shown(window, 0)
    assert not has_trouble(window)
    window.close()
    window = open_window(damaged_film)
    until_shown(window, 0)
    window.playback.seek_frame(19)
    until_shown(window, 24)
    assert has_trouble(window)
    text = "\n".join(troubles(window.playback))
    assert "pictures lost from 00:00.601 to 00:00.801" in text
    assert "checksum does not match" in text
    timeline = window.timeline
    assert timeline is not None
    row = pixels(window.surface)[timeline.track.top]
    red = np.flatnonzero((row == (220, 60, 50)).all(axis=1))
    assert red.size
    assert timeline.x_of(18 * FRAME) <= red.min() <= red.max() <= timeline.x_of(24 * FRAME)


def test_an_error_is_shown_in_the_window(open_window: OpenWindow, tmp_path: Path) -> None:
    path = tmp_path / "wrong.ecv"
    path.write_bytes(b"hello" * 100)
    window = open_window(path)
    until(window, lambda: window.playback.decoder.at_end)
    assert has_trouble(window)
    for key in (pygame.K_SPACE, pygame.K_PERIOD, pygame.K_COMMA, pygame.K_LEFT, pygame.K_c):
        press(window, key)
    mouse(window, pygame.MOUSEBUTTONDOWN, 20, 70)
    assert not window.closed


@pytest.mark.parametrize("event", ["q", "the button", "escape, while it opens"])
def test_closing_while_it_plays(open_window: OpenWindow, film: Path, event: str) -> None:
    window = open_window(film)
    if "opens" not in event:
        window.playback.play()
        until(window, lambda: shown(window) > 0)
    closing = {
        "q": pygame.Event(pygame.KEYDOWN, key=pygame.K_q),
        "the button": pygame.Event(pygame.QUIT),
        "escape, while it opens": pygame.Event(pygame.KEYDOWN, key=pygame.K_ESCAPE),
    }
    pygame.event.post(closing[event])
    window.run()
    assert window.closed
    assert not [each for each in threading.enumerate() if each.name == "player-decoder"]


def test_a_window_of_another_size_has_the_whole_picture(
    open_window: OpenWindow, film: Path
) -> None:
    window = open_window(film)
    until_shown(window, 0)
    window.surface = pygame.display.set_mode((300, 128 + BAR_HEIGHT), pygame.RESIZABLE)
    pygame.event.post(pygame.Event(pygame.VIDEORESIZE, w=300, h=128 + BAR_HEIGHT))
    window.step(1)
    columns = pixels(window.surface)[:128].any(axis=(0, 2))
    assert (columns.argmax(), columns.sum()) == (54, 192)
