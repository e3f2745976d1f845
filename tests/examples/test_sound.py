"""Sound: the stream's packets as samples, and played along with the clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pygame
import pytest
from edgecodec import runtime
from edgecodec.runtime import AuxPacket, AuxStream
from edgecodec.runtime.frames import Planes
from numpy.typing import NDArray
from player.pcm import RATE, Block, decoded, sound_stream
from player.sound import SoundTrack

from ..conftest import Clip
from ..runtime.streams import classical, stream_of
from .conftest import PATIENCE, SMALL

Draw = Callable[..., tuple[Planes, ...]]


@pytest.fixture(scope="module")
def noise() -> NDArray[np.int16]:
    """Three seconds at 48 kHz, stereo, of which no two places are alike."""
    return np.random.default_rng(5).integers(-20000, 20000, (3 * RATE, 2), dtype=np.int16)


@pytest.fixture(scope="module")
def loud_film(
    noise: NDArray[np.int16], draw_planes: Draw, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A stream whose sound is that noise, in FLAC: without loss."""
    stream, packets = coded(noise, "flac")
    path = tmp_path_factory.mktemp("sound") / "loud.ecv"
    scene = classical(draw_planes(SMALL, 6), SMALL)
    path.write_bytes(
        stream_of([scene] * 5, SMALL, aux=packets, aux_streams=(stream,), time_base=Fraction(1, 10))
    )
    return path


def coded(noise: NDArray[np.int16], codec: str) -> tuple[AuxStream, list[AuxPacket]]:
    encoder = av.CodecContext.create(codec, "w")
    assert isinstance(encoder, av.audio.codeccontext.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = RATE, "stereo", "s16"
    encoder.time_base = Fraction(1, RATE)
    encoder.open()
    frame = av.AudioFrame.from_ndarray(noise.reshape(1, -1), "s16", "stereo")
    frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
    fifo = av.AudioFifo()
    fifo.write(frame)
    pieces = fifo.read_many(encoder.frame_size)
    rest = fifo.read()
    packets = []
    for piece in [*pieces, *([rest] if rest else []), None]:
        packets += encoder.encode(piece)
    stream = AuxStream(
        0, codec, "audio", Fraction(1, RATE), encoder.extradata or b"", RATE, 2, "stereo"
    )
    return stream, [
        AuxPacket(0, packet.pts or 0, packet.pts or 0, packet.duration or 0, True, bytes(packet))
        for packet in packets
    ]


def samples(block: Block) -> NDArray[np.int16]:
    return np.frombuffer(block.samples, np.int16).reshape(-1, 2)


@pytest.mark.parametrize("start", [0.0, 0.01, 1.0, 2.345678])
def test_samples_are_those_of_their_time(
    loud_film: Path, noise: NDArray[np.int16], start: float
) -> None:
    with runtime.open(loud_film) as video:
        stream = sound_stream(video.info.aux_streams)
        assert stream is not None
        blocks = list(decoded(video.aux_packets(), stream, start))
    assert blocks[0].time == pytest.approx(start, abs=1 / RATE)
    for block in blocks:
        first = round(block.time * RATE)
        assert np.array_equal(samples(block), noise[first : first + len(samples(block))])
    assert sum(len(samples(block)) for block in blocks) == len(noise) - round(start * RATE)


def test_a_gap_between_packets_begins_a_block(noise: NDArray[np.int16]) -> None:
    stream, packets = coded(noise, "flac")
    kept = [packet for packet in packets if not RATE <= packet.pts < 2 * RATE]
    blocks = list(decoded(kept, stream, 0.0))
    for block in blocks:
        first = round(block.time * RATE)
        assert np.array_equal(samples(block), noise[first : first + len(samples(block))])
    ends = [one.end < other.time - 0.5 for one, other in pairwise(blocks)]
    assert sum(ends) == 1


def test_packets_that_do_not_decode_are_left_out(noise: NDArray[np.int16]) -> None:
    stream, packets = coded(noise, "flac")
    broken = [*packets[:3], replace(packets[3], data=b"broken"), *packets[4:]]
    heard = sum(len(samples(block)) for block in decoded(broken, stream, 0.0))
    assert len(noise) - 3 * (packets[1].pts - packets[0].pts) <= heard < len(noise)


@pytest.mark.parametrize("name", ["sound_clip", "subtitle_clip"])
def test_lossy_sound_is_heard_as_it_was(name: str, request: pytest.FixtureRequest) -> None:
    """AAC in MP4 and Opus in Matroska: a tone of 440 Hz for a third of a second."""
    clip: Clip = request.getfixturevalue(name)
    with av.open(str(clip.path)) as container:
        source = container.streams.audio[0]
        context = source.codec_context
        stream = AuxStream(
            1,
            context.codec.canonical_name,
            "audio",
            source.time_base,
            context.extradata or b"",
            context.sample_rate,
            context.channels,
            context.layout.name,
        )
        packets = [
            AuxPacket(1, packet.pts, packet.pts, packet.duration or 0, True, bytes(packet))
            for packet in container.demux(source)
            if packet.pts is not None
        ]
    blocks = list(decoded(packets, stream, 0.0))
    heard = np.concatenate([samples(block) for block in blocks])
    assert blocks[-1].end == pytest.approx(1 / 3, abs=0.05)
    spectrum = np.abs(np.fft.rfft(heard[2048:10240, 0]))
    assert spectrum.argmax() * RATE / 8192 == pytest.approx(440, abs=RATE / 8192)


def test_the_default_sound_is_played_or_else_the_first() -> None:
    def stream(index: int, kind: str = "audio", disposition: int = 0) -> AuxStream:
        return AuxStream(index, "aac", kind, Fraction(1, RATE), disposition=disposition)

    text = stream(0, "subtitle", 1)
    assert sound_stream((text,)) is None
    assert sound_stream((text, stream(1), stream(2))) == stream(1)
    assert sound_stream((text, stream(1), stream(2, "audio", 1))) == stream(2, "audio", 1)


class Ear:
    """Follows a clock, and knows what stands in the loudspeaker."""

    def __init__(self, video: runtime.Video) -> None:
        self.track = SoundTrack()
        self.track.open(video)

    def heard(self, seconds: float) -> NDArray[np.int16]:
        """Follow that second until there is sound: all of the block that is then played."""
        give_up = time.monotonic() + PATIENCE
        while (playing := pygame.mixer.Channel(0).get_sound()) is None:
            self.track.follow(seconds, running=True)
            assert time.monotonic() < give_up, self.track.state
        return np.frombuffer(playing.get_raw(), np.int16).reshape(-1, 2)


@pytest.fixture
def ear(loud_film: Path) -> Iterator[Ear]:
    pygame.init()
    with runtime.open(loud_film) as video:
        ear = Ear(video)
        yield ear
        ear.track.close()
    pygame.quit()


def test_what_is_heard_belongs_to_the_clocks_second(ear: Ear, noise: NDArray[np.int16]) -> None:
    for seconds in (0.0, 1.5, 0.25, 2.5):
        ear.track.follow(seconds, running=True)
        heard = ear.heard(seconds)
        first = round(seconds * RATE)
        assert np.array_equal(heard, noise[first : first + len(heard)])
    assert ear.track.state == "flac"


def test_blocks_follow_each_other_while_the_clock_goes_on(
    ear: Ear, noise: NDArray[np.int16]
) -> None:
    ear.heard(0.0)
    began, whole, places = time.monotonic(), noise.tobytes(), set()
    while (seconds := time.monotonic() - began) < 0.8:
        ear.track.follow(seconds, running=True)
        playing = pygame.mixer.Channel(0).get_sound()
        if playing is not None:
            places.add(whole.find(playing.get_raw()[:64]))
        time.sleep(0.002)
    assert len(places) >= 2
    assert -1 not in places


def test_sound_stands_still_with_the_clock_and_is_silent_when_closed(ear: Ear) -> None:
    ear.heard(1.0)
    channel = pygame.mixer.Channel(0)
    ear.track.follow(1.0, running=False)
    time.sleep(0.5)  # Longer than a block.
    assert channel.get_busy()
    ear.track.close()
    ear.track.follow(1.0, running=True)
    assert pygame.mixer.get_init() is None


def test_a_film_without_sound_or_a_device_is_silent(
    film: Path, loud_film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path, driver, state in ((film, "dummy", "none"), (loud_film, "nowhere", "no device")):
        monkeypatch.setenv("SDL_AUDIODRIVER", driver)
        track = SoundTrack()
        with runtime.open(path) as video:
            track.open(video)
            track.follow(0.0, running=True)
            assert track.state.startswith(state)
            track.close()


def test_sound_that_cannot_be_decoded_stops_and_says_so(draw_planes: Draw, tmp_path: Path) -> None:
    stream = AuxStream(0, "no_such_codec", "audio", Fraction(1, RATE))
    packets = [AuxPacket(0, 0, 0, 1024, True, b"?")]
    path = tmp_path / "strange.ecv"
    scene = classical(draw_planes(SMALL, 2), SMALL)
    path.write_bytes(stream_of([scene], SMALL, aux=packets, aux_streams=(stream,)))
    track = SoundTrack()
    with runtime.open(path) as video:
        track.open(video)
        give_up = time.monotonic() + PATIENCE
        while not track.state.startswith("stopped"):
            track.follow(0.0, running=True)
            assert time.monotonic() < give_up
    assert "no_such_codec" in track.state
