"""What damage costs: a flipped bit one chunk, a lost megabyte the chunks it was in. Everything else
plays, by pull and by push, and the time that is lost is known."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from hashlib import md5

import numpy as np
import pytest
from edgecodec import runtime
from edgecodec.runtime import Damage, Frame, PictureFormat, PushDecoder
from edgecodec.runtime.collect import PlacedChunk
from edgecodec.runtime.container import Chunk, Header, Reader
from edgecodec.runtime.demux import Demuxer
from edgecodec.runtime.errors import EdgecodecError
from edgecodec.runtime.records import NETW, Record, RecordFile
from hypothesis import given, settings
from hypothesis import strategies as st

from .golden_streams import GOLDEN
from .streams import classical, stream_of

NAMES = ("codecs_1", "strategies_1")
MEGABYTE = 1 << 20
NOISY = PictureFormat(256, 192)
NEAR_S = 0.02
"""What the nominal frame rate is off by, less than a frame."""


@cache
def golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.ecv").read_bytes()


@cache
def chunks(name: str) -> tuple[Chunk, ...]:
    reader = Reader(io.BytesIO(golden(name)))
    return tuple(reader.chunk(entry) for entry in reader.index)


@cache
def wanted_frames(name: str) -> list[str]:
    found: list[str] = json.loads((GOLDEN / f"{name}.json").read_text())["frames"]
    return found


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def header_end(data: bytes) -> int:
    head = RecordFile(io.BytesIO(data)).record_at(0)
    assert head is not None
    return head.end


def hit(data: bytes, at: int) -> int | None:
    """Which chunk a byte is of."""
    index = Reader(io.BytesIO(data)).index
    within = [number for number, each in enumerate(index) if 0 <= at - each.offset < each.size]
    return within[0] if within else None


def pulled_chunks(data: bytes) -> list[Chunk]:
    reader, found = Reader(io.BytesIO(data)), []
    for entry in reader.index:
        try:
            found.append(reader.chunk(entry))
        except EdgecodecError:
            assert entry.offset in {each.offset for each in reader.damage}
    return found


def pushed_chunks(data: bytes, piece: int) -> list[Chunk]:
    demuxer, found = Demuxer(), []
    for at in range(0, len(data) + piece, piece):
        if at < len(data):
            demuxer.send(data[at : at + piece])
        else:
            demuxer.finish()
        while (event := demuxer.next_event()) is not None:
            if isinstance(event, PlacedChunk):
                found.append(event.chunk)
    return found


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=250)
@given(place=st.floats(0, 1, exclude_max=True), piece=st.integers(100, 50_000))
def test_a_flipped_bit_costs_at_most_its_chunk(name: str, place: float, piece: int) -> None:
    """Wherever it is behind the header, which has to be whole."""
    data, all_chunks = golden(name), chunks(name)
    start = 8 * header_end(data)
    bit = start + int(place * (8 * len(data) - start))
    damaged, lost = flipped(data, bit), hit(data, bit // 8)
    left = [each for number, each in enumerate(all_chunks) if number != lost]
    assert pulled_chunks(damaged) == left
    assert pushed_chunks(damaged, piece) == left


@dataclass(frozen=True)
class Played:
    """What a player gave."""

    frames: list[Frame]
    damage: tuple[Damage, ...]

    @property
    def hashes(self) -> dict[int, str]:
        """MD5 of the samples by frame."""
        return {
            each.number or 0: md5(b"".join(plane.tobytes() for plane in each.planes)).hexdigest()
            for each in self.frames
        }

    @property
    def lost_seconds(self) -> list[tuple[float, float | None]]:
        """Between which times pictures are gone, ranges that touch as one."""
        ranges: list[tuple[float, float | None]] = []
        known = [each for each in self.damage if each.start is not None]
        for each in sorted(known, key=lambda each: each.start or 0):
            assert each.start is not None
            if ranges and ranges[-1][1] == pytest.approx(each.start, abs=NEAR_S):
                ranges[-1] = ranges[-1][0], each.end
            else:
                ranges.append((each.start, each.end))
        return ranges


def pull(data: bytes) -> Played:
    with runtime.open(io.BytesIO(data), threads=1, on_damage="skip") as video:
        return Played(list(video), video.damage)


def push(data: bytes, piece: int = 9000) -> Played:
    frames = []
    with PushDecoder(threads=1, on_damage="skip") as decoder:
        for at in range(0, len(data) + piece, piece):
            if at < len(data):
                decoder.send(data[at : at + piece])
            else:
                decoder.finish()
            while (frame := decoder.receive()) is not None:
                frames.append(frame)
        return Played(frames, decoder.damage)


def seconds(frames: range, header: Header) -> tuple[float, float]:
    """When frames are shown whose times are their numbers."""
    clock = float(header.time_base)
    return frames.start * clock, frames.stop * clock


@pytest.mark.parametrize("name", NAMES)
def test_around_a_flipped_bit_every_frame_plays_and_the_lost_time_is_told(name: str) -> None:
    """A bit in every chunk, of its framing and its payload in turn."""
    data = golden(name)
    reader = Reader(io.BytesIO(data))
    index = reader.index
    for number, entry in enumerate(index):
        offset = (6, entry.size // 2, entry.size - 2)[number % 3]
        damaged = flipped(data, 8 * (entry.offset + offset) + number % 8)
        lost = range(entry.start_frame, entry.start_frame + entry.frames)
        wanted = {at: md5 for at, md5 in enumerate(wanted_frames(name)) if at not in lost}
        start, end = seconds(lost, reader.header)
        by_pull, by_push = pull(damaged), push(damaged)
        assert by_pull.hashes == by_push.hashes == wanted
        assert by_pull.lost_seconds == [near(start, end)]
        # Pieces without an index do not tell how long the stream would have been.
        assert by_push.lost_seconds == [near(start, end if entry != index[-1] else None)]


def test_damaged_title_weights_lose_no_time() -> None:
    data = golden("strategies_1")
    records = RecordFile(io.BytesIO(data)).walk(0)
    (weights,) = [each for each in records if isinstance(each, Record) and each.kind == NETW]
    damaged = flipped(data, 8 * (weights.offset + 500))
    for played in (pull(damaged), push(damaged)):
        assert len(played.frames) == len(wanted_frames("strategies_1"))
        assert [(each.offset, each.start) for each in played.damage] == [(weights.offset, None)]


def near(start: float, end: float | None) -> tuple[object, object]:
    return pytest.approx(start, abs=NEAR_S), end and pytest.approx(end, abs=NEAR_S)


def test_a_lost_time_does_not_end_before_it_begins() -> None:
    """Three frames 10 ms apart in a stream that calls itself one of 1 Hz, then a lost scene."""
    grey = np.full((64, 96), 90, np.uint8)
    still = classical([(grey, grey[:32, :48], grey[:32, :48])] * 3, PictureFormat(96, 64))
    data = stream_of(
        [still] * 3,
        PictureFormat(96, 64),
        pts=range(9),
        time_base=Fraction(1, 100),
        frame_rate=Fraction(1),
    )
    lost = Reader(io.BytesIO(data)).index[1]
    (damage,) = push(flipped(data, 8 * (lost.offset + 50))).damage
    assert (damage.start, damage.end) == (0.06, 0.06)
    (damage,) = pull(flipped(data, 8 * (lost.offset + 50))).damage
    assert (damage.start, damage.end) == (0.03, 0.06)


@pytest.fixture(scope="module")
def large() -> bytes:
    """Twelve scenes of three frames of noise, some MB of H.264."""
    noise = np.random.default_rng(9)
    grey = np.full((96, 128), 128, np.uint8)
    scenes = []
    for _ in range(12):
        planes = [(noise.integers(0, 256, (192, 256), np.uint8), grey, grey) for _ in range(3)]
        scenes.append(classical(planes, NOISY, crf=0))
    data = stream_of(scenes, NOISY, frame_count=36)
    assert len(data) > 2 * MEGABYTE
    return data


@pytest.mark.parametrize("place", [0.1, 0.3, 0.45])
@pytest.mark.parametrize("gone", [True, False], ids=["gone", "zeroed"])
def test_a_lost_megabyte_costs_the_chunks_it_was_in(large: bytes, place: float, gone: bool) -> None:
    reader = Reader(io.BytesIO(large))
    index = reader.index
    start = int(len(large) * place)
    end = start + MEGABYTE
    damaged = large[:start] + (b"" if gone else bytes(MEGABYTE)) + large[end:]
    lost = [each for each in index if each.offset < end and each.offset + each.size > start]
    assert 3 <= len(lost) < len(index) - 2
    frames = range(lost[0].start_frame, lost[-1].start_frame + lost[-1].frames)
    whole = pull(large)
    wanted = {at: md5 for at, md5 in whole.hashes.items() if at not in frames}
    by_pull, by_push = pull(damaged), push(damaged)
    for played in (by_pull, by_push):
        assert played.hashes == wanted
        assert played.lost_seconds == [near(*seconds(frames, reader.header))]
    if gone:
        # Nothing is where the index says: a file is read as a stream is.
        assert by_pull.damage == by_push.damage
