"""The thread that decodes, so that nobody else waits."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from threading import Condition, Thread

from edgecodec.runtime import EdgecodecError

from .source import LOOK_AHEAD, Shot, Source, Target
from .timing import DecodeTime, Now

# Decoding starts when few shots are left and stops when there are many: in bursts, which are what
# `DecodeTime` can time.
_MOST_SHOTS = 8
_FEW_SHOTS = 3
_CLOSE_SECONDS = 2.0


class Decoder:
    """Shots of a source in their order, from the start or from where `go_to` led.

    A thread opens the source and decodes ahead. No method waits for it but `close`, and that for
    two seconds at most.
    """

    def __init__(self, opener: Callable[[], Source], now: Now = time.perf_counter) -> None:
        self.decode_time = DecodeTime(LOOK_AHEAD)
        self._opener = opener
        self._now = now
        self._changed = Condition()
        self._source: Source | None = None
        self._shots: deque[Shot] = deque()
        self._target: Target | None = None
        # Counts the jumps: a shot that was on its way when one came is not put among the next.
        self._journey = 0
        self._filling = True
        self._at_end = False
        self._closing = False
        self._problems: deque[str] = deque(maxlen=20)
        self._thread = Thread(target=self._run, name="player-decoder", daemon=True)
        self._thread.start()

    @property
    def source(self) -> Source | None:
        """None until it is open, and where it cannot be opened."""
        return self._source

    @property
    def problems(self) -> tuple[str, ...]:
        """What went wrong, the latest last, beside the damage that the source lists."""
        with self._changed:
            beside = () if self._source is None else tuple(self._source.problems)
            return (*beside, *self._problems)

    @property
    def at_end(self) -> bool:
        """Whether no shot is left and none will come unless `go_to` is called."""
        with self._changed:
            return self._at_end and not self._shots

    @property
    def ready(self) -> int:
        """How many shots are there."""
        return len(self._shots)

    def peek(self) -> Shot | None:
        """The next shot; None if it is not there yet."""
        with self._changed:
            return self._shots[0] if self._shots else None

    def take(self) -> Shot | None:
        """As `peek`, and the one behind it is then the next."""
        with self._changed:
            if not self._shots:
                return None
            self._changed.notify_all()
            return self._shots.popleft()

    def go_to(self, target: Target) -> None:
        """Go on from there: what was decoded is forgotten at once."""
        with self._changed:
            self._target = target
            self._journey += 1
            self._shots.clear()
            self._at_end = False
            self._changed.notify_all()

    def close(self) -> None:
        """Stop decoding."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            source = self._source
        if source is not None:
            source.video.close()  # It ends a wait for the next frame.
        self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        try:
            with self._opener() as source:
                with self._changed:
                    self._source = source
                while self._decode_one(source):
                    pass
        except Exception as error:  # Whatever it is, the window must say so.
            self._stop_at(error)

    def _decode_one(self, source: Source) -> bool:
        """False once the decoder is closed."""
        order = self._next_order()
        if order is None:
            return False
        journey, target = order
        try:
            began = self._now()
            shot = source.next_shot() if target is None else source.go_to(target)
            self.decode_time.took(self._now() - began)
        except StopIteration:
            self._end(journey)
        except EdgecodecError as error:
            # A scene that cannot be played. The next one follows, so this ends.
            self._note(error)
        except Exception as error:
            if self._closing:
                return False
            self._note(error)
            self._end(journey)
        else:
            self._put(journey, shot)
        return True

    def _next_order(self) -> tuple[int, Target | None] | None:
        """Waits for something to do; None once the decoder is closed."""
        with self._changed:
            if not self._is_wanted():
                self.decode_time.left_alone()
                self._changed.wait_for(self._is_wanted)
            if self._closing:
                return None
            target, self._target = self._target, None
            if target is not None:
                self.decode_time.left_alone()
            return self._journey, target

    def _is_wanted(self) -> bool:
        if self._closing or self._target is not None:
            return True
        if len(self._shots) <= _FEW_SHOTS:
            self._filling = True
        elif len(self._shots) >= _MOST_SHOTS:
            self._filling = False
        return self._filling and not self._at_end

    def _put(self, journey: int, shot: Shot) -> None:
        with self._changed:
            if journey == self._journey:
                self._shots.append(shot)

    def _end(self, journey: int) -> None:
        with self._changed:
            if journey == self._journey:
                self._at_end = True

    def _note(self, error: Exception) -> None:
        # The message of these says what is wrong; that of others often only with their name.
        text = str(error)
        if not isinstance(error, EdgecodecError | OSError):
            text = f"{type(error).__name__}: {text}"
        with self._changed:
            self._problems.append(text)

    def _stop_at(self, error: Exception) -> None:
        if not self._closing:
            self._note(error)
        with self._changed:
            self._at_end = True
