"""Streams to play, and the player without a screen, a loudspeaker or a clock of its own."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

os.environ.update(SDL_VIDEODRIVER="dummy", SDL_AUDIODRIVER="dummy", PYGAME_HIDE_SUPPORT_PROMPT="1")
# What `python examples/play.py` does.
sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))

import numpy as np
import pytest
from edgecodec import runtime
from edgecodec.runtime import Frame, PictureFormat
from edgecodec.runtime.container import Reader
from edgecodec.runtime.frames import Planes
from player.decoding import Decoder
from player.playback import Playback
from player.source import Options, open_source

from ..runtime.streams import classical, hybrid, latents, stream_of

SMALL = PictureFormat(96, 64)
GOLDEN = Path(__file__).parents[1] / "runtime" / "golden"
PATIENCE = 60.0


class FakeNow:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Desk:
    """A playback and its clock."""

    playback: Playback
    now: FakeNow

    def pass_time(self, seconds: float) -> bool:
        """Let time pass, and show what is due then."""
        self.now.seconds += seconds
        return self.playback.tick()

    def until(self, condition: Callable[[], object]) -> None:
        """Tick while no time passes until something holds."""
        give_up = time.monotonic() + PATIENCE
        while not condition():
            self.playback.tick()
            assert time.monotonic() < give_up, "it never came to that"
            time.sleep(0.001)

    def until_shown(self, number: int) -> Frame:
        """Tick until that frame is on screen."""
        self.until(lambda: self.playback.shown is not None and self.number == number)
        return self.frame

    def until_ready(self, shots: int = 4) -> None:
        """Wait until that many are there, or all that come. Four are what is always had."""
        decoder = self.playback.decoder
        self.until(lambda: decoder.ready >= shots or decoder._at_end)

    @property
    def frame(self) -> Frame:
        """What is on screen."""
        assert self.playback.shown is not None
        return self.playback.shown.frame

    @property
    def number(self) -> int:
        """Its number."""
        assert self.frame.number is not None
        return self.frame.number


def same(one: Frame, other: Frame) -> bool:
    """Whether two frames are equal in every sample."""
    return all(map(np.array_equal, one.planes, other.planes))


def all_frames(path: Path) -> list[Frame]:
    """What the runtime gives."""
    with runtime.open(path, on_damage="skip", threads=1) as video:
        return list(video)


@pytest.fixture
def sit_down() -> Iterator[Callable[..., Desk]]:
    """`sit_down(path, original=None)`: a playback that is closed in the end."""
    desks: list[Desk] = []

    def begin(path: Path | str, original: Path | None = None) -> Desk:
        now = FakeNow()
        options = Options(str(path), original, threads=1)
        desks.append(Desk(Playback(Decoder(partial(open_source, options)), now), now))
        return desks[-1]

    yield begin
    for desk in desks:
        desk.playback.close()


@pytest.fixture(scope="session")
def film(clip_folder: Path, draw_planes: Callable[..., tuple[Planes, ...]]) -> Path:
    """30 frames at 30000/1001 Hz in five scenes: H.264, mended, latents, H.264 twice."""
    planes = draw_planes(SMALL, 7)
    scenes = [
        classical(planes, SMALL),
        hybrid(planes, SMALL, (True, False, True, False, True, False, True)),
        latents(SMALL),
        classical(planes[:6], SMALL),
        classical(planes[:6], SMALL),
    ]
    path = clip_folder / "film.ecv"
    path.write_bytes(stream_of(scenes, SMALL))
    return path


@pytest.fixture(scope="session")
def damaged_film(clip_folder: Path, film: Path) -> Path:
    """As `film`; the scene of frames 18 to 23 is damaged."""
    data = bytearray(film.read_bytes())
    with film.open("rb") as file:
        entry = Reader(file).index[3]
    data[entry.offset + entry.size // 2] ^= 1
    path = clip_folder / "damaged_film.ecv"
    path.write_bytes(data)
    return path
