"""The player's command line."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

# Before pygame is imported, which greets otherwise.
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

import pygame

from .decoding import Decoder
from .picture import Layout
from .playback import Playback
from .source import Options, open_source
from .window import KEYS, Window

_PICTURE_SECONDS = 60.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Play what the command line names; 1 if a picture that was asked for cannot be taken."""
    options = _parser().parse_args(arguments)
    if options.screenshot is not None:
        # Before the first window: nobody is to see this one, nor to hear it.
        os.environ["SDL_VIDEODRIVER"] = os.environ["SDL_AUDIODRIVER"] = "dummy"
    what = Options(
        options.stream, options.original, options.provider, options.threads, options.models
    )
    playback = Playback(Decoder(partial(open_source, what)))
    try:
        window = Window(playback, f"{options.stream} - edgecodec", options.size)
    except pygame.error as error:
        playback.close()
        print(f"error: no window: {error}", file=sys.stderr)
        return 1
    try:
        playback.play()
        if options.screenshot is None:
            window.run()
            return 0
        return _take(window, options.screenshot, options.at, options.layout)
    finally:
        window.close()


def _take(window: Window, path: Path, seconds: float, layout: Layout | None) -> int:
    """Play up to that second and save what the window shows."""
    playback, give_up = window.playback, time.monotonic() + seconds + _PICTURE_SECONDS
    while playback.position < seconds and not playback.ended and time.monotonic() < give_up:
        window.step(1)
    playback.pause()
    window.layout = layout or window.layout
    window.draw()
    pygame.image.save(window.surface, path)
    return 0 if playback.shown is not None else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="play.py",
        description="Play an .ecv stream, beside the file that it was made of if that is given.",
        epilog=KEYS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("stream", help="a path or an http(s) URL")
    parser.add_argument("original", nargs="?", type=Path, help="a video file to compare with")
    parser.add_argument("--provider", default="auto", help="what networks run on (auto)")
    parser.add_argument("--threads", type=int, default=0, help="of each stage, 0: one a core")
    parser.add_argument("--models", type=Path, help="a folder of `edgecodec export`")
    parser.add_argument("--size", type=_size, default=(1280, 756), help="of the window (1280x756)")
    picture = parser.add_argument_group("a picture of the player, taken without a screen")
    picture.add_argument("--screenshot", type=Path, metavar="OUT.png")
    picture.add_argument("--at", type=float, default=1.0, help="second to play up to (1)")
    picture.add_argument("--layout", type=Layout, choices=list(Layout))
    return parser


def _size(text: str) -> tuple[int, int]:
    width, cross, height = text.partition("x")
    if not (cross and width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 1280x756")
    return int(width), int(height)
