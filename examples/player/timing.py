"""The player's clock, and what it counts."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from statistics import fmean

Now = Callable[[], float]
_FPS_SECONDS = 2.0
_TIMED_FRAMES = 30


class MediaClock:
    """Which second of the film it is. It stands still until it is started."""

    def __init__(self, now: Now = time.perf_counter) -> None:
        self._now = now
        self._time = 0.0
        self._since: float | None = None

    @property
    def running(self) -> bool:
        """Whether time passes."""
        return self._since is not None

    @property
    def time(self) -> float:
        """Seconds of the film."""
        return self._time if self._since is None else self._time + (self._now() - self._since)

    def set(self, seconds: float) -> None:
        """Go to that second, running or not."""
        self._time = seconds
        if self.running:
            self._since = self._now()

    def start(self) -> None:
        """Let time pass from here on."""
        if not self.running:
            self._since = self._now()

    def stop(self) -> None:
        """Stand still here."""
        self._time, self._since = self.time, None


class FrameRate:
    """Frames a second over the last two seconds."""

    def __init__(self, now: Now = time.perf_counter) -> None:
        self._now = now
        self._times: deque[float] = deque()

    def count(self) -> None:
        """A frame was shown now."""
        self._times.append(self._now())

    def reset(self) -> None:
        """Forget what was shown: after a pause, the pause would count."""
        self._times.clear()

    @property
    def value(self) -> float:
        """0 until two frames were shown."""
        now = self._now()
        while self._times and now - self._times[0] > _FPS_SECONDS:
            self._times.popleft()
        if len(self._times) < 2:
            return 0.0
        return (len(self._times) - 1) / (self._times[-1] - self._times[0])


class DecodeTime:
    """What a frame takes to decode, over the last frames that somebody had to wait for.

    The decoder works `look_ahead` frames ahead and holds one more. After it was left alone, these
    are there at once and say nothing: only those behind them are timed.
    """

    def __init__(self, look_ahead: int) -> None:
        self._at_once = look_ahead + 1
        self._in_a_row = 0
        self._seconds: deque[float] = deque(maxlen=_TIMED_FRAMES)

    def left_alone(self) -> None:
        """The decoder may have worked ahead since the last frame."""
        self._in_a_row = 0

    def took(self, seconds: float) -> None:
        """A frame came that long after it was asked for."""
        self._in_a_row += 1
        if self._in_a_row > self._at_once:
            self._seconds.append(seconds)

    @property
    def mean(self) -> float | None:
        """Seconds a frame; None before any was timed."""
        return fmean(self._seconds) if self._seconds else None
