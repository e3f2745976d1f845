"""Which picture is on screen: play, pause, seek, step."""

from __future__ import annotations

import time

from .decoding import Decoder
from .source import AtFrame, AtTime, Before, Shot, Target
from .timing import FrameRate, MediaClock, Now

# Further behind than this, the clock waits for the pictures: a decoder that is too slow plays in
# slow motion instead of falling behind for ever.
_MOST_BEHIND_SECONDS = 0.5


class Playback:
    """Shots by the clock. Nothing here waits: call `tick` often and show `shown`.

    A shot is due at its timestamp; of several that are due the last is shown and the others are
    `dropped`. `waits` counts how often the clock had to wait for the decoder.
    """

    def __init__(self, decoder: Decoder, now: Now = time.perf_counter) -> None:
        self.decoder = decoder
        self.clock = MediaClock(now)
        self.frame_rate = FrameRate(now)
        self.shown: Shot | None = None
        self.playing = False
        self.dropped = 0
        self.waits = 0
        # Shots that are shown as soon as they are there: the first, after a seek, in a step.
        self._at_once = 1
        self._heading: Before | None = None
        self._seeking_to: float | None = None

    @property
    def ended(self) -> bool:
        """Whether the last shot is on screen and nothing follows."""
        return self.decoder.at_end and not self.playing

    @property
    def position(self) -> float:
        """Seconds of what is on screen, or of where a seek goes to."""
        if self._seeking_to is not None:
            return self._seeking_to
        return 0.0 if self.shown is None else self.shown.time

    def play(self) -> None:
        """Go on; from the start if this is the end."""
        if self.playing:
            return
        if self.ended and not self._go_to(AtTime(float("-inf"))):
            return
        self.playing = True
        self.frame_rate.reset()
        if not self._at_once:
            self.clock.start()

    def pause(self) -> None:
        """Stay at the picture on screen."""
        self.playing = False
        self.clock.stop()

    def toggle(self) -> None:
        """Play or pause."""
        if self.playing:
            self.pause()
        else:
            self.play()

    def seek(self, seconds: float) -> None:
        """Show the frame of that time, and go on playing if it plays."""
        if self._go_to(AtTime(seconds)):
            self._seeking_to = seconds

    def seek_frame(self, number: int) -> None:
        """Show exactly that frame; see `seek`."""
        self._go_to(AtFrame(number))

    def step(self) -> None:
        """Pause and show the next frame."""
        self.pause()
        self._at_once += 1

    def step_back(self) -> None:
        """Pause and show the frame before."""
        self.pause()
        if self._heading is not None:
            # One that is still on its way: the step goes from there.
            self._go_to(Before(max(self._heading.number - 1, 0)))
        elif self.shown is not None:
            self._go_to(Before(self.shown.number))

    def tick(self) -> bool:
        """Show what is due. Whether that is another shot than before."""
        if self._at_once:
            return self._show_at_once()
        return self.playing and self._show_due()

    def close(self) -> None:
        """Stop decoding."""
        self.decoder.close()

    def _go_to(self, target: Target) -> bool:
        """Whether the source can seek."""
        if self.decoder.source is None or not self.decoder.source.video.seekable:
            return False
        self.decoder.go_to(target)
        self.clock.stop()
        self._at_once = 1
        self._heading = target if isinstance(target, Before) else None
        self._seeking_to = None
        return True

    def _show_at_once(self) -> bool:
        shot = self.decoder.take()
        if shot is None:
            if self.decoder.at_end:
                self._at_once = 0
                self._seeking_to = self._heading = None
                self.pause()
            return False
        self.shown = shot
        self.clock.set(shot.time)
        self._at_once -= 1
        if not self._at_once:
            self._heading = self._seeking_to = None
            if self.playing:
                self.clock.start()
        return True

    def _show_due(self) -> bool:
        now = self.clock.time
        due: Shot | None = None
        while (shot := self.decoder.peek()) is not None and shot.time <= now:
            # A seek cannot come between: it is this thread that seeks.
            self.dropped += due is not None
            due = self.decoder.take()
        if due is None:
            self._end_if_over(now)
            return False
        self.shown = due
        self.frame_rate.count()
        if now - due.time > _MOST_BEHIND_SECONDS:
            self.clock.set(due.time)
            self.waits += 1
        return True

    def _end_if_over(self, now: float) -> None:
        source = self.decoder.source
        if not self.decoder.at_end or source is None:
            return
        last = float(1 / source.video.info.frame_rate)
        if self.shown is None or now >= self.shown.time + last:
            self.pause()
