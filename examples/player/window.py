"""The window: keys and mouse in, pictures and text out."""

from __future__ import annotations

import time
from collections.abc import Callable

import av
import pygame

from .overlay import clock_text, statistics, troubles, waiting
from .picture import Layout, Shape, draw_shot
from .playback import Playback
from .sound import SoundTrack
from .timeline import Timeline

BAR_HEIGHT = 36
_SEEK_SECONDS = 5.0
_FIRST_SIZE = (1280, 720 + BAR_HEIGHT)
_BACKGROUND, _BAR, _TEXT, _TROUBLE = (0, 0, 0), (28, 28, 32), (240, 240, 240), (255, 130, 110)
_PANEL = (0, 0, 0, 150)
_TEXT_SIZE, _LINE_GAP, _GAP = 20, 3, 8
# How often the text changes while the picture does not.
_REFRESH_SECONDS = 0.25
_WAIT_MS_PLAYING, _WAIT_MS_PAUSED = 4, 30

KEYS = """\
space         play, pause            . and ,     next frame, frame before
left, right   5 s back, on           home        to the start
i             statistics             c           alone, side by side, split
f             full screen            q, escape   quit
click or drag the bar to seek, and the picture to move the split"""


class Window:
    """Shows a playback until it is closed. All of it runs in one thread, which never waits long.

    With pygame's driver "dummy" it shows nothing, and `surface` has what it would have shown.
    """

    def __init__(self, playback: Playback, title: str, size: tuple[int, int] = _FIRST_SIZE) -> None:
        self.playback = playback
        self.sound = SoundTrack()
        self.layout = Layout.ALONE
        self.split = 0.5
        self.shows_statistics = True
        self.closed = False
        self._dragging: Callable[[int], None] | None = None
        self._opened = False
        self._stale = True
        self._drawn_at = 0.0
        pygame.display.init()
        pygame.font.init()
        pygame.display.set_caption(title)
        self.surface = pygame.display.set_mode(size, pygame.RESIZABLE)
        self._font = pygame.font.Font(None, _TEXT_SIZE)

    @property
    def picture_area(self) -> pygame.Rect:
        """Where pictures are."""
        width, height = self.surface.get_size()
        return pygame.Rect(0, 0, width, max(height - BAR_HEIGHT, 1))

    @property
    def timeline(self) -> Timeline | None:
        """None while there is nothing that one could seek in."""
        source = self.playback.decoder.source
        if source is None or not source.scenes:
            return None
        width, height = self.surface.get_size()
        area = pygame.Rect(0, height - BAR_HEIGHT, width, BAR_HEIGHT)
        return Timeline(area, source.scenes[0].start, source.video.info.duration)

    def run(self) -> None:
        """Until the window is closed."""
        while not self.closed:
            self.step(_WAIT_MS_PLAYING if self.playback.playing else _WAIT_MS_PAUSED)

    def step(self, wait_ms: int = 0) -> None:
        """Wait that long for an event, do what came, and show what is due."""
        for event in (pygame.event.wait(wait_ms or 1), *pygame.event.get()):
            self._handle(event)
        if self.closed:
            return
        self._open_once()
        self._stale |= self.playback.tick()
        clock = self.playback.clock
        self.sound.follow(clock.time, running=clock.running)
        if self._stale or time.perf_counter() - self._drawn_at > _REFRESH_SECONDS:
            self.draw()

    def draw(self) -> None:
        """Draw everything anew."""
        self.surface.fill(_BACKGROUND)
        problem = self._draw_picture()
        lines = statistics(self.playback, self.sound.state) if self.shows_statistics else []
        wrong = [*troubles(self.playback), *([problem] if problem else [])]
        wait = waiting(self.playback)
        self._draw_text([*lines, *([wait] if wait else [])], wrong)
        self._draw_bar()
        pygame.display.flip()
        self._stale = False
        self._drawn_at = time.perf_counter()

    def close(self) -> None:
        """Stop everything and take the window away."""
        self.closed = True
        self.sound.close()
        self.playback.close()
        pygame.quit()

    def _open_once(self) -> None:
        source = self.playback.decoder.source
        if source is None or self._opened:
            return
        self._opened = True
        self.sound.open(source.video)
        if source.original is not None:
            self.layout = Layout.BESIDE

    def _draw_picture(self) -> str:
        shot, source = self.playback.shown, self.playback.decoder.source
        if shot is None or source is None:
            return ""
        shape = Shape.of(source.video.info)
        try:
            draw_shot(self.surface, self.picture_area, shot, shape, self.layout, self.split)
        except av.error.FFmpegError as error:
            return f"error: the picture cannot be shown: {error}"
        return ""

    def _draw_bar(self) -> None:
        width, height = self.surface.get_size()
        bar = pygame.Rect(0, height - BAR_HEIGHT, width, BAR_HEIGHT)
        pygame.draw.rect(self.surface, _BAR, bar)
        source, timeline = self.playback.decoder.source, self.timeline
        if source is not None and timeline is not None:
            starts = [scene.start for scene in source.scenes]
            timeline.draw(self.surface, self.playback.position, starts, source.video.damage)

    def _draw_text(self, lines: list[str], wrong: list[str]) -> None:
        state = "playing" if self.playback.playing else "paused"
        if self.playback.shown is not None and self.shows_statistics:
            where = "" if self.layout is Layout.ALONE else ", the original to the left"
            position = clock_text(self.playback.position)
            lines = [f"{state} {position}, {self.layout}{where}", *lines]
        colored = [*((line, _TEXT) for line in lines), *((line, _TROUBLE) for line in wrong)]
        if not colored:
            return
        widest = max(self.surface.get_width() - 4 * _GAP, 1)
        texts = [self._font.render(line, True, color, wraplength=widest) for line, color in colored]
        width = max(text.get_width() for text in texts) + 2 * _GAP
        height = sum(text.get_height() + _LINE_GAP for text in texts) + 2 * _GAP
        panel = pygame.Surface((width, height), pygame.SRCALPHA)
        panel.fill(_PANEL)
        top = _GAP
        for text in texts:
            panel.blit(text, (_GAP, top))
            top += text.get_height() + _LINE_GAP
        self.surface.blit(panel, (_GAP, _GAP))

    def _handle(self, event: pygame.Event) -> None:
        if event.type == pygame.QUIT:
            self.close()
        elif event.type == pygame.KEYDOWN:
            self._stale = True
            self._press(event.key)
        elif event.type == pygame.VIDEORESIZE:
            self._stale = True
        elif event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
            self._dragging = self._grabbed(event.pos)
            self._drag(event.pos)
        elif event.type == pygame.MOUSEMOTION and event.buttons[0]:
            self._drag(event.pos)
        elif event.type == pygame.MOUSEBUTTONUP:
            self._dragging = None

    def _press(self, key: int) -> None:
        playback = self.playback
        actions: dict[int, Callable[[], object]] = {
            pygame.K_SPACE: playback.toggle,
            pygame.K_PERIOD: playback.step,
            pygame.K_COMMA: playback.step_back,
            pygame.K_LEFT: lambda: playback.seek(playback.position - _SEEK_SECONDS),
            pygame.K_RIGHT: lambda: playback.seek(playback.position + _SEEK_SECONDS),
            pygame.K_HOME: lambda: playback.seek(float("-inf")),
            pygame.K_i: self._toggle_statistics,
            pygame.K_c: self._next_layout,
            pygame.K_f: pygame.display.toggle_fullscreen,
            pygame.K_q: self.close,
            pygame.K_ESCAPE: self.close,
        }
        actions.get(key, lambda: None)()

    def _toggle_statistics(self) -> None:
        self.shows_statistics = not self.shows_statistics

    def _next_layout(self) -> None:
        source = self.playback.decoder.source
        if source is not None and source.original is not None:
            self.layout = self.layout.next

    def _grabbed(self, place: tuple[int, int]) -> Callable[[int], None] | None:
        timeline = self.timeline
        if timeline is not None and timeline.area.collidepoint(place):
            return lambda x: self.playback.seek(timeline.time_at(x))
        if self.layout is Layout.SPLIT and self.picture_area.collidepoint(place):
            return self._move_split
        return None

    def _drag(self, place: tuple[int, int]) -> None:
        if self._dragging is not None:
            self._dragging(place[0])
            self._stale = True

    def _move_split(self, x: int) -> None:
        source = self.playback.decoder.source
        if source is not None:
            picture = Shape.of(source.video.info).fitted(self.picture_area)
            self.split = min(max((x - picture.left) / picture.width, 0.0), 1.0)
