"""Sound that follows the picture's clock."""

from __future__ import annotations

from dataclasses import dataclass

import pygame
from edgecodec import runtime
from edgecodec.runtime.prefetch import Ahead

from .pcm import RATE, Block, decoded, sound_stream

_BLOCKS_AHEAD = 4
# The ear forgives as much; a correction would be heard.
_MOST_OFF_SECONDS = 0.1
# Blocks are a multiple of it, so that one ends where a buffer does and the next follows at once.
_BUFFER_FRAMES = 1024


@dataclass(frozen=True)
class _Queued:
    block: Block
    sound: pygame.mixer.Sound


class SoundTrack:
    """Plays a film's sound through SDL. `follow` is called as often as the clock is looked at.

    `state` says what is played or why nothing is.
    """

    def __init__(self) -> None:
        self.state = "none"
        self._channel: pygame.mixer.Channel | None = None
        self._video: runtime.Video | None = None
        self._stream: runtime.AuxStream | None = None
        self._blocks: Ahead[Block] | None = None
        self._next: Block | None = None
        self._queued: _Queued | None = None
        self._last: float | None = None

    def open(self, video: runtime.Video) -> None:
        """Find the sound of a film and a device for it: not finding one is no error."""
        self._stream = sound_stream(video.info.aux_streams)
        if self._stream is None:
            return
        if not video.seekable:
            self.state = "none from a source that cannot seek"
            return
        try:
            pygame.mixer.init(RATE, -16, 2, _BUFFER_FRAMES, allowedchanges=0)
        except pygame.error as error:
            self.state = f"no device ({error})"
            return
        self._video = video
        self._channel = pygame.mixer.Channel(0)
        self.state = self._stream.codec

    def follow(self, seconds: float, *, running: bool) -> None:
        """Play what belongs to that second of the film, or stand still with it."""
        if self._channel is None:
            return
        if not running:
            self._channel.pause()
            return
        try:
            if self._last is None or abs(seconds - self._last) > _MOST_OFF_SECONDS:
                self._start(seconds)
            self._last = seconds
            self._channel.unpause()
            self._keep_playing(seconds)
        except Exception as error:  # The film goes on without.
            self.state = f"stopped ({error})"
            self.close()

    def close(self) -> None:
        """Be silent for good."""
        if self._blocks is not None:
            self._blocks.stop(wait=False)
        if self._channel is not None:
            self._channel = None
            pygame.mixer.quit()

    def _start(self, seconds: float) -> None:
        assert self._channel is not None
        assert self._video is not None
        assert self._stream is not None
        self._channel.stop()
        if self._blocks is not None:
            self._blocks.stop(wait=False)
        packets = self._video.aux_packets()
        self._blocks = Ahead(decoded(packets, self._stream, seconds), _BLOCKS_AHEAD)
        self._next = self._queued = None

    def _keep_playing(self, seconds: float) -> None:
        channel = self._channel
        assert channel is not None
        if self._queued is not None and channel.get_sound() is self._queued.sound:
            begun, self._queued = self._queued.block, None
            if abs(begun.time - seconds) > _MOST_OFF_SECONDS:
                self._start(seconds)
        block = self._next = self._next or self._next_block()
        if block is None or channel.get_queue() is not None:
            return
        if channel.get_busy():
            sound = pygame.mixer.Sound(buffer=block.samples)
            channel.queue(sound)
            self._queued, self._next = _Queued(block, sound), None
        elif block.time <= seconds:
            self._next = None
            rest = block.after(seconds)
            if rest.samples:
                channel.play(pygame.mixer.Sound(buffer=rest.samples))

    def _next_block(self) -> Block | None:
        assert self._blocks is not None
        try:
            ready = self._blocks.take_ready()
        except StopIteration:
            return None
        return None if ready is None else ready[0]
