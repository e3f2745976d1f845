"""A stream that arrives in pieces gives the frames, and the damage, of one that lies in a file."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from zlib import crc32

import numpy as np
import pytest
from edgecodec import runtime
from edgecodec.runtime import (
    AuxPacket,
    AuxStream,
    BitstreamError,
    Frame,
    Limits,
    PictureFormat,
    PushDecoder,
    UnsupportedError,
)
from edgecodec.runtime.auxiliary import pack_aux_packets
from edgecodec.runtime.collect import PlacedChunk
from edgecodec.runtime.container import Chunk, Reader
from edgecodec.runtime.demux import PACKETS_AT_ONCE, SPARE_BYTES, Demuxer
from edgecodec.runtime.errors import EdgecodecError
from edgecodec.runtime.frames import Planes
from edgecodec.runtime.records import (
    AUXD,
    CHNK,
    INDX,
    SYNC,
    RecordFile,
    pack_footer,
    write_record,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from . import mutations
from .ecv_samples import sample_stream
from .streams import FILM, classical, every_strategy, stream_of, title_weights

SMALL = PictureFormat(96, 64)
Draw = Callable[..., tuple[Planes, ...]]


@pytest.fixture(scope="module")
def stream(draw_planes: Draw) -> bytes:
    """A scene of every strategy, and title weights that none refers to."""
    return stream_of(
        list(every_strategy(draw_planes, SMALL).values()), SMALL, titles=[title_weights()]
    )


@pytest.fixture(scope="module")
def pulled(stream: bytes) -> list[Frame]:
    with runtime.open(io.BytesIO(stream), threads=1) as video:
        return list(video)


@pytest.fixture(scope="module")
def classical_stream(draw_planes: Draw) -> bytes:
    """Four scenes of two frames of H.264."""
    planes = draw_planes(SMALL, 8)
    return stream_of([classical(planes[n : n + 2], SMALL) for n in range(0, 8, 2)], SMALL)


def pieces(data: bytes, sizes: Iterator[int]) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        size = next(sizes)
        yield data[at : at + size]
        at += size


def forever(*sizes: int) -> Iterator[int]:
    while True:
        yield from sizes


def without_index(data: bytes) -> bytes:
    offset = RecordFile(io.BytesIO(data)).index_offset()
    assert offset is not None
    return data[:offset]


def received(decoder: PushDecoder) -> list[Frame]:
    frames = []
    while (frame := decoder.receive()) is not None:
        frames.append(frame)
    return frames


def pushed(data: bytes, sizes: Iterator[int], **options: object) -> list[Frame]:
    with PushDecoder(threads=1, **options) as decoder:  # type: ignore[arg-type]
        frames = []
        for piece in pieces(data, sizes):
            decoder.send(piece)
            frames += received(decoder)
        decoder.finish()
        return frames + received(decoder)


def assert_same(found: list[Frame], wanted: list[Frame]) -> None:
    assert [(each.pts, each.number) for each in found] == [(e.pts, e.number) for e in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert (one.format, one.time_base, one.color) == (
            other.format,
            other.time_base,
            other.color,
        )
        assert all(map(np.array_equal, one.planes, other.planes))


@pytest.mark.parametrize("size", [1, 1500, 1 << 30])
def test_pieces_of_any_size_give_the_frames_of_the_file(
    stream: bytes, pulled: list[Frame], size: int
) -> None:
    assert_same(pushed(stream, forever(size)), pulled)


@settings(deadline=None, max_examples=8)
@given(st.lists(st.integers(1, 9000), min_size=1, max_size=20))
def test_pieces_of_arbitrary_sizes_give_the_frames_of_the_file(sizes: list[int]) -> None:
    # Of the cheapest scene: what a split can change is the container's.
    assert_same(pushed(SPLIT_STREAM, forever(*sizes)), SPLIT_FRAMES)


def _still_stream() -> tuple[bytes, list[Frame]]:
    grey = np.full((64, 96), 90, np.uint8)
    planes = (grey, grey[:32, :48], grey[:32, :48])
    data = stream_of([classical([planes] * 2, SMALL)] * 5, SMALL)
    with runtime.open(io.BytesIO(data), threads=1) as video:
        return data, list(video)


SPLIT_STREAM, SPLIT_FRAMES = _still_stream()


def test_a_scene_comes_as_soon_as_it_is_whole(classical_stream: bytes) -> None:
    index = Reader(io.BytesIO(classical_stream)).index
    with PushDecoder(threads=1) as decoder:
        assert decoder.receive() is None
        assert decoder.info is None
        for number, (start, stop) in enumerate(
            [(0, index[0].offset + index[0].size)]
            + [(each.offset, each.offset + each.size) for each in index[1:]]
        ):
            decoder.send(classical_stream[start : stop - 1])
            assert decoder.receive() is None
            decoder.send(classical_stream[stop - 1 : stop])
            assert [each.number for each in received(decoder)] == [2 * number, 2 * number + 1]
        assert decoder.info is not None
        assert decoder.info.format == SMALL
        assert decoder.damage == ()


Demuxed = tuple[list[Chunk], list[AuxPacket], list[tuple[int, int, str]], list[int]] | str


def by_pull(data: bytes) -> Demuxed:
    try:
        reader = Reader(io.BytesIO(data))
    except EdgecodecError as error:
        return str(error)
    chunks = [reader.chunk(entry) for entry in reader.index]
    packets = list(reader.aux_packets())
    damage = sorted((each.offset, each.size, each.what) for each in reader.damage)
    return chunks, packets, damage, sorted(reader.titles)


def by_push(data: bytes, sizes: Iterator[int]) -> Demuxed:
    demuxer = Demuxer(keep_packets=True)
    chunks = []
    try:
        for piece in [*pieces(data, sizes), None]:
            if piece is None:
                demuxer.finish()
            else:
                demuxer.send(piece)
            while (event := demuxer.next_event()) is not None:
                if isinstance(event, PlacedChunk):
                    chunks.append(event.chunk)
    except EdgecodecError as error:
        return str(error)
    packets = demuxer.take_packets()
    damage = sorted((each.offset, each.size, each.what) for each in demuxer.damage)
    return chunks, packets, damage, sorted(demuxer.titles)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.lists(st.integers(1, 4000), min_size=1))
def test_damage_is_what_a_file_without_an_index_shows(
    seed: int, repaired: bool, sizes: list[int]
) -> None:
    """Whatever became of the bytes: the same scenes, packets, title weights and reports."""
    random = np.random.default_rng(seed)
    data = without_index(sample_stream(seed % 4))
    mutate = mutations.repaired if repaired else mutations.RAW[seed % len(mutations.RAW)]
    mutated = mutate(random, data)
    assert by_push(mutated, forever(*sizes)) == by_pull(mutated)


def index_record(payload: bytes) -> bytes:
    file = io.BytesIO()
    write_record(file, INDX, payload)
    return file.getvalue()


def test_only_an_index_that_ends_at_the_footer_counts() -> None:
    """Of two, whichever the footer names, and whether that one is broken."""
    data = without_index(sample_stream())
    good = RecordFile(io.BytesIO(sample_stream())).record_at(len(data))
    assert good is not None
    whole = sample_stream()[good.payload_offset :][: good.length]
    broken = index_record(whole + b"?")
    second = len(data) + len(broken)
    for first_index, named in ((broken, len(data)), (index_record(whole), len(data))):
        stream = data + first_index + index_record(whole) + pack_footer(named)
        pulled = by_pull(stream)
        assert by_push(stream, forever(50)) == pulled
        assert not isinstance(pulled, str)
        assert ["no index" in what for _, _, what in pulled[2]] == [True]
    stream = data + broken + index_record(whole) + pack_footer(second)
    assert by_push(stream, forever(50))[2] == by_pull(stream)[2] == []
    # And a broken one that is where it should be is named.
    stream = data + index_record(whole) + broken + pack_footer(len(data) + good.size)
    pulled = by_pull(stream)
    assert by_push(stream, forever(50)) == pulled
    assert [offset for offset, _, _ in pulled[2]] == [len(data) + good.size]  # type: ignore[misc]


def test_records_inside_each_other_are_passed_over_alike_before_the_end_is_known() -> None:
    """How many are read before they count as hostile does not depend on what has yet to come."""
    data = without_index(sample_stream())
    head_end = RecordFile(io.BytesIO(data)).record_at(0).end  # type: ignore[union-attr]
    count = 30
    heads = [b"".join((SYNC, b"NOTE", (500 - 16 * n).to_bytes(4, "little"))) for n in range(count)]
    nested = b"".join(head + crc32(head).to_bytes(4, "little") for head in heads) + bytes(60)
    for place in (0, 5000):
        stream = data[:head_end] + bytes(place) + nested + data[head_end:] + bytes(place)
        pulled = by_pull(stream)
        assert by_push(stream, forever(16)) == pulled
        assert any("inside each other" in what for _, _, what in pulled[2]) == (not place)  # type: ignore[union-attr]


def test_packets_of_no_bytes_wait_as_they_came() -> None:
    """They would take dozens of times the memory of what was sent."""
    packets = [AuxPacket(1, n, n, 1000, True, b"") for n in range(4096)]
    file = io.BytesIO()
    write_record(file, AUXD, pack_aux_packets(packets))
    head = without_index(sample_stream())
    demuxer = Demuxer(keep_packets=True)
    demuxer.send(head + file.getvalue() * 20)
    demuxer.finish()
    while demuxer.next_event() is not None:
        pass
    assert demuxer.buffered > 20 * 0.9 * len(file.getvalue())
    taken = [len(demuxer.take_packets()) for _ in range(3)]
    assert PACKETS_AT_ONCE <= taken[0] < PACKETS_AT_ONCE + 4096
    assert sum(taken) == 28 + 20 * 4096
    assert taken[2] == 0
    assert demuxer.buffered < 100


def test_a_whole_stream_has_no_damage_in_pieces_either() -> None:
    whole = sample_stream()
    assert by_push(whole, forever(7, 300)) == by_pull(whole)
    found = by_push(whole[:-1], forever(7))
    assert not isinstance(found, str)
    assert ["no index" in what for _, _, what in found[2]] == [False, True]


def test_damage_raises_where_it_lies_and_the_next_call_goes_on(classical_stream: bytes) -> None:
    index = Reader(io.BytesIO(classical_stream)).index
    data = bytearray(classical_stream)
    data[index[1].offset + index[1].size // 2] ^= 1
    with PushDecoder(threads=1) as decoder:
        decoder.send(data)
        decoder.finish()
        assert [decoder.receive().number for _ in range(2)] == [0, 1]  # type: ignore[union-attr]
        with pytest.raises(BitstreamError, match="checksum does not match"):
            decoder.receive()
        assert [each.number for each in received(decoder)] == [4, 5, 6, 7]
        (damage,) = decoder.damage
    assert (damage.offset, damage.size) == (index[1].offset, index[1].size)
    # Frames 2 and 3 are lost, at the stream's times.
    assert damage.start == pytest.approx(2 * float(FILM), abs=0.001)
    assert damage.end == pytest.approx(4 * float(FILM))
    assert [frame.number for frame in pushed(bytes(data), forever(99), on_damage="skip")] == [
        0,
        1,
        4,
        5,
        6,
        7,
    ]


def test_what_is_no_stream_is_refused_at_once(classical_stream: bytes) -> None:
    with PushDecoder() as decoder:
        decoder.send(b"RI")
        with pytest.raises(BitstreamError, match=r"not an \.ecv stream"):
            decoder.send(b"FF")
    with PushDecoder() as decoder, pytest.raises(BitstreamError, match="header is damaged"):
        decoder.send(classical_stream[:8] + bytes(100))
    with PushDecoder() as decoder:
        decoder.send(classical_stream[:20])
        with pytest.raises(BitstreamError, match="cut off"):
            decoder.finish()
    with PushDecoder() as decoder, pytest.raises(BitstreamError, match="begins with nothing"):
        decoder.finish()
    with (
        PushDecoder(max_frame_size=96 * 64 - 1) as decoder,
        pytest.raises(BitstreamError, match="96x64"),
    ):
        decoder.send(classical_stream)


def test_no_more_than_the_capacity_is_ever_held(classical_stream: bytes) -> None:
    limits = Limits(
        max_chunk_bytes=1 << 16,
        max_aux_bytes=1 << 16,
        max_header_bytes=1 << 16,
        max_title_bytes=1 << 16,
        max_index_bytes=1 << 16,
    )
    with PushDecoder(threads=1, limits=limits) as decoder:
        assert decoder.capacity < (1 << 16) + SPARE_BYTES + 100
        decoder.send(classical_stream)
        with pytest.raises(BlockingIOError, match="receive what is there first"):
            decoder.send(bytes(decoder.capacity - len(classical_stream) + 1))
        # It took nothing: all that was sent before still plays.
        assert len(received(decoder)) == 8
        assert decoder.buffered < 100
        decoder.send(bytes(SPARE_BYTES))


def test_a_record_over_the_limits_is_not_waited_for(classical_stream: bytes) -> None:
    """A length of 1 GiB under a good checksum holds up nothing, and costs only itself."""
    index = Reader(io.BytesIO(classical_stream)).index
    head = b"".join((SYNC, CHNK, (1 << 30).to_bytes(4, "little")))
    lie = head + crc32(head).to_bytes(4, "little")
    at = index[2].offset
    with PushDecoder(threads=1, on_damage="skip") as decoder:
        decoder.send(classical_stream[:at] + lie + classical_stream[at:])
        assert len(received(decoder)) == 8
        (damage,) = decoder.damage
        assert damage.offset == at
        assert "over the limit" in damage.what
        # No picture is lost to it.
        assert (damage.start, damage.end) == (None, None)


def test_after_a_jump_the_next_whole_scene_plays(classical_stream: bytes) -> None:
    index = Reader(io.BytesIO(classical_stream)).index
    with PushDecoder(threads=1) as decoder:
        decoder.send(classical_stream[: index[0].offset + 10])
        middle = index[1].offset + 30
        decoder.flush(middle)
        decoder.send(classical_stream[middle:])
        assert [each.number for each in received(decoder)] == [4, 5, 6, 7]
        decoder.finish()
        assert decoder.receive() is None
        # A jump is no damage, and back works too, even after the end.
        assert decoder.damage == ()
        decoder.flush(index[1].offset)
        decoder.send(classical_stream[index[1].offset :])
        first = decoder.receive()
        assert first is not None
        assert first.number == 2
        decoder.flush()
        assert decoder.receive() is None


def test_a_jump_before_the_header_is_an_error() -> None:
    with PushDecoder() as decoder, pytest.raises(ValueError, match="header comes first"):
        decoder.flush(100)


def test_packets_come_with_the_scenes_they_lie_between(draw_planes: Draw) -> None:
    sound = AuxStream(3, "aac", "audio", FILM)
    packets = [AuxPacket(3, n, n, 1, True, bytes([n] * 50)) for n in range(4)]
    scene = classical(draw_planes(SMALL, 2), SMALL)
    data = stream_of([scene], SMALL, aux=packets, aux_streams=(sound,))
    for keep, wanted in ((True, packets), (False, [])):
        with PushDecoder(threads=1, keep_packets=keep) as decoder:
            decoder.send(data)
            assert len(received(decoder)) == 2
            assert decoder.receive_packets() == wanted
            assert decoder.receive_packets() == []


def test_a_later_format_is_refused(classical_stream: bytes) -> None:
    at = classical_stream.index(b"\x01\x80\x01\x00\x00\x00\x01")
    changed = bytearray(classical_stream)
    changed[at + 6] = 9
    reader = RecordFile(io.BytesIO(classical_stream))
    head = reader.record_at(0)
    assert head is not None
    file = io.BytesIO()
    write_record(file, head.kind, bytes(changed[16 : 16 + head.length]))
    with PushDecoder() as decoder, pytest.raises(UnsupportedError, match="version 9"):
        decoder.send(file.getvalue())


def test_nothing_is_taken_after_the_end_or_once_closed(classical_stream: bytes) -> None:
    decoder = PushDecoder(threads=1)
    decoder.send(classical_stream)
    decoder.finish()
    with pytest.raises(ValueError, match="finished"):
        decoder.send(b"more")
    assert decoder.receive() is not None
    decoder.close()
    decoder.close()
    assert decoder.buffered == 0
    for call in (decoder.receive, decoder.finish, decoder.flush, lambda: decoder.send(b"")):
        with pytest.raises(ValueError, match="closed"):
            call()
    assert "edgecodec-prefetch" not in [each.name for each in threading.enumerate()]


def test_closing_from_another_thread_ends_a_wait(
    classical_stream: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scene never decodes: only closing ends the wait."""
    waits, ends = threading.Event(), threading.Event()

    def never(*_: object) -> Iterator[Frame]:
        waits.set()
        ends.wait(60)
        yield from ()

    monkeypatch.setattr("edgecodec.runtime.push.scene_frames", never)
    decoder = PushDecoder(threads=1)
    decoder.send(classical_stream)
    outcome: list[str] = []

    def receive() -> None:
        try:
            decoder.receive()
        except ValueError as error:
            outcome.append(str(error))

    waiting = threading.Thread(target=receive)
    waiting.start()
    assert waits.wait(60)
    closing = threading.Thread(target=decoder.close)
    closing.start()
    waiting.join(60)
    assert outcome == ["the decoder is closed"]
    ends.set()
    closing.join(60)
    assert not closing.is_alive()
